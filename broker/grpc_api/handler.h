// What every handler of the v2 protocol begins with: parse, or answer in the
// reply's own type; know who calls.
#ifndef TOTORA_BROKER_GRPC_API_HANDLER_H_
#define TOTORA_BROKER_GRPC_API_HANDLER_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/grpc_api/status_mapping.h"
#include "broker/service/broker_service.h"
#include "net/grpc_service.h"

namespace totora::grpc_api {

struct GrpcApiOptions {
  // A call that needs the log is held no longer than this, and ends this long
  // before its client gives up: a code of ours is worth more than a timeout.
  absl::Duration hold_max = absl::Milliseconds(2500);
  absl::Duration reserve = absl::Milliseconds(300);
  // Long polls.
  absl::Duration poll_max = absl::Seconds(20);
  absl::Duration poll_reserve = absl::Milliseconds(500);
  // Refusals of polls wait so long: Go asks again after 20 ms, Rust after 1 ms.
  absl::Duration poll_refusal_delay = absl::Milliseconds(300);
  // Consumers may ask for invisible times from here to 12 hours.
  absl::Duration invisible_min = absl::Seconds(1);
};

// What the handlers share. Outlives every call.
struct HandlerContext {
  service::BrokerService* broker = nullptr;
  GrpcApiOptions options;
};

// From the request's headers. Valid as long as the call.
struct Caller {
  absl::string_view client_id;
  absl::string_view default_namespace;  // Of resources that name none.
  absl::string_view language;
};

inline constexpr size_t kClientIdBytesMax = 255;

Caller CallerOf(const GrpcCall& call);

// OK, or what a call without a usable client id gets.
v2::Code CheckCaller(const Caller& caller);

// When to stop waiting for the log, on the broker executor's clock.
absl::Duration GiveUp(const HandlerContext& context, const GrpcCall& call);
// What is left until the client gives up.
absl::Duration Remaining(const GrpcCall& call);

template <typename Reply>
void ReplyStatus(const GrpcCallPtr& call, v2::Code code, absl::string_view text) {
  Reply reply;
  SetStatus(code, text, reply.mutable_status());
  call->Reply(reply.SerializeAsString());
}
template <typename Reply>
void ReplyStatus(const GrpcCallPtr& call, const absl::Status& status, Doing doing) {
  ReplyStatus<Reply>(call, CodeFor(status, doing), status.ok() ? "OK" : status.message());
}

// Broken protobuf cannot be told from a broken program: BAD_REQUEST, in band,
// because a gRPC error would make clients leave this endpoint.
// `handler(call, caller, request)`.
template <typename Request, typename Reply, typename Handler>
GrpcService::RequestHandler InBand(Handler handler) {
  return [handler = std::move(handler)](GrpcCallPtr call, std::string bytes) {
    const Caller caller = CallerOf(*call);
    if (const v2::Code code = CheckCaller(caller); code != v2::OK) {
      ReplyStatus<Reply>(call, code, "x-mq-client-id is missing or too long");
      return;
    }
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      ReplyStatus<Reply>(call, v2::BAD_REQUEST, "the request cannot be parsed");
      return;
    }
    handler(std::move(call), caller, std::move(request));
  };
}

inline constexpr char kServicePath[] = "/apache.rocketmq.v2.MessagingService/";

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_HANDLER_H_
