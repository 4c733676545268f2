#include "broker/remoting_api/topic_admin.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/remoting_api/admin_access.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/config_bodies.h"

namespace totora::remoting_api {
namespace {

using Edits = std::vector<std::pair<std::string, service::Topics::Edit>>;

// Of one request.
constexpr size_t kTopicsChangedMax = 5000;
// About what fits into a frame. Who has more topics asks for them one by one.
constexpr size_t kTopicsListedMax = 80'000;

// --- Creation and change -----------------------------------------------------------

// CreateTopicRequestHeader.checkFields.
bool IsFilterType(absl::string_view type) { return type == "SINGLE_TAG" || type == "MULTI_TAG"; }

absl::Status AddEdit(const HandlerContext& context, const remoting::TopicConfig& body,
                     AttributeChanges changes, Edits* to) {
  if (absl::Status status = context.broker->topics().CheckNotSystem(body.topic_name);
      !status.ok()) {
    return status;
  }
  to->emplace_back(body.topic_name,
                   [body, changes = std::move(changes)](
                       const std::optional<store::TopicConfig>& existing) {
                     return Apply(body, changes, existing);
                   });
  return absl::OkStatus();
}

void Change(const HandlerContext& context, RemotingRequestPtr request, Edits edits) {
  context.broker->topics().Change(
      std::move(edits), GiveUp(context), [request = std::move(request)](const absl::Status& status) {
        ReplyStatus(request, status, Doing::kAsk);
      });
}

void PutTopic(const HandlerContext& context, RemotingRequestPtr request,
              const remoting::CreateTopicRequest& header) {
  if (!MayChange(context, request, remoting::Change::kTopicOrGroup)) return;
  if (!IsFilterType(header.topic_filter_type)) {
    request->Reply(ResponseCode::kSystemError,
                   RemarkText(absl::StrCat("topicFilterType = [", header.topic_filter_type,
                                           "] value invalid")));
    return;
  }
  absl::StatusOr<AttributeChanges> changes = ParseAttributes(header.attributes);
  absl::Status status = changes.status();
  Edits edits;
  if (status.ok()) status = AddEdit(context, BodyOf(header), *std::move(changes), &edits);
  if (!status.ok()) {
    ReplyStatus(request, status, Doing::kAsk);
    return;
  }
  Change(context, std::move(request), std::move(edits));
}

void PutTopics(const HandlerContext& context, RemotingRequestPtr request) {
  if (!MayChange(context, request, remoting::Change::kTopicOrGroup)) return;
  const auto body = remoting::DecodeBody<remoting::CreateTopicListRequestBody>(
      request->command().body.view());
  if (!body.ok()) {
    request->Reply(ResponseCode::kSystemError, RemarkText(body.status().message()));
    return;
  }
  absl::Status status;
  if (body->topics.size() > kTopicsChangedMax) {
    status = absl::InvalidArgumentError(
        absl::StrCat("at most ", kTopicsChangedMax, " topics may be changed at once"));
  }
  Edits edits;
  for (size_t i = 0; i < body->topics.size() && status.ok(); ++i) {
    const remoting::TopicConfig& topic = body->topics[i];
    status = AddEdit(context, topic,
                     AttributeChanges(topic.attributes.begin(), topic.attributes.end()), &edits);
  }
  if (!status.ok()) {
    ReplyStatus(request, status, Doing::kAsk);
    return;
  }
  Change(context, std::move(request), std::move(edits));
}

// --- Deletion ------------------------------------------------------------------------

void DeleteTopic(const HandlerContext& context, RemotingRequestPtr request,
                 const remoting::TopicRequest& header) {
  if (!MayChange(context, request, remoting::Change::kOther)) return;
  const std::string topic(header.topic);
  if (absl::StripAsciiWhitespace(topic).empty()) {
    request->Reply(ResponseCode::kInvalidParameter, "The specified topic is blank.");
    return;
  }
  if (const absl::Status status = context.broker->topics().CheckNotSystem(topic); !status.ok()) {
    ReplyStatus(request, status, Doing::kAsk);
    return;
  }
  context.broker->topics().Delete(
      topic, GiveUp(context), [request = std::move(request)](const absl::Status& status) {
        // RocketMQ does not look whether there is one: tools delete at every broker.
        ReplyStatus(request, absl::IsNotFound(status) ? absl::OkStatus() : status, Doing::kAsk);
      });
}

// --- Lists ---------------------------------------------------------------------------

void GetTopics(const HandlerContext& context, const RemotingRequestPtr& request) {
  WhenCurrent(context, request, [&context, request] {
    const store::StateMachine& state = context.broker->state();
    const std::vector<store::TopicConfig> topics = state.Topics();
    if (topics.size() > kTopicsListedMax) {
      request->Reply(ResponseCode::kSystemError,
                     absl::StrCat(topics.size(), " topics do not fit into one answer"));
      return;
    }
    remoting::TopicConfigWrapper body;
    body.data_version = VersionNumbered(state.topic_table_version(), state.log_time_ms());
    for (const store::TopicConfig& topic : topics) body.topics[topic.name] = BodyOf(topic);
    ReplyBody(request, body);
  });
}

void GetSystemTopics(const HandlerContext& context, const RemotingRequestPtr& request) {
  remoting::TopicList body;
  body.topics = context.broker->topics().SystemNames();
  ReplyBody(request, body);
}

}  // namespace

void AddTopicAdmin(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kUpdateAndCreateTopic, &PutTopic);
  AddQuestion(context, to, RequestCode::kDeleteTopicInBroker, &DeleteTopic);
  to->Add(RequestCode::kUpdateAndCreateTopicList, [context](RemotingRequestPtr request) {
    PutTopics(*context, std::move(request));
  });
  to->Add(RequestCode::kGetAllTopicConfig,
          [context](const RemotingRequestPtr& request) { GetTopics(*context, request); });
  to->Add(RequestCode::kGetSystemTopicListFromBroker,
          [context](const RemotingRequestPtr& request) { GetSystemTopics(*context, request); });
}

}  // namespace totora::remoting_api
