#include "raft/core/invariants.h"

#include "common/check.h"
#include "raft/core/core_state.h"

namespace totora::raft {

void CoreInvariants::Check(const Core::State& state) {
  CheckLog(state);
  CheckRole(state);
  CheckLeader(state);
  CheckOutput(state);
  if (has_before_) CheckTransition(state);
  has_before_ = true;
  hard_ = state.hard;
  role_ = state.role;
  term_leader_ = state.term_leader;
  last_ = state.log.last();
  commit_ = state.commit;
  commit_term_ = state.log.At(state.commit);
}

void CoreInvariants::CheckLog(const Core::State& state) {
  TOTORA_CHECK(state.log.last() == state.recent.last())
      << state.log.last() << " " << state.recent.last();
  TOTORA_CHECK(state.commit <= state.log.last())
      << "commit " << state.commit << " beyond the log, " << state.log.last();
  TOTORA_CHECK(state.durable.index() <= state.log.last())
      << "durable " << state.durable.index() << " beyond the log, " << state.log.last();
  TOTORA_CHECK(state.durable.index() <= state.written)
      << "durable " << state.durable.index() << " was never handed over: " << state.written;
  TOTORA_CHECK(state.matched <= state.log.last()) << state.matched << " " << state.log.last();
  TOTORA_CHECK(state.log.last_term() <= state.hard.term)
      << "an entry of term " << state.log.last_term() << " in term " << state.hard.term;
}

void CoreInvariants::CheckRole(const Core::State& state) {
  const bool leads = state.role == Role::kLeader;
  TOTORA_CHECK(leads == (state.leader == state.config.self)) << "leader " << state.leader;
  TOTORA_CHECK(state.role == Role::kFollower || leads || state.leader == ReplicaId())
      << "a candidate that follows " << state.leader;
  if (leads || state.role == Role::kCandidate) {
    TOTORA_CHECK(state.hard.voted_for == state.config.self)
        << "stands in term " << state.hard.term << " but voted for " << state.hard.voted_for;
  }
  TOTORA_CHECK(state.leader == ReplicaId() || state.leader == state.term_leader)
      << "follows " << state.leader << " in the term of " << state.term_leader;
  TOTORA_CHECK(state.log.last_term() < state.hard.term || state.role != Role::kCandidate)
      << "a candidate with an entry of its own term";
}

void CoreInvariants::CheckLeader(const Core::State& state) {
  const bool leads = state.role == Role::kLeader;
  TOTORA_CHECK(state.progress.size() == (leads ? state.config.voters.size() - 1 : 0))
      << state.progress.size();
  TOTORA_CHECK(leads || state.leader_reads.empty());
  TOTORA_CHECK(leads || state.transfer_target == ReplicaId());
  if (!leads) return;
  TOTORA_CHECK(state.forwarded_reads.empty());
  TOTORA_CHECK(state.log.last_term() == state.hard.term) << "a leader without its first entry";
  size_t holders = state.durable.index() >= state.commit ? 1 : 0;
  for (const auto& [peer, progress] : state.progress) {
    TOTORA_CHECK(progress.match() < progress.next()) << "peer " << peer;
    TOTORA_CHECK(progress.match() <= state.log.last()) << "peer " << peer;
    TOTORA_CHECK(progress.next() <= state.log.last().Next()) << "peer " << peer;
    TOTORA_CHECK(!progress.is_probing() || progress.messages_in_flight() == 0) << "peer " << peer;
    TOTORA_CHECK(progress.messages_in_flight() <=
                 static_cast<size_t>(state.config.inflight_messages_max))
        << "peer " << peer;
    TOTORA_CHECK(progress.messages_in_flight() <= 1 ||
                 progress.bytes_in_flight() <= state.config.inflight_bytes_max)
        << "peer " << peer << " " << progress.bytes_in_flight();
    if (progress.match() >= state.commit) ++holders;
  }
  if (state.log.At(state.commit) == state.hard.term) {
    TOTORA_CHECK(holders >= MajorityOf(state.config.voters.size()))
        << "commit " << state.commit << " on " << holders;
  }
  uint64_t round = 0;
  bool has_unassigned = false;
  for (const Core::State::LeaderRead& read : state.leader_reads) {
    TOTORA_CHECK(read.index <= state.commit);
    if (read.round == 0) {
      has_unassigned = true;
      continue;
    }
    TOTORA_CHECK(!has_unassigned && read.round >= round && read.round <= state.round);
    round = read.round;
  }
}

void CoreInvariants::CheckOutput(const Core::State& state) {
  const std::vector<EntryMeta>& entries = state.output.entries;
  LogIndex expected = state.written.Next();
  for (const EntryMeta& entry : entries) {
    TOTORA_CHECK(entry.index == expected) << entry.index << " where " << expected << " belongs";
    TOTORA_CHECK(entry.term == state.log.At(entry.index))
        << "entry " << entry.index << " of term " << entry.term;
    expected = expected.Next();
  }
  TOTORA_CHECK(expected == state.log.last().Next())
      << "the output ends before " << expected << ", the log at " << state.log.last();
  TOTORA_CHECK(!state.output.hard_state || *state.output.hard_state == state.hard);
  TOTORA_CHECK(!state.output.commit || *state.output.commit == state.commit);
}

void CoreInvariants::CheckTransition(const Core::State& state) const {
  TOTORA_CHECK(state.hard.term >= hard_.term) << state.hard.term << " after " << hard_.term;
  TOTORA_CHECK(state.commit >= commit_) << state.commit << " after " << commit_;
  TOTORA_CHECK(state.log.At(commit_) == commit_term_)
      << "committed entry " << commit_ << " of term " << commit_term_ << " was overwritten";
  if (state.hard.term != hard_.term) {
    TOTORA_CHECK(state.hard == hard_ || state.output.hard_state);
    return;
  }
  TOTORA_CHECK(hard_.voted_for == ReplicaId() || state.hard.voted_for == hard_.voted_for)
      << "two votes in term " << hard_.term << ": " << hard_.voted_for << " and "
      << state.hard.voted_for;
  TOTORA_CHECK(term_leader_ == ReplicaId() || state.term_leader == term_leader_)
      << "two leaders in term " << hard_.term << ": " << term_leader_ << " and "
      << state.term_leader;
  TOTORA_CHECK(role_ != Role::kLeader || state.log.last() >= last_) << "a leader cut its log";
  TOTORA_CHECK(role_ != Role::kLeader || state.role == Role::kLeader ||
               state.role == Role::kFollower);
}

}  // namespace totora::raft
