// Counting: votes of one election, and what a majority has reached.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_QUORUM_H_
#define TOTORA_RAFT_CORE_QUORUM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "raft/core/types.h"

namespace totora::raft {

constexpr size_t MajorityOf(size_t voters) { return voters / 2 + 1; }

// The largest value that a majority has reached, given one value a voter.
// REQUIRES: `reached` is not empty. Reorders it.
template <typename T>
T MajorityReached(std::vector<T>* reached) {
  const auto at = reached->begin() + (MajorityOf(reached->size()) - 1);
  std::nth_element(reached->begin(), at, reached->end(), std::greater<T>());
  return *at;
}

// The votes of one election or pre-vote.
class VoteTally {
 public:
  enum class Result { kPending, kWon, kLost };

  // Begins a new count.
  void Reset(size_t voters);

  // The first answer of a voter counts; later ones change nothing.
  void Record(ReplicaId voter, bool is_granted);

  bool HasAnswered(ReplicaId voter) const;

  // `absent` counts as a voter who will not answer any more, 0 as nobody.
  Result result(ReplicaId absent) const;

 private:
  size_t voters_ = 0;
  std::vector<ReplicaId> granted_;
  std::vector<ReplicaId> refused_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_QUORUM_H_
