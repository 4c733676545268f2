// Messages that a classic consumer could not handle: another attempt later, or
// an end among the dead letters of its consumer group.
#ifndef TOTORA_BROKER_SERVICE_RETRIES_H_
#define TOTORA_BROKER_SERVICE_RETRIES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/consumer_groups.h"
#include "broker/service/delivery_time.h"
#include "common/executor.h"
#include "message/message.h"
#include "store/state_machine.h"

namespace totora::service {

struct SendBackRequest {
  std::string consumer_group;
  BytePosition position;  // What the client calls the commit log offset.
  // Of DelayLevels. 0: the later the more often it failed; below 0: no more attempts.
  int32_t delay_level = 0;
  std::optional<int32_t> max_reconsume_times;  // Else the consumer group's.
  absl::Duration give_up;                      // Of the executor's steady clock.
};

// Thread safety: any thread.
class Retries {
 public:
  // `state` and `consumer_groups` are used on `executor` only, the replica's.
  Retries(CommandLog* log, const store::StateMachine* state, Executor* executor,
          ConsumerGroups* consumer_groups, const DelayLevels& levels,
          const message::Host& store_host)
      : log_(log),
        state_(state),
        executor_(executor),
        consumer_groups_(consumer_groups),
        levels_(levels),
        store_host_(store_host) {}

  // Looks the message up on `reader`, which may block on the disk. `done` is
  // called on any thread.
  // Errors: kConsumerGroupNotFound and others of FindForUse; NotFound: no message
  //   is there (any more); kNotWritable; ResourceExhausted; those of the log.
  using Done = absl::AnyInvocable<void(absl::Status)>;
  void SendBack(SendBackRequest request, Executor* reader, Done done);

 private:
  struct Call;

  void FindEntries(std::shared_ptr<Call> call, bool is_current);
  void ReadMessage(const std::shared_ptr<Call>& call, const store::EntryRange& around);
  void Submit(const std::shared_ptr<Call>& call, const store::FoundMessage& found,
              int32_t reconsume_times);

  CommandLog* const log_;
  const store::StateMachine* const state_;
  Executor* const executor_;
  ConsumerGroups* const consumer_groups_;
  const DelayLevels levels_;
  const message::Host store_host_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_RETRIES_H_
