#include "store/key_codec.h"

#include "common/coding.h"
#include "common/crc32c.h"

namespace totora::store {
namespace {

constexpr size_t kIdKeyBytes = 1 + 4;
constexpr size_t kQueueKeyBytes = 1 + 4 + 4;
constexpr size_t kLeaseKeyBytes = 1 + 4 + 4 + 4;
constexpr size_t kOffsetKeyBytes = 1 + 4 + 4;
constexpr size_t kDedupKeyBytes = 1 + 8;
constexpr size_t kTimerKeyBytes = 1 + 8 + 8;
constexpr size_t kKeyRowKeyBytes = 1 + 2 + 8;
constexpr size_t kCrcBytes = 4;

std::string Key(RowKind kind) { return std::string(1, static_cast<char>(kind)); }

std::string Key(RowKind kind, uint32_t id) {
  std::string key = Key(kind);
  AppendU32(&key, id);
  return key;
}

absl::Status DamagedKeyError() { return absl::DataLossError("checkpoint: a key of wrong length"); }

}  // namespace

std::string MetaKey() { return Key(RowKind::kMeta); }
std::string DamagedKey() { return Key(RowKind::kDamaged); }
std::string TopicKey(TopicId topic) { return Key(RowKind::kTopic, topic.value()); }
std::string DeadTopicKey(TopicId topic) { return Key(RowKind::kDeadTopic, topic.value()); }

std::string QueueRowKey(const QueueKey& queue) {
  std::string key = Key(RowKind::kQueue, queue.topic.value());
  AppendU32(&key, queue.queue_id);
  return key;
}

std::string BlockKey(const QueueKey& queue, uint64_t first_offset) {
  std::string key = Key(RowKind::kBlock, queue.topic.value());
  AppendU32(&key, queue.queue_id);
  AppendU64(&key, first_offset);
  return key;
}

std::string ConsumerGroupKey(ConsumerGroupId group) {
  return Key(RowKind::kConsumerGroup, group.value());
}

std::string LeaseRowKey(const LeaseKey& lease) {
  std::string key = Key(RowKind::kLease, lease.group.value());
  AppendU32(&key, lease.topic.value());
  AppendU32(&key, lease.queue_id);
  return key;
}

std::string OffsetRowKey(ConsumerGroupId group, TopicId topic) {
  std::string key = Key(RowKind::kOffset, group.value());
  AppendU32(&key, topic.value());
  return key;
}

std::string ClientKey(absl::string_view client_id) {
  std::string key = Key(RowKind::kClient);
  key.append(client_id.data(), client_id.size());
  return key;
}

std::string DedupKey(uint64_t chunk) {
  std::string key = Key(RowKind::kDedup);
  AppendU64(&key, chunk);
  return key;
}

std::string CommandWindowKey(ReplicaId replica) {
  return Key(RowKind::kCommandWindow, replica.value());
}

std::string KeyRowKey(uint32_t bucket, LogIndex applied) {
  std::string key = Key(RowKind::kKeys);
  AppendU16(&key, static_cast<uint16_t>(bucket));
  AppendU64(&key, ~applied.value());
  return key;
}

std::string LockRowKey(ConsumerGroupId group, TopicId topic) {
  std::string key = Key(RowKind::kLock, group.value());
  AppendU32(&key, topic.value());
  return key;
}

std::string EntryPlaceKey(uint64_t number) {
  std::string key = Key(RowKind::kEntryPlace);
  AppendU64(&key, number);
  return key;
}

std::string TimerRowKey(int64_t due_ms, uint64_t position) {
  std::string key = Key(RowKind::kTimer);
  AppendU64(&key, static_cast<uint64_t>(due_ms));
  AppendU64(&key, position);
  return key;
}

KeyRange RowsOf(RowKind kind) {
  return {Key(kind), std::string(1, static_cast<char>(static_cast<char>(kind) + 1))};
}

KeyRange RowsOf(RowKind kind, TopicId topic) {
  KeyRange range{Key(kind, topic.value()), Key(kind, topic.value() + 1)};
  if (topic.value() == UINT32_MAX) range.to = RowsOf(kind).to;
  return range;
}

KeyRange KeyRowsOf(uint32_t bucket) {
  KeyRange range{Key(RowKind::kKeys), Key(RowKind::kKeys)};
  AppendU16(&range.from, static_cast<uint16_t>(bucket));
  AppendU16(&range.to, static_cast<uint16_t>(bucket + 1));
  return range;
}

absl::StatusOr<uint32_t> ParseIdKey(absl::string_view key) {
  if (key.size() != kIdKeyBytes) return DamagedKeyError();
  return GetAt<uint32_t>(key.data() + 1);
}

absl::StatusOr<QueueKey> ParseQueueRowKey(absl::string_view key) {
  if (key.size() != kQueueKeyBytes) return DamagedKeyError();
  return QueueKey{TopicId(GetAt<uint32_t>(key.data() + 1)), GetAt<uint32_t>(key.data() + 5)};
}

absl::StatusOr<LeaseKey> ParseLeaseRowKey(absl::string_view key) {
  if (key.size() != kLeaseKeyBytes) return DamagedKeyError();
  return LeaseKey{ConsumerGroupId(GetAt<uint32_t>(key.data() + 1)),
                  TopicId(GetAt<uint32_t>(key.data() + 5)), GetAt<uint32_t>(key.data() + 9)};
}

absl::StatusOr<LeaseKey> ParseOffsetRowKey(absl::string_view key) {
  if (key.size() != kOffsetKeyBytes) return DamagedKeyError();
  return LeaseKey{ConsumerGroupId(GetAt<uint32_t>(key.data() + 1)),
                  TopicId(GetAt<uint32_t>(key.data() + 5)), 0};
}

absl::StatusOr<LeaseKey> ParseLockRowKey(absl::string_view key) { return ParseOffsetRowKey(key); }

absl::StatusOr<uint64_t> ParseDedupKey(absl::string_view key) {
  if (key.size() != kDedupKeyBytes) return DamagedKeyError();
  return GetAt<uint64_t>(key.data() + 1);
}

absl::StatusOr<uint32_t> ParseKeyRowKey(absl::string_view key) {
  if (key.size() != kKeyRowKeyBytes) return DamagedKeyError();
  return uint32_t{GetAt<uint16_t>(key.data() + 1)};
}

absl::StatusOr<uint64_t> ParseEntryPlaceKey(absl::string_view key) { return ParseDedupKey(key); }

absl::StatusOr<std::pair<uint64_t, uint64_t>> ParseTimerKey(absl::string_view key) {
  if (key.size() != kTimerKeyBytes) return DamagedKeyError();
  return std::pair<uint64_t, uint64_t>(GetAt<uint64_t>(key.data() + 1),
                                       GetAt<uint64_t>(key.data() + 9));
}

absl::string_view ParseClientKey(absl::string_view key) { return key.substr(1); }

std::string SealValue(absl::string_view key, std::string payload) {
  AppendU32(&payload, Crc32c(payload, Crc32c(key)));
  return payload;
}

absl::StatusOr<absl::string_view> OpenValue(absl::string_view key, absl::string_view value) {
  if (value.size() >= kCrcBytes) {
    const absl::string_view payload = value.substr(0, value.size() - kCrcBytes);
    if (Crc32c(payload, Crc32c(key)) == GetAt<uint32_t>(value.data() + payload.size())) {
      return payload;
    }
  }
  return absl::DataLossError("checkpoint: a value does not match its checksum");
}

}  // namespace totora::store
