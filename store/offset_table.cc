#include "store/offset_table.h"

#include <string>

#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr size_t kOffsetBytes = 4 + 8;
constexpr uint64_t kHeldBit = uint64_t{1} << 63;

}  // namespace

const OffsetTable::Committed* OffsetTable::FindCommitted(const LeaseKey& key) const {
  auto subscription = subscriptions_.find({key.group, key.topic});
  if (subscription == subscriptions_.end()) return nullptr;
  auto committed = subscription->second.find(key.queue_id);
  return committed == subscription->second.end() ? nullptr : &committed->second;
}

std::optional<uint64_t> OffsetTable::Find(const LeaseKey& key) const {
  const Committed* const committed = FindCommitted(key);
  if (committed == nullptr) return std::nullopt;
  return committed->offset;
}

std::optional<uint64_t> OffsetTable::FindHeld(const LeaseKey& key) const {
  if (held_count_ == 0) return std::nullopt;
  const Committed* const committed = FindCommitted(key);
  if (committed == nullptr || !committed->is_held) return std::nullopt;
  return committed->offset;
}

absl::Status OffsetTable::Update(const LeaseKey& key, uint64_t offset, Change change) {
  offset &= ~kHeldBit;
  const Subscription subscription(key.group, key.topic);
  const Committed* const known = FindCommitted(key);
  Committed next;
  next.offset = offset;
  next.is_held = change == Change::kHold;
  if (known == nullptr) {
    if (change == Change::kEndOfHold) return absl::OkStatus();
    if (count_ >= kOffsetsMax) {
      return absl::ResourceExhaustedError("the group keeps as many consumer offsets as it can");
    }
    ++count_;
  } else {
    if (change == Change::kReport && (known->is_held || known->offset >= offset)) {
      return absl::OkStatus();
    }
    if (change == Change::kEndOfHold && known->offset != offset) return absl::OkStatus();
    if (*known == next) return absl::OkStatus();
    held_count_ -= known->is_held;
  }
  held_count_ += next.is_held;
  subscriptions_[subscription][key.queue_id] = next;
  dirty_.insert(subscription);
  return absl::OkStatus();
}

void OffsetTable::Drop(const Subscription& from, const Subscription& last) {
  auto it = subscriptions_.lower_bound(from);
  while (it != subscriptions_.end() && it->first <= last) {
    count_ -= it->second.size();
    for (const auto& [queue_id, committed] : it->second) held_count_ -= committed.is_held;
    dirty_.insert(it->first);
    it = subscriptions_.erase(it);
  }
}

void OffsetTable::DropConsumerGroup(ConsumerGroupId group) {
  Drop({group, TopicId(0)}, {group, TopicId(UINT32_MAX)});
}

void OffsetTable::DropTopic(ConsumerGroupId group, TopicId topic) {
  Drop({group, topic}, {group, topic});
}

void OffsetTable::Freeze(std::vector<CheckpointWrite>* rows) {
  for (const Subscription& subscription : dirty_) {
    std::string key = OffsetRowKey(subscription.first, subscription.second);
    auto it = subscriptions_.find(subscription);
    if (it == subscriptions_.end()) {
      rows->push_back({std::move(key), std::nullopt});
      continue;
    }
    std::string row;
    AppendU32(&row, static_cast<uint32_t>(it->second.size()));
    for (const auto& [queue_id, committed] : it->second) {
      AppendU32(&row, queue_id);
      AppendU64(&row, committed.offset | (committed.is_held ? kHeldBit : 0));
    }
    rows->push_back({std::move(key), std::move(row)});
  }
  dirty_.clear();
}

absl::Status OffsetTable::LoadRow(const LeaseKey& key, absl::string_view payload) {
  PayloadReader reader(payload);
  Offsets& offsets = subscriptions_[{key.group, key.topic}];
  const size_t count = reader.Count(kOffsetBytes);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t queue_id = reader.U32();
    const uint64_t value = reader.U64();
    Committed& committed = offsets[queue_id];
    committed.offset = value & ~kHeldBit;
    committed.is_held = (value & kHeldBit) != 0;
    held_count_ += committed.is_held;
  }
  count_ += offsets.size();
  if (!reader.done() || offsets.size() != count || count == 0) {
    return absl::DataLossError("checkpoint: damaged consumer offsets");
  }
  return absl::OkStatus();
}

}  // namespace totora::store
