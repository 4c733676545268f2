// Consumer groups. What they consume is in store/lease_table.h and
// store/offset_table.h, under the group's id.
#ifndef TOTORA_STORE_CONSUMER_GROUP_TABLE_H_
#define TOTORA_STORE_CONSUMER_GROUP_TABLE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/commands.h"
#include "store/schema.h"

namespace totora::store {

struct ConsumerGroup {
  ConsumerGroupId id;
  ConsumerGroupConfig config;
};

// Thread safety: confined.
class ConsumerGroupTable {
 public:
  // Null if there is none. Valid until the consumer group is deleted.
  const ConsumerGroup* Find(absl::string_view name) const;

  // Creates or changes a consumer group.
  // Errors: InvalidArgument (name); ResourceExhausted.
  absl::Status Put(const ConsumerGroupConfig& config);

  // False if there is none.
  bool Delete(absl::string_view name);

  // In the order of their creation.
  const absl::btree_map<ConsumerGroupId, std::unique_ptr<ConsumerGroup>>& by_id() const {
    return by_id_;
  }
  uint32_t next_id() const { return next_id_; }

  // Rows of all that changed since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has.
  absl::Status LoadRow(ConsumerGroupId id, absl::string_view payload);
  void LoadCounter(uint32_t next_id) { next_id_ = next_id; }

 private:
  absl::flat_hash_map<std::string, ConsumerGroup*> by_name_;
  absl::btree_map<ConsumerGroupId, std::unique_ptr<ConsumerGroup>> by_id_;
  absl::flat_hash_set<ConsumerGroupId> dirty_;  // Without a group of this id: deleted.
  uint32_t next_id_ = 1;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_CONSUMER_GROUP_TABLE_H_
