#include "broker/remoting_api/connections.h"

#include <string>
#include <utility>
#include <vector>

#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/subscription_bodies.h"
#include "common/clock.h"
#include "message/tag_filter.h"
#include "remoting/command.h"
#include "remoting/header/client.h"

namespace totora::remoting_api {
namespace {

// MQVersion's ordinal of V5_0_0, for clients of the other dialect, which have none.
constexpr int32_t kVersion5_0_0 = 413;

using service::ClientSession;
using service::GroupMembership;

// Both enums have RocketMQ's order; ours begins with what is unknown.
remoting::ConsumeFromWhere FromOf(service::ConsumeFrom from) {
  return static_cast<remoting::ConsumeFromWhere>(static_cast<int>(from) - 1);
}
remoting::ConsumeType TypeOf(service::ConsumeType type) {
  return static_cast<remoting::ConsumeType>(static_cast<int>(type) - 1);
}
remoting::MessageModel ModelOf(service::MessageModel model) {
  return static_cast<remoting::MessageModel>(static_cast<int>(model) - 1);
}

void Subscribe(const service::Subscription& subscription, remoting::ConsumerConnection* body) {
  remoting::SubscriptionData& known = body->subscription_table[subscription.topic];
  if (known.topic.empty() || subscription.version > known.version) known = BodyOf(subscription);
}

// Tools fail where a consumer says nothing of itself: what is unknown stays as the
// body's defaults have it.
void Describe(const GroupMembership& membership, remoting::ConsumerConnection* body) {
  if (membership.from != service::ConsumeFrom::kUnknown) {
    body->consume_from_where = FromOf(membership.from);
  }
  if (membership.type != service::ConsumeType::kUnknown) {
    body->consume_type = TypeOf(membership.type);
  }
  if (membership.model != service::MessageModel::kUnknown) {
    body->message_model = ModelOf(membership.model);
  }
  for (const service::Subscription& subscription : membership.subscriptions) {
    Subscribe(subscription, body);
  }
}

void GetConsumerConnections(const HandlerContext& context, RemotingRequestPtr request,
                            const remoting::ConsumerGroupRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    group = std::string(header.consumer_group)] {
    const std::vector<ClientSession> members = context.broker->sessions().OfConsumerGroup(group);
    if (members.empty()) {
      request->Reply(ResponseCode::kConsumerNotOnline,
                     RemarkText(absl::StrCat("the consumer group[", group, "] not online")));
      return;
    }
    remoting::ConsumerConnection body;
    for (const ClientSession& member : members) {
      body.connections.push_back(ConnectionOf(member));
      for (const GroupMembership& membership : member.memberships) {
        if (membership.consumer_group == group) Describe(membership, &body);
      }
      for (const service::Subscription& subscription : member.subscriptions) {
        Subscribe(subscription, &body);
      }
    }
    ReplyBody(request, body);
  });
}

void GetProducerConnections(const HandlerContext& context, RemotingRequestPtr request,
                            const remoting::ProducerGroupRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    group = std::string(header.producer_group)] {
    remoting::ProducerConnection body;
    context.broker->sessions().ForEach([&](const ClientSession& session, absl::Duration) {
      for (const std::string& named : session.producer_groups) {
        if (named == group) body.connections.push_back(ConnectionOf(session));
      }
    });
    if (!body.connections.empty()) {
      ReplyBody(request, body);
      return;
    }
    request->Reply(ResponseCode::kSystemError,
                   RemarkText(absl::StrCat("the producer group[", group, "] not exist")));
  });
}

void GetAllProducers(const HandlerContext& context, RemotingRequestPtr request) {
  context.broker->executor()->Post([&context, request = std::move(request)] {
    remoting::ProducerTableInfo body;
    const int64_t now_ms = WallMillis(context.broker->executor()->clock());
    context.broker->sessions().ForEach([&](const ClientSession& session, absl::Duration seen) {
      const int64_t seen_ms = now_ms - absl::ToInt64Milliseconds(Now(context) - seen);
      const remoting::ClientConnection connection = ConnectionOf(session);
      for (const std::string& group : session.producer_groups) {
        body.data[group].push_back({connection.client_id, connection.language, seen_ms,
                                    absl::StrCat("/", connection.client_address),
                                    connection.version});
      }
    });
    ReplyBody(request, body);
  });
}

}  // namespace

remoting::SubscriptionData BodyOf(const service::Subscription& subscription) {
  remoting::SubscriptionData body;
  body.topic = subscription.topic;
  body.expression = subscription.expression;
  body.version = subscription.version;
  if (subscription.is_sql) {
    body.expression_type = "SQL92";
    return body;
  }
  const auto filter = message::TagFilter::Parse(subscription.expression);
  if (!filter.ok()) return body;
  body.tags = filter->tags();
  for (const std::string& tag : body.tags) {
    body.codes.push_back(static_cast<int32_t>(message::TagHash(tag)));
  }
  return body;
}

remoting::ClientConnection ConnectionOf(const ClientSession& session) {
  remoting::ClientConnection connection;
  connection.client_id = session.client_id;
  connection.client_address = session.address;
  connection.language =
      std::string(remoting::LanguageName(remoting::LanguageFromName(session.language)));
  connection.version = session.version > 0 ? session.version : kVersion5_0_0;
  return connection;
}

void AddConnections(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kGetConsumerConnectionList, &GetConsumerConnections);
  AddQuestion(context, to, RequestCode::kGetProducerConnectionList, &GetProducerConnections);
  to->Add(RequestCode::kGetAllProducerInfo,
          [context](RemotingRequestPtr request) { GetAllProducers(*context, std::move(request)); });
}

}  // namespace totora::remoting_api
