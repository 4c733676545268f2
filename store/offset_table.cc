#include "store/offset_table.h"

#include <string>

#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr size_t kOffsetBytes = 4 + 8;

}  // namespace

std::optional<uint64_t> OffsetTable::Find(const LeaseKey& key) const {
  auto subscription = subscriptions_.find({key.group, key.topic});
  if (subscription == subscriptions_.end()) return std::nullopt;
  auto offset = subscription->second.find(key.queue_id);
  if (offset == subscription->second.end()) return std::nullopt;
  return offset->second;
}

absl::Status OffsetTable::Update(const LeaseKey& key, uint64_t offset, bool is_reset) {
  const Subscription subscription(key.group, key.topic);
  auto offsets = subscriptions_.find(subscription);
  const bool is_new =
      offsets == subscriptions_.end() || !offsets->second.contains(key.queue_id);
  if (is_new) {
    if (count_ >= kOffsetsMax) {
      return absl::ResourceExhaustedError("the group keeps as many consumer offsets as it can");
    }
    ++count_;
    subscriptions_[subscription][key.queue_id] = offset;
  } else {
    uint64_t& known = offsets->second[key.queue_id];
    if (known == offset || (known > offset && !is_reset)) return absl::OkStatus();
    known = offset;
  }
  dirty_.insert(subscription);
  return absl::OkStatus();
}

void OffsetTable::Drop(const Subscription& from, const Subscription& last) {
  auto it = subscriptions_.lower_bound(from);
  while (it != subscriptions_.end() && it->first <= last) {
    count_ -= it->second.size();
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
    for (const auto& [queue_id, offset] : it->second) {
      AppendU32(&row, queue_id);
      AppendU64(&row, offset);
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
    offsets[queue_id] = reader.U64();
  }
  count_ += offsets.size();
  if (!reader.done() || offsets.size() != count || count == 0) {
    return absl::DataLossError("checkpoint: damaged consumer offsets");
  }
  return absl::OkStatus();
}

}  // namespace totora::store
