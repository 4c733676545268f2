// What lies in the checkpoint store: the page to read first.
// docs/formats/rocksdb_schema.md has the bytes of every value.
//
// One key space; the first byte of a key is its kind. Integers in keys are
// big-endian, so that a range of offsets or queues is a range of keys. Every
// value ends with a CRC-32C over key and value (store/key_codec.h).
//
// All rows together are the state at one applied index, written as one atomic
// batch. There is nothing else to be recovered, and nothing here that the log
// does not know: delete the store and it is rebuilt.
#ifndef TOTORA_STORE_SCHEMA_H_
#define TOTORA_STORE_SCHEMA_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/types.h"

namespace totora::store {

// Of the rows below. A store with a higher one is refused.
inline constexpr uint32_t kSchemaVersion = 4;

// First byte of every key. Part of the disk format: never reuse one.
enum class RowKind : char {
  kDamaged = '!',        // A value read during apply was damaged: rebuild all.
  kBlock = 'B',          // topic, queue, first offset → a full index block.
  kClient = 'C',         // client id → until when it is known to live.
  kDedup = 'D',          // number of the chunk → message ids.
  kEntryPlace = 'E',     // MiB of the log → the first entry that begins in it.
  kConsumerGroup = 'G',  // consumer group → its configuration.
  kLock = 'H',           // consumer group, topic → which clients hold which queues.
  kKeys = 'K',           // bucket, applied index → packed hashes of message keys.
  kLease = 'L',          // consumer group, topic, queue → progress and leases.
  kMeta = 'M',           // → schema version, applied index, counters.
  kOffset = 'O',         // consumer group, topic → committed offsets.
  kQueue = 'Q',          // topic, queue → bounds and the tail of the index.
  kTimer = 'S',          // due time, position → what becomes an index entry then.
  kTopic = 'T',          // topic → its configuration.
  kCommandWindow = 'W',  // replica → ids of commands and their results.
  kDeadTopic = 'X',      // topic → its queues and blocks are still to be removed.
};

// Ids stand for names in keys and tables. They are given in the order of the
// log, from 1, and never given again.
using TopicId = Strong<struct TopicIdTag, uint32_t>;
using ConsumerGroupId = Strong<struct ConsumerGroupIdTag, uint32_t>;

struct QueueKey {
  TopicId topic;
  uint32_t queue_id = 0;

  friend auto operator<=>(const QueueKey&, const QueueKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const QueueKey& key) {
    return H::combine(std::move(h), key.topic, key.queue_id);
  }
};

// One queue as one consumer group sees it.
struct LeaseKey {
  ConsumerGroupId group;
  TopicId topic;
  uint32_t queue_id = 0;

  QueueKey queue() const { return {topic, queue_id}; }
  friend auto operator<=>(const LeaseKey&, const LeaseKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const LeaseKey& key) {
    return H::combine(std::move(h), key.group, key.topic, key.queue_id);
  }
};

// --- Maxima. What a client can make grow has one; at it a command is answered
// with ResourceExhausted and changes nothing, unless it says otherwise. They
// decide results, so they are equal on all replicas: a change of one is a new
// feature level.

inline constexpr size_t kNameBytesMax = 512;
inline constexpr size_t kTopicsMax = 1'000'000;
inline constexpr size_t kConsumerGroupsMax = 100'000;
inline constexpr uint32_t kQueuesPerTopicMax = 1024;
inline constexpr size_t kQueuesMax = 4'000'000;          // Of all topics.
// Messages of one queue that one consumer group holds or waits to get again.
// Receives get nothing new beyond it.
inline constexpr uint64_t kInFlightMax = 10'000;
inline constexpr uint64_t kInFlightTotalMax = 4'000'000;  // Of all together.
inline constexpr size_t kLeaseQueuesMax = 4'000'000;      // LeaseKeys with a state.
inline constexpr size_t kOffsetsMax = 4'000'000;
inline constexpr size_t kLocksMax = 200'000;
// Index entries that one receive looks at before it answers has_more.
inline constexpr uint64_t kScanMax = 4096;
// Results kept for one replica, twice what it may have outstanding. Beyond it
// the oldest is taken for answered.
inline constexpr size_t kCommandResultsMax = 200'000;
// Of delayed messages. What users may ask for is a setting of the services.
inline constexpr int64_t kDelayMsMax = int64_t{3660} * 24 * 3600 * 1000;
inline constexpr int64_t kInvisibleMsMax = int64_t{30} * 24 * 3600 * 1000;

// --- Leases.

// A client that was heard of keeps its renewed leases for this long…
inline constexpr int64_t kClientAliveMs = 60'000;
// …but none longer than this after it was received.
inline constexpr int64_t kAutoRenewMsMax = int64_t{3} * 3600 * 1000;
// What a client that says goodbye holds, ends after this.
inline constexpr int64_t kReleaseDelayMs = 1'000;

// --- Locks of orderly consumers. RocketMQ's rebalanceLockMaxLiveTime; clients ask
// again every 20 s.
inline constexpr int64_t kLockMs = 60'000;

}  // namespace totora::store

#endif  // TOTORA_STORE_SCHEMA_H_
