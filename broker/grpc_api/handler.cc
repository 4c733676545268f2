#include "broker/grpc_api/handler.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace totora::grpc_api {

Caller CallerOf(const GrpcCall& call) {
  Caller caller;
  caller.client_id = absl::StripAsciiWhitespace(call.metadata("x-mq-client-id"));
  caller.default_namespace = call.metadata("x-mq-namespace");
  caller.language = call.metadata("x-mq-language");
  return caller;
}

v2::Code CheckCaller(const Caller& caller) {
  if (caller.client_id.empty()) return v2::CLIENT_ID_REQUIRED;
  return caller.client_id.size() > kClientIdBytesMax ? v2::BAD_REQUEST : v2::OK;
}

absl::Duration Remaining(const GrpcCall& call) {
  if (call.deadline() == absl::InfiniteDuration()) return absl::InfiniteDuration();
  return std::max(absl::ZeroDuration(), call.deadline() - call.executor()->clock().SteadyNow());
}

absl::Duration GiveUp(const HandlerContext& context, const GrpcCall& call) {
  const absl::Duration hold =
      std::min(Remaining(call) - context.options.reserve, context.options.hold_max);
  return context.broker->executor()->clock().SteadyNow() + std::max(hold, absl::ZeroDuration());
}

}  // namespace totora::grpc_api
