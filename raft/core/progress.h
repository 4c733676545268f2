// A leader's view of one follower: what it has, what is on its way to it, and
// how much more may be sent.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_PROGRESS_H_
#define TOTORA_RAFT_CORE_PROGRESS_H_

#include <cstdint>
#include <deque>

#include "raft/core/types.h"

namespace totora::raft {

// Two modes. Probing: the leader does not know where the follower's log ends
// or differs, and has one AppendRequest in flight at a time. Replicating: it
// sends ahead of the acknowledgements (§10.2.1 pipelining) as far as credits
// in messages and bytes allow.
//
// Ticks are the Core's absolute count.
class Progress {
 public:
  Progress(LogIndex next, uint64_t now) : next_(next), heard_at_(now), moved_at_(now) {}

  bool is_probing() const { return is_probing_; }
  // Known to be durable on the follower and equal to the leader's log.
  LogIndex match() const { return match_; }
  // The first entry of the next AppendRequest. Invariant: next > match.
  LogIndex next() const { return next_; }

  // --- Sending.

  // True if probing and no probe is under way.
  bool MayProbe() const { return is_probing_ && !probe_in_flight_; }
  // True from the moment probing starts until a probe was sent: one is owed to
  // the follower even if there is no entry to send.
  bool OwesProbe() const { return is_probing_ && owes_probe_; }
  // Bytes that may be sent in one more message; 0 if there is no credit.
  // A message larger than all credit may go when nothing else is in flight.
  uint64_t Credit(int messages_max, uint64_t bytes_max) const;
  bool has_in_flight() const { return probe_in_flight_ || !in_flight_.empty(); }
  uint64_t bytes_in_flight() const { return bytes_in_flight_; }
  size_t messages_in_flight() const { return in_flight_.size(); }

  void SentProbe(uint64_t now);
  // Entries up to `last`, which count as `bytes`, are on their way.
  // REQUIRES: replicating.
  void SentEntries(LogIndex last, uint64_t bytes, uint64_t now);
  // An empty request behind everything sent so far is on its way: it finds out
  // whether something was lost.
  void SentGapCheck(uint64_t now) { moved_at_ = now; }

  // True if something is in flight and nothing has moved since `tick`.
  bool HasStalledSince(uint64_t tick) const { return has_in_flight() && moved_at_ <= tick; }

  // --- Answers.

  // The follower has everything up to `index` durable.
  void Acknowledged(LogIndex index, uint64_t now);
  // True if a refusal of `prev_index` is news and not an old message.
  bool IsNewRefusal(LogIndex prev_index) const;
  // Forgets what is in flight and probes at `next`, or behind match() if that is larger.
  void Probe(LogIndex next);

  // --- Liveness, commit index, reads.

  void Heard(uint64_t now) { heard_at_ = now; }
  uint64_t heard_at() const { return heard_at_; }

  void ConfirmedRound(uint64_t round);
  uint64_t confirmed_round() const { return confirmed_round_; }

  // The commit index that the last message made usable for the follower.
  LogIndex told_commit() const { return told_commit_; }
  void ToldCommit(LogIndex commit);

 private:
  struct Message {
    LogIndex last;
    uint64_t bytes;
  };

  bool is_probing_ = true;
  bool owes_probe_ = true;
  bool probe_in_flight_ = false;
  LogIndex match_;
  LogIndex next_;
  std::deque<Message> in_flight_;  // Oldest first; empty while probing.
  uint64_t bytes_in_flight_ = 0;   // Sum over in_flight_.
  uint64_t heard_at_;              // Last answer of any kind.
  uint64_t moved_at_;              // Last acknowledgement, or first message in flight.
  uint64_t confirmed_round_ = 0;   // Highest heartbeat round answered in this term.
  LogIndex told_commit_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_PROGRESS_H_
