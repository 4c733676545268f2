// A classic client's message on its way into the log.
#ifndef TOTORA_BROKER_REMOTING_API_OUTGOING_H_
#define TOTORA_BROKER_REMOTING_API_OUTGOING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "broker/service/send.h"
#include "message/message.h"
#include "remoting/header/send.h"

namespace totora::remoting_api {

// Adds what the broker owes a single message: an id if it has none (made of
// `new_id`), and the cluster's name, without which nobody can reply to it. All
// else stays as the client wrote it, but for properties that are not for storing.
// Errors: InvalidArgument if it gets longer than kPropertiesBytesMax.
absl::StatusOr<std::string> CompleteProperties(absl::string_view sent, absl::string_view cluster,
                                               absl::string_view new_id);

// Encodes one message as it is stored. The topic is `topic`, whatever the
// header says; `reconsume_times` is stored. The id hash is empty if the
// properties hold no id.
// Errors: InvalidArgument for what is too long.
absl::StatusOr<service::OutgoingMessage> ToOutgoing(const remoting::SendMessageRequest& header,
                                                    absl::string_view topic, int32_t flag,
                                                    absl::string_view body,
                                                    absl::string_view properties,
                                                    const message::Host& born_host);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_OUTGOING_H_
