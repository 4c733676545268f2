// The Raft protocol as a plain state machine.
//
// A Core is one replica's protocol state and nothing else: no thread, no
// clock, no file, no socket, no randomness beyond the seed it is given. The
// driver (raft/replica.h) turns the world into inputs and outputs into deeds:
//
//     Propose / Step / Tick / LogDurable / …  ->  Core  ->  TakeOutput()
//
// What the driver owes in return for every Output stands at Output.
//
// Thread safety: confined; one thread owns a Core from construction to the end.
// Section numbers (§) refer to Ongaro's dissertation, "Consensus: Bridging
// Theory and Practice".
#ifndef TOTORA_RAFT_CORE_CORE_H_
#define TOTORA_RAFT_CORE_CORE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "raft/core/types.h"

namespace totora::raft {

struct CoreConfig {
  ReplicaId self;
  std::vector<ReplicaId> voters;  // Contains self. Fixed for the life of a Core.
  uint64_t seed = 1;              // Of the randomised timeouts.

  // Units of Tick(). With a tick of 10 ms: 100 ms and 600 to 900 ms.
  int heartbeat_ticks = 10;
  int election_ticks_min = 60;
  int election_ticks_max = 90;
  // After a fast suspicion: first pre-vote after rank × this, where rank counts
  // the replicas that could win, lowest id first; further tries after a random
  // number of ticks from [1, suspicion_retry_ticks_max].
  int suspicion_stagger_ticks = 1;
  int suspicion_retry_ticks_max = 4;
  // The first in the order of voters that may lead without delay; the others
  // wait this much longer before a campaign. 0 = nobody is preferred. After a
  // fast suspicion it only has rank 0: there nobody waits longer than the stagger.
  ReplicaId preferred_leader{};
  int preferred_delay_ticks = 30;

  // Credits of one follower: what may be sent and not yet acknowledged.
  int inflight_messages_max = 256;
  uint64_t inflight_bytes_max = 16 << 20;
  uint64_t append_bytes_max = 1 << 20;  // Of one AppendRequest, unless one entry is larger.
  // What a leader takes in that is not committed yet. One entry is always let in.
  uint64_t uncommitted_bytes_max = 64 << 20;
  // Entries whose kind and size are remembered, newest first; also how many a
  // leader takes in that are not committed yet. An older entry counts as
  // append_bytes_max / 16 in credits.
  int recent_entries_max = 1 << 16;
  // Reads that wait for an answer; more are refused.
  int pending_reads_max = 1 << 16;
};

class Core {
 public:
  // Starts as a follower of what the last run left on disk, of which
  // everything counts as durable.
  // REQUIRES: `config.self` is one of `config.voters`.
  Core(const CoreConfig& config, RecoveredState recovered);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Appends an entry to the leader's log and returns its place there. The
  // place is final only once Output::commit reaches it; a new leader may
  // overwrite it until then. The bytes stay with the driver.
  // Index and term of `entry` are filled in by the core.
  //
  // Errors: FailedPrecondition if this replica does not lead, or hands over its
  //   lead; ResourceExhausted if uncommitted_bytes_max or recent_entries_max
  //   would be exceeded.
  absl::StatusOr<EntryMeta> Propose(EntryType type, uint32_t bytes);

  // Takes in one message. Stale, repeated and reordered messages are part of
  // the protocol, so there is no error to return.
  void Step(ReplicaId from, const Message& message);

  // One unit of logical time has passed.
  void Tick();

  // This replica's disk holds its log up to `last`, which had term `term` when
  // it was written. The term guards against an overwrite that was under way
  // (ABA): a completion that no longer fits the log is ignored.
  // REQUIRES: reported in the order in which the Outputs were written. When
  //   several were synced together, the last one's entry is enough.
  void LogDurable(LogIndex last, Term term);

  // The leader's process is gone: its stream broke and a reconnect was refused
  // or showed another incarnation. Starts a pre-vote soon, and lets this
  // replica grant one, unless it leads. Forgotten when a leader is heard again.
  // Once an election timeout has passed, only the ordinary timeouts go on.
  void SuspectLeader();

  // Starts a pre-vote without waiting (tests, tools).
  void Campaign();

  // Hands the lead to `target` when it has the whole log (§3.10). Proposals are
  // refused meanwhile; given up after an election timeout.
  // Errors: FailedPrecondition if this replica does not lead;
  //   InvalidArgument if `target` is no other voter.
  absl::Status TransferLeadership(ReplicaId target);

  // Asks for an index that, once applied here, makes a local read
  // linearizable (§6.4). Answered in Output::reads with the same `id`, on any
  // replica; an id is unique among those not yet answered. The answer is empty
  // when there is no leader, when it has not committed an entry of its term
  // yet, or when no majority confirmed it within an election timeout.
  void ReadIndex(uint64_t id);

  // A stream to `peer` was opened anew: whatever was in flight on the old one
  // may be lost, so the leader probes again and a candidate asks again.
  void PeerReconnected(ReplicaId peer);

  // Hands over all pending work and forgets it.
  Output TakeOutput();

  Role role() const;
  Term term() const;
  ReplicaId leader() const;  // 0 = unknown.
  LogIndex commit_index() const;
  LogIndex last_index() const;
  LogIndex durable_index() const;
  // What `peer` has acknowledged; 0 unless this replica leads.
  LogIndex MatchOf(ReplicaId peer) const;
  // The term of the entry at `index`; 0 beyond the log.
  Term TermAt(LogIndex index) const;
  // True once this leader has committed an entry of its own term.
  bool HasCommittedInTerm() const;
  bool is_transferring() const;
  // Messages so far that no correct peer sends: from a stranger, malformed,
  // against a committed entry. They changed nothing. A number that grows is a
  // fault that somebody must look at.
  uint64_t protocol_violations() const;

 private:
  friend class CoreInvariants;  // Checked after every input in debug builds.
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_CORE_H_
