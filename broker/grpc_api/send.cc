#include "broker/grpc_api/send.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/client_settings.h"
#include "broker/grpc_api/message_checks.h"
#include "broker/grpc_api/names.h"
#include "broker/grpc_api/stored_message.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {
namespace {

// Of a request. Together they have at most 16 MiB, and as many headers as here.
constexpr int kMessagesMax = 4096;
static_assert(kMessagesMax <= static_cast<int>(store::SendCommand::kSendItemsMax));

// As many entries as messages, in their order, whatever happened.
void RefuseAll(const GrpcCallPtr& call, const v2::SendMessageRequest& request, v2::Code code,
               absl::string_view text) {
  v2::SendMessageResponse reply;
  SetStatus(code, text, reply.mutable_status());
  for (const v2::Message& message : request.messages()) {
    v2::SendResultEntry* entry = reply.add_entries();
    *entry->mutable_status() = reply.status();
    entry->set_message_id(message.system_properties().message_id());
  }
  call->Reply(reply.SerializeAsString());
}

bool IsSame(const v2::Resource& a, const v2::Resource& b) {
  return a.name() == b.name() && a.resource_namespace() == b.resource_namespace();
}

std::optional<Problem> CheckRequest(const v2::SendMessageRequest& request) {
  if (request.messages().empty()) return Problem{v2::MESSAGE_CORRUPTED, "no message to send"};
  if (request.messages_size() > kMessagesMax) {
    return Problem{v2::BAD_REQUEST, "too many messages in one request"};
  }
  for (const v2::Message& message : request.messages()) {
    if (!IsSame(message.topic(), request.messages(0).topic())) {
      return Problem{v2::MESSAGE_CORRUPTED, "messages of one request have one topic"};
    }
  }
  return std::nullopt;
}

// Ordered and transactional messages come with a later release. Where the topic
// does not take them anyway, that is the better answer.
std::optional<Problem> CheckType(const HandlerContext& context, const std::string& topic,
                                 const v2::Message& message) {
  const std::optional<store::TopicType> type = TypeOf(message);
  if (type == store::TopicType::kNormal || type == store::TopicType::kDelay) return std::nullopt;
  const auto found = context.broker->topic_directory().Find(topic);
  if (type.has_value() && found != nullptr && found->config.type != store::TopicType::kMixed &&
      found->config.type != *type) {
    return Problem{v2::MESSAGE_PROPERTY_CONFLICT_WITH_TYPE,
                   absl::StrCat("topic ", topic, " does not take this kind of message")};
  }
  return Problem{v2::NOT_IMPLEMENTED, "this kind of message is not supported yet"};
}

v2::SendMessageResponse Outcome(const v2::SendMessageRequest& request,
                                const store::SendResult& result) {
  v2::SendMessageResponse reply;
  SetStatus(v2::OK, "OK", reply.mutable_status());
  for (int i = 0; i < request.messages_size(); ++i) {
    v2::SendResultEntry* entry = reply.add_entries();
    *entry->mutable_status() = reply.status();
    const std::string& id = request.messages(i).system_properties().message_id();
    entry->set_message_id(id);
    entry->set_transaction_id(id);
    // A repeat is answered with the place of the first.
    entry->set_offset(static_cast<int64_t>(result.items[static_cast<size_t>(i)].offset.value()));
  }
  return reply;
}

void SendMessage(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                 v2::SendMessageRequest request) {
  if (const auto problem = CheckRequest(request)) {
    RefuseAll(call, request, problem->code, problem->text);
    return;
  }
  const int64_t now_ms = WallMillis(call->executor()->clock());
  service::SendRequest send;
  send.topic = StoredName(request.messages(0).topic(), caller.default_namespace);
  send.give_up = GiveUp(context, *call);
  send.messages.reserve(static_cast<size_t>(request.messages_size()));
  for (v2::Message& message : *request.mutable_messages()) {
    std::optional<Problem> problem = CheckMessage(message, send.topic, now_ms);
    if (!problem.has_value()) problem = CheckType(context, send.topic, message);
    if (send.messages.empty()) send.type = TypeOf(message);
    if (!problem.has_value() && TypeOf(message) != send.type) {
      problem = Problem{v2::BAD_REQUEST, "messages of one request are of one type"};
    }
    if (problem.has_value()) {
      RefuseAll(call, request, problem->code, problem->text);
      return;
    }
    absl::StatusOr<service::OutgoingMessage> stored =
        ToStored(message, send.topic, call->peer(), now_ms);
    if (!stored.ok()) {
      RefuseAll(call, request, v2::MESSAGE_PROPERTIES_TOO_LARGE, stored.status().message());
      return;
    }
    send.messages.push_back(*std::move(stored));
  }
  // The reply needs the ids only: do not hold bodies while the log works.
  for (v2::Message& message : *request.mutable_messages()) {
    message.clear_body();
    message.clear_user_properties();
  }
  context.broker->sender().Send(
      std::move(send),
      [call, request = std::move(request)](const absl::StatusOr<store::SendResult>& result) {
        if (!result.ok()) {
          RefuseAll(call, request, CodeFor(result.status(), Doing::kSend),
                    result.status().message());
          return;
        }
        call->Reply(Outcome(request, *result).SerializeAsString());
      });
}

}  // namespace

void AddSending(const HandlerContext* context, GrpcService* to) {
  to->AddRequest(
      absl::StrCat(kServicePath, "SendMessage"),
      InBand<v2::SendMessageRequest, v2::SendMessageResponse>(
          [context](GrpcCallPtr call, const Caller& caller, v2::SendMessageRequest request) {
            SendMessage(*context, std::move(call), caller, std::move(request));
          }));
}

}  // namespace totora::grpc_api
