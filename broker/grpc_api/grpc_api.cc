#include "broker/grpc_api/grpc_api.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/receive.h"
#include "broker/grpc_api/route.h"
#include "broker/grpc_api/send.h"
#include "broker/grpc_api/session.h"
#include "broker/grpc_api/settle.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {
namespace {

// An rpc of the schema that this release does not serve: said in band, in its
// own type, since clients take a gRPC error for a broken endpoint.
template <typename Request, typename Reply>
void AddRefusal(const char* method, GrpcService* to) {
  to->AddRequest(absl::StrCat(kServicePath, method),
                 InBand<Request, Reply>([method](GrpcCallPtr call, const Caller&, Request) {
                   ReplyStatus<Reply>(call, v2::NOT_IMPLEMENTED,
                                      absl::StrCat(method, " is not supported yet"));
                 }));
}

void AddRefusals(GrpcService* to) {
  AddRefusal<v2::PullMessageRequest, v2::PullMessageResponse>("PullMessage", to);
  AddRefusal<v2::UpdateOffsetRequest, v2::UpdateOffsetResponse>("UpdateOffset", to);
  AddRefusal<v2::GetOffsetRequest, v2::GetOffsetResponse>("GetOffset", to);
  AddRefusal<v2::QueryOffsetRequest, v2::QueryOffsetResponse>("QueryOffset", to);
  AddRefusal<v2::EndTransactionRequest, v2::EndTransactionResponse>("EndTransaction", to);
  AddRefusal<v2::RecallMessageRequest, v2::RecallMessageResponse>("RecallMessage", to);
  AddRefusal<v2::SyncLiteSubscriptionRequest, v2::SyncLiteSubscriptionResponse>(
      "SyncLiteSubscription", to);
}

}  // namespace

GrpcApi::GrpcApi(service::BrokerService* broker, const GrpcApiOptions& options)
    : context_{broker, options} {
  AddRoutes(&context_, &service_);
  AddSending(&context_, &service_);
  AddReceiving(&context_, &service_);
  AddSettling(&context_, &service_);
  AddSessions(&context_, &streams_, &service_);
  AddRefusals(&service_);
  // What a round trip through this port costs without a broker behind it.
  service_.AddRequest("/totora.bench.Echo/Echo", [](const GrpcCallPtr& call, std::string bytes) {
    call->Reply(std::move(bytes));
  });
}

void GrpcApi::AskToReconnect() {
  v2::TelemetryCommand command;
  SetStatus(v2::OK, "OK", command.mutable_status());
  command.mutable_reconnect_endpoints_command()->set_nonce("drain");
  streams_.PushToAll(command);
}

}  // namespace totora::grpc_api
