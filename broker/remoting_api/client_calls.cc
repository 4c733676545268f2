#include "broker/remoting_api/client_calls.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/client_channels.h"
#include "broker/remoting_api/message_lookup.h"
#include "common/coding.h"
#include "message/message_id.h"
#include "remoting/header/client.h"

namespace totora::remoting_api {
namespace {

// Tools wait 15 s.
constexpr absl::Duration kClientMax = absl::Seconds(10);
constexpr absl::Duration kPeerMax = absl::Seconds(11);

// MQVersion's ordinal of V3_1_8_SNAPSHOT.
constexpr int32_t kVersionMin = 62;
constexpr uint32_t kFieldsMax = 256;

// --- What goes to the client, and what comes back ------------------------------------

struct Fields {
  std::vector<std::pair<std::string, std::string>> list{};

  remoting::FieldBuffer ToBuffer() const {
    remoting::FieldBuffer buffer;
    for (const auto& [name, value] : list) buffer.Add(name, value);
    return buffer;
  }
  void Set(absl::string_view name, absl::string_view value) {
    std::erase_if(list, [name](const auto& field) { return field.first == name; });
    list.emplace_back(name, value);
  }
};

Fields FieldsOf(const remoting::Command& command) {
  Fields fields;
  for (const auto& field : command.fields) fields.list.emplace_back(field.name, field.value);
  return fields;
}

void AppendFields(std::string* to, const Fields& fields) {
  AppendU32(to, static_cast<uint32_t>(fields.list.size()));
  for (const auto& [name, value] : fields.list) {
    AppendBytes(to, name);
    AppendBytes(to, value);
  }
}

bool ReadFields(Reader* reader, Fields* fields) {
  const uint32_t count = reader->U32();
  if (!reader->ok() || count > kFieldsMax) return false;
  for (uint32_t i = 0; i < count; ++i) {
    const absl::string_view name = reader->Prefixed();
    const absl::string_view value = reader->Prefixed();
    fields->list.emplace_back(name, value);
  }
  return reader->ok();
}

struct ClientQuestion {
  int32_t code = 0;
  std::string client_id{};
  Fields fields{};
  std::string body{};

  std::string Encode() const {
    std::string bytes;
    AppendU32(&bytes, static_cast<uint32_t>(code));
    AppendBytes(&bytes, client_id);
    AppendFields(&bytes, fields);
    AppendBytes(&bytes, body);
    return bytes;
  }
  static absl::StatusOr<ClientQuestion> Decode(absl::string_view bytes) {
    Reader reader(bytes);
    ClientQuestion question;
    question.code = static_cast<int32_t>(reader.U32());
    question.client_id = std::string(reader.Prefixed());
    const bool is_good = ReadFields(&reader, &question.fields);
    question.body = std::string(reader.Prefixed());
    if (!is_good || !reader.done()) return absl::DataLossError("no question to a client");
    return question;
  }
};

struct ClientAnswer {
  absl::Status status{};  // Why the client did not answer.
  int32_t code = 0;
  std::string remark{};
  Fields fields{};
  std::string body{};

  static ClientAnswer Of(const absl::StatusOr<remoting::Command>& answer) {
    if (!answer.ok()) return {answer.status()};
    return {absl::OkStatus(), answer->code, std::string(answer->remark), FieldsOf(*answer),
            std::string(answer->body.view())};
  }
  std::string Encode() const {
    std::string bytes;
    AppendU32(&bytes, static_cast<uint32_t>(status.code()));
    AppendBytes(&bytes, status.message());
    AppendU32(&bytes, static_cast<uint32_t>(code));
    AppendBytes(&bytes, remark);
    AppendFields(&bytes, fields);
    AppendBytes(&bytes, body);
    return bytes;
  }
  static ClientAnswer Decode(absl::string_view bytes) {
    Reader reader(bytes);
    ClientAnswer answer;
    const auto status = static_cast<absl::StatusCode>(reader.U32());
    answer.status = absl::Status(status, reader.Prefixed());
    answer.code = static_cast<int32_t>(reader.U32());
    answer.remark = std::string(reader.Prefixed());
    const bool is_good = ReadFields(&reader, &answer.fields);
    answer.body = std::string(reader.Prefixed());
    if (!is_good || !reader.done()) return {absl::DataLossError("no answer of a client")};
    return answer;
  }
};

using Answered = absl::AnyInvocable<void(ClientAnswer answer)>;

// Asks a client that is connected here. False if there is none; `done` is then not called.
bool AskHere(const HandlerContext& context, const ClientQuestion& question, Answered* done) {
  const std::vector<RemotingConnectionPtr> connections =
      context.channels->ConnectionsOf(question.client_id);
  const auto open = std::find_if(connections.begin(), connections.end(),
                                 [](const auto& connection) { return connection->is_open(); });
  if (open == connections.end()) return false;
  Content content;
  content.fields = question.fields.ToBuffer();
  if (!question.body.empty()) content.AddBody(question.body);
  (*open)->Call(question.code, content, kClientMax,
                [done = std::move(*done)](absl::StatusOr<remoting::Command> answer) mutable {
                  done(ClientAnswer::Of(answer));
                });
  return true;
}

// On the executor; `done` is called on any thread.
void AskClient(const HandlerContext& context, const ClientQuestion& question, Answered done) {
  if (AskHere(context, question, &done)) return;
  const ReplicaId self = context.broker->log()->self();
  for (const ReplicaId replica : context.broker->sessions().ReplicasOf(question.client_id)) {
    if (replica == self) continue;
    context.broker->peer_calls().Ask(
        replica, question.Encode(), kPeerMax,
        [done = std::move(done)](absl::StatusOr<std::string> answer) mutable {
          done(answer.ok() ? ClientAnswer::Decode(*answer) : ClientAnswer{answer.status()});
        });
    return;
  }
  done({absl::NotFoundError("not connected")});
}

void AnswerPeer(const HandlerContext& context, const std::string& bytes,
                service::PeerCalls::Reply reply) {
  const absl::StatusOr<ClientQuestion> question = ClientQuestion::Decode(bytes);
  if (!question.ok()) {
    reply(ClientAnswer{question.status()}.Encode());
    return;
  }
  const auto shared = std::make_shared<service::PeerCalls::Reply>(std::move(reply));
  Answered done = [shared](const ClientAnswer& answer) { (*shared)(answer.Encode()); };
  if (!AskHere(context, *question, &done)) {
    (*shared)(ClientAnswer{absl::NotFoundError("not connected")}.Encode());
  }
}

// --- Answers to the tool ---------------------------------------------------------------

void ReplyNotOnline(const RemotingRequestPtr& request, const std::string& group,
                    const std::string& client_id) {
  request->Reply(ResponseCode::kSystemError,
                 RemarkText(absl::StrCat("The Consumer <", group, "> <", client_id,
                                         "> not online")));
}

void ReplyAnswer(const RemotingRequestPtr& request, const std::string& group,
                 const std::string& client_id, ClientAnswer answer) {
  if (absl::IsNotFound(answer.status)) {
    ReplyNotOnline(request, group, client_id);
  } else if (absl::IsDeadlineExceeded(answer.status)) {
    request->Reply(ResponseCode::kConsumeMessageTimeout,
                   RemarkText(absl::StrCat("consumer <", group, "> <", client_id,
                                           "> Timeout: ", answer.status.message())));
  } else if (!answer.status.ok()) {
    request->Reply(ResponseCode::kSystemError,
                   RemarkText(absl::StrCat("invoke consumer <", group, "> <", client_id,
                                           "> Exception: ", answer.status.message())));
  } else {
    Content content;
    content.remark = std::move(answer.remark);
    content.fields = answer.fields.ToBuffer();
    if (!answer.body.empty()) content.AddBody(std::move(answer.body));
    request->Reply(answer.code, content);
  }
}

// On the executor. AdminBrokerProcessor.callConsumer.
void CallConsumer(const HandlerContext& context, const RemotingRequestPtr& request,
                  const std::string& group, ClientQuestion question) {
  const service::ClientSession* const session =
      context.broker->sessions().Find(question.client_id);
  const bool is_member =
      session != nullptr &&
      std::any_of(session->memberships.begin(), session->memberships.end(),
                  [&](const auto& membership) { return membership.consumer_group == group; });
  if (!is_member) {
    ReplyNotOnline(request, group, question.client_id);
    return;
  }
  if (session->version < kVersionMin) {
    request->Reply(ResponseCode::kSystemError,
                   RemarkText(absl::StrCat("The Consumer <", question.client_id,
                                           "> is too old for this request")));
    return;
  }
  AskClient(context, question,
            [request, group, client_id = question.client_id](ClientAnswer answer) {
              ReplyAnswer(request, group, client_id, std::move(answer));
            });
}

void GetRunningInfo(const HandlerContext& context, RemotingRequestPtr request,
                    const remoting::GetConsumerRunningInfoRequest& header) {
  ClientQuestion question{request->command().code, std::string(header.client_id),
                          FieldsOf(request->command())};
  context.broker->executor()->Post([&context, request = std::move(request),
                                    group = std::string(header.consumer_group),
                                    question = std::move(question)]() mutable {
    CallConsumer(context, request, group, std::move(question));
  });
}

// Sends the tool's own fields on, with what the broker adds, and the message.
void ConsumeDirectly(const HandlerContext& context, RemotingRequestPtr request,
                     const remoting::ConsumeMessageDirectlyRequest& header) {
  const auto id = message::OffsetMessageId::Decode(header.message_id);
  if (!id.ok()) {
    request->Reply(ResponseCode::kSystemError,
                   RemarkText(absl::StrCat("not the id of a stored message: ", header.message_id)));
    return;
  }
  ClientQuestion question{request->command().code, std::string(header.client_id),
                          FieldsOf(request->command())};
  question.fields.Set("brokerName", context.broker->options().group_name);
  question.fields.Set("topicSysFlag", "0");
  question.fields.Set("groupSysFlag", "0");
  Executor* const loop = request->connection()->executor();
  FindMessageAt(context, id->position, loop,
                [&context, request = std::move(request),
                 group = std::string(header.consumer_group),
                 question = std::move(question)](absl::StatusOr<std::string> stored) mutable {
                  if (!stored.ok()) {
                    ReplyStatus(request, stored.status(), Doing::kAsk);
                    return;
                  }
                  question.body = *std::move(stored);
                  context.broker->executor()->Post(
                      [&context, request, group, question = std::move(question)]() mutable {
                        CallConsumer(context, request, group, std::move(question));
                      });
                });
}

}  // namespace

void AskClientForBody(const HandlerContext& context, RequestCode code,
                      const std::string& client_id,
                      std::vector<std::pair<std::string, std::string>> fields,
                      ClientBodyDone done) {
  const ClientQuestion question{static_cast<int32_t>(code), client_id, Fields{std::move(fields)}};
  AskClient(context, question, [done = std::move(done)](ClientAnswer answer) mutable {
    if (answer.status.ok() && answer.code != static_cast<int32_t>(ResponseCode::kSuccess)) {
      answer.status = absl::FailedPreconditionError(answer.remark);
    }
    if (answer.status.ok()) {
      done(std::move(answer.body));
    } else {
      done(answer.status);
    }
  });
}

void AddClientCalls(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kGetConsumerRunningInfo, &GetRunningInfo);
  AddQuestion(context, to, RequestCode::kConsumeMessageDirectly, &ConsumeDirectly);
  context->broker->executor()->Post([context] {
    context->broker->peer_calls().SetHandler(
        [context](const std::string& question, service::PeerCalls::Reply reply) {
          AnswerPeer(*context, question, std::move(reply));
        });
  });
}

}  // namespace totora::remoting_api
