// What must be true of a Core after every input, and between two inputs.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_INVARIANTS_H_
#define TOTORA_RAFT_CORE_INVARIANTS_H_

#include "raft/core/core.h"
#include "raft/core/types.h"

namespace totora::raft {

// Ends the process with the broken rule when one does not hold. Compiled into
// every build, used where TOTORA_DCHECKS is defined.
class CoreInvariants {
 public:
  // Remembers `state` and checks it against what it was at the last call.
  void Check(const Core::State& state);

 private:
  static void CheckLog(const Core::State& state);
  static void CheckRole(const Core::State& state);
  static void CheckLeader(const Core::State& state);
  static void CheckOutput(const Core::State& state);
  void CheckTransition(const Core::State& state) const;

  bool has_before_ = false;
  HardState hard_;
  Role role_ = Role::kFollower;
  ReplicaId term_leader_;
  LogIndex last_;
  LogIndex commit_;
  Term commit_term_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_INVARIANTS_H_
