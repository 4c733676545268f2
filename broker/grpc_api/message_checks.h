// What a message that a gRPC client sends must look like, in the order in
// which RocketMQ's proxy looks (SendMessageActivity.java, GrpcValidator.java):
// programs rely on which code they get.
#ifndef TOTORA_BROKER_GRPC_API_MESSAGE_CHECKS_H_
#define TOTORA_BROKER_GRPC_API_MESSAGE_CHECKS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "proto/rocketmq/v2/service.pb.h"
#include "store/commands.h"

namespace totora::grpc_api {

namespace v2 = apache::rocketmq::v2;

struct Problem {
  v2::Code code;
  std::string text;
};

// Of one message; `stored_topic` is its topic with the namespace. Empty: fine.
std::optional<Problem> CheckMessage(const v2::Message& message, const std::string& stored_topic,
                                    int64_t now_ms);

// What a message is by what it carries, not by what it says that it is.
// Empty: a kind that only newer brokers know (lite, priority).
std::optional<store::TopicType> TypeOf(const v2::Message& message);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_MESSAGE_CHECKS_H_
