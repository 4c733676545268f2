#include "tests/sim/cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "message/codec.h"
#include "message/message.h"
#include "message/properties.h"
#include "tests/sim/workload.h"

namespace totora::sim {
namespace {

constexpr int kReplicas = 3;
constexpr absl::Duration kSettle = absl::Seconds(25);

class Cluster {
 public:
  explicit Cluster(const SimOptions& options)
      : options_(options), scheduler_(options.seed), network_(&scheduler_) {
    for (uint32_t id = 1; id <= kReplicas; ++id) all_.push_back(ReplicaId(id));
    for (const ReplicaId id : all_) {
      ProcessEvents events;
      events.on_status = [this](ReplicaId self, const raft::ReplicaStatus& status) {
        CheckLeaders(self, status);
      };
      events.on_fatal = [this](ReplicaId self, const absl::Status& reason) {
        Fatal(self, reason);
      };
      processes_.push_back(
          std::make_unique<Process>(&scheduler_, &network_, id, all_, std::move(events)));
    }
    workload_ = std::make_unique<Workload>(
        &scheduler_, [this](ReplicaId id) { return Reachable(id); }, all_,
        [this](const std::string& text) { Violation(text); });
  }

  SimResult Run();

 private:
  void Violation(const std::string& text) {
    if (result_.violations.size() < 20) {
      result_.violations.push_back(
          absl::StrCat("at ", absl::FormatDuration(scheduler_.now()), ": ", text));
    }
  }
  // A process that clients reach, or null.
  Process* Reachable(ReplicaId id) {
    // It is no member of the group any more and sends its clients away.
    if (id == emptied_) return nullptr;
    Process* const process = processes_[id.value() - 1].get();
    return process->is_running() && !process->is_paused() ? process : nullptr;
  }

  void CheckLeaders(ReplicaId self, const raft::ReplicaStatus& status);
  void Fatal(ReplicaId self, const absl::Status& reason);
  void StartProcess(Process* process);
  void RestartLater(Process* process, absl::Duration after);
  void Nemesis();
  void HarmOne(Process* process);
  void HarmNetwork();
  void EmptyOne();
  void Heal();
  void CheckEnd();
  // Every message of every queue on one replica.
  std::map<std::string, int> CheckQueues(Process* process);
  void CheckRebuild(Process* process);

  const SimOptions options_;
  Scheduler scheduler_;
  SimNetwork network_;
  std::vector<ReplicaId> all_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::unique_ptr<Workload> workload_;
  std::map<Term, ReplicaId> leaders_;
  bool is_healing_ = false;
  ReplicaId emptied_;
  SimResult result_;
};

void Cluster::CheckLeaders(ReplicaId self, const raft::ReplicaStatus& status) {
  scheduler_.Trace(status.term.value() << 8 | self.value());
  if (status.role != raft::Role::kLeader) return;
  const auto [it, is_new] = leaders_.emplace(status.term, self);
  if (is_new) ++result_.counts.elections;
  if (it->second != self) {
    Violation(absl::StrCat("replicas ", it->second.value(), " and ", self.value(),
                           " both lead in term ", status.term.value()));
  }
  if (self == emptied_) Violation("a replica whose volume was emptied leads");
}

void Cluster::Fatal(ReplicaId self, const absl::Status& reason) {
  Process* const process = processes_[self.value() - 1].get();
  if (absl::IsDataLoss(reason)) {
    Violation(absl::StrCat("replica ", self.value(), " cannot go on: ", reason.ToString()));
  }
  // The power went in the middle of a disk step. Not inside of this call.
  scheduler_.At(scheduler_.now(), nullptr, [this, process] {
    if (!process->is_running()) return;
    ++result_.counts.torn_power_cuts;
    process->CutPower();
    RestartLater(process, scheduler_.random().Between(absl::Milliseconds(50), absl::Seconds(3)));
  });
}

void Cluster::StartProcess(Process* process) {
  if (process->is_running()) return;
  const absl::Status status = process->Start();
  if (absl::StrContains(status.message(), "power is off")) {
    // A cut that was to come met the start instead.
    ++result_.counts.torn_power_cuts;
    process->LosePower();
    RestartLater(process, absl::Milliseconds(100));
  } else if (!status.ok()) {
    Violation(absl::StrCat("replica ", process->id().value(),
                           " does not start: ", status.ToString()));
  }
}

void Cluster::RestartLater(Process* process, absl::Duration after) {
  scheduler_.At(scheduler_.now() + after, nullptr, [this, process] { StartProcess(process); });
}

void Cluster::HarmOne(Process* process) {
  Random& random = scheduler_.random();
  if (!process->is_running()) return;
  const absl::Duration away = random.Between(absl::Milliseconds(20), absl::Seconds(4));
  switch (random.Below(4)) {
    case 0:
      ++result_.counts.kills;
      process->Kill();
      RestartLater(process, away);
      break;
    case 1:
      ++result_.counts.power_cuts;
      process->CutPower();
      RestartLater(process, away);
      break;
    case 2:
      process->CutPowerAfter(random.Below(30));
      break;
    default:
      ++result_.counts.pauses;
      process->Pause(random.Between(absl::Milliseconds(10), absl::Seconds(3)));
      break;
  }
}

void Cluster::HarmNetwork() {
  Random& random = scheduler_.random();
  network_.UnblockAll();
  const ReplicaId victim = all_[random.Below(all_.size())];
  const bool is_one_way = random.Chance(0.4);
  ++(is_one_way ? result_.counts.one_way : result_.counts.partitions);
  const bool blocks_sending = random.Chance(0.5);
  for (const ReplicaId other : all_) {
    if (other == victim) continue;
    if (!is_one_way || blocks_sending) network_.Block(victim, other);
    if (!is_one_way || !blocks_sending) network_.Block(other, victim);
    if (is_one_way && random.Chance(0.3)) break;  // Only one pair.
  }
  scheduler_.At(scheduler_.now() + random.Between(absl::Milliseconds(100), absl::Seconds(5)),
                nullptr, [this] { network_.UnblockAll(); });
}

void Cluster::EmptyOne() {
  // Only when the other two are there: the group goes on with two voters.
  if (emptied_.value() != 0 || !options_.with_emptied_volume) return;
  Process* const process = processes_[scheduler_.random().Below(kReplicas)].get();
  emptied_ = process->id();
  ++result_.counts.emptied;
  if (process->is_running()) process->Kill();
  process->EmptyVolume();
  RestartLater(process, absl::Milliseconds(200));
}

void Cluster::Nemesis() {
  if (is_healing_) return;
  Random& random = scheduler_.random();
  scheduler_.At(scheduler_.now() +
                    random.Between(absl::Milliseconds(300), absl::Milliseconds(2500)),
                nullptr, [this] { Nemesis(); });
  const uint64_t dice = random.Below(100);
  if (dice < 55) {
    Process* const process = processes_[random.Below(kReplicas)].get();
    // An emptied volume leaves two voters: both must be there for the group to go on.
    if (emptied_.value() == 0 || random.Chance(0.3)) HarmOne(process);
  } else if (dice < 62) {
    ++result_.counts.all_down;
    for (const auto& process : processes_) {
      if (!process->is_running()) continue;
      process->CutPower();
      RestartLater(process.get(), random.Between(absl::Milliseconds(10), absl::Seconds(1)));
    }
  } else if (dice < 85) {
    HarmNetwork();
  } else if (dice < 92) {
    ++result_.counts.clock_jumps;
    processes_[random.Below(kReplicas)]->clock()->SetOffset(
        random.Between(-absl::Hours(2), absl::Hours(2)));
  } else if (dice < 96) {
    NetworkFaults faults;
    faults.lose = 0.05;
    faults.repeat = 0.05;
    faults.stall = 0.02;
    faults.break_stream = 0.005;
    network_.SetFaults(random.Chance(0.5) ? faults : NetworkFaults());
  } else {
    EmptyOne();
  }
}

void Cluster::Heal() {
  is_healing_ = true;
  network_.UnblockAll();
  network_.SetFaults(NetworkFaults());
  for (const auto& process : processes_) {
    process->clock()->SetOffset(absl::ZeroDuration());
    if (!process->is_running()) {
      RestartLater(process.get(), absl::Milliseconds(10));
    }
  }
}

SimResult Cluster::Run() {
  const absl::Duration begin = scheduler_.now();
  for (const auto& process : processes_) {
    RestartLater(process.get(),
                 scheduler_.random().Between(absl::ZeroDuration(), absl::Milliseconds(200)));
  }
  scheduler_.At(begin + absl::Seconds(2), nullptr, [this] {
    workload_->Start(options_.producers, options_.consumers);
  });
  if (options_.with_faults) {
    NetworkFaults faults;
    faults.lose = 0.01;
    faults.repeat = 0.01;
    faults.stall = 0.005;
    faults.break_stream = 0.001;
    network_.SetFaults(faults);
    scheduler_.At(begin + absl::Seconds(4), nullptr, [this] { Nemesis(); });
  }
  scheduler_.RunUntil(begin + options_.duration);
  Heal();
  scheduler_.RunUntil(begin + options_.duration + kSettle / 2);
  workload_->StopProducing();
  scheduler_.RunUntil(begin + options_.duration + kSettle);
  workload_->Stop();
  scheduler_.RunUntil(begin + options_.duration + kSettle + absl::Seconds(8));
  CheckEnd();
  result_.counts.acknowledged = workload_->acknowledged().size();
  result_.counts.received = workload_->received();
  result_.counts.retries = workload_->retries();
  result_.counts.network = network_.counts();
  result_.trace = scheduler_.trace();
  result_.events = scheduler_.events();
  return std::move(result_);
}

std::map<std::string, int> Cluster::CheckQueues(Process* process) {
  std::map<std::string, int> stored;
  store::StateMachine* const state = process->state();
  for (uint32_t queue = 0; queue < kSimQueues; ++queue) {
    const absl::StatusOr<store::QueueBounds> bounds = state->Bounds(kSimTopic, queue);
    if (!bounds.ok()) continue;
    std::map<std::string, uint64_t> last_of_producer;
    const auto entries =
        state->Entries(kSimTopic, queue, bounds->begin, bounds->end.value() - bounds->begin.value());
    if (!entries.ok()) {
      Violation(absl::StrCat("entries: ", entries.status().ToString()));
      continue;
    }
    for (const store::QueueEntry& entry : *entries) {
      const auto bytes = process->replica()->Read(entry.position, entry.size);
      if (!bytes.ok()) {
        Violation(absl::StrCat("a stored message cannot be read: ", bytes.status().ToString()));
        continue;
      }
      const auto view = message::StoredMessageView::Parse(*bytes);
      if (!view.ok() || !view->CheckBody().ok() || view->position() != entry.position) {
        Violation("a stored message is garbled");
        continue;
      }
      const std::string id(view->Property(message::kUniqueKeyProperty));
      const auto [it, is_new] = stored.emplace(id, 0);
      if (++it->second == 2) Violation(absl::StrCat("message ", id, " is stored twice"));
      // One outstanding send a producer: its messages lie in the order sent.
      const std::vector<std::string> parts = absl::StrSplit(id, '-');
      uint64_t sequence = 0;
      if (parts.size() == 2 && absl::SimpleAtoi(parts[1], &sequence)) {
        uint64_t& last = last_of_producer[parts[0]];
        if (sequence <= last) Violation(absl::StrCat("message ", id, " is out of order"));
        last = sequence;
      }
    }
  }
  return stored;
}

void Cluster::CheckRebuild(Process* process) {
  // From nothing but the log: the same state, byte for byte.
  const LogIndex applied = process->state()->applied();
  if (applied.value() == 0) return;
  auto empty = std::make_shared<std::map<std::string, std::string>>();
  const auto checkpoints = store::MakeMemoryCheckpoints(empty);
  auto life = std::make_shared<Life>();
  SimExecutor background(&scheduler_, life, process->clock(), absl::ZeroDuration(),
                         absl::ZeroDuration());
  auto rebuilt = store::StateMachine::Open(store::StoreOptions(), checkpoints.get(), &background);
  TOTORA_CHECK(rebuilt.ok()) << rebuilt.status();
  for (LogIndex index(1); index <= applied;) {
    const auto frames = process->replica()->log().ReadFrames(index, applied, 1 << 20);
    if (!frames.ok()) {
      return Violation(absl::StrCat("the log cannot be read: ", frames.status().ToString()));
    }
    for (const raft::Frame& frame : *frames) (*rebuilt)->Apply(frame);
    index = frames->back().header.index.Next();
  }
  if ((*rebuilt)->Dump() != process->state()->Dump()) {
    Violation("state rebuilt from the log differs");
  }
  life->is_alive = false;
}

void Cluster::CheckEnd() {
  Process* reference = nullptr;
  for (const auto& process : processes_) {
    if (process->id() == emptied_) {
      if (process->is_running() && process->state()->applied().value() != 0) {
        Violation("a replica whose volume was emptied applied entries");
      }
      continue;
    }
    if (!process->is_running()) {
      Violation(absl::StrCat("replica ", process->id().value(), " is not running at the end"));
      continue;
    }
    if (process->status().leader.value() == 0) {
      Violation(absl::StrCat("replica ", process->id().value(), " knows no leader at the end"));
    }
    if (reference == nullptr) {
      reference = process.get();
      continue;
    }
    if (process->state()->applied() != reference->state()->applied()) {
      Violation(absl::StrCat("replicas applied ", process->state()->applied().value(), " and ",
                             reference->state()->applied().value(), " at the end"));
    } else if (process->state()->Dump() != reference->state()->Dump()) {
      Violation("the states of two replicas differ");
    }
  }
  if (reference == nullptr) return;
  const std::map<std::string, int> stored = CheckQueues(reference);
  for (const auto& [id, place] : workload_->acknowledged()) {
    if (stored.count(id) == 0) Violation(absl::StrCat("acknowledged message ", id, " is lost"));
  }
  for (const std::string& id : workload_->NeverReceived()) {
    Violation(absl::StrCat("message ", id, " was never delivered"));
  }
  CheckRebuild(reference);
}

}  // namespace

void SimCounts::Add(const SimCounts& other) {
  acknowledged += other.acknowledged;
  received += other.received;
  retries += other.retries;
  elections += other.elections;
  kills += other.kills;
  power_cuts += other.power_cuts;
  torn_power_cuts += other.torn_power_cuts;
  all_down += other.all_down;
  pauses += other.pauses;
  partitions += other.partitions;
  one_way += other.one_way;
  clock_jumps += other.clock_jumps;
  emptied += other.emptied;
  network.delivered += other.network.delivered;
  network.lost += other.network.lost;
  network.repeated += other.network.repeated;
  network.stalled += other.network.stalled;
  network.broken += other.network.broken;
  network.blocked += other.network.blocked;
}

SimResult RunSimulation(const SimOptions& options) { return Cluster(options).Run(); }

}  // namespace totora::sim
