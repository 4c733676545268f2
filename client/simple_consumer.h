// A simple consumer of the gRPC v2 protocol: receive, then acknowledge or let
// the lease run out.
#ifndef TOTORA_CLIENT_SIMPLE_CONSUMER_H_
#define TOTORA_CLIENT_SIMPLE_CONSUMER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/message.h"
#include "client/options.h"

namespace totora::client {

// Thread safety: monitor.
class SimpleConsumer {
 public:
  // Callbacks run once, on the runtime's thread.
  using ReceiveDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<ReceivedMessage>>)>;
  // One status for each message, in their order.
  using AckDone = absl::AnyInvocable<void(std::vector<absl::Status>)>;

  // Returns when routes are known and the brokers have answered with settings.
  static absl::StatusOr<std::unique_ptr<SimpleConsumer>> Start(
      const SimpleConsumerOptions& options);

  // Cancels receives in flight and tells the brokers, which frees the leases.
  ~SimpleConsumer();

  // Leases up to `count` messages for `invisible`. Topics and brokers take
  // turns, call by call. Empty when none came within `await`.
  void ReceiveAsync(int count, absl::Duration invisible, ReceiveDone done);
  absl::StatusOr<std::vector<ReceivedMessage>> Receive(int count, absl::Duration invisible);

  // Ends the leases for good. InvalidArgument for a lease that was over before.
  void AckAsync(const std::vector<ReceivedMessage>& messages, AckDone done);
  std::vector<absl::Status> Ack(const std::vector<ReceivedMessage>& messages);

  // The message is delivered again after `invisible`. Replaces the receipt handle.
  absl::Status ChangeInvisible(ReceivedMessage* message, absl::Duration invisible);

 private:
  class Core;
  explicit SimpleConsumer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_SIMPLE_CONSUMER_H_
