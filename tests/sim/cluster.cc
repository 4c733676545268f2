#include "tests/sim/cluster.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "message/codec.h"
#include "message/message.h"
#include "message/override.h"
#include "message/properties.h"
#include "message/topic.h"
#include "tests/sim/classic_workload.h"
#include "tests/sim/history.h"
#include "tests/sim/workload.h"

namespace totora::sim {
namespace {

constexpr int kReplicas = 3;
// After the last fault: clients send on, then only receive, then nothing happens.
// Of a classic client's connection, at each of its requests.
constexpr double kLinkBreaks = 0.004;
constexpr absl::Duration kSendOn = absl::Seconds(6);
constexpr absl::Duration kReceiveOn = absl::Seconds(8);
constexpr absl::Duration kQuiet = absl::Seconds(5);

class Cluster {
 public:
  explicit Cluster(const SimOptions& options)
      : options_(options),
        scheduler_(options.seed),
        network_(&scheduler_),
        history_([this](const std::string& text) { Violation(text); }) {
    for (uint32_t id = 1; id <= kReplicas; ++id) all_.push_back(ReplicaId(id));
    std::vector<Process*> processes;
    for (const ReplicaId id : all_) {
      const double small_steps = options.profile == Profile::kElections ? 0.7 : 0.2;
      processes_.push_back(std::make_unique<Process>(&scheduler_, &network_, id, all_, small_steps,
                                                     MakeProcessEvents()));
      processes.push_back(processes_.back().get());
    }
    Nemesis::Events events;
    events.on_violation = [this](const std::string& text) { Violation(text); };
    events.on_emptied = [this](ReplicaId id) { history_.VolumeEmptied(id); };
    nemesis_ = std::make_unique<Nemesis>(&scheduler_, &network_, std::move(processes),
                                         options.profile, std::move(events));
    network_.SetTap([this](ReplicaId from, ReplicaId to, raft::Channel channel,
                           const SharedBytes& bytes) {
      history_.MessageSent(from, to, channel, bytes);
    });
    workload_ = std::make_unique<Workload>(
        &scheduler_, [this](ReplicaId id) { return Reachable(id); }, all_,
        [this](const std::string& text) { Violation(text); });
    classic_ = std::make_unique<ClassicWorkload>(
        &scheduler_, &network_, [this](ReplicaId id) { return Reachable(id); }, all_,
        [this](const std::string& text) { Violation(text); });
  }
  ~Cluster() {
    // Events hold connections and requests, which speak to their processes when
    // they go.
    for (const auto& process : processes_) {
      if (process->is_running()) process->Kill();
    }
    scheduler_.DropAll();
  }

  SimResult Run();

 private:
  ProcessEvents MakeProcessEvents();
  void Violation(const std::string& text) {
    if (result_.violations.size() < 20) {
      result_.violations.push_back(
          absl::StrCat("at ", absl::FormatDuration(scheduler_.now()), ": ", text));
    }
  }
  // A process that clients reach, or null.
  Process* Reachable(ReplicaId id) {
    // It is no member of the group any more and sends its clients away.
    if (id == nemesis_->emptied()) return nullptr;
    Process* const process = processes_[id.value() - 1].get();
    return process->is_running() && !process->is_paused() ? process : nullptr;
  }

  void CheckEnd();
  // Every message of every queue on one replica, and where it lies.
  std::map<std::string, Workload::Place> CheckQueues(Process* process);
  // Delayed messages and copies that were sent back: once each, and in time.
  void CheckDelayed(Process* process);
  void CheckRetries(Process* process);
  void CheckRebuild(Process* process);

  const SimOptions options_;
  Scheduler scheduler_;
  SimNetwork network_;
  History history_;
  std::vector<ReplicaId> all_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::unique_ptr<Nemesis> nemesis_;
  std::unique_ptr<Workload> workload_;
  std::unique_ptr<ClassicWorkload> classic_;
  SimResult result_;
};

ProcessEvents Cluster::MakeProcessEvents() {
  ProcessEvents events;
  events.on_status = [this](ReplicaId self, const raft::ReplicaStatus& status) {
    scheduler_.Trace(status.term.value() << 8 | self.value());
    history_.StatusChanged(self, status);
    nemesis_->StatusChanged(self, status);
  };
  events.on_fatal = [this](ReplicaId self, const absl::Status& reason) {
    if (absl::IsDataLoss(reason)) {
      Violation(absl::StrCat("replica ", self.value(), " cannot go on: ", reason.ToString()));
    }
    nemesis_->Fatal(self);
  };
  events.on_applied = [this](ReplicaId self, const raft::FrameHeader& entry, uint64_t answers) {
    history_.Applied(self, entry, answers);
    classic_->EntryApplied(entry);
  };
  events.on_started = [this](ReplicaId self, const raft::FrameHeader& last) {
    history_.Started(self, last);
  };
  events.on_answered = [this](const raft::CommandId& id, absl::string_view result) {
    history_.Answered(id, result);
  };
  return events;
}

SimResult Cluster::Run() {
  const absl::Duration begin = scheduler_.now();
  for (const auto& process : processes_) {
    nemesis_->RestartLater(
        process.get(), scheduler_.random().Between(absl::ZeroDuration(), absl::Milliseconds(200)));
  }
  scheduler_.At(begin + absl::Seconds(2), nullptr, [this] {
    workload_->Start(options_.producers, options_.consumers);
    classic_->Start(options_.with_faults ? kLinkBreaks : 0);
  });
  if (options_.with_faults) {
    NetworkFaults faults;
    faults.lose = 0.01;
    faults.repeat = 0.01;
    faults.stall = 0.005;
    faults.break_stream = 0.001;
    network_.SetFaults(faults);
    scheduler_.At(begin + absl::Seconds(4), nullptr,
                  [this] { nemesis_->Begin(options_.with_emptied_volume); });
  }
  scheduler_.RunUntil(begin + options_.duration);
  nemesis_->Heal();
  classic_->Heal();
  scheduler_.RunUntil(scheduler_.now() + kSendOn);
  workload_->StopProducing();
  classic_->StopProducing();
  scheduler_.RunUntil(scheduler_.now() + kReceiveOn);
  workload_->Stop();
  classic_->Stop();
  scheduler_.RunUntil(scheduler_.now() + kQuiet);
  CheckEnd();
  result_.counts.acknowledged = workload_->acknowledged().size();
  result_.counts.received = workload_->received();
  result_.counts.delayed = workload_->delayed().size();
  result_.counts.sent_back = workload_->sent_back().size();
  result_.counts.retries = workload_->retries();
  result_.counts.classic = classic_->counts();
  result_.counts.elections = history_.elections();
  result_.counts.faults = nemesis_->counts();
  result_.counts.network = network_.counts();
  result_.trace = scheduler_.trace();
  result_.events = scheduler_.events();
  return std::move(result_);
}

std::map<std::string, Workload::Place> Cluster::CheckQueues(Process* process) {
  std::map<std::string, Workload::Place> stored;
  store::StateMachine* const state = process->state();
  for (uint32_t queue = 0; queue < kSimQueues; ++queue) {
    const absl::StatusOr<store::QueueBounds> bounds = state->Bounds(kSimTopic, queue);
    if (!bounds.ok()) continue;
    std::map<std::string, uint64_t> last_of_producer;
    const uint64_t count = bounds->end.value() - bounds->begin.value();
    const auto entries = state->Entries(kSimTopic, queue, bounds->begin, count);
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
      if (!stored.emplace(id, Workload::Place{queue, entry.offset}).second) {
        Violation(absl::StrCat("message ", id, " is stored twice"));
      }
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

void Cluster::CheckDelayed(Process* process) {
  store::StateMachine* const state = process->state();
  if (state->TimerCount() > 0) {
    Violation(absl::StrCat(state->TimerCount(), " delayed messages never got into their queues"));
  }
  const auto bounds = state->Bounds(kSimDelayedTopic, 0);
  if (!bounds.ok()) return;
  const auto entries = state->Entries(kSimDelayedTopic, 0, bounds->begin, bounds->end.value());
  if (!entries.ok()) return Violation(absl::StrCat("entries: ", entries.status().ToString()));
  std::map<std::string, int64_t> stored;
  for (const store::QueueEntry& entry : *entries) {
    const auto bytes = process->replica()->Read(entry.position, entry.size);
    const auto view = bytes.ok() ? message::StoredMessageView::Parse(*bytes) : bytes.status();
    if (!view.ok()) {
      Violation(absl::StrCat("a delayed message cannot be read: ", view.status().ToString()));
      continue;
    }
    const std::string id(view->Property(message::kUniqueKeyProperty));
    if (!stored.emplace(id, entry.store_time_ms).second) {
      Violation(absl::StrCat("delayed message ", id, " came twice"));
    }
  }
  for (const auto& [id, due_ms] : workload_->delayed()) {
    const auto found = stored.find(id);
    if (found == stored.end()) {
      Violation(absl::StrCat("delayed message ", id, " is lost"));
    } else if (found->second < due_ms) {
      Violation(absl::StrCat("delayed message ", id, " came before its time"));
    }
  }
}

void Cluster::CheckRetries(Process* process) {
  store::StateMachine* const state = process->state();
  const std::string topic = message::RetryTopic(kSimConsumerGroup);
  const auto bounds = state->Bounds(topic, 0);
  if (!bounds.ok()) {
    if (!workload_->sent_back().empty()) Violation("the retry topic is not there");
    return;
  }
  const auto entries = state->Entries(topic, 0, bounds->begin, bounds->end.value());
  if (!entries.ok()) return Violation(absl::StrCat("entries: ", entries.status().ToString()));
  std::set<uint32_t> tags;
  for (const store::QueueEntry& entry : *entries) {
    if (!tags.insert(entry.tag_hash).second || entry.tag_hash > workload_->send_backs()) {
      Violation(absl::StrCat("send-back ", entry.tag_hash, " was done twice or never asked for"));
    }
    const auto bytes = process->replica()->Read(entry.position, entry.size);
    std::string read;
    const absl::Status laid =
        bytes.ok() ? message::AppendAsRead(*bytes,
                                           {topic, 0, entry.offset, entry.position,
                                            entry.store_time_ms},
                                           entry.override_record.get(), &read)
                   : bytes.status();
    const auto view = laid.ok() ? message::StoredMessageView::Parse(read) : laid;
    if (!view.ok() || view->topic() != topic || view->reconsume_times() != 1) {
      Violation("a copy that was sent back is garbled");
    }
  }
  for (uint32_t tag : workload_->sent_back()) {
    if (!tags.contains(tag)) Violation(absl::StrCat("send-back ", tag, " is lost"));
  }
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
    if (process->id() == nemesis_->emptied()) {
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
  const std::map<std::string, Workload::Place> stored = CheckQueues(reference);
  for (const auto& [id, place] : workload_->acknowledged()) {
    const auto found = stored.find(id);
    if (found == stored.end()) {
      Violation(absl::StrCat("acknowledged message ", id, " is lost"));
    } else if (!(found->second == place)) {
      Violation(absl::StrCat("message ", id, " lies elsewhere than its sender was told"));
    }
  }
  if (const size_t open = workload_->Unanswered(); open > 0) {
    Violation(absl::StrCat(open, " commands were never answered"));
  }
  for (const std::string& id : workload_->NeverReceived()) {
    Violation(absl::StrCat("message ", id, " was never delivered"));
  }
  CheckDelayed(reference);
  CheckRetries(reference);
  classic_->CheckEnd(reference);
  CheckRebuild(reference);
}

}  // namespace

void SimCounts::Add(const SimCounts& other) {
  acknowledged += other.acknowledged;
  received += other.received;
  delayed += other.delayed;
  sent_back += other.sent_back;
  retries += other.retries;
  elections += other.elections;
  classic.Add(other.classic);
  faults.Add(other.faults);
  network.delivered += other.network.delivered;
  network.lost += other.network.lost;
  network.repeated += other.network.repeated;
  network.stalled += other.network.stalled;
  network.broken += other.network.broken;
  network.blocked += other.network.blocked;
}

SimResult RunSimulation(const SimOptions& options) { return Cluster(options).Run(); }

}  // namespace totora::sim
