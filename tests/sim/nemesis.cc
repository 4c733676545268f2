#include "tests/sim/nemesis.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace totora::sim {
namespace {

constexpr double kVoterCrashes = 0.7;

}  // namespace

void FaultCounts::Add(const FaultCounts& other) {
  kills += other.kills;
  power_cuts += other.power_cuts;
  torn_power_cuts += other.torn_power_cuts;
  all_down += other.all_down;
  pauses += other.pauses;
  partitions += other.partitions;
  one_way += other.one_way;
  clock_jumps += other.clock_jumps;
  emptied += other.emptied;
  stalls += other.stalls;
  election_faults += other.election_faults;
  rot += other.rot;
  rot_refused += other.rot_refused;
}

Nemesis::Nemesis(Scheduler* scheduler, SimNetwork* network, std::vector<Process*> processes,
                 Profile profile, Events events)
    : scheduler_(scheduler),
      network_(network),
      processes_(std::move(processes)),
      profile_(profile),
      events_(std::move(events)) {}

void Nemesis::After(absl::Duration delay, Task task) {
  scheduler_->At(scheduler_->now() + delay, nullptr, std::move(task));
}

absl::Duration Nemesis::Away() {
  return absl::Milliseconds(2 + random().Below(uint64_t{2} << random().Below(12)));
}

// --- Starting again. -----------------------------------------------------------

void Nemesis::RestartLater(Process* process, absl::Duration after) {
  After(after, [this, process] { Start(process); });
}

void Nemesis::Start(Process* process) {
  if (process->is_running()) return;
  const absl::Status status = process->Start();
  if (absl::StrContains(status.message(), "power is off")) {
    // A cut that was to come met the start instead.
    ++counts_.torn_power_cuts;
    process->LosePower();
    return RestartLater(process, absl::Milliseconds(100));
  }
  const auto rotten = rotten_.find(process->id());
  if (rotten != rotten_.end()) {
    const RottenByte byte = rotten->second;
    rotten_.erase(rotten);
    if (absl::IsDataLoss(status)) {
      // An operator brings the byte back.
      ++counts_.rot_refused;
      process->disk()->FlipByte(byte.path, byte.offset, byte.mask);
      return RestartLater(process, Away());
    }
    events_.on_violation(absl::StrCat(
        "replica ", process->id().value(), " did not refuse to start though entry ",
        byte.index.value(), ", which was proven durable, is rotten: ", status.ToString()));
  } else if (!status.ok()) {
    events_.on_violation(absl::StrCat("replica ", process->id().value(),
                                      " does not start: ", status.ToString()));
  }
}

void Nemesis::Fatal(ReplicaId self) {
  Process* const process = processes_[self.value() - 1];
  // Not inside of this call.
  After(absl::ZeroDuration(), [this, process] {
    if (!process->is_running()) return;
    ++counts_.torn_power_cuts;
    process->CutPower();
    RestartLater(process, random().Between(absl::Milliseconds(50), absl::Seconds(3)));
  });
}

// --- Harm. ---------------------------------------------------------------------

void Nemesis::Begin(bool may_empty) {
  is_active_ = true;
  is_storm_ = profile_ == Profile::kElections;
  may_empty_ = may_empty;
  Continue();
}

void Nemesis::Continue() {
  if (!is_active_) return;
  After(random().Between(absl::Milliseconds(300), absl::Milliseconds(2500)),
        [this] { Continue(); });
  if (profile_ == Profile::kDisks && random().Chance(0.5)) HarmDisks();
  if (profile_ == Profile::kElections && emptied_.value() == 0) {
    if (random().Chance(0.15)) is_storm_ = random().Chance(0.7);
    if (is_storm_ && random().Chance(0.7)) return HarmLeader();
  }
  const uint64_t dice = random().Below(100);
  if (dice < 50) {
    // An emptied volume leaves two voters: both must be there for the group to go on.
    if (emptied_.value() == 0 || random().Chance(0.3)) HarmOne(Any());
  } else if (dice < 57) {
    AllDown();
  } else if (dice < 80) {
    HarmNetwork();
  } else if (dice < 86) {
    MoveClock(Any());
  } else if (dice < 90) {
    SlowNetwork();
  } else if (dice < 96) {
    Rot(Any());
  } else {
    EmptyOne();
  }
}

// Two that are wrong by the same amount are a majority that agrees, and log time
// rightly follows them: forward at once. Back it never goes, so that what is to be
// delivered at a time of day would not come before this run is over.
void Nemesis::MoveClock(Process* process) {
  ++counts_.clock_jumps;
  const absl::Duration coarse =
      absl::Seconds(10) * static_cast<int64_t>(random().Below(1440)) - absl::Hours(2);
  process->clock()->SetOffset(coarse + absl::Milliseconds(2500) * process->id().value());
  if (coarse < absl::ZeroDuration() || !random().Chance(0.3)) return;
  for (Process* const other : processes_) {
    if (other == process) continue;
    ++counts_.clock_jumps;
    other->clock()->SetOffset(coarse + absl::Milliseconds(2500) * process->id().value());
    return;
  }
}

void Nemesis::HarmOne(Process* process) {
  if (!process->is_running()) return;
  switch (random().Below(5)) {
    case 0:
    case 1:
      Crash(process, random().Between(absl::Milliseconds(20), absl::Seconds(4)));
      break;
    case 2:
      process->CutPowerAfter(random().Below(30));
      break;
    case 3:
      ++counts_.stalls;
      process->StallDisk(random().Between(absl::Milliseconds(10), absl::Seconds(2)));
      break;
    default:
      ++counts_.pauses;
      process->Pause(random().Between(absl::Milliseconds(10), absl::Seconds(3)));
      break;
  }
}

void Nemesis::Crash(Process* process, absl::Duration away) {
  if (!process->is_running()) return;
  if (random().Chance(0.5)) {
    ++counts_.kills;
    process->Kill();
  } else {
    ++counts_.power_cuts;
    process->CutPower();
  }
  RestartLater(process, away);
}

void Nemesis::AllDown() {
  ++counts_.all_down;
  for (Process* process : processes_) {
    if (!process->is_running()) continue;
    process->CutPower();
    RestartLater(process, random().Between(absl::Milliseconds(10), absl::Seconds(1)));
  }
}

void Nemesis::HarmNetwork() {
  network_->UnblockAll();
  const ReplicaId victim = Any()->id();
  const bool is_one_way = random().Chance(0.4);
  ++(is_one_way ? counts_.one_way : counts_.partitions);
  const bool blocks_sending = random().Chance(0.5);
  for (const Process* other : processes_) {
    if (other->id() == victim) continue;
    if (!is_one_way || blocks_sending) network_->Block(victim, other->id());
    if (!is_one_way || !blocks_sending) network_->Block(other->id(), victim);
    if (is_one_way && random().Chance(0.3)) break;  // Only one pair.
  }
  HealNetworkAfter(random().Between(absl::Milliseconds(100), absl::Seconds(5)));
}

void Nemesis::SlowNetwork() {
  NetworkFaults faults;
  faults.lose = 0.05;
  faults.repeat = 0.05;
  faults.stall = 0.02;
  faults.break_stream = 0.005;
  network_->SetFaults(random().Chance(0.5) ? faults : NetworkFaults());
}

// One disk, or all: they share something.
void Nemesis::HarmDisks() {
  const absl::Duration how_long = random().Between(absl::Milliseconds(5), absl::Milliseconds(800));
  Stall(random().Chance(0.5) ? processes_ : std::vector<Process*>{Any()}, how_long);
}

void Nemesis::Stall(const std::vector<Process*>& victims, absl::Duration how_long) {
  std::vector<Process*> stalled;
  for (Process* process : victims) {
    if (!process->is_running()) continue;
    ++counts_.stalls;
    process->StallDisk(how_long);
    stalled.push_back(process);
  }
  if (stalled.empty() || random().Chance(0.5)) return;
  After(how_long * 0.9, [this, stalled = std::move(stalled)] {
    if (!is_active_) return;
    for (Process* process : stalled) {
      if (!process->is_running()) continue;
      ++counts_.power_cuts;
      process->CutPower();
      RestartLater(process, Away());
    }
  });
}

void Nemesis::Rot(Process* process) {
  if (!process->is_running() || process->id() == emptied_) return;
  ++counts_.power_cuts;
  process->CutPower();
  if (const auto byte = PickProvenByte(*process->disk(), process->log_directory(), &random())) {
    ++counts_.rot;
    process->disk()->FlipByte(byte->path, byte->offset, byte->mask);
    rotten_[process->id()] = *byte;
  }
  RestartLater(process, Away());
}

void Nemesis::EmptyOne() {
  // Only one: the group goes on with two voters.
  if (emptied_.value() != 0 || !may_empty_) return;
  Process* const process = Any();
  emptied_ = process->id();
  ++counts_.emptied;
  if (process->is_running()) process->Kill();
  process->EmptyVolume();
  if (rotten_.erase(emptied_) > 0) --counts_.rot;  // Gone with its disk.
  events_.on_emptied(emptied_);
  RestartLater(process, absl::Milliseconds(200));
}

void Nemesis::Isolate(ReplicaId victim, absl::Duration how_long) {
  ++counts_.partitions;
  network_->UnblockAll();
  for (const Process* other : processes_) {
    if (other->id() == victim) continue;
    network_->Block(victim, other->id());
    network_->Block(other->id(), victim);
  }
  HealNetworkAfter(how_long);
}

void Nemesis::HealNetworkAfter(absl::Duration how_long) {
  After(how_long, [this, partition = ++partition_] {
    if (partition == partition_) network_->UnblockAll();
  });
}

void Nemesis::StatusChanged(ReplicaId self, const raft::ReplicaStatus& status) {
  const bool is_new_term = std::exchange(terms_[self], status.term) != status.term;
  if (!is_active_ || profile_ != Profile::kElections || emptied_.value() != 0) return;
  double chance = is_new_term || status.leader.value() != 0 ? 0.25 : 0;
  if (status.role == raft::Role::kCandidate) chance = 0.3;
  if (status.role == raft::Role::kLeader) chance = is_storm_ ? 0.97 : 0.2;
  if (!random().Chance(chance)) return;
  After(random().Moment(), [this, self, role = status.role] { HarmElection(self, role); });
}

void Nemesis::HarmLeader() {
  for (Process* process : processes_) {
    if (!process->is_running() || process->status().role != raft::Role::kLeader) continue;
    return HarmElection(process->id(), raft::Role::kLeader);
  }
}

// `self` leads since a moment ago, or stands for election, or has entered a term
// (and most likely voted in it), or hears from a new leader.
void Nemesis::HarmElection(ReplicaId self, raft::Role role) {
  Process* const process = processes_[self.value() - 1];
  if (!is_active_ || !process->is_running()) return;
  ++counts_.election_faults;
  const uint64_t dice = random().Below(10);
  if (role == raft::Role::kLeader && dice < 8) {
    // Whoever was isolated before comes back: leaders that know different ends
    // of the log take turns.
    Isolate(self, random().Between(absl::Milliseconds(700), absl::Seconds(4)));
    CrashVoterOf(self);
  } else if (role != raft::Role::kLeader && dice < 6) {
    Stall({process}, random().Between(absl::Milliseconds(20), absl::Milliseconds(900)));
  } else {
    Crash(process, Away());
  }
}

// The leader was elected by one of the others while the third did not hear of its term. Now
// the voter goes down for a moment, and the third may ask it in the same term: it must
// know by its disk alone that it has voted.
void Nemesis::CrashVoterOf(ReplicaId leader) {
  for (const Process* third : processes_) {
    if (terms_[third->id()] >= terms_[leader] || !random().Chance(kVoterCrashes)) continue;
    for (Process* voter : processes_) {
      if (voter->id() == leader || voter == third) continue;
      Crash(voter, random().Between(absl::Milliseconds(1), absl::Milliseconds(40)));
    }
    return;
  }
}

void Nemesis::Heal() {
  is_active_ = false;
  network_->UnblockAll();
  network_->SetFaults(NetworkFaults());
  for (Process* process : processes_) {
    process->clock()->SetOffset(absl::ZeroDuration());
    if (!process->is_running()) RestartLater(process, absl::Milliseconds(10));
  }
}

}  // namespace totora::sim
