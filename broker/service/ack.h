// What a consumer does with a message that it holds: acknowledge it, give it up,
// or change how long nobody else sees it.
#ifndef TOTORA_BROKER_SERVICE_ACK_H_
#define TOTORA_BROKER_SERVICE_ACK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "store/commands.h"

namespace totora::service {

// Thread safety: any thread; callbacks run on the replica's executor.
class MessageAcks {
 public:
  explicit MessageAcks(CommandLog* log) : log_(log) {}

  // One status a receipt, in their order: OK (also when it was acknowledged
  // before), or kHandleNotHolding. Errors of the whole: kConsumerGroupNotFound
  // and those of CommandLog::Submit.
  using AckDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<absl::Status>> codes)>;
  void Ack(const std::string& consumer_group, std::vector<store::Receipt> receipts,
           absl::Duration give_up, AckDone done);

  // The message is among the dead letters of the consumer group, and acknowledged.
  // Errors: as ChangeInvisible.
  void ForwardToDeadLetters(const std::string& consumer_group, const store::Receipt& receipt,
                            absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done);

  // The receipt stays valid. 0 makes the message available at once.
  // Errors: kHandleNotHolding, kConsumerGroupNotFound, those of Submit.
  void ChangeInvisible(const std::string& consumer_group, const store::Receipt& receipt,
                       absl::Duration invisible, absl::Duration give_up,
                       absl::AnyInvocable<void(absl::Status)> done);

 private:
  CommandLog* const log_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_ACK_H_
