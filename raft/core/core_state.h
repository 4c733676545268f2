// What a Core holds. Internal to raft/core: core.h is the contract.
//
// The methods are grouped by the file that holds them.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_CORE_STATE_H_
#define TOTORA_RAFT_CORE_CORE_STATE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "raft/core/core.h"
#include "raft/core/durability.h"
#include "raft/core/invariants.h"
#include "raft/core/progress.h"
#include "raft/core/quorum.h"
#include "raft/core/recent_entries.h"
#include "raft/core/term_table.h"
#include "raft/core/types.h"

namespace totora::raft {

// Splitmix64: the same numbers from the same seed on every platform and with
// every standard library.
class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  uint64_t Next();
  // Evenly from [low, high].
  uint64_t Between(uint64_t low, uint64_t high) { return low + Next() % (high - low + 1); }

 private:
  uint64_t state_;
};

struct Core::State {
  State(const CoreConfig& config, RecoveredState recovered);

  // --- core.cc: inputs, terms, roles, output.
  void Step(ReplicaId from, const Message& message);
  void Tick();
  Output TakeOutput();

  // Enters `term` if it is newer, forgets the vote with it, and follows
  // `leader` (0 = unknown).
  void BecomeFollower(Term term, ReplicaId leader);
  // A message of the leader of `term` has come. False if it cannot be one: then
  // it must be ignored.
  bool HearLeader(ReplicaId from, Term term);
  void SetHardState(Term term, ReplicaId voted_for);
  void SetRole(Role role, ReplicaId leader);
  // Appends to the log and to the pending output.
  void AppendEntry(Term term, EntryType type, uint32_t bytes);
  // Cuts the log and the pending output at `first`.
  void TruncateFrom(LogIndex first);
  void AdvanceCommit(LogIndex commit);
  void SendNow(ReplicaId to, Message message);
  void SendAfterPersist(ReplicaId to, Message message);
  bool IsPeer(ReplicaId id) const;
  bool is_single_voter() const { return config.voters.size() == 1; }
  void Check();

  // --- election.cc
  void RestartElectionTimer();
  void TickElection();
  void StartPreVote();
  void StartElection(bool is_transfer);
  // Sends the request that fits the role.
  void AskForVote(ReplicaId peer);
  // The request to `peer`, or its answer, may be lost.
  void AskAgain(ReplicaId peer);
  void BecomeLeader();
  void SuspectLeader();
  // How many of the replicas that could win now come before this one.
  uint64_t SuspicionRank() const;
  // True if no vote may be given because a leader was heard a moment ago.
  bool IsSticky() const;
  bool IsUpToDate(const VoteRequest& request) const;
  void CountVote(ReplicaId voter, bool is_granted);
  absl::Status TransferLeadership(ReplicaId target);
  void SendTimeoutNowIfReady();
  void EndTransfer();
  void TickTransfer();
  void CheckQuorum();
  void Receive(ReplicaId from, const VoteRequest& request);
  void ReceivePreVote(ReplicaId from, const VoteRequest& request);
  void Receive(ReplicaId from, const VoteReply& reply);
  void Receive(ReplicaId from, const TimeoutNow& message);

  // --- replication.cc
  absl::StatusOr<EntryMeta> Propose(EntryType type, uint32_t bytes);
  void LogDurable(LogIndex last, Term term);
  void PeerReconnected(ReplicaId peer);
  void BroadcastHeartbeat();
  void CommitByCounting();
  // Sends what credits allow, and news of the commit index.
  void Flush();
  void FlushTo(ReplicaId peer, Progress* progress);
  AppendRequest MakeAppend(LogIndex from, uint64_t bytes_max, uint64_t* bytes) const;
  void SendAppend(ReplicaId peer, Progress* progress, AppendRequest request);
  bool IsWellFormed(const AppendRequest& request) const;
  void Receive(ReplicaId from, const AppendRequest& request);
  // Takes the entries that the log lacks. False if that would overwrite a
  // committed entry.
  bool TakeEntries(const AppendRequest& request);
  void Receive(ReplicaId from, const AppendReply& reply);
  void Receive(ReplicaId from, const Heartbeat& heartbeat);
  void Receive(ReplicaId from, const HeartbeatReply& reply);

  // --- read_index.cc
  void ReadIndex(uint64_t id);
  void AnswerRead(uint64_t id, std::optional<LogIndex> index);
  // Gives the reads that wait for a round the newest one.
  void AssignReads();
  // Starts a round for the reads that wait, unless one is under way for others.
  void FlushReads();
  void AnswerConfirmedReads();
  void TickReads();
  // Leadership is lost.
  void RefuseLeaderReads();
  // The leader asked is no longer the one to ask.
  void RefuseForwardedReads();
  void Receive(ReplicaId from, const ReadIndexRequest& request);
  void Receive(ReplicaId from, const ReadIndexReply& reply);
  void AnswerLeaderRead(ReplicaId from, uint64_t id, std::optional<LogIndex> index);
  bool MayServeReads() const;

  // Constant after construction.
  const CoreConfig config;

  SeededRandom random;
  uint64_t now = 0;  // Ticks since construction.
  uint64_t violations = 0;

  // --- Persistent state, as it will be once the pending outputs are on disk.
  HardState hard;
  TermTable log;
  RecentEntries recent;  // Same last index as `log`.

  Durability durable;
  // What has been handed over in an Output. Invariant: output.entries, if any, begins behind it.
  LogIndex written;
  LogIndex commit;  // Never decreases. Invariant: commit <= log.last().

  Role role = Role::kFollower;
  ReplicaId leader;       // 0 = unknown. Invariant: self exactly when role is kLeader.
  ReplicaId term_leader;  // Who was seen leading hard.term, even if it is unknown by now.

  // --- Follower. Up to here the log is known to equal that of hard.term's
  // leader; only so far is its commit index believed.
  LogIndex matched;
  uint64_t heard_leader_at = 0;  // Meaningful while leader != 0.

  // --- Election.
  uint64_t election_due = 0;
  bool suspects = false;
  ReplicaId suspect;             // Whose process is gone; 0 = unknown, or heard since.
  uint64_t suspicion_due = 0;    // Next pre-vote while `suspects`.
  uint64_t suspicion_ends = 0;   // From then on only election_due counts.
  VoteTally tally;               // Of the (pre-)election under way.
  bool is_transfer_election = false;  // It was asked for by the leader.

  // --- Leader.
  std::map<ReplicaId, Progress> progress;  // One per other voter; empty unless leading.
  uint64_t heartbeat_due = 0;
  uint64_t round = 0;  // Of the last heartbeat. Grows over terms, too.
  ReplicaId transfer_target;  // 0 = none.
  uint64_t transfer_ends = 0;

  struct LeaderRead {
    ReplicaId from;  // Self or the follower that asked.
    uint64_t id;
    LogIndex index;
    uint64_t round;  // Whose confirmation answers it; 0 = waits for a round.
    uint64_t ends;
  };
  std::deque<LeaderRead> leader_reads;  // Oldest first; those without a round at the end.

  struct ForwardedRead {
    uint64_t id;
    uint64_t ends;
  };
  std::map<uint64_t, ForwardedRead> forwarded_reads;  // By the id on the wire.
  uint64_t next_wire_id;

  Output output;  // Collects what the inputs since the last TakeOutput asked for.

  std::unique_ptr<CoreInvariants> invariants;  // Null unless TOTORA_DCHECKS.
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_CORE_STATE_H_
