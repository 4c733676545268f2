// What one consumer group holds of one queue.
//
//   offset:  0 ……………………………………………………………… next ……………… end of the queue
//            │ acked, leased or ready again    │ never delivered
//
// Messages delivered for the first time are leased as ranges: one lease and two
// bits for each offset. A message that went another way than its range (its
// invisible time was changed, it was delivered again) is a single lease; one
// that waits for its next delivery is ready. What is below `next` and none of
// these is acked, or was skipped by the group's filter.
#ifndef TOTORA_STORE_LEASE_QUEUE_H_
#define TOTORA_STORE_LEASE_QUEUE_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/inlined_vector.h"
#include "common/types.h"
#include "store/schema.h"

namespace totora::store {

// A set of small numbers, 0 to size - 1.
class OffsetBits {
 public:
  explicit OffsetBits(size_t size = 0) : words_((size + 63) / 64, 0) {}

  bool Test(uint64_t at) const { return (words_[at / 64] >> (at % 64) & 1) != 0; }
  void Set(uint64_t at) { words_[at / 64] |= uint64_t{1} << (at % 64); }
  void Clear(uint64_t at) { words_[at / 64] &= ~(uint64_t{1} << (at % 64)); }
  uint64_t Count() const {
    uint64_t count = 0;
    for (uint64_t word : words_) count += static_cast<uint64_t>(std::popcount(word));
    return count;
  }
  // The lowest number. REQUIRES: not empty.
  uint64_t First() const {
    uint64_t at = 0;
    for (uint64_t word : words_) {
      if (word != 0) return at + static_cast<uint64_t>(std::countr_zero(word));
      at += 64;
    }
    return at;
  }
  absl::InlinedVector<uint64_t, 1>& words() { return words_; }
  const absl::InlinedVector<uint64_t, 1>& words() const { return words_; }

 private:
  absl::InlinedVector<uint64_t, 1> words_;
};

// Names a lease inside the table: a range by its first offset.
struct LeaseRef {
  LeaseKey key;
  uint64_t offset = 0;
  bool is_single = false;

  friend auto operator<=>(const LeaseRef&, const LeaseRef&) = default;
};

// A client that holds leases. It is forgotten with its last one.
struct LeaseClient {
  std::string id;
  // Only while auto_renewed > 0, else 0: nothing else depends on it.
  int64_t alive_until_ms = 0;
  uint64_t auto_renewed = 0;
  absl::btree_set<LeaseRef> leases;
};

// Who took messages, when, and until when nobody else gets them.
struct Lease {
  uint64_t delivery_id = 0;
  // A renewed lease may end later: see LeaseTable::Expire.
  int64_t deadline_ms = 0;
  int64_t received_ms = 0;
  // The replica whose answer carried the messages.
  ReplicaId replica;
  Incarnation incarnation;
  LeaseClient* client = nullptr;   // Null: the receive named none.
  bool is_auto_renewed = false;
};

// New messages of one delivery.
struct LeaseRange {
  Lease lease;
  uint32_t span = 0;     // Offsets first to first + span - 1.
  OffsetBits held;       // Neither acked nor gone another way. Never empty.
  OffsetBits written;    // The response reached the network. Subset of held.
};

struct SingleLease {
  Lease lease;
  uint32_t attempt = 1;
  bool is_written = false;
};

struct ReadyMessage {
  uint64_t delivery_id = 0;  // The last one: its handle is still good for an ack.
  uint32_t attempts = 0;     // Deliveries that counted.
};

struct LeaseQueue {
  uint64_t next = 0;         // First offset never delivered to the group.
  uint64_t leased = 0;       // Messages in ranges and singles.
  absl::btree_map<uint64_t, LeaseRange> ranges;    // By first offset; they do not overlap.
  absl::btree_map<uint64_t, SingleLease> singles;
  absl::btree_map<uint64_t, ReadyMessage> ready;
  bool is_dirty = false;     // Changed since the last freeze.

  // The range that may hold `offset`, or ranges.end().
  absl::btree_map<uint64_t, LeaseRange>::iterator FindRange(uint64_t offset) {
    auto it = ranges.upper_bound(offset);
    if (it == ranges.begin()) return ranges.end();
    --it;
    return offset - it->first < it->second.span ? it : ranges.end();
  }
  // Lowest offset that is not acked: what a consumer that reads in order has
  // committed.
  uint64_t LowestOpen() const {
    uint64_t lowest = next;
    if (!ranges.empty()) {
      const auto& [first, range] = *ranges.begin();
      lowest = std::min(lowest, first + range.held.First());
    }
    if (!singles.empty()) lowest = std::min(lowest, singles.begin()->first);
    if (!ready.empty()) lowest = std::min(lowest, ready.begin()->first);
    return lowest;
  }
};

}  // namespace totora::store

#endif  // TOTORA_STORE_LEASE_QUEUE_H_
