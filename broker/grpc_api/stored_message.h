// A message of the v2 protocol to the stored layout, and back.
#ifndef TOTORA_BROKER_GRPC_API_STORED_MESSAGE_H_
#define TOTORA_BROKER_GRPC_API_STORED_MESSAGE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/send.h"
#include "common/types.h"
#include "proto/rocketmq/v2/service.pb.h"
#include "store/commands.h"

namespace totora::grpc_api {

namespace v2 = apache::rocketmq::v2;

// `peer` is "ip:port" of the client. The body is copied once.
// REQUIRES: CheckMessage found nothing.
// Errors: InvalidArgument if the properties do not fit into the layout.
absl::StatusOr<service::OutgoingMessage> ToStored(const v2::Message& message,
                                                  const std::string& topic, absl::string_view peer,
                                                  int64_t now_ms);

// What a delivery adds to the stored bytes.
struct DeliveryFacts {
  GroupId group;
  const v2::Resource* topic = nullptr;  // As the consumer spelled it.
  const std::string* stored_topic = nullptr;
  absl::Duration invisible;
};

// Fills `to` with every field that some client cannot do without.
// Errors: DataLoss if `bytes` are no message.
absl::Status FromStored(absl::string_view bytes, const store::DeliveredMessage& delivered,
                        const DeliveryFacts& facts, v2::Message* to);

// The tag of stored bytes; empty if it has none (or they are no message).
std::string TagOf(absl::string_view bytes);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_STORED_MESSAGE_H_
