// A classic client's message on its way into the log.
#ifndef TOTORA_BROKER_REMOTING_API_OUTGOING_H_
#define TOTORA_BROKER_REMOTING_API_OUTGOING_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "broker/service/send.h"
#include "message/message.h"
#include "remoting/header/send.h"

namespace totora::remoting_api {

// What the broker looks for in the properties of a message, found in one pass:
// most messages have none of it but an id. Of several of one name the last counts.
struct SentProperties {
  absl::string_view unique_id{};
  absl::string_view tags{};
  absl::string_view prepared{};  // "true": the first half of a transaction.
  std::optional<absl::string_view> cluster{};
  bool has_delivery_time = false;  // One of those that TakeDeliveryTime looks at.
  bool has_transient = false;      // One that is not for storing.
};
// The views point into `packed`.
SentProperties LookAt(absl::string_view packed);

// Adds what the broker owes a single message: an id if it has none (then
// `new_id` makes it), and the cluster's name, without which nobody can reply to
// it. All else stays as the client wrote it, but for properties that are not for
// storing. `found` is of `sent`.
// Errors: InvalidArgument if it gets longer than kPropertiesBytesMax.
absl::StatusOr<std::string> CompleteProperties(absl::string_view sent, const SentProperties& found,
                                               absl::string_view cluster,
                                               absl::FunctionRef<std::string()> new_id);

// One message of a send, as it is to be stored.
struct SentMessage {
  int32_t flag = 0;
  absl::string_view body{};
  absl::string_view properties{};
  absl::string_view unique_id{};  // Of the properties.
  absl::string_view tags{};       // Likewise.
  message::Host born_host{};
};

// Encodes it. The topic is `topic`, whatever the header says; `reconsume_times`
// is stored. The id hash is empty if the message has no id.
// Errors: InvalidArgument for what is too long.
absl::StatusOr<service::OutgoingMessage> ToOutgoing(const remoting::SendMessageRequest& header,
                                                    absl::string_view topic,
                                                    const SentMessage& sent);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_OUTGOING_H_
