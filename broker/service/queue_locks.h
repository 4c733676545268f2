// Locks of orderly consumers: which client may work at which queue.
#ifndef TOTORA_BROKER_SERVICE_QUEUE_LOCKS_H_
#define TOTORA_BROKER_SERVICE_QUEUE_LOCKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/consumer_groups.h"
#include "common/executor.h"
#include "store/commands.h"

namespace totora::service {

// Thread safety: any thread; callbacks run on the replica's executor.
class QueueLocks {
 public:
  // `consumer_groups` is used on `executor` only, the replica's.
  QueueLocks(CommandLog* log, Executor* executor, ConsumerGroups* consumer_groups)
      : log_(log), executor_(executor), consumer_groups_(consumer_groups) {}

  // Takes or renews what nobody else holds. `done` gets the places in
  // `command.queues` of those that the client holds now.
  // Errors: those of ConsumerGroups::FindForUse, InvalidArgument (too many
  //   queues), those of the log.
  using Locked = absl::AnyInvocable<void(absl::StatusOr<std::vector<uint32_t>> granted)>;
  void Lock(store::LockQueuesCommand command, absl::Duration give_up, Locked done);

  // Gives up what the client holds of these.
  void Unlock(const store::LockQueuesCommand& command, absl::Duration give_up,
              absl::AnyInvocable<void(absl::Status)> done);

 private:
  CommandLog* const log_;
  Executor* const executor_;
  ConsumerGroups* const consumer_groups_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_QUEUE_LOCKS_H_
