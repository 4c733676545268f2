// (topic, queue, offset) → where the message lies in the log.
//
//   offset:   begin …………………………………………………………………………………………… end
//             │ full blocks in the store │ sealed blocks in RAM │ tail │
//
// A queue that was written since it was last at rest has its tail in RAM; a
// full tail is packed into a block, which waits in RAM for the next checkpoint.
// Everything else is read from the checkpoint store, a block at a time, through
// a small cache of unpacked blocks.
//
// Thread safety: confined; also the const methods, which share the cache.
#ifndef TOTORA_STORE_QUEUE_INDEX_H_
#define TOTORA_STORE_QUEUE_INDEX_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/checkpoint_store.h"
#include "store/queue_block.h"
#include "store/schema.h"
#include "store/topic_table.h"

namespace totora::store {

// One queue as a checkpoint writes it. Immutable once made.
struct FrozenQueue {
  QueueKey key;
  uint64_t begin = 0;
  uint64_t end = 0;
  std::vector<IndexEntry> tail;
  std::vector<EntryOverride> tail_overrides;
  uint64_t first_block = 0;
  std::vector<std::shared_ptr<const std::string>> blocks;

  // Appends its rows. Any thread.
  void AppendRows(std::vector<CheckpointWrite>* rows) const;
};

class QueueIndex {
 public:
  // Both are borrowed and must outlive this object.
  QueueIndex(const CheckpointStore* checkpoints, TopicTable* topics)
      : checkpoints_(checkpoints), topics_(topics) {}

  // Adds one message at the end of a queue.
  // Errors: of the checkpoint store, if the queue was at rest and its tail
  //   cannot be read.
  absl::Status Append(Topic* topic, uint32_t queue_id, const IndexEntry& entry,
                      OverrideBytes override_record = nullptr);

  // Appends the entries [from, from + count) to `to`, and the override records
  // of those that have one, by queue offset, to `overrides` (may be null).
  // REQUIRES: the queue exists and holds them.
  // Errors: DataLoss if a block is damaged or missing; the checkpoint store's own.
  absl::Status Read(const Topic& topic, uint32_t queue_id, uint64_t from, uint64_t count,
                    std::vector<IndexEntry>* to,
                    std::vector<EntryOverride>* overrides = nullptr) const;

  // The topic goes, and its queues with it.
  void Forget(const Topic& topic);

  // All queues that changed since the last call. Reads go on finding the frozen
  // blocks in RAM until Thaw says that the checkpoint is durable.
  std::vector<FrozenQueue> Freeze();
  void Thaw(const std::vector<FrozenQueue>& frozen);

  // Appended since the last freeze; an override record counts as several.
  uint64_t unfrozen_entries() const { return unfrozen_entries_; }

  // Takes in a queue's row; its tail stays in the store until it is needed.
  absl::Status LoadRow(Topic* topic, uint32_t queue_id, absl::string_view payload);

 private:
  struct Block {
    std::vector<IndexEntry> entries;
    std::vector<EntryOverride> overrides;   // They count from entries[0].
  };
  struct BlockId {
    QueueKey queue;
    uint64_t number = 0;
    friend bool operator==(const BlockId&, const BlockId&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const BlockId& id) {
      return H::combine(std::move(h), id.queue, id.number);
    }
  };
  using Recent = std::list<std::pair<BlockId, std::shared_ptr<const Block>>>;

  absl::Status LoadTail(Topic* topic, uint32_t queue_id);
  absl::Status ReadTailRow(const QueueKey& key, size_t count, Block* block) const;
  // A block that is not the tail in RAM, of `count` entries.
  absl::StatusOr<std::shared_ptr<const Block>> ReadBlock(const QueueKey& key, const Queue& queue,
                                                         uint64_t number, size_t count) const;

  const CheckpointStore* const checkpoints_;
  TopicTable* const topics_;
  std::vector<QueueKey> dirty_;     // Each queue once: those with is_dirty.
  uint64_t unfrozen_entries_ = 0;
  uint64_t tail_entries_ = 0;       // In RAM, over all queues.

  mutable Recent recent_;           // Most recently used first.
  mutable absl::flat_hash_map<BlockId, Recent::iterator> cache_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_QUEUE_INDEX_H_
