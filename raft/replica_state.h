// The inside of Replica. Split over replica.cc (life and calls from outside),
// replica_output.cc (what the core wants done), replica_propose.cc (entries and
// forwarding) and replica_peers.cc (who the others are).
#ifndef TOTORA_RAFT_REPLICA_STATE_H_
#define TOTORA_RAFT_REPLICA_STATE_H_

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/log.h"
#include "raft/core/core.h"
#include "raft/log/identity.h"
#include "raft/log_clock.h"
#include "raft/log_writer.h"
#include "raft/replica.h"
#include "raft/submitter.h"
#include "raft/unwritten_frames.h"
#include "raft/wire.h"

namespace totora::raft {

// What a leader sends before its own disk has it; then proposals wait.
inline constexpr uint64_t kUnwrittenBytesMax = 64 << 20;

// Thread safety: confined to `executor`, but for the receiver's methods and
// `synced`, which may be used from any thread.
struct Replica::State : public TransportReceiver, public std::enable_shared_from_this<State> {
  // --- What it is made of (constant after Open) ------------------------------
  ReplicaOptions options;
  FileSystem* fs = nullptr;
  Executor* executor = nullptr;
  Executor* log_executor = nullptr;
  Transport* transport = nullptr;
  StateMachine* state_machine = nullptr;
  ReplicaObserver* observer = nullptr;
  std::unique_ptr<Identity> identity;
  std::unique_ptr<VoteStore> votes;
  std::unique_ptr<LogStore> log;
  RecoveredState recovered;
  std::shared_ptr<LogWriter> writer;

  // --- Protocol ---------------------------------------------------------------
  std::unique_ptr<Core> core;  // Null until this replica may take part.
  std::unique_ptr<Submitter> submitter;
  std::unique_ptr<LogClock> log_clock;
  bool is_stopped = false;
  ReplicaStatus status;
  std::optional<absl::Status> fatal;
  absl::Duration next_tick;

  // Entries in memory, contiguous, ending with the last of the log: at least
  // all that are not applied or not durable yet.
  std::deque<Frame> tail;
  uint64_t tail_bytes = 0;
  UnwrittenFrames unwritten;        // The part of it that readers do not find in the log.
  FrameHeader last_header;          // Of the last entry, durable or not.
  uint64_t segment_used = 0;        // By entries since the last begins_segment.
  LogIndex applied;
  bool is_apply_posted = false;

  // Bytes for entries that the core is about to ask for, by index.
  std::map<LogIndex, Frame> staged;

  // Persist jobs and the messages that wait for them.
  uint64_t jobs_issued = 0;
  uint64_t jobs_done = 0;
  std::deque<std::pair<uint64_t, std::vector<Envelope>>> after_persist;
  std::atomic<uint64_t> synced{0};

  // --- Commands ---------------------------------------------------------------
  std::deque<SharedBytes> pending;  // A leader's: not in an entry yet.
  uint64_t pending_bytes = 0;
  absl::flat_hash_set<CommandId> in_progress;  // A leader's: pending or not applied.
  LogIndex last_proposed;
  bool is_flush_posted = false;
  uint64_t applied_count_seen = 0;  // Of the submitter, at the last look…
  absl::Duration progress_seen;     // …and when that was.

  // --- Reads ------------------------------------------------------------------
  struct Barrier {
    absl::Duration give_up;
    absl::AnyInvocable<void(absl::Status)> done;
    std::optional<LogIndex> index;  // Known: waits for apply.
  };
  std::map<uint64_t, Barrier> barriers;
  uint64_t next_barrier = 1;

  struct Transfer {
    ReplicaId to;
    absl::Duration give_up;
    absl::AnyInvocable<void(absl::Status)> done;
  };
  std::optional<Transfer> transfer;

  // --- The own disk -------------------------------------------------------------
  uint64_t jobs_done_seen = 0;       // At the last tick…
  absl::Duration disk_moved;         // …and when it last changed, or nothing waited.
  absl::Duration may_step_aside;     // Not before.

  // --- Peers ------------------------------------------------------------------
  struct Peer {
    VolumeId volume;
    Incarnation incarnation;
    std::vector<BoundVoter> voters;
    bool is_up = false;           // Our control stream is open.
    std::optional<absl::Duration> broken_since;
  };
  std::map<ReplicaId, Peer> peers;
  Incarnation leader_incarnation;  // Of the leader as last heard of.

  // --- replica.cc ---------------------------------------------------------------
  void Start();
  void Stop();
  void TickLoop();
  void StartCore();
  // After every input: does what the core and the queues want.
  void Drain();
  void Die(const absl::Status& reason);
  void PublishStatus();
  void RefreshStatus();
  void ExpireBarriers();
  // A leader whose disk is full or does not get on hands over its lead to a
  // replica whose disk does (design §3): everybody would wait for it or, if the
  // others commit without it, what it has not written yet would fill its memory.
  // Once a minute at most: when all disks are full, somebody must lead.
  void StepAsideIfDiskIsBehind(absl::Duration now);
  void ResolveBarriers();
  void AskReadIndex(uint64_t id);
  void ResolveTransfer();

  // --- replica_output.cc ----------------------------------------------------------
  void CarryOut(Output output);
  void TakeEntries(const std::vector<EntryMeta>& entries, PersistJob* job);
  absl::StatusOr<Frame> FrameFor(const EntryMeta& meta);
  void CutTail(LogIndex last_kept);
  void SendAll(std::vector<Envelope> envelopes);
  // The entries' bytes; takes off what would make the message too large. False
  // if they are not to be had; the message is not sent then.
  bool FramesFor(AppendRequest* request, std::vector<Frame>* frames);
  void Persisted(const PersistDone& done);
  void ApplySome();
  void TrimTail();

  // --- replica_propose.cc -----------------------------------------------------------
  void PostFlush();
  void Flush();
  void ForwardUnsent();
  void TakePending(const SharedBytes& command);
  void MaybePropose();
  void ProposeOne();
  Frame BuildFrame(const EntryMeta& meta, std::string body);
  void ProposeConfiguration();
  void BecameLeader();
  void LostLead();

  // --- replica_peers.cc ---------------------------------------------------------------
  Hello MakeHello() const;
  void OnMessage(std::shared_ptr<const Hello> from, Channel channel, SharedBytes bytes) override;
  void OnConnected(ReplicaId peer, Channel channel, const Hello& hello) override;
  void OnDisconnected(ReplicaId peer, Channel channel, bool is_refused) override;
  void HandleMessage(const Hello& from, WireContent content);
  void NoteRefusal(ReplicaId from, const AppendReply& reply);
  void NotePeer(const Hello& hello);
  bool IsBoundTo(ReplicaId replica, const VolumeId& volume) const;
  // Binds this volume to the group, or finds that it may not.
  void ConsiderBinding();
  bool EverybodyAcknowledged() const;
  void Announce();
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_REPLICA_STATE_H_
