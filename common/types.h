// Strong<Tag, Rep>: numbers that cannot be mixed up, and the ones that the
// whole project shares.
//
// Thread safety: values, immutable types.
#ifndef TOTORA_COMMON_TYPES_H_
#define TOTORA_COMMON_TYPES_H_

#include <compare>
#include <cstdint>
#include <ostream>
#include <utility>

namespace totora {

template <typename Tag, typename Rep>
class Strong {
 public:
  using Value = Rep;

  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(Strong, Strong) = default;

  // Neighbours: the only arithmetic that keeps the meaning.
  constexpr Strong Next(Rep by = 1) const { return Strong(static_cast<Rep>(value_ + by)); }
  constexpr Strong Prev(Rep by = 1) const { return Strong(static_cast<Rep>(value_ - by)); }

  template <typename H>
  friend H AbslHashValue(H h, Strong s) {
    return H::combine(std::move(h), s.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, Strong s) { return out << +s.value_; }

 private:
  Rep value_ = 0;
};

// Raft term. 0 is before the first election.
using Term = Strong<struct TermTag, uint64_t>;
// Place of an entry in the Raft log. The first entry has index 1; 0 is none.
using LogIndex = Strong<struct LogIndexTag, uint64_t>;
// Number of a replica inside its group, from 1. 0 is nobody.
using ReplicaId = Strong<struct ReplicaIdTag, uint32_t>;
// Number of a Raft group, from 1.
using GroupId = Strong<struct GroupIdTag, uint32_t>;
// Place of a message in its queue, from 0.
using QueueOffset = Strong<struct QueueOffsetTag, uint64_t>;
// Logical byte position in a group's log, equal on every replica. RocketMQ's
// commitLogOffset.
using BytePosition = Strong<struct BytePositionTag, uint64_t>;
// Counts the starts of a replica, kept beside its log. (replica, incarnation)
// names one life of a process.
using Incarnation = Strong<struct IncarnationTag, uint64_t>;

}  // namespace totora

#endif  // TOTORA_COMMON_TYPES_H_
