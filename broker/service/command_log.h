// The replicated log as the use cases see it: the seam between them and Raft.
// Production: replica_log.h. Tests: direct_log.h, without replication.
#ifndef TOTORA_BROKER_SERVICE_COMMAND_LOG_H_
#define TOTORA_BROKER_SERVICE_COMMAND_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/types.h"
#include "raft/command.h"
#include "store/commands.h"
#include "store/entry_places.h"
#include "store/find_message.h"

namespace totora::service {

// Thread safety: any thread, but for what says "executor only". Callbacks run
// on the replica's executor.
class CommandLog {
 public:
  // The result is valid during the call. Errors: ResourceExhausted and
  // Unavailable: nothing happened; DeadlineExceeded: it may still happen.
  using Done = absl::AnyInvocable<void(absl::StatusOr<absl::string_view> result)>;

  virtual ~CommandLog() = default;

  // `give_up` is of the executor's steady clock. Calls `done` exactly once.
  virtual void Submit(store::CommandKind kind, std::string payload, absl::Duration give_up,
                      Done done) = 0;

  // OK once the local state is as new as the group's was at this call.
  virtual void ReadBarrier(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Fire and forget.
  virtual void SendToPeer(ReplicaId to, std::string bytes) = 0;

  // The stored bytes of a message. Errors: NotFound, DataLoss.
  virtual absl::StatusOr<std::string> ReadMessage(BytePosition at, size_t size) const = 0;

  // A message by its position alone, among the entries `around` it
  // (StateMachine::EntriesAround). Blocks on the disk. Errors: NotFound, DataLoss.
  virtual absl::StatusOr<store::FoundMessage> FindMessage(const store::EntryRange& around,
                                                          BytePosition at) const = 0;

  // The state machine applied a command. Executor only.
  virtual void CommandApplied(const raft::CommandId& id, absl::string_view result) = 0;

  virtual bool IsLeader() const = 0;         // Executor only.
  virtual int64_t LogTimeNowMs() const = 0;  // Executor only.

  virtual ReplicaId self() const = 0;
  virtual const std::vector<ReplicaId>& peers() const = 0;  // The other replicas.
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_COMMAND_LOG_H_
