// Names in requests: which ones a gRPC client may use, and what they are called
// inside.
#ifndef TOTORA_BROKER_GRPC_API_NAMES_H_
#define TOTORA_BROKER_GRPC_API_NAMES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {

// Namespace and name as one stored name: "ns%name". `default_namespace` counts
// where the resource has none.
std::string StoredName(const apache::rocketmq::v2::Resource& resource,
                       absl::string_view default_namespace);

// Errors: InvalidArgument, with a text for the client; also for system names.
absl::Status CheckTopic(absl::string_view stored_name);
absl::Status CheckConsumerGroup(absl::string_view stored_name);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_NAMES_H_
