#include "raft/core/quorum.h"

namespace totora::raft {
namespace {

bool Contains(const std::vector<ReplicaId>& voters, ReplicaId voter) {
  return std::find(voters.begin(), voters.end(), voter) != voters.end();
}

}  // namespace

void VoteTally::Reset(size_t voters) {
  voters_ = voters;
  granted_.clear();
  refused_.clear();
}

void VoteTally::Record(ReplicaId voter, bool is_granted) {
  if (HasAnswered(voter)) return;
  (is_granted ? granted_ : refused_).push_back(voter);
}

bool VoteTally::HasAnswered(ReplicaId voter) const {
  return Contains(granted_, voter) || Contains(refused_, voter);
}

VoteTally::Result VoteTally::result(ReplicaId absent) const {
  const size_t needed = MajorityOf(voters_);
  if (granted_.size() >= needed) return Result::kWon;
  size_t gone = refused_.size();
  if (absent != ReplicaId() && !HasAnswered(absent)) ++gone;
  return voters_ - gone < needed ? Result::kLost : Result::kPending;
}

}  // namespace totora::raft
