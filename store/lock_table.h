// Which client may consume a queue in order: locks of classic orderly consumers.
// reference: RebalanceLockManager of RocketMQ, with time passed in the place of a
// broker's clock, so that a lock outlives a change of leader.
//
// A lock lasts kLockMs after it was last asked for. It ends without anybody's
// doing; what remains of it is cleared away by later commands, a few at a time.
//
// Thread safety: confined.
#ifndef TOTORA_STORE_LOCK_TABLE_H_
#define TOTORA_STORE_LOCK_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/schema.h"

namespace totora::store {

class LockTable {
 public:
  struct Lock {
    std::string client_id;
    int64_t until_ms = 0;    // Held while less has passed.
  };

  // Locks a queue or prolongs the client's lock. False: another client holds it.
  // Errors: ResourceExhausted.
  absl::StatusOr<bool> Acquire(const LeaseKey& key, absl::string_view client_id, int64_t now_ms);
  // Nothing happens unless the client holds it.
  void Release(const LeaseKey& key, absl::string_view client_id);
  // All of the client's, of one group or of all.
  void ReleaseClient(absl::string_view client_id, std::optional<ConsumerGroupId> group);
  void DropConsumerGroup(ConsumerGroupId group);
  void DropTopic(ConsumerGroupId group, TopicId topic);
  // Clears away up to `limit` locks that have ended.
  void Sweep(int64_t now_ms, size_t limit);

  bool HasLive(ConsumerGroupId group, int64_t now_ms) const;
  // Of all groups, those that have ended included.
  const absl::btree_map<LeaseKey, Lock>& locks() const { return locks_; }

  // Rows of all that changed since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has. `key.queue_id` means nothing.
  absl::Status LoadRow(const LeaseKey& key, absl::string_view payload);

 private:
  using Subscription = std::pair<ConsumerGroupId, TopicId>;
  using Locks = absl::btree_map<LeaseKey, Lock>;

  void Add(const LeaseKey& key, absl::string_view client_id, int64_t until_ms);
  Locks::iterator Erase(Locks::iterator it);
  void Drop(const LeaseKey& from, const LeaseKey& to);

  Locks locks_;
  absl::btree_set<std::pair<int64_t, LeaseKey>> by_end_;
  // Of clients that hold any.
  absl::btree_map<std::string, absl::btree_set<LeaseKey>> by_client_;
  absl::btree_set<Subscription> dirty_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_LOCK_TABLE_H_
