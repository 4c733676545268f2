// Topics and their queues. What is in a queue is store/queue_index.h's business.
#ifndef TOTORA_STORE_TOPIC_TABLE_H_
#define TOTORA_STORE_TOPIC_TABLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/commands.h"
#include "store/queue_block.h"
#include "store/schema.h"

namespace totora::store {

// What RAM knows of a queue that was written since it was last at rest. The
// full blocks in front of the tail are packed already and wait for a checkpoint.
struct QueueTail {
  std::vector<IndexEntry> entries;  // Of the block that holds the queue's end.
  std::vector<EntryOverride> overrides;  // Of these; they count from entries[0].
  // Block numbers first_sealed, first_sealed + 1, …, up to the tail's.
  std::vector<std::shared_ptr<const std::string>> sealed;
  uint64_t first_sealed = 0;
  uint32_t frozen = 0;      // So many of `sealed` are in the checkpoint being written.
  bool is_dirty = false;    // Changed since the last freeze.
};

// An idle queue is these 24 bytes and a row of the checkpoint store.
struct Queue {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::unique_ptr<QueueTail> tail;  // Null: all of it is in the checkpoint store.
};

struct Topic {
  TopicId id;
  TopicConfig config;
  // As many as there ever were: a configuration with fewer only hides the rest.
  std::vector<Queue> queues;
  // Since the last TakeGrowth; no part of the state.
  uint64_t grown_messages = 0;
  uint64_t grown_bytes = 0;
  uint64_t grown_batches = 0;
};

// Thread safety: confined.
class TopicTable {
 public:
  // Null if there is none. Valid until the topic is deleted.
  Topic* Find(absl::string_view name) const;
  Topic* Find(TopicId id) const;

  // Creates or changes a topic. Returns it, or null if nothing changed.
  // Errors: InvalidArgument (name, queue counts); ResourceExhausted.
  absl::StatusOr<Topic*> Put(const TopicConfig& config);

  // False if there is none. The topic's queues go with it.
  bool Delete(absl::string_view name);

  // In the order of their creation.
  const absl::btree_map<TopicId, std::unique_ptr<Topic>>& by_id() const { return by_id_; }
  uint64_t version() const { return version_; }
  uint32_t next_id() const { return next_id_; }

  // Rows of all that changed since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has.
  absl::Status LoadRow(TopicId id, absl::string_view payload);
  void LoadCounters(uint64_t version, uint32_t next_id);

 private:
  absl::flat_hash_map<std::string, Topic*> by_name_;
  absl::btree_map<TopicId, std::unique_ptr<Topic>> by_id_;
  absl::flat_hash_set<TopicId> dirty_;
  absl::flat_hash_set<TopicId> dropped_;
  size_t queue_count_ = 0;   // Of all topics.
  uint64_t version_ = 0;
  uint32_t next_id_ = 1;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_TOPIC_TABLE_H_
