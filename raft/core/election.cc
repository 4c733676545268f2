// Who leads: timeouts, pre-vote, votes, fast suspicion, check-quorum, transfer.
#include <algorithm>

#include "common/check.h"
#include "raft/core/core_state.h"

namespace totora::raft {
namespace {

// Heartbeats between a vote and the next election: whoever got it leads as soon as
// the disks have it, which may take long, and must not be deposed by then.
constexpr uint64_t kVotePatience = 3;

}  // namespace

void Core::State::RestartElectionTimer() {
  uint64_t delay = random.Between(config.election_ticks_min, config.election_ticks_max);
  if (config.preferred_leader != ReplicaId() && config.preferred_leader != config.self) {
    delay += config.preferred_delay_ticks;
  }
  election_due = now + delay;
}

void Core::State::TickElection() {
  const bool is_fast = suspects && now < suspicion_ends && role != Role::kCandidate;
  if (is_fast && now >= suspicion_due) {
    StartPreVote();
  } else if (now >= election_due) {
    StartPreVote();
  }
}

// Asks whether an election could be won, without entering its term: a replica
// that cannot win disturbs nobody (§9.6).
void Core::State::StartPreVote() {
  RestartElectionTimer();
  if (suspects) suspicion_due = now + random.Between(1, config.suspicion_retry_ticks_max);
  if (is_single_voter()) {
    StartElection(/*is_transfer=*/false);
    return;
  }
  SetRole(Role::kPreCandidate, ReplicaId());
  tally.Reset(config.voters.size());
  tally.Record(config.self, true);
  is_transfer_election = false;
  for (ReplicaId peer : config.voters) {
    if (peer != config.self) AskForVote(peer);
  }
}

void Core::State::AskForVote(ReplicaId peer) {
  VoteRequest request{.term = hard.term,
                      .last_index = log.last(),
                      .last_term = log.last_term(),
                      .is_pre_vote = role == Role::kPreCandidate,
                      .is_transfer = is_transfer_election};
  if (request.is_pre_vote) {
    request.term = hard.term.Next();
    SendNow(peer, request);
  } else {
    // Behind the own vote: a candidate that forgot it could vote twice.
    SendAfterPersist(peer, request);
  }
}

void Core::State::AskAgain(ReplicaId peer) {
  const bool is_asking = role == Role::kPreCandidate || role == Role::kCandidate;
  if (is_asking && IsPeer(peer) && !tally.HasAnswered(peer)) AskForVote(peer);
}

void Core::State::StartElection(bool is_transfer) {
  BecomeFollower(hard.term.Next(), ReplicaId());
  SetRole(Role::kCandidate, ReplicaId());
  SetHardState(hard.term, config.self);
  RestartElectionTimer();
  tally.Reset(config.voters.size());
  is_transfer_election = is_transfer;
  for (ReplicaId peer : config.voters) {
    if (peer != config.self) AskForVote(peer);
  }
  CountVote(config.self, true);
}

void Core::State::CountVote(ReplicaId voter, bool is_granted) {
  tally.Record(voter, is_granted);
  // Nobody waits for the vote of a process that is known to be gone.
  const ReplicaId absent = suspects && now < suspicion_ends ? suspect : ReplicaId();
  switch (tally.result(absent)) {
    case VoteTally::Result::kPending:
      break;
    case VoteTally::Result::kWon:
      if (role == Role::kPreCandidate) {
        StartElection(/*is_transfer=*/false);
      } else {
        BecomeLeader();
      }
      break;
    case VoteTally::Result::kLost:
      BecomeFollower(hard.term, ReplicaId());
      if (suspects) suspicion_due = now + random.Between(1, config.suspicion_retry_ticks_max);
      break;
  }
}

void Core::State::BecomeLeader() {
  TOTORA_CHECK(role == Role::kCandidate);
  SetRole(Role::kLeader, config.self);
  term_leader = config.self;
  suspects = false;
  for (ReplicaId peer : config.voters) {
    if (peer != config.self) progress.emplace(peer, Progress(log.last().Next(), now));
  }
  // Soon: its first entries go another way (raft/transport.h), which may not be
  // open yet, and whoever has not heard of it campaigns.
  heartbeat_due = now + 1;
  // Entries of earlier terms are committed only with one of this term, and
  // reads wait for it as well (§3.6.2, §6.4).
  AppendEntry(hard.term, EntryType::kNoop, kNoopBytes);
}

uint64_t Core::State::SuspicionRank() const {
  if (config.preferred_leader == config.self) return 0;
  uint64_t rank = 0;
  for (ReplicaId voter : config.voters) {
    if (voter == config.self || voter == suspect) continue;
    if (voter < config.self || voter == config.preferred_leader) ++rank;
  }
  return rank;
}

void Core::State::SuspectLeader() {
  if (role == Role::kLeader || suspects) return;
  suspects = true;
  suspect = leader;
  suspicion_due = now + SuspicionRank() * config.suspicion_stagger_ticks;
  suspicion_ends = now + config.election_ticks_max;
  if (role == Role::kFollower && now >= suspicion_due) StartPreVote();
}

bool Core::State::IsSticky() const {
  if (role == Role::kLeader) return true;  // Without a majority it steps down by itself.
  const uint64_t ticks_min = config.election_ticks_min;
  return leader != ReplicaId() && !suspects && now - heard_leader_at < ticks_min;
}

bool Core::State::IsUpToDate(const VoteRequest& request) const {
  if (request.last_term != log.last_term()) return request.last_term > log.last_term();
  return request.last_index >= log.last();
}

void Core::State::Receive(ReplicaId from, const VoteRequest& request) {
  if (request.is_pre_vote) {
    ReceivePreVote(from, request);
    return;
  }
  if (request.term > hard.term) {
    // Not even its term is taken over: that alone would depose a leader that
    // a majority still hears (§4.2.3).
    if (!request.is_transfer && IsSticky()) return;
    BecomeFollower(request.term, ReplicaId());
  }
  const bool is_free = hard.voted_for == from ||
                       (hard.voted_for == ReplicaId() && term_leader == ReplicaId());
  const bool is_granted = request.term == hard.term && is_free && IsUpToDate(request);
  if (is_granted) {
    SetHardState(hard.term, from);
    RestartElectionTimer();
    suspicion_due = std::max(suspicion_due, now + kVotePatience * config.heartbeat_ticks);
  }
  SendAfterPersist(
      from, VoteReply{.term = hard.term, .is_pre_vote = false, .is_granted = is_granted});
}

void Core::State::ReceivePreVote(ReplicaId from, const VoteRequest& request) {
  const bool is_granted = request.term > hard.term && !IsSticky() && IsUpToDate(request);
  // Whoever got it should have the time to use it.
  if (is_granted) {
    suspicion_due = std::max(suspicion_due, now + config.suspicion_retry_ticks_max);
  }
  // A promise of nothing, so nothing needs to be durable. A refusal brings the
  // own term: it may be what the other one lacks.
  SendNow(from, VoteReply{.term = is_granted ? request.term : hard.term,
                          .is_pre_vote = true,
                          .is_granted = is_granted});
}

void Core::State::Receive(ReplicaId from, const VoteReply& reply) {
  const bool is_granted_pre_vote = reply.is_pre_vote && reply.is_granted;
  if (reply.term > hard.term && !is_granted_pre_vote) {
    BecomeFollower(reply.term, ReplicaId());
    return;
  }
  if (is_granted_pre_vote) {
    if (role == Role::kPreCandidate && reply.term == hard.term.Next()) CountVote(from, true);
  } else if (reply.is_pre_vote) {
    if (role == Role::kPreCandidate) CountVote(from, false);
  } else if (role == Role::kCandidate && reply.term == hard.term) {
    CountVote(from, reply.is_granted);
  }
}

// --- Leaving the lead. -----------------------------------------------------

void Core::State::CheckQuorum() {
  std::vector<uint64_t> heard_at = {now};
  for (const auto& [peer, peer_progress] : progress) heard_at.push_back(peer_progress.heard_at());
  const uint64_t ticks_max = config.election_ticks_min;
  if (now - MajorityReached(&heard_at) > ticks_max) BecomeFollower(hard.term, ReplicaId());
}

absl::Status Core::State::TransferLeadership(ReplicaId target) {
  if (!IsPeer(target)) return absl::InvalidArgumentError("the target is no other voter");
  if (role != Role::kLeader) return absl::FailedPreconditionError("this replica does not lead");
  if (transfer_target == target) return absl::OkStatus();
  transfer_target = target;
  transfer_ends = now + config.election_ticks_min;
  SendTimeoutNowIfReady();
  return absl::OkStatus();
}

void Core::State::SendTimeoutNowIfReady() {
  if (transfer_target == ReplicaId()) return;
  if (progress.at(transfer_target).match() != log.last()) return;
  SendNow(transfer_target, TimeoutNow{.term = hard.term});
}

void Core::State::TickTransfer() {
  if (transfer_target == ReplicaId()) return;
  if (now >= transfer_ends) {
    EndTransfer();
  } else if (now >= heartbeat_due) {
    SendTimeoutNowIfReady();  // The first one may be lost.
  }
}

void Core::State::EndTransfer() { transfer_target = ReplicaId(); }

void Core::State::Receive(ReplicaId from, const TimeoutNow& message) {
  if (message.term < hard.term || role == Role::kLeader) return;
  if (!HearLeader(from, message.term)) return;
  StartElection(/*is_transfer=*/true);
}

}  // namespace totora::raft
