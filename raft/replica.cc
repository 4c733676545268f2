#include "raft/replica.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "raft/replica_state.h"

namespace totora::raft {
namespace {
constexpr absl::Duration kResendAfter = absl::Seconds(1);
constexpr absl::Duration kTransferTimeout = absl::Seconds(2);
constexpr absl::Duration kDiskPatience = absl::Seconds(1);
constexpr absl::Duration kStepAsidePause = absl::Minutes(1);
constexpr absl::Duration kReadIndexRetry = absl::Milliseconds(20);

uint64_t Fingerprint(const ReplicaOptions& options) {
  uint64_t hash = 1469598103934665603ull;  // FNV-1a.
  for (const char c : absl::StrCat(options.cluster, "/", options.group.value())) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  }
  return hash;
}
}  // namespace

absl::StatusOr<std::unique_ptr<Replica>> Replica::Open(
    const ReplicaOptions& options, FileSystem* fs, Executor* executor, Executor* log_executor,
    Executor* background, Transport* transport, StateMachine* state_machine,
    ReplicaObserver* observer) {
  auto state = std::make_shared<State>();
  state->options = options;
  state->fs = fs;
  state->executor = executor;
  state->log_executor = log_executor;
  state->transport = transport;
  state->state_machine = state_machine;
  state->observer = observer;
  TOTORA_RETURN_IF_ERROR(fs->CreateDirectory(options.directory));
  IdentityExpectation expected;
  expected.cluster = options.cluster;
  expected.group = options.group;
  expected.group_name = options.group_name;
  expected.replica = options.self;
  TOTORA_ASSIGN_OR_RETURN(
      state->identity,
      OpenIdentity(fs, options.directory, expected, options.fresh_volume_id));
  TOTORA_ASSIGN_OR_RETURN(
      state->votes, OpenVotes(fs, options.directory, state->identity->is_new_volume()));
  LogOptions log_options;
  log_options.directory = absl::StrCat(options.directory, "/log");
  log_options.segment_bytes = options.segment_bytes;
  log_options.group_fingerprint = Fingerprint(options);
  log_options.prepare_segments = options.prepare_segments;
  log_options.is_new_volume = state->identity->is_new_volume();
  TOTORA_ASSIGN_OR_RETURN(RecoveredLog recovered, OpenLog(fs, background, log_options));
  state->log = std::move(recovered.log);
  state->recovered.hard_state = state->votes->recovered();
  state->recovered.last_index = recovered.last_index;
  state->recovered.terms = std::move(recovered.terms);
  // What a checkpoint contains was committed.
  state->recovered.commit = state_machine->applied_at_start();
  state->last_header = state->log->last();
  state->segment_used = state->log->segment_used_bytes();
  state->synced = recovered.last_index.value();
  state->applied = state_machine->applied_at_start();
  if (state->applied > recovered.last_index) {
    return absl::DataLossError(
        absl::StrCat("the checkpoint reaches entry ", state->applied.value(),
                     " but the log ends at ", recovered.last_index.value(),
                     ": the log's files were removed or belong to another volume"));
  }
  if (recovered.cut_bytes > 0) {
    TOTORA_LOG(kWarn, "raft") << Field("bytes", recovered.cut_bytes)
                              << "cut a torn, unproven end of the log";
  }
  state->submitter = std::make_unique<Submitter>(options.self, state->identity->incarnation(),
                                                 options.outstanding_bytes_max,
                                                 options.outstanding_commands_max);
  state->log_clock = std::make_unique<LogClock>(&executor->clock(), options.voters.size(),
                                                state->last_header.passed_ms);
  return std::unique_ptr<Replica>(new Replica(std::move(state)));
}

Replica::Replica(std::shared_ptr<State> state) : state_(std::move(state)) {}
Replica::~Replica() = default;

void Replica::Start() {
  state_->executor->Post([state = state_] { state->Start(); });
}

void Replica::Stop() {
  state_->transport->Stop();
  state_->executor->Post([state = state_] { state->Stop(); });
}

void Replica::Submit(uint16_t kind, std::string payload, absl::Duration give_up,
                     SubmitCallback done) {
  state_->executor->Post([state = state_, kind, payload = std::move(payload), give_up,
                          done = std::move(done)]() mutable {
    if (state->is_stopped) {
      done(absl::UnavailableError("this replica is stopping; nothing happened"));
      return;
    }
    state->submitter->Add(kind, payload, give_up, std::move(done));
    state->PostFlush();
  });
}

void Replica::ReadBarrier(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done) {
  state_->executor->Post([state = state_, give_up, done = std::move(done)]() mutable {
    if (state->status.is_emptied) {
      done(absl::UnavailableError("this replica's volume was emptied: it knows nothing"));
      return;
    }
    const uint64_t id = state->next_barrier++;
    state->barriers[id] = {give_up, std::move(done), std::nullopt};
    state->AskReadIndex(id);
    state->Drain();
  });
}

void Replica::CommandApplied(const CommandId& id, absl::string_view result) {
  state_->in_progress.erase(id);
  state_->submitter->Applied(id, result);
}

void Replica::SendToPeer(ReplicaId to, std::string bytes) {
  state_->transport->Send(to, Channel::kControl, EncodePeer(std::move(bytes)));
}

void Replica::TransferLeadership(ReplicaId to, absl::AnyInvocable<void(absl::Status)> done) {
  state_->executor->Post([state = state_, to, done = std::move(done)]() mutable {
    if (state->core == nullptr) {
      done(absl::FailedPreconditionError("this replica does not take part in its group yet"));
      return;
    }
    if (state->transfer) {
      done(absl::FailedPreconditionError("a transfer is under way already"));
      return;
    }
    const absl::Status status = state->core->TransferLeadership(to);
    if (!status.ok()) {
      done(status);
      return;
    }
    const absl::Duration give_up = state->executor->clock().SteadyNow() + kTransferTimeout;
    state->transfer = State::Transfer{to, give_up, std::move(done)};
    state->Drain();
  });
}

const ReplicaStatus& Replica::status() const { return state_->status; }
ReplicaStatus Replica::CurrentStatus() const {
  state_->RefreshStatus();
  return state_->status;
}
int64_t Replica::LogTimeNowMs() const { return state_->log_clock->NowMs(); }
Incarnation Replica::incarnation() const { return state_->identity->incarnation(); }
const VolumeId& Replica::volume() const { return state_->identity->volume(); }
const LogStore& Replica::log() const { return *state_->log; }
absl::StatusOr<std::string> Replica::Read(BytePosition at, size_t size) const {
  // First here: an entry leaves this list only when the log holds it.
  if (std::optional<std::string> bytes = state_->unwritten.Read(at, size)) {
    return *std::move(bytes);
  }
  return state_->log->Read(at, size);
}
LogIndex Replica::synced() const { return LogIndex(state_->synced.load()); }

// --- State: life ----------------------------------------------------------------

void Replica::State::Start() {
  LogWriter::Callbacks callbacks;
  // The writer must not keep the state alive, nor the other way round for ever.
  callbacks.done = [weak = weak_from_this()](PersistDone done) {
    if (auto state = weak.lock()) {
      state->executor->Post([state, done] { state->Persisted(done); });
    }
  };
  callbacks.disk_full = [weak = weak_from_this()](bool is_full) {
    if (auto state = weak.lock()) {
      state->executor->Post([state, is_full] {
        state->status.is_disk_full = is_full;
        state->PublishStatus();
      });
    }
  };
  callbacks.fatal = [weak = weak_from_this()](absl::Status status) {
    if (auto state = weak.lock()) {
      state->executor->Post([state, status] { state->Die(status); });
    }
  };
  writer = std::make_shared<LogWriter>(log_executor, fs, options.directory, options.reserve_bytes,
                                       log.get(), votes.get(), std::move(callbacks));
  writer->WatchSpace();
  log_executor->Post([weak = weak_from_this()] {
    // What was found at the start is durable: say so to the next start, too.
    if (auto state = weak.lock()) {
      if (state->recovered.last_index.value() == 0) return;
      const absl::Status status = state->log->WriteClosingMark();
      if (!status.ok()) TOTORA_LOG(kWarn, "raft") << "closing mark: " << status;
    }
  });
  state_machine->LogSynced(LogIndex(synced.load()));
  for (const ReplicaId id : options.voters) {
    if (id != options.self) peers[id];
  }
  transport->Start(MakeHello(), this);
  ConsiderBinding();
  next_tick = executor->clock().SteadyNow();
  TickLoop();
}

void Replica::State::Stop() {
  if (is_stopped) return;
  is_stopped = true;
  if (writer) writer->Stop();
  submitter->Abort(absl::UnavailableError("this replica is stopping"));
  for (auto& [id, barrier] : std::exchange(barriers, {})) {
    barrier.done(absl::UnavailableError("this replica is stopping"));
  }
}

void Replica::State::StartCore() {
  CoreConfig config = options.core;
  config.self = options.self;
  config.voters = options.voters;
  config.seed = options.seed;
  config.preferred_leader = options.preferred_leader;
  core = std::make_unique<Core>(config, recovered);
  status.is_bound = true;
  TOTORA_LOG(kInfo, "raft") << Field("group", options.group) << Field("replica", options.self)
                            << Field("term", core->term()) << Field("last", core->last_index())
                            << Field("incarnation", identity->incarnation()) << "takes part";
  PublishStatus();
  // As far as this replica knows nobody leads. If somebody does, the others do not
  // listen to it; if not, a group that starts has a leader without waiting out a timeout.
  core->SuspectLeader();
  Drain();
}

void Replica::State::TickLoop() {
  if (is_stopped) return;
  const absl::Duration now = executor->clock().SteadyNow();
  // A pause of the process counts as one tick: time that was not lived says
  // nothing about the leader.
  next_tick += options.tick;
  if (next_tick < now - 3 * options.tick) next_tick = now + options.tick;
  executor->PostAfter(std::max(next_tick - now, absl::ZeroDuration()),
                      [self = shared_from_this()] { self->TickLoop(); });
  if (core) core->Tick();
  StepAsideIfDiskIsBehind(now);
  submitter->GiveUp(now);
  ExpireBarriers();
  if (submitter->applied_count() != applied_count_seen || submitter->empty()) {
    applied_count_seen = submitter->applied_count();
    progress_seen = now;
  } else if (now - progress_seen > kResendAfter) {
    // The leader may have dropped what it was given.
    progress_seen = now;
    submitter->ResendAll();
    PostFlush();
  }
  Drain();
}

void Replica::State::Drain() {
  if (core == nullptr || is_stopped) return;
  MaybePropose();
  for (Output output = core->TakeOutput(); !output.empty(); output = core->TakeOutput()) {
    CarryOut(std::move(output));
    if (is_stopped) return;
    MaybePropose();
  }
  ResolveTransfer();
}

void Replica::State::StepAsideIfDiskIsBehind(absl::Duration now) {
  if (std::exchange(jobs_done_seen, jobs_done) != jobs_done || jobs_done == jobs_issued) {
    disk_moved = now;
  }
  const bool is_stuck = now - disk_moved >= kDiskPatience ||
                        unwritten.bytes() >= kUnwrittenBytesMax;
  if (core == nullptr || core->role() != Role::kLeader || transfer || now < may_step_aside ||
      (!is_stuck && !status.is_disk_full)) {
    return;
  }
  ReplicaId best;
  LogIndex best_match = status.is_disk_full ? LogIndex(0) : core->durable_index();
  for (const auto& [id, peer] : peers) {
    if (!peer.is_up || core->MatchOf(id) <= best_match) continue;
    best = id;
    best_match = core->MatchOf(id);
  }
  if (best.value() == 0) return;
  may_step_aside = now + kStepAsidePause;
  TOTORA_LOG(kWarn, "raft") << Field("group", options.group) << Field("replica", options.self)
                            << Field("to", best)
                            << (status.is_disk_full ? "its disk is full" : "its disk is stuck")
                            << ": it hands over the lead";
  if (!core->TransferLeadership(best).ok()) return;
  transfer = Transfer{best, now + kTransferTimeout, [](const absl::Status&) {}};
}

void Replica::State::Die(const absl::Status& reason) {
  if (fatal) return;
  fatal = reason;
  TOTORA_LOG(kError, "raft") << Field("group", options.group) << Field("replica", options.self)
                             << "cannot go on: " << reason;
  Stop();
  observer->OnFatal(reason);
}

void Replica::State::PublishStatus() {
  RefreshStatus();
  observer->OnStatus(status);
}

void Replica::State::RefreshStatus() {
  if (core) {
    status.role = core->role();
    status.term = core->term();
    status.leader = core->leader();
    status.commit = core->commit_index();
    status.last = core->last_index();
    status.durable = core->durable_index();
    status.match.clear();
    for (const auto& [id, peer] : peers) {
      if (status.role == Role::kLeader) status.match.emplace_back(id, core->MatchOf(id));
    }
  }
  status.applied = applied;
}

// --- State: reads and transfer ----------------------------------------------------

void Replica::State::AskReadIndex(uint64_t id) {
  const auto it = barriers.find(id);
  if (it == barriers.end() || is_stopped) return;
  if (core == nullptr || core->leader().value() == 0) {
    executor->PostAfter(kReadIndexRetry, [self = shared_from_this(), id] {
      self->AskReadIndex(id);
      self->Drain();
    });
    return;
  }
  core->ReadIndex(id);
}

void Replica::State::ResolveBarriers() {
  for (auto it = barriers.begin(); it != barriers.end();) {
    if (it->second.index && *it->second.index <= applied) {
      auto done = std::move(it->second.done);
      it = barriers.erase(it);
      done(absl::OkStatus());
    } else {
      ++it;
    }
  }
}

void Replica::State::ExpireBarriers() {
  const absl::Duration now = executor->clock().SteadyNow();
  for (auto it = barriers.begin(); it != barriers.end();) {
    if (it->second.give_up <= now) {
      auto done = std::move(it->second.done);
      it = barriers.erase(it);
      done(absl::UnavailableError("no leader confirmed in time that this replica is up to date"));
    } else {
      ++it;
    }
  }
}

void Replica::State::ResolveTransfer() {
  if (!transfer) return;
  if (core->leader() == transfer->to) {
    auto done = std::move(transfer->done);
    transfer.reset();
    done(absl::OkStatus());
  } else if (executor->clock().SteadyNow() >= transfer->give_up) {
    auto done = std::move(transfer->done);
    const ReplicaId to = transfer->to;
    transfer.reset();
    done(absl::DeadlineExceededError(
        absl::StrCat("replica ", to.value(), " did not take the lead in time")));
  }
}

}  // namespace totora::raft
