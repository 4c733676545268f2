#include "store/queue_index.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

// Unpacked blocks that are kept for readers: 3 KiB each.
constexpr size_t kCachedBlocks = 256;
// Beyond so many entries in tails (24 bytes each), tails of queues that were
// not written since the last checkpoint are dropped; the store has them.
constexpr uint64_t kTailEntriesMax = 1 << 20;

constexpr size_t kQueueRowHeaderBytes = 16;
// What an entry weighs in RAM until a checkpoint has it.
constexpr size_t kBytesOfAnEntry = 16;

absl::Status DamagedBlock(const QueueKey& key, uint64_t number) {
  return absl::DataLossError(absl::StrCat("checkpoint: block ", number, " of queue ", key.queue_id,
                                          " of topic ", key.topic.value(),
                                          " is damaged or missing"));
}

}  // namespace

void FrozenQueue::AppendRows(std::vector<CheckpointWrite>* rows) const {
  for (size_t i = 0; i < blocks.size(); ++i) {
    rows->push_back({BlockKey(key, (first_block + i) * kBlockEntries), *blocks[i]});
  }
  std::string row;
  AppendU64(&row, begin);
  AppendU64(&row, end);
  if (!tail.empty()) row += EncodeBlock(tail, tail_overrides);
  rows->push_back({QueueRowKey(key), std::move(row)});
}

absl::Status QueueIndex::LoadRow(Topic* topic, uint32_t queue_id, absl::string_view payload) {
  if (payload.size() < kQueueRowHeaderBytes || queue_id >= topic->queues.size()) {
    return absl::DataLossError("checkpoint: damaged queue");
  }
  Queue& queue = topic->queues[queue_id];
  queue.begin = GetAt<uint64_t>(payload.data());
  queue.end = GetAt<uint64_t>(payload.data() + 8);
  const bool has_tail = payload.size() > kQueueRowHeaderBytes;
  if (queue.begin > queue.end || has_tail != (queue.end % kBlockEntries != 0)) {
    return absl::DataLossError("checkpoint: damaged queue");
  }
  return absl::OkStatus();
}

absl::Status QueueIndex::ReadTailRow(const QueueKey& key, size_t count, Block* block) const {
  const std::string row_key = QueueRowKey(key);
  TOTORA_ASSIGN_OR_RETURN(std::optional<std::string> row, checkpoints_->Get(row_key));
  if (!row.has_value()) return absl::DataLossError("checkpoint: a queue's row is missing");
  TOTORA_ASSIGN_OR_RETURN(absl::string_view payload, OpenValue(row_key, *row));
  if (payload.size() < kQueueRowHeaderBytes ||
      !DecodeBlock(payload.substr(kQueueRowHeaderBytes), count, &block->entries,
                   &block->overrides)) {
    return absl::DataLossError("checkpoint: a queue's tail is damaged");
  }
  return absl::OkStatus();
}

absl::Status QueueIndex::LoadTail(Topic* topic, uint32_t queue_id) {
  Queue& queue = topic->queues[queue_id];
  auto tail = std::make_unique<QueueTail>();
  tail->first_sealed = queue.end / kBlockEntries;
  const size_t count = queue.end % kBlockEntries;
  if (count > 0) {
    Block block;
    TOTORA_RETURN_IF_ERROR(ReadTailRow({topic->id, queue_id}, count, &block));
    tail->entries = std::move(block.entries);
    tail->overrides = std::move(block.overrides);
  }
  tail_entries_ += count;
  queue.tail = std::move(tail);
  return absl::OkStatus();
}

absl::Status QueueIndex::Append(Topic* topic, uint32_t queue_id, const IndexEntry& entry,
                                OverrideBytes override_record) {
  Queue& queue = topic->queues[queue_id];
  if (queue.tail == nullptr) TOTORA_RETURN_IF_ERROR(LoadTail(topic, queue_id));
  QueueTail& tail = *queue.tail;
  if (override_record != nullptr) {
    unfrozen_entries_ += override_record->size() / kBytesOfAnEntry;
    tail.overrides.push_back({tail.entries.size(), std::move(override_record)});
  }
  tail.entries.push_back(entry);
  ++queue.end;
  ++tail_entries_;
  ++unfrozen_entries_;
  if (tail.entries.size() == kBlockEntries) {
    tail.sealed.push_back(
        std::make_shared<const std::string>(EncodeBlock(tail.entries, tail.overrides)));
    tail.entries.clear();
    tail.overrides.clear();
    tail_entries_ -= kBlockEntries;
  }
  if (!tail.is_dirty) {
    tail.is_dirty = true;
    dirty_.push_back({topic->id, queue_id});
  }
  return absl::OkStatus();
}

absl::Status QueueIndex::Read(const Topic& topic, uint32_t queue_id, uint64_t from, uint64_t count,
                              std::vector<IndexEntry>* to,
                              std::vector<EntryOverride>* overrides) const {
  // Takes what [skip, skip + take) of a block has.
  const auto copy = [&](const std::vector<IndexEntry>& block,
                        const std::vector<EntryOverride>& records, uint64_t skip, uint64_t take) {
    const auto begin = block.begin() + static_cast<ptrdiff_t>(skip);
    to->insert(to->end(), begin, begin + static_cast<ptrdiff_t>(take));
    if (overrides == nullptr) return;
    for (const EntryOverride& record : records) {
      if (record.at < skip || record.at >= skip + take) continue;
      overrides->push_back({from - skip + record.at, record.record});
    }
  };
  const Queue& queue = topic.queues[queue_id];
  TOTORA_DCHECK(from >= queue.begin && from + count <= queue.end);
  const uint64_t last_block = queue.end / kBlockEntries;
  while (count > 0) {
    const uint64_t number = from / kBlockEntries;
    const uint64_t skip = from % kBlockEntries;
    const uint64_t take = std::min(count, kBlockEntries - skip);
    if (number == last_block && queue.tail != nullptr) {
      copy(queue.tail->entries, queue.tail->overrides, skip, take);
    } else {
      const size_t size = number == last_block ? queue.end % kBlockEntries : kBlockEntries;
      TOTORA_ASSIGN_OR_RETURN(std::shared_ptr<const Block> block,
                              ReadBlock({topic.id, queue_id}, queue, number, size));
      copy(block->entries, block->overrides, skip, take);
    }
    from += take;
    count -= take;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const QueueIndex::Block>> QueueIndex::ReadBlock(
    const QueueKey& key, const Queue& queue, uint64_t number, size_t count) const {
  const BlockId id{key, number};
  auto cached = cache_.find(id);
  if (cached != cache_.end()) {
    // A tail that was read at rest may have grown or become a block since.
    if (cached->second->second->entries.size() == count) {
      recent_.splice(recent_.begin(), recent_, cached->second);
      return recent_.front().second;
    }
    recent_.erase(cached->second);
    cache_.erase(cached);
  }

  auto block = std::make_shared<Block>();
  if (queue.tail != nullptr && number >= queue.tail->first_sealed) {
    const std::string& sealed = *queue.tail->sealed[number - queue.tail->first_sealed];
    TOTORA_CHECK(DecodeBlock(sealed, count, &block->entries, &block->overrides))
        << " a block of our own making";
  } else if (count < kBlockEntries) {
    TOTORA_RETURN_IF_ERROR(ReadTailRow(key, count, block.get()));
  } else {
    const std::string row_key = BlockKey(key, number * kBlockEntries);
    TOTORA_ASSIGN_OR_RETURN(std::optional<std::string> row, checkpoints_->Get(row_key));
    if (!row.has_value()) return DamagedBlock(key, number);
    TOTORA_ASSIGN_OR_RETURN(absl::string_view payload, OpenValue(row_key, *row));
    if (!DecodeBlock(payload, count, &block->entries, &block->overrides)) {
      return DamagedBlock(key, number);
    }
  }

  recent_.emplace_front(id, std::move(block));
  cache_[id] = recent_.begin();
  if (recent_.size() > kCachedBlocks) {
    cache_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return recent_.front().second;
}

void QueueIndex::Forget(const Topic& topic) {
  for (const Queue& queue : topic.queues) {
    if (queue.tail != nullptr) tail_entries_ -= queue.tail->entries.size();
  }
}

std::vector<FrozenQueue> QueueIndex::Freeze() {
  std::vector<FrozenQueue> frozen;
  frozen.reserve(dirty_.size());
  for (const QueueKey& key : dirty_) {
    const Topic* topic = topics_->Find(key.topic);
    if (topic == nullptr) continue;
    const Queue& queue = topic->queues[key.queue_id];
    QueueTail& tail = *queue.tail;
    tail.is_dirty = false;
    tail.frozen = static_cast<uint32_t>(tail.sealed.size());
    frozen.push_back({key, queue.begin, queue.end, tail.entries, tail.overrides,
                      tail.first_sealed, tail.sealed});
  }
  dirty_.clear();
  unfrozen_entries_ = 0;
  return frozen;
}

void QueueIndex::Thaw(const std::vector<FrozenQueue>& frozen) {
  for (const FrozenQueue& was : frozen) {
    const Topic* topic = topics_->Find(was.key.topic);
    if (topic == nullptr) continue;
    std::unique_ptr<QueueTail>& tail =
        topics_->Find(was.key.topic)->queues[was.key.queue_id].tail;
    tail->sealed.erase(tail->sealed.begin(), tail->sealed.begin() + tail->frozen);
    tail->first_sealed += tail->frozen;
    tail->frozen = 0;
    if (tail->sealed.empty()) tail->sealed.shrink_to_fit();
    if (tail_entries_ > kTailEntriesMax && !tail->is_dirty) {
      tail_entries_ -= tail->entries.size();
      tail.reset();
    }
  }
}

}  // namespace totora::store
