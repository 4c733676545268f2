// What a client is told about how to behave: its own settings with ours laid over.
#ifndef TOTORA_BROKER_GRPC_API_CLIENT_SETTINGS_H_
#define TOTORA_BROKER_GRPC_API_CLIENT_SETTINGS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "broker/service/sessions.h"
#include "proto/rocketmq/v2/service.pb.h"
#include "store/commands.h"

namespace totora::grpc_api {

namespace v2 = apache::rocketmq::v2;

inline constexpr size_t kMessageBodyBytesMax = 4 << 20;
inline constexpr int kReceiveBatchMax = 32;

// Refuses what no answer can be made for. Errors: InvalidArgument.
absl::Status CheckSettings(const v2::Settings& client);

// `consumer_group` is empty for producers and for groups that do not exist yet.
v2::Settings MergeSettings(const v2::Settings& client,
                           const std::optional<store::ConsumerGroupConfig>& consumer_group);

// The consumer group of a subscription, as it is stored; empty for producers.
std::string ConsumerGroupOf(const v2::Settings& client, absl::string_view default_namespace);

service::ClientSession SessionOf(absl::string_view client_id, absl::string_view default_namespace,
                                 const v2::Settings& client);

service::ClientKind KindOf(v2::ClientType type);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_CLIENT_SETTINGS_H_
