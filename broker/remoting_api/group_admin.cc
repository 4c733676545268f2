#include "broker/remoting_api/group_admin.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/admin_access.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/config_bodies.h"

namespace totora::remoting_api {
namespace {

using Configs = std::vector<store::ConsumerGroupConfig>;

// Of one request.
constexpr size_t kGroupsChangedMax = 5000;
// About what fits into a frame. Who has more groups asks for them one by one.
constexpr size_t kGroupsListedMax = 35'000;

// The body of `request`; nothing if it was answered with what is wrong.
template <typename Body>
std::optional<Body> ReadBody(const RemotingRequestPtr& request) {
  absl::StatusOr<Body> body = remoting::DecodeBody<Body>(request->command().body.view());
  if (body.ok()) return *std::move(body);
  request->Reply(ResponseCode::kSystemError, RemarkText(body.status().message()));
  return std::nullopt;
}

void PutAll(const HandlerContext& context, RemotingRequestPtr request,
            const std::vector<remoting::SubscriptionGroupConfig>& bodies) {
  absl::Status status;
  if (bodies.size() > kGroupsChangedMax) {
    status = absl::InvalidArgumentError(absl::StrCat(
        "at most ", kGroupsChangedMax, " consumer groups may be changed at once"));
  }
  Configs configs;
  for (size_t i = 0; i < bodies.size() && status.ok(); ++i) {
    absl::StatusOr<store::ConsumerGroupConfig> config = ConfigOf(bodies[i]);
    status = config.status();
    if (config.ok()) configs.push_back(*std::move(config));
  }
  if (!status.ok()) {
    ReplyStatus(request, status, Doing::kAsk);
    return;
  }
  context.broker->executor()->Post(
      [&context, request = std::move(request), configs = std::move(configs)] {
        context.broker->consumer_groups().PutAll(
            configs, GiveUp(context),
            [request](const absl::Status& status) { ReplyStatus(request, status, Doing::kAsk); });
      });
}

void PutGroup(const HandlerContext& context, RemotingRequestPtr request) {
  if (!MayChange(context, request, remoting::Change::kTopicOrGroup)) return;
  const auto body = ReadBody<remoting::SubscriptionGroupConfig>(request);
  if (body.has_value()) PutAll(context, std::move(request), {*body});
}

void PutGroups(const HandlerContext& context, RemotingRequestPtr request) {
  if (!MayChange(context, request, remoting::Change::kTopicOrGroup)) return;
  const auto body = ReadBody<remoting::SubscriptionGroupList>(request);
  if (body.has_value()) PutAll(context, std::move(request), body->groups);
}

// Its offsets go with it, whatever cleanOffset says: a group of the same name that
// is made later is another one.
void DeleteGroup(const HandlerContext& context, RemotingRequestPtr request,
                 const remoting::DeleteSubscriptionGroupRequest& header) {
  if (!MayChange(context, request, remoting::Change::kOther)) return;
  context.broker->executor()->Post(
      [&context, request = std::move(request), group = std::string(header.group_name)] {
        context.broker->consumer_groups().Delete(
            group, GiveUp(context), [request](const absl::Status& status) {
              // As RocketMQ: tools delete at every broker.
              ReplyStatus(request, absl::IsNotFound(status) ? absl::OkStatus() : status,
                          Doing::kAsk);
            });
      });
}

void GetGroups(const HandlerContext& context, const RemotingRequestPtr& request) {
  WhenCurrent(context, request, [&context, request] {
    const store::StateMachine& state = context.broker->state();
    const Configs groups = state.ConsumerGroups();
    if (groups.size() > kGroupsListedMax) {
      request->Reply(ResponseCode::kSystemError,
                     absl::StrCat(groups.size(), " consumer groups do not fit into one answer"));
      return;
    }
    remoting::SubscriptionGroupWrapper body;
    body.data_version = VersionNumbered(0, state.log_time_ms());
    for (const store::ConsumerGroupConfig& group : groups) {
      body.groups[group.name] = BodyOf(group);
    }
    ReplyBody(request, body);
  });
}

// There is no list of forbidden topics: everybody may read. Who asks, or wants
// it so, is told so.
void GroupForbidden(const HandlerContext& context, RemotingRequestPtr request,
                    const remoting::UpdateGroupForbiddenRequest& header) {
  if (header.readable.has_value() && !MayChange(context, request, remoting::Change::kOther)) return;
  if (!header.readable.value_or(true)) {
    request->Reply(ResponseCode::kRequestCodeNotSupported,
                   "a consumer group cannot be kept from single topics here");
    return;
  }
  remoting::GroupForbidden body;
  body.group = std::string(header.group);
  body.topic = std::string(header.topic);
  ReplyBody(request, body);
}

void SetRequestMode(const HandlerContext& context, const RemotingRequestPtr& request) {
  if (!MayChange(context, request, remoting::Change::kOther)) return;
  const auto body = ReadBody<remoting::SetMessageRequestModeBody>(request);
  if (!body.has_value()) return;
  if (body->mode == "PULL") {
    request->Reply(ResponseCode::kSuccess);  // As it is.
  } else {
    request->Reply(ResponseCode::kRequestCodeNotSupported, "classic consumers pull: no other mode");
  }
}

}  // namespace

void AddGroupAdmin(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kDeleteSubscriptionGroup, &DeleteGroup);
  AddQuestion(context, to, RequestCode::kUpdateAndGetGroupForbidden, &GroupForbidden);
  to->Add(RequestCode::kUpdateAndCreateSubscriptionGroup, [context](RemotingRequestPtr request) {
    PutGroup(*context, std::move(request));
  });
  to->Add(
      RequestCode::kUpdateAndCreateSubscriptionGroupList,
      [context](RemotingRequestPtr request) { PutGroups(*context, std::move(request)); });
  to->Add(RequestCode::kGetAllSubscriptionGroupConfig,
          [context](const RemotingRequestPtr& request) { GetGroups(*context, request); });
  to->Add(RequestCode::kSetMessageRequestMode,
          [context](const RemotingRequestPtr& request) { SetRequestMode(*context, request); });
}

}  // namespace totora::remoting_api
