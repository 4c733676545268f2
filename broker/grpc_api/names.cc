#include "broker/grpc_api/names.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "message/topic.h"

namespace totora::grpc_api {

std::string StoredName(const apache::rocketmq::v2::Resource& resource,
                       absl::string_view default_namespace) {
  const absl::string_view ns = resource.resource_namespace().empty()
                                   ? default_namespace
                                   : absl::string_view(resource.resource_namespace());
  return ns.empty() ? resource.name() : absl::StrCat(ns, "%", resource.name());
}

absl::Status CheckTopic(absl::string_view stored_name) {
  TOTORA_RETURN_IF_ERROR(message::CheckTopicName(stored_name));
  if (message::IsSystemTopic(stored_name)) {
    return absl::InvalidArgumentError("this topic is the broker's own");
  }
  return absl::OkStatus();
}

absl::Status CheckConsumerGroup(absl::string_view stored_name) {
  TOTORA_RETURN_IF_ERROR(message::CheckConsumerGroupName(stored_name));
  if (message::IsSystemConsumerGroup(stored_name)) {
    return absl::InvalidArgumentError("this consumer group is the broker's own");
  }
  return absl::OkStatus();
}

}  // namespace totora::grpc_api
