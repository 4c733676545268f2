// Offsets that consumers committed themselves (classic consumers). Progress of
// receive and ack is in store/lease_table.h.
#ifndef TOTORA_STORE_OFFSET_TABLE_H_
#define TOTORA_STORE_OFFSET_TABLE_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/schema.h"

namespace totora::store {

// Thread safety: confined.
class OffsetTable {
 public:
  using Subscription = std::pair<ConsumerGroupId, TopicId>;
  using Offsets = absl::btree_map<uint32_t, uint64_t>;  // By queue id.

  std::optional<uint64_t> Find(const LeaseKey& key) const;

  // Takes `offset` if it is higher than what is known, or if it is a reset.
  // Errors: ResourceExhausted.
  absl::Status Update(const LeaseKey& key, uint64_t offset, bool is_reset);

  void DropConsumerGroup(ConsumerGroupId group);
  void DropTopic(ConsumerGroupId group, TopicId topic);

  const absl::btree_map<Subscription, Offsets>& subscriptions() const { return subscriptions_; }

  // Rows of all that changed since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has. `key.queue_id` means nothing.
  absl::Status LoadRow(const LeaseKey& key, absl::string_view payload);

 private:
  void Drop(const Subscription& from, const Subscription& last);

  absl::btree_map<Subscription, Offsets> subscriptions_;
  size_t count_ = 0;   // Of offsets.
  absl::flat_hash_set<Subscription> dirty_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_OFFSET_TABLE_H_
