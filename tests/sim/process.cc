#include "tests/sim/process.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "broker/service/replica_log.h"
#include "common/check.h"
#include "common/coding.h"
#include "common/log.h"
#include "common/status.h"
#include "tests/sim/history.h"

namespace totora::sim {
namespace {
constexpr absl::Duration kHousekeeping = absl::Milliseconds(200);
}  // namespace

class Process::WatchedState : public raft::StateMachine {
 public:
  WatchedState(Process* process, store::StateMachine* state) : process_(process), state_(state) {}

  void Apply(const raft::Frame& entry) override {
    process_->answers_ = 0;
    state_->Apply(entry);
    process_->events_.on_applied(process_->self_, entry.header, process_->answers_);
  }
  LogIndex applied_at_start() const override { return state_->applied_at_start(); }
  void Stamp(uint16_t kind, char* payload, size_t size, BytePosition position,
             int64_t log_time_ms) const override {
    state_->Stamp(kind, payload, size, position, log_time_ms);
  }
  void LogSynced(LogIndex index) override { state_->LogSynced(index); }

 private:
  Process* const process_;
  store::StateMachine* const state_;
};

Process::Parts::Parts() = default;
Process::Parts::~Parts() {
  for (const auto& link : links) link->Drop();
}

Process::Process(Scheduler* scheduler, SimNetwork* network, ReplicaId self,
                 std::vector<ReplicaId> all, double small_steps, ProcessEvents events)
    : scheduler_(scheduler),
      network_(network),
      self_(self),
      all_(std::move(all)),
      small_steps_(small_steps),
      events_(std::move(events)),
      clock_(scheduler),
      disk_(std::make_unique<MemoryFileSystem>(scheduler->random().Next())),
      checkpoints_(std::make_shared<std::map<std::string, std::string>>()),
      segment_bytes_(uint64_t{32} << 10) {}

Process::~Process() {
  if (is_running()) End(false);
}

absl::Status Process::Start() {
  TOTORA_CHECK(!is_running());
  life_ = std::make_shared<Life>();
  const absl::Status status = StartLife();
  if (!status.ok()) life_->is_alive = false;
  return status;
}

void Process::LosePower() { disk_->Crash(scheduler_->random().Next()); }

absl::Status Process::StartLife() {
  auto parts = std::make_unique<Parts>();
  const auto executor = [&](int64_t low_us, int64_t high_us) {
    return std::make_unique<SimExecutor>(scheduler_, life_, &clock_, absl::Microseconds(low_us),
                                         absl::Microseconds(high_us));
  };
  parts->executor = executor(1, 20);
  parts->log_executor = executor(40, 600);
  parts->background = executor(100, 3000);
  parts->loop = executor(1, 20);
  parts->transport = network_->MakeTransport(self_, all_, life_);
  parts->checkpoints = store::MakeMemoryCheckpoints(checkpoints_);
  checkpoint_chance_ = scheduler_->random().Chance(0.5) ? 0.03 : 0.7;
  store::StoreOptions store_options;
  store_options.checkpoint_log_bytes = 64 << 10;
  TOTORA_ASSIGN_OR_RETURN(parts->state,
                          store::StateMachine::Open(store_options, parts->checkpoints.get(),
                                                    parts->background.get()));
  parts->watched = std::make_unique<WatchedState>(this, parts->state.get());
  raft::ReplicaOptions options;
  options.cluster = "sim";
  options.group = GroupId(1);
  options.group_name = "g1";
  options.self = self_;
  options.voters = all_;
  options.seed = scheduler_->random().Next();
  options.directory = directory_;
  options.segment_bytes = segment_bytes_;
  options.prepare_segments = scheduler_->random().Chance(0.5);
  options.fresh_volume_id.assign(16, '\0');
  PutAt<uint64_t>(options.fresh_volume_id.data(), uint64_t{self_.value()} << 32 | volumes_);
  options.entry_bytes_max = 4 << 10;
  // A lagging follower catches up in many steps, and something may happen
  // between any two of them.
  if (scheduler_->random().Chance(small_steps_)) {
    options.core.append_bytes_max = uint64_t{64} << scheduler_->random().Below(4);
    options.core.inflight_messages_max = 1 << scheduler_->random().Below(2);
  }
  options.reserve_bytes = 64 << 10;
  TOTORA_ASSIGN_OR_RETURN(
      parts->replica,
      raft::Replica::Open(options, disk_.get(), parts->executor.get(), parts->log_executor.get(),
                          parts->background.get(), parts->transport.get(),
                          parts->watched.get(), this));
  parts->log = service::MakeReplicaLog(parts->replica.get(), self_, all_);
  service::BrokerServiceOptions service_options;
  service_options.group = options.group;
  service_options.group_name = options.group_name;
  service_options.store_host = *message::Host::Parse("127.0.0.1", 0);
  service_options.creates_topics_on_send = true;
  std::string levels;
  for (const int64_t ms : kSimDelayLevelsMs) absl::StrAppend(&levels, " ", ms / 1000, "s");
  service_options.delay_levels = *service::DelayLevels::Parse(levels.substr(1));
  parts->service = std::make_unique<service::BrokerService>(
      service_options, parts->log.get(), parts->state.get(), parts->executor.get());
  parts->classic_api = std::make_unique<remoting_api::RemotingApi>(parts->service.get());
  parts->classic_server = std::make_unique<remoting::RemotingServer>(
      parts->classic_api->service(), parts->executor.get());
  const LogIndex checkpoint = parts->state->applied_at_start();
  if (checkpoint.value() > 0) {
    TOTORA_ASSIGN_OR_RETURN(const std::vector<raft::Frame> last,
                            parts->replica->log().ReadFrames(checkpoint, checkpoint, 1));
    events_.on_started(self_, last.front().header);
  }
  parts_ = std::move(parts);
  parts_->service->Start();
  parts_->state->SetObserver(this);
  parts_->replica->Start();
  parts_->executor->PostAfter(kHousekeeping, [this] { Housekeeping(); });
  return absl::OkStatus();
}

void Process::Housekeeping() {
  parts_->executor->PostAfter(kHousekeeping, [this] { Housekeeping(); });
  store::StateMachine* const state = parts_->state.get();
  if (state->NeedsCheckpoint() || scheduler_->random().Chance(checkpoint_chance_)) {
    state->Checkpoint(nullptr);
  }
}

void Process::End(bool host_went) {
  life_->is_alive = false;
  network_->Died(self_, host_went);
  for (const auto& link : parts_->links) link->ProcessDied(host_went);
  graveyard_.push_back(std::move(parts_));
  status_ = raft::ReplicaStatus();
}

void Process::Kill() { End(false); }

void Process::CutPower() {
  End(scheduler_->random().Chance(0.5));
  disk_->Crash(scheduler_->random().Next());
}

void Process::CutPowerAfter(uint64_t steps) { disk_->PowerOffAfter(steps); }

void Process::Pause(absl::Duration how_long) { life_->paused_until = scheduler_->now() + how_long; }

void Process::StallDisk(absl::Duration how_long) {
  parts_->log_executor->Stall(scheduler_->now() + how_long);
}

void Process::EmptyVolume() {
  TOTORA_CHECK(!is_running());
  graveyard_.clear();
  disk_ = std::make_unique<MemoryFileSystem>(scheduler_->random().Next());
  checkpoints_ = std::make_shared<std::map<std::string, std::string>>();
  ++volumes_;
}

void Process::OnStatus(const raft::ReplicaStatus& status) {
  status_ = status;
  if (parts_ != nullptr) parts_->service->OnStatus(status);
  events_.on_status(self_, status);
}

void Process::OnPeerMessage(ReplicaId from, Incarnation incarnation, absl::string_view bytes) {
  parts_->service->OnPeerMessage(from, incarnation, bytes);
}

void Process::OnPeerUp(ReplicaId peer, Incarnation incarnation) {
  parts_->service->OnPeerUp(peer, incarnation);
}

void Process::OnPeerDown(ReplicaId peer) { parts_->service->OnPeerDown(peer); }

void Process::QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset end) {
  parts_->service->QueueGrew(topic, queue_id, end);
}

void Process::LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                             uint32_t queue_id) {
  parts_->service->LeasesReleased(topic, consumer_group, queue_id);
}

void Process::TopicChanged(absl::string_view topic,
                           const std::optional<store::TopicConfig>& config) {
  parts_->service->TopicChanged(topic, config);
}

std::shared_ptr<ClassicLink> Process::Connect(uint64_t id, const std::string& host,
                                              ClassicLink::Client client) {
  ConnectionInfo info{id, absl::StrCat(host, ":", 10000 + id % 50000), "127.0.0.1:10911", "sim"};
  auto link = std::make_shared<ClassicLink>(scheduler_, std::move(info), life_,
                                            parts_->loop.get(), std::move(client));
  link->SetHandler(parts_->classic_server->protocol().factory(link));
  parts_->links.push_back(link);
  return link;
}

void Process::OnFatal(const absl::Status& reason) {
  events_.on_fatal(self_, reason);
}

void Process::CommandApplied(const raft::CommandId& id, absl::string_view result) {
  std::string fact;
  AppendU32(&fact, id.replica.value());
  AppendU64(&fact, id.incarnation.value());
  AppendU64(&fact, id.sequence);
  AppendBytes(&fact, result);
  answers_ = HashInto(answers_, fact);
  events_.on_answered(id, result);
  parts_->service->CommandApplied(id, result);
}

}  // namespace totora::sim
