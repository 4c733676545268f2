// Handlers with messages instead of bytes, for any type that has protobuf's
// ParseFromArray and SerializeToString.
//
//   service.AddRequest("/pkg.Service/Echo", TypedRequest<EchoRequest, EchoReply>(
//       [](TypedCall<EchoReply> call, EchoRequest request) { call.Reply(MakeReply(request)); }));
#ifndef TOTORA_NET_GRPC_TYPED_H_
#define TOTORA_NET_GRPC_TYPED_H_

#include <string>
#include <utility>

#include "net/grpc_call.h"
#include "net/grpc_service.h"

namespace totora {

// A GrpcCall that writes messages of one type. Copies are the same call.
//
// Thread safety: as GrpcCall.
template <typename ReplyMessage>
class TypedCall {
 public:
  explicit TypedCall(GrpcCallPtr call) : call_(std::move(call)) {}

  bool Write(const ReplyMessage& message) { return call_->Write(message.SerializeAsString()); }
  void Reply(const ReplyMessage& message) { call_->Reply(message.SerializeAsString()); }
  void Finish(GrpcCode code, std::string text) { call_->Finish(code, std::move(text)); }
  void Finish() { call_->Finish(); }

  GrpcCall* operator->() const { return call_.get(); }
  const GrpcCallPtr& call() const { return call_; }

 private:
  GrpcCallPtr call_;
};

// False if `bytes` is no `Message`; the call was then finished with INTERNAL,
// as gRPC's own servers do.
template <typename Message>
bool ParseOrFinish(const GrpcCallPtr& call, const std::string& bytes, Message* message) {
  if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return true;
  call->Finish(GrpcCode::kInternal, "request cannot be parsed");
  return false;
}

// `handler(TypedCall<ReplyMessage>, RequestMessage)`.
template <typename RequestMessage, typename ReplyMessage, typename Handler>
GrpcService::RequestHandler TypedRequest(Handler handler) {
  return [handler = std::move(handler)](GrpcCallPtr call, std::string bytes) {
    RequestMessage request;
    if (!ParseOrFinish(call, bytes, &request)) return;
    handler(TypedCall<ReplyMessage>(std::move(call)), std::move(request));
  };
}

// `on_message(RequestMessage)` for each message of a bidi call. What cannot be
// parsed ends the call with INTERNAL.
template <typename RequestMessage, typename OnMessage>
void SetTypedOnMessage(const GrpcCallPtr& call, OnMessage on_message) {
  call->OnMessage([call, on_message = std::move(on_message)](std::string bytes) mutable {
    RequestMessage message;
    if (ParseOrFinish(call, bytes, &message)) on_message(std::move(message));
  });
}

}  // namespace totora

#endif  // TOTORA_NET_GRPC_TYPED_H_
