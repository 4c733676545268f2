// What the replicas of a simulated group did, all of their lives, and what must
// hold of it at every moment whatever fails.
#ifndef TOTORA_TESTS_SIM_HISTORY_H_
#define TOTORA_TESTS_SIM_HISTORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "raft/replica.h"

namespace totora::sim {

// Thread safety: confined to the scheduler.
class History {
 public:
  using Violation = std::function<void(const std::string&)>;
  explicit History(Violation violation) : violation_(std::move(violation)) {}

  // One leader a term, and never a volume that was emptied.
  void StatusChanged(ReplicaId self, const raft::ReplicaStatus& status);

  // `from` sent a message. One vote a term, whatever crashes came between (a
  // candidate's request is its own vote); and an emptied volume neither votes
  // nor acknowledges.
  void MessageSent(ReplicaId from, ReplicaId to, raft::Channel channel,
                   const SharedBytes& bytes);

  // A command has one outcome, on every replica, however often the log holds it.
  void Answered(const raft::CommandId& id, absl::string_view result);

  // `self` applied an entry, and `answers` is a hash of all that it answered
  // meanwhile: the same for whoever applies this index, in whichever life.
  void Applied(ReplicaId self, const raft::FrameHeader& entry, uint64_t answers);

  // `self` starts with a checkpoint, and its log has `entry` as the last one that
  // the checkpoint contains: the one that was applied there.
  void Started(ReplicaId self, const raft::FrameHeader& entry);

  // From now on `replica` is no voter.
  void VolumeEmptied(ReplicaId replica) { emptied_ = replica; }

  uint64_t elections() const { return leaders_.size(); }

 private:
  struct AppliedEntry {
    ReplicaId by;
    Term term;
    uint32_t chain_crc = 0;
    uint64_t answers = 0;
  };
  void Voted(ReplicaId voter, Term term, ReplicaId candidate);

  const Violation violation_;
  ReplicaId emptied_;
  std::map<Term, ReplicaId> leaders_;
  std::map<std::pair<Term, ReplicaId>, ReplicaId> votes_;
  std::vector<AppliedEntry> applied_;  // By index, from 1 on.
  std::map<std::tuple<ReplicaId, Incarnation, uint64_t>, uint64_t> answers_;
};

// Mixes `bytes` into `hash`.
uint64_t HashInto(uint64_t hash, absl::string_view bytes);

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_HISTORY_H_
