// One replica of a group: it drives the core, the log and the state machine,
// and takes commands from whoever serves clients here.
//
//   Submit ─▶ leader: pending ─▶ one entry ─▶ core ─▶ log thread + followers
//          └▶ elsewhere: forwarded to the leader
//   committed ─▶ StateMachine::Apply ─▶ CommandApplied ─▶ the callback of Submit
//
// A command is answered by what the local state machine did with it, on the
// replica that took it, whoever led meanwhile (docs: one request, one outcome).
//
// Thread safety: methods may be called from any thread unless they say
// otherwise; the inside is confined to `executor`. Callbacks run there.
#ifndef TOTORA_RAFT_REPLICA_H_
#define TOTORA_RAFT_REPLICA_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/file.h"
#include "common/types.h"
#include "raft/command.h"
#include "raft/core/core.h"
#include "raft/log/log_store.h"
#include "raft/state_machine.h"
#include "raft/transport.h"

namespace totora::raft {

struct ReplicaOptions {
  std::string cluster;
  GroupId group;
  std::string group_name;        // RocketMQ's brokerName.
  ReplicaId self;
  std::vector<ReplicaId> voters;
  ReplicaId preferred_leader;    // 0 = none.
  uint64_t seed = 1;
  std::string directory;         // identity, vote and log live here.
  uint64_t segment_bytes = 256 << 20;
  bool prepare_segments = true;
  VolumeId fresh_volume_id;      // Taken if the directory is new: 16 random bytes.

  absl::Duration tick = absl::Milliseconds(10);
  CoreConfig core;               // Ticks and credits; self, voters, seed are filled in.
  uint64_t entry_bytes_max = 1 << 20;     // One entry gathers commands up to here…
  size_t entry_commands_max = 4096;       // …and up to here.
  uint64_t outstanding_bytes_max = 64 << 20;  // Taken here and not yet answered.
  size_t outstanding_commands_max = 100'000;
  // Below this much space the replica takes no new commands (and none as a leader).
  uint64_t reserve_bytes = 64 << 20;
};

// What a replica knows of itself; see Replica::Watch.
struct ReplicaStatus {
  Role role = Role::kFollower;
  Term term;
  ReplicaId leader;              // 0 = unknown.
  LogIndex commit;
  LogIndex applied;
  LogIndex last;
  LogIndex durable;
  bool is_bound = false;         // Belongs to the group's voters.
  bool is_emptied = false;       // The group binds another volume to this id: it waits.
  bool is_disk_full = false;
  // A leader: what each peer has acknowledged.
  std::vector<std::pair<ReplicaId, LogIndex>> match;
};

// OK with the state machine's encoded result. Errors: ResourceExhausted (too
// much outstanding here, or the disk is full: nothing happened); Unavailable
// (it never left this replica before `give_up`: nothing happened);
// DeadlineExceeded (not known by `give_up`: it may still be applied).
using SubmitCallback = absl::AnyInvocable<void(absl::StatusOr<absl::string_view> result)>;

// Hears of changes, on the replica's executor.
class ReplicaObserver {
 public:
  virtual ~ReplicaObserver() = default;
  // Role, term, leader, binding or disk state changed.
  virtual void OnStatus(const ReplicaStatus& status) = 0;
  // A message that another replica's program gave to SendToPeer.
  virtual void OnPeerMessage(ReplicaId from, Incarnation incarnation, absl::string_view bytes) = 0;
  // A stream to `peer` opened (again), or the peer is gone.
  virtual void OnPeerUp(ReplicaId peer, Incarnation incarnation) = 0;
  virtual void OnPeerDown(ReplicaId peer) = 0;
  // The replica cannot go on (failed sync, damaged log). The process should end.
  virtual void OnFatal(const absl::Status& reason) = 0;
};

class Replica {
 public:
  // Opens identity, votes and log, and replays nothing yet.
  // All pointers are borrowed and must outlive the replica. `executor` runs the
  // core and the state machine, `log_executor` the disk.
  // Errors: those of OpenLog, OpenVotes and OpenIdentity.
  static absl::StatusOr<std::unique_ptr<Replica>> Open(const ReplicaOptions& options,
                                                       FileSystem* fs, Executor* executor,
                                                       Executor* log_executor,
                                                       Executor* background, Transport* transport,
                                                       StateMachine* state_machine,
                                                       ReplicaObserver* observer);
  ~Replica();

  // Starts ticking and dialling. Committed entries are applied as the group
  // tells how far they are committed.
  void Start();
  // Nothing is called back after it returned, but for tasks already posted to
  // the executors, which must be stopped before the replica is destroyed.
  void Stop();

  // Gives a command to the log. `payload` is the state machine's. Answered
  // exactly once, at the latest `give_up` (of the executor's steady clock).
  void Submit(uint16_t kind, std::string payload, absl::Duration give_up, SubmitCallback done);

  // Runs `done` on the executor once the local state is at least as new as
  // the group's was when this was called: OK, or Unavailable after `give_up`, or
  // at once if the volume was emptied.
  void ReadBarrier(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done);

  // The state machine heard that a command was applied: on the executor, from
  // inside Apply (ApplyObserver::CommandApplied of the store).
  void CommandApplied(const CommandId& id, absl::string_view result);

  // Fire and forget; lost if there is no stream.
  void SendToPeer(ReplicaId to, std::string bytes);

  // Hands the lead over; `done` hears OK once another replica leads.
  void TransferLeadership(ReplicaId to, absl::AnyInvocable<void(absl::Status)> done);

  // On the executor only. status() is as of the last change that the observer
  // heard of; CurrentStatus() has the indexes of this moment.
  const ReplicaStatus& status() const;
  ReplicaStatus CurrentStatus() const;
  int64_t LogTimeNowMs() const;  // The leader's next log time.

  Incarnation incarnation() const;
  const VolumeId& volume() const;
  const LogStore& log() const;   // Read and ReadFrames from any thread.
  // Copies `size` bytes of an applied entry's body; any thread. Also finds what
  // is committed and not yet on this disk. Errors: as LogStore::Read.
  absl::StatusOr<std::string> Read(BytePosition at, size_t size) const;
  LogIndex synced() const;       // Any thread: this disk has it.

 private:
  struct State;
  explicit Replica(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_REPLICA_H_
