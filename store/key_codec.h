// The only place that builds a key, and that puts checksums on values.
#ifndef TOTORA_STORE_KEY_CODEC_H_
#define TOTORA_STORE_KEY_CODEC_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "store/schema.h"

namespace totora::store {

std::string MetaKey();
std::string DamagedKey();
std::string TopicKey(TopicId topic);
std::string QueueRowKey(const QueueKey& queue);
std::string BlockKey(const QueueKey& queue, uint64_t first_offset);
std::string DeadTopicKey(TopicId topic);
std::string ConsumerGroupKey(ConsumerGroupId group);
std::string LeaseRowKey(const LeaseKey& key);
std::string OffsetRowKey(ConsumerGroupId group, TopicId topic);
std::string ClientKey(absl::string_view client_id);
std::string DedupKey(uint64_t chunk);
std::string CommandWindowKey(ReplicaId replica);
// Rows of one bucket; a later checkpoint's comes first.
std::string KeyRowKey(uint32_t bucket, LogIndex applied);
std::string LockRowKey(ConsumerGroupId group, TopicId topic);
std::string EntryPlaceKey(uint64_t number);
std::string TimerRowKey(int64_t due_ms, uint64_t position);

// Keys of one kind, or of one topic within a kind that begins with the topic,
// are those in [from, to).
struct KeyRange {
  std::string from;
  std::string to;
};
KeyRange RowsOf(RowKind kind);
KeyRange RowsOf(RowKind kind, TopicId topic);
KeyRange KeyRowsOf(uint32_t bucket);

// A key's parts. REQUIRES: the key came from a Scan of that kind's range.
// Errors: DataLoss if it is not as long as keys of its kind are.
absl::StatusOr<uint32_t> ParseIdKey(absl::string_view key);          // Topic, group, replica.
absl::StatusOr<QueueKey> ParseQueueRowKey(absl::string_view key);
absl::StatusOr<LeaseKey> ParseLeaseRowKey(absl::string_view key);
absl::StatusOr<LeaseKey> ParseOffsetRowKey(absl::string_view key);   // queue_id is 0.
absl::StatusOr<LeaseKey> ParseLockRowKey(absl::string_view key);     // The same.
absl::StatusOr<uint64_t> ParseDedupKey(absl::string_view key);
absl::StatusOr<uint32_t> ParseKeyRowKey(absl::string_view key);      // Its bucket.
absl::StatusOr<uint64_t> ParseEntryPlaceKey(absl::string_view key);
absl::StatusOr<std::pair<uint64_t, uint64_t>> ParseTimerKey(absl::string_view key);
absl::string_view ParseClientKey(absl::string_view key);

// `payload` with the CRC-32C of key and payload behind it: a value that lies
// under another key, or that was changed anywhere, does not open.
std::string SealValue(absl::string_view key, std::string payload);
// The payload inside `value`. Errors: DataLoss.
absl::StatusOr<absl::string_view> OpenValue(absl::string_view key, absl::string_view value);

}  // namespace totora::store

#endif  // TOTORA_STORE_KEY_CODEC_H_
