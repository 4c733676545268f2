#include "raft/core/core.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "raft/core/core_state.h"

namespace totora::raft {
namespace {

// No group gets here by elections; a term near the end of the number range
// would leave no room for the next one.
constexpr Term kTermMax(uint64_t{1} << 62);

}  // namespace

uint64_t SeededRandom::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// --- The contract, forwarded. ----------------------------------------------

Core::Core(const CoreConfig& config, RecoveredState recovered)
    : state_(std::make_unique<State>(config, std::move(recovered))) {}
Core::~Core() = default;

absl::StatusOr<EntryMeta> Core::Propose(EntryType type, uint32_t bytes) {
  absl::StatusOr<EntryMeta> entry = state_->Propose(type, bytes);
  state_->Check();
  return entry;
}

void Core::Step(ReplicaId from, const Message& message) {
  state_->Step(from, message);
  state_->Check();
}

void Core::Tick() {
  state_->Tick();
  state_->Check();
}

void Core::LogDurable(LogIndex last, Term term) {
  state_->LogDurable(last, term);
  state_->Check();
}

void Core::SuspectLeader() {
  state_->SuspectLeader();
  state_->Check();
}

void Core::Campaign() {
  if (state_->role != Role::kLeader) state_->StartPreVote();
  state_->Check();
}

absl::Status Core::TransferLeadership(ReplicaId target) {
  absl::Status status = state_->TransferLeadership(target);
  state_->Check();
  return status;
}

void Core::ReadIndex(uint64_t id) {
  state_->ReadIndex(id);
  state_->Check();
}

void Core::PeerReconnected(ReplicaId peer) {
  state_->PeerReconnected(peer);
  state_->Check();
}

Output Core::TakeOutput() {
  Output output = state_->TakeOutput();
  state_->Check();
  return output;
}

Role Core::role() const { return state_->role; }
Term Core::term() const { return state_->hard.term; }
ReplicaId Core::leader() const { return state_->leader; }
LogIndex Core::commit_index() const { return state_->commit; }
LogIndex Core::last_index() const { return state_->log.last(); }
LogIndex Core::durable_index() const { return state_->durable.index(); }
Term Core::TermAt(LogIndex index) const { return state_->log.At(index); }
bool Core::HasCommittedInTerm() const { return state_->MayServeReads(); }
bool Core::is_transferring() const { return state_->transfer_target != ReplicaId(); }
uint64_t Core::protocol_violations() const { return state_->violations; }

LogIndex Core::MatchOf(ReplicaId peer) const {
  const auto found = state_->progress.find(peer);
  return found == state_->progress.end() ? LogIndex() : found->second.match();
}

// --- State: inputs, terms, roles, output. ----------------------------------

Core::State::State(const CoreConfig& core_config, RecoveredState recovered)
    : config(core_config),
      random(core_config.seed),
      hard(recovered.hard_state),
      log(std::move(recovered.terms), recovered.last_index),
      recent(recovered.last_index, core_config.recent_entries_max),
      durable(recovered.last_index),
      written(recovered.last_index),
      commit(recovered.commit),
      matched(recovered.commit) {
  TOTORA_CHECK(config.self != ReplicaId() &&
               std::count(config.voters.begin(), config.voters.end(), config.self) == 1)
      << "replica " << config.self << " is not one of its " << config.voters.size() << " voters";
  TOTORA_CHECK(config.heartbeat_ticks > 0 && config.election_ticks_min > config.heartbeat_ticks &&
               config.election_ticks_max >= config.election_ticks_min)
      << config.heartbeat_ticks << " " << config.election_ticks_min << " "
      << config.election_ticks_max;
  TOTORA_CHECK(config.suspicion_retry_ticks_max > 0 && config.suspicion_stagger_ticks >= 0 &&
               config.preferred_delay_ticks >= 0);
  TOTORA_CHECK(config.inflight_messages_max > 0 && config.inflight_bytes_max > 0 &&
               config.append_bytes_max > 0 && config.recent_entries_max > 0);
  TOTORA_CHECK(log.last_term() <= hard.term)
      << "the log has term " << log.last_term() << ", the vote file " << hard.term;
  TOTORA_CHECK(commit <= log.last()) << "committed " << commit << " of " << log.last();
  // The low bits count, the high ones tell this life of the process from others.
  next_wire_id = random.Next() << 24;
  RestartElectionTimer();
#ifdef TOTORA_DCHECKS
  invariants = std::make_unique<CoreInvariants>();
#endif
  Check();
}

void Core::State::Check() {
  if (invariants != nullptr) invariants->Check(*this);
}

bool Core::State::IsPeer(ReplicaId id) const {
  return id != config.self &&
         std::find(config.voters.begin(), config.voters.end(), id) != config.voters.end();
}

void Core::State::Step(ReplicaId from, const Message& message) {
  const Term term = std::visit([](const auto& m) { return m.term; }, message);
  if (!IsPeer(from) || term > kTermMax) {
    ++violations;
    return;
  }
  if (from == suspect) suspect = ReplicaId();  // Whatever it is by now, its vote may come.
  std::visit([this, from](const auto& m) { Receive(from, m); }, message);
}

void Core::State::Tick() {
  ++now;
  TickReads();
  if (role != Role::kLeader) {
    TickElection();
    return;
  }
  CheckQuorum();
  if (role != Role::kLeader) return;
  TickTransfer();
  if (now >= heartbeat_due) BroadcastHeartbeat();
}

void Core::State::SetHardState(Term term, ReplicaId voted_for) {
  if (hard == HardState{term, voted_for}) return;
  hard = {term, voted_for};
  output.hard_state = hard;
}

void Core::State::SetRole(Role new_role, ReplicaId new_leader) {
  if (role == new_role && leader == new_leader) return;
  if (role == Role::kLeader) {
    EndTransfer();
    RefuseLeaderReads();
    progress.clear();
  } else if (leader != new_leader) {
    RefuseForwardedReads();
  }
  role = new_role;
  leader = new_leader;
  output.has_role_changed = true;
}

void Core::State::BecomeFollower(Term term, ReplicaId new_leader) {
  if (term > hard.term) {
    // Reads forwarded in the old term have nobody to answer them.
    RefuseForwardedReads();
    SetHardState(term, ReplicaId());
    term_leader = ReplicaId();
    // Every later leader holds what is committed (§3.6.3).
    matched = commit;
    output.has_role_changed = true;
  }
  // A follower's timer goes on: only votes given and leaders heard restart it.
  if (role != Role::kFollower) RestartElectionTimer();
  SetRole(Role::kFollower, new_leader);
}

bool Core::State::HearLeader(ReplicaId from, Term term) {
  if (term == hard.term && term_leader != ReplicaId() && term_leader != from) {
    ++violations;  // Two leaders in one term: one of them did not win it.
    return false;
  }
  BecomeFollower(term, from);
  term_leader = from;
  heard_leader_at = now;
  suspects = false;
  RestartElectionTimer();
  return true;
}

void Core::State::AppendEntry(Term term, EntryType type, uint32_t bytes) {
  log.Append(term);
  recent.Append(type, bytes);
  output.entries.push_back({log.last(), term, type, bytes});
}

void Core::State::TruncateFrom(LogIndex first) {
  TOTORA_CHECK(first > commit) << "cut at " << first << " below the commit index " << commit;
  // What sits in the pending output was never handed over, so no completion
  // of it can come.
  durable.Cut(log, first, written);
  written = std::min(written, first.Prev());
  matched = std::min(matched, first.Prev());
  log.TruncateFrom(first);
  recent.TruncateFrom(first);
  std::erase_if(output.entries, [first](const EntryMeta& entry) { return entry.index >= first; });
  // An acknowledgement that has not left yet must not speak of what is gone.
  std::erase_if(output.messages_after_persist, [first](const Envelope& envelope) {
    const AppendReply* reply = std::get_if<AppendReply>(&envelope.message);
    return reply != nullptr && reply->is_success && reply->index >= first;
  });
}

void Core::State::AdvanceCommit(LogIndex new_commit) {
  if (new_commit <= commit) return;
  commit = new_commit;
  output.commit = commit;
}

void Core::State::SendNow(ReplicaId to, Message message) {
  output.messages_now.push_back({to, std::move(message)});
}

void Core::State::SendAfterPersist(ReplicaId to, Message message) {
  output.messages_after_persist.push_back({to, std::move(message)});
}

Output Core::State::TakeOutput() {
  if (role == Role::kLeader) {
    FlushReads();
    Flush();
  }
  written = log.last();
  return std::exchange(output, Output());
}

}  // namespace totora::raft
