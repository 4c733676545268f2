// Offsets that consumers committed themselves (classic consumers). Progress of
// receive and ack is in store/lease_table.h.
//
// A reset may hold: what consumers at work report then still comes from before
// it, and counts for nothing until one of them was seen where the reset put it.
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
  // Offsets are below 2^63.
  struct Committed {
    uint64_t offset : 63 = 0;
    uint64_t is_held : 1 = 0;
    friend bool operator==(const Committed&, const Committed&) = default;
  };
  using Offsets = absl::btree_map<uint32_t, Committed>;  // By queue id.
  enum class Change {
    kReport,     // Counts if it is higher than what is known, and that is not held.
    kReset,      // Counts, and ends a hold.
    kHold,       // Counts, and holds.
    kEndOfHold,  // Of a hold at exactly this offset; else nothing.
  };

  std::optional<uint64_t> Find(const LeaseKey& key) const;
  // The offset, if it is held.
  std::optional<uint64_t> FindHeld(const LeaseKey& key) const;

  // Errors: ResourceExhausted.
  absl::Status Update(const LeaseKey& key, uint64_t offset, Change change);

  void DropConsumerGroup(ConsumerGroupId group);
  void DropTopic(ConsumerGroupId group, TopicId topic);

  const absl::btree_map<Subscription, Offsets>& subscriptions() const { return subscriptions_; }
  size_t held_count() const { return held_count_; }

  // Rows of all that changed since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has. `key.queue_id` means nothing.
  absl::Status LoadRow(const LeaseKey& key, absl::string_view payload);

 private:
  const Committed* FindCommitted(const LeaseKey& key) const;
  void Drop(const Subscription& from, const Subscription& last);

  absl::btree_map<Subscription, Offsets> subscriptions_;
  size_t count_ = 0;       // Of offsets.
  size_t held_count_ = 0;  // Of these, held ones.
  absl::flat_hash_set<Subscription> dirty_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_OFFSET_TABLE_H_
