#include "store/lock_table.h"

#include <limits>

#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr size_t kLockBytesMin = 4 + 8 + 2;

}  // namespace

void LockTable::Add(const LeaseKey& key, absl::string_view client_id, int64_t until_ms) {
  locks_[key] = {std::string(client_id), until_ms};
  by_end_.insert({until_ms, key});
  by_client_[std::string(client_id)].insert(key);
}

LockTable::Locks::iterator LockTable::Erase(Locks::iterator it) {
  const auto& [key, lock] = *it;
  by_end_.erase({lock.until_ms, key});
  auto client = by_client_.find(lock.client_id);
  client->second.erase(key);
  if (client->second.empty()) by_client_.erase(client);
  dirty_.insert({key.group, key.topic});
  return locks_.erase(it);
}

absl::StatusOr<bool> LockTable::Acquire(const LeaseKey& key, absl::string_view client_id,
                                        int64_t now_ms) {
  auto it = locks_.find(key);
  if (it != locks_.end()) {
    if (it->second.client_id != client_id && it->second.until_ms > now_ms) return false;
    Erase(it);
  } else if (locks_.size() >= kLocksMax) {
    return absl::ResourceExhaustedError("the group keeps as many queue locks as it can");
  }
  Add(key, client_id, now_ms + kLockMs);
  dirty_.insert({key.group, key.topic});
  return true;
}

void LockTable::Release(const LeaseKey& key, absl::string_view client_id) {
  auto it = locks_.find(key);
  if (it != locks_.end() && it->second.client_id == client_id) Erase(it);
}

void LockTable::ReleaseClient(absl::string_view client_id, std::optional<ConsumerGroupId> group) {
  auto client = by_client_.find(client_id);
  if (client == by_client_.end()) return;
  const std::vector<LeaseKey> held(client->second.begin(), client->second.end());
  for (const LeaseKey& key : held) {
    if (!group.has_value() || key.group == *group) Erase(locks_.find(key));
  }
}

void LockTable::Drop(const LeaseKey& from, const LeaseKey& to) {
  for (auto it = locks_.lower_bound(from); it != locks_.end() && it->first <= to;) it = Erase(it);
}

void LockTable::DropConsumerGroup(ConsumerGroupId group) {
  Drop({group, TopicId(0), 0},
       {group, TopicId(std::numeric_limits<uint32_t>::max()), UINT32_MAX});
}

void LockTable::DropTopic(ConsumerGroupId group, TopicId topic) {
  Drop({group, topic, 0}, {group, topic, UINT32_MAX});
}

void LockTable::Sweep(int64_t now_ms, size_t limit) {
  for (; limit > 0 && !by_end_.empty() && by_end_.begin()->first <= now_ms; --limit) {
    Erase(locks_.find(by_end_.begin()->second));
  }
}

bool LockTable::HasLive(ConsumerGroupId group, int64_t now_ms) const {
  auto it = locks_.lower_bound({group, TopicId(0), 0});
  for (; it != locks_.end() && it->first.group == group; ++it) {
    if (it->second.until_ms > now_ms) return true;
  }
  return false;
}

void LockTable::Freeze(std::vector<CheckpointWrite>* rows) {
  for (const auto& [group, topic] : dirty_) {
    std::string locks;
    uint32_t count = 0;
    auto it = locks_.lower_bound({group, topic, 0});
    for (; it != locks_.end() && it->first.group == group && it->first.topic == topic; ++it) {
      ++count;
      AppendU32(&locks, it->first.queue_id);
      AppendU64(&locks, static_cast<uint64_t>(it->second.until_ms));
      AppendName(&locks, it->second.client_id);
    }
    std::string key = LockRowKey(group, topic);
    if (count == 0) {
      rows->push_back({std::move(key), std::nullopt});
      continue;
    }
    std::string row;
    AppendU32(&row, count);
    rows->push_back({std::move(key), row + locks});
  }
  dirty_.clear();
}

absl::Status LockTable::LoadRow(const LeaseKey& key, absl::string_view payload) {
  const absl::Status damaged = absl::DataLossError("checkpoint: damaged queue locks");
  PayloadReader reader(payload);
  const size_t count = reader.Count(kLockBytesMin);
  for (size_t i = 0; i < count; ++i) {
    const LeaseKey lock{key.group, key.topic, reader.U32()};
    const auto until_ms = static_cast<int64_t>(reader.U64());
    const absl::string_view client_id = reader.Name();
    if (!reader.ok() || locks_.contains(lock)) return damaged;
    Add(lock, client_id, until_ms);
  }
  return reader.done() && count > 0 ? absl::OkStatus() : damaged;
}

}  // namespace totora::store
