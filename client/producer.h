// A producer of the gRPC v2 protocol: asks for routes, keeps a telemetry
// stream and heartbeats, sends, and tries again as the official clients do.
//
// A send is up to `attempts_max` attempts under one message id. Attempt 1 fails
// at once when nobody listens; later ones wait for a connection, each for at
// most `request_timeout`. A broker that has seen the id answers with its first
// result, so an attempt whose answer was lost stores nothing twice.
#ifndef TOTORA_CLIENT_PRODUCER_H_
#define TOTORA_CLIENT_PRODUCER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/message.h"
#include "client/options.h"

namespace totora::client {

// A request of `batch` equal messages, encoded once; each use only writes new
// message ids into a copy. For load generators.
//
// Thread safety: immutable; any thread.
class SendTemplate {
 public:
  // Errors: InvalidArgument for an empty batch or one above the request limit (16 MiB).
  static absl::StatusOr<SendTemplate> Make(const OutgoingMessage& message, size_t batch);

  const std::string& topic() const { return topic_; }
  size_t batch() const { return id_offsets_.size(); }
  const std::string& bytes() const { return bytes_; }
  const std::vector<size_t>& id_offsets() const { return id_offsets_; }

 private:
  SendTemplate() = default;

  std::string topic_;
  std::string bytes_;
  std::vector<size_t> id_offsets_;
};

// Thread safety: monitor.
class Producer {
 public:
  // Runs once, on the runtime's thread. One receipt for each message, in their
  // order; every receipt carries its own status.
  using Done = absl::AnyInvocable<void(std::vector<SendReceipt>)>;

  // How a template went, without receipts.
  struct Counts {
    size_t stored = 0;
    size_t failed = 0;
    absl::Status first_error;
  };
  using CountsDone = absl::AnyInvocable<void(const Counts&)>;

  // Returns when routes are known and the first broker has answered with its
  // settings. Errors: Unavailable, NotFound (topic), InvalidArgument.
  static absl::StatusOr<std::unique_ptr<Producer>> Start(const ProducerOptions& options);

  // Tells the brokers, and waits for the sends in flight.
  ~Producer();

  // REQUIRES: not on the runtime's thread.
  SendReceipt Send(OutgoingMessage message);

  // One request. All messages must be for one topic.
  // Errors come in the receipts: InvalidArgument for an empty or mixed batch,
  // ResourceExhausted at outstanding_max, DeadlineExceeded (outcome unknown).
  void SendAsync(std::vector<OutgoingMessage> messages, Done done);

  // Sends `message` (which must outlive the call) with new ids.
  void SendTemplated(const SendTemplate& message, CountsDone done);

  // Requests that were sent again since the start, whatever became of them.
  uint64_t retries() const;

 private:
  class Core;
  explicit Producer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_PRODUCER_H_
