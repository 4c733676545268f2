// What goes wrong in a simulated cluster and when, and who starts processes again.
#ifndef TOTORA_TESTS_SIM_NEMESIS_H_
#define TOTORA_TESTS_SIM_NEMESIS_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/sim/process.h"
#include "tests/sim/rot.h"

namespace totora::sim {

// Where the faults of a run gather.
enum class Profile {
  kMixed,      // Anywhere, a few seconds apart.
  kElections,  // Around every change of leader, too: within milliseconds of it.
  kDisks,      // Disks that stall, and power that fails meanwhile, too.
};

// How often each fault happened.
struct FaultCounts {
  uint64_t kills = 0, power_cuts = 0, torn_power_cuts = 0, all_down = 0, pauses = 0;
  uint64_t partitions = 0, one_way = 0, clock_jumps = 0, emptied = 0;
  uint64_t stalls = 0, election_faults = 0, rot = 0, rot_refused = 0;

  void Add(const FaultCounts& other);
};

// Thread safety: confined to the scheduler. All pointers are borrowed.
class Nemesis {
 public:
  struct Events {
    std::function<void(const std::string&)> on_violation;
    std::function<void(ReplicaId)> on_emptied;
  };
  Nemesis(Scheduler* scheduler, SimNetwork* network, std::vector<Process*> processes,
          Profile profile, Events events);

  // Starts `process` after a while, and again until it runs.
  void RestartLater(Process* process, absl::Duration after);

  // Harms from now on. At most one volume is emptied, if `may_empty`.
  void Begin(bool may_empty);
  // Takes back what can be taken back, and harms no more.
  void Heal();

  void StatusChanged(ReplicaId self, const raft::ReplicaStatus& status);
  // The replica cannot go on: the power went in the middle of a disk step.
  void Fatal(ReplicaId self);

  // Whose volume was emptied; 0 = nobody's.
  ReplicaId emptied() const { return emptied_; }
  const FaultCounts& counts() const { return counts_; }

 private:
  Process* Any() { return processes_[random().Below(processes_.size())]; }
  Random& random() { return scheduler_->random(); }
  void After(absl::Duration delay, Task task);
  // From 2 ms to 4 s, short times as often as long ones.
  absl::Duration Away();

  void Start(Process* process);
  void Continue();
  void MoveClock(Process* process);
  void HarmOne(Process* process);
  // Ends the process, by power cut or by kill, and starts it again.
  void Crash(Process* process, absl::Duration away);
  void AllDown();
  void HarmNetwork();
  void SlowNetwork();
  void HarmDisks();
  // Often it ends with the power of all of them.
  void Stall(const std::vector<Process*>& victims, absl::Duration how_long);
  void Rot(Process* process);
  void EmptyOne();
  void HarmLeader();
  void CrashVoterOf(ReplicaId leader);
  void HarmElection(ReplicaId self, raft::Role role);
  // Nobody hears `victim` for a while, and it hears nobody.
  void Isolate(ReplicaId victim, absl::Duration how_long);
  void HealNetworkAfter(absl::Duration how_long);

  Scheduler* const scheduler_;
  SimNetwork* const network_;
  const std::vector<Process*> processes_;
  const Profile profile_;
  bool is_storm_ = false;  // Hardly any leader stays, for some seconds.
  uint64_t partition_ = 0;  // Number of the latest one; it ends what came before.
  const Events events_;
  bool is_active_ = false;
  bool may_empty_ = false;
  ReplicaId emptied_;
  std::map<ReplicaId, RottenByte> rotten_;
  std::map<ReplicaId, Term> terms_;  // That each was last heard of in.
  FaultCounts counts_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_NEMESIS_H_
