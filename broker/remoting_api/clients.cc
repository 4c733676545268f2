#include "broker/remoting_api/clients.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/client_channels.h"
#include "broker/remoting_api/returned_clients.h"
#include "message/topic.h"
#include "remoting/bodies/client.h"
#include "remoting/header/client.h"

namespace totora::remoting_api {
namespace {

constexpr size_t kClientIdBytesMax = 255;
constexpr size_t kGroupsPerClientMax = 1024;

// For the first heartbeat of a consumer group: its retry topic must be there
// before the client looks for it. Clients wait 3 s.
constexpr absl::Duration kEnsureMax = absl::Seconds(2);

// After this replica's start nobody may be known yet who only speaks every
// 30 s, and Go drops its queues on any answer that does not name it.
constexpr absl::Duration kListAgain = absl::Milliseconds(200);
constexpr absl::Duration kListPatience = absl::Seconds(5);
// So long the others have to say whom they know; one of them may be gone.
constexpr absl::Duration kPeersPatience = absl::Seconds(2);

service::MessageModel ModelOf(remoting::MessageModel model) {
  switch (model) {
    case remoting::MessageModel::kBroadcasting:
      return service::MessageModel::kBroadcasting;
    case remoting::MessageModel::kClustering:
      return service::MessageModel::kClustering;
    case remoting::MessageModel::kUnknown:
      break;
  }
  return service::MessageModel::kUnknown;
}

service::ConsumeType TypeOf(remoting::ConsumeType type) {
  switch (type) {
    case remoting::ConsumeType::kActively:
      return service::ConsumeType::kPull;
    case remoting::ConsumeType::kPassively:
      return service::ConsumeType::kPush;
    case remoting::ConsumeType::kPop:
      return service::ConsumeType::kPop;
    case remoting::ConsumeType::kUnknown:
      break;
  }
  return service::ConsumeType::kUnknown;
}

// Both enums have RocketMQ's order; ours begins with what is unknown.
service::ConsumeFrom FromOf(remoting::ConsumeFromWhere from) {
  return static_cast<service::ConsumeFrom>(static_cast<int>(from) + 1);
}

service::ClientSession SessionOf(const remoting::HeartbeatData& heartbeat,
                                 const remoting::RemotingConnection& connection) {
  service::ClientSession session;
  session.client_id = heartbeat.client_id;
  session.kind = heartbeat.consumers.empty() ? service::ClientKind::kProducer
                                             : service::ClientKind::kPushConsumer;
  session.language = std::string(remoting::LanguageName(connection.language()));
  session.version = connection.version();
  session.address = std::string(connection.info().peer);
  session.fingerprint = heartbeat.heartbeat_fingerprint;
  for (const remoting::ProducerData& producer : heartbeat.producers) {
    session.producer_groups.push_back(producer.group_name);
  }
  for (const remoting::ConsumerData& consumer : heartbeat.consumers) {
    if (!message::CheckConsumerGroupName(consumer.group_name).ok()) continue;
    session.consumer_groups.push_back(consumer.group_name);
    service::GroupMembership& membership = session.memberships.emplace_back();
    membership.consumer_group = consumer.group_name;
    membership.model = ModelOf(consumer.message_model);
    membership.type = TypeOf(consumer.consume_type);
    membership.from = FromOf(consumer.consume_from_where);
    for (const remoting::SubscriptionData& subscription : consumer.subscriptions) {
      membership.subscriptions.push_back({subscription.topic, subscription.expression,
                                          subscription.expression_type == "SQL92",
                                          subscription.version});
    }
  }
  return session;
}

// --- Heartbeats ---------------------------------------------------------------------

void ReplyHeartbeat(const RemotingRequestPtr& request, bool wants_all_again) {
  Content content;
  remoting::WriteFields(remoting::HeartbeatReply{true, wants_all_again}, &content.fields);
  request->Reply(ResponseCode::kSuccess, content);
}

// Makes what the consumer groups of a heartbeat need, one after the other.
// Confined to the replica's executor.
class GroupsEnsured : public std::enable_shared_from_this<GroupsEnsured> {
 public:
  GroupsEnsured(const HandlerContext& context, RemotingRequestPtr request,
                std::vector<std::string> groups)
      : broker_(context.broker),
        give_up_(Now(context) + kEnsureMax),
        request_(std::move(request)),
        groups_(std::move(groups)) {}

  void Next() {
    if (groups_.empty()) {
      ReplyHeartbeat(request_, false);
      return;
    }
    const std::string group = std::move(groups_.back());
    groups_.pop_back();
    broker_->consumer_groups().FindForUse(
        group, give_up_,
        [self = shared_from_this(),
         group](const absl::StatusOr<store::ConsumerGroupConfig>& config) {
          if (config.ok()) {
            self->EnsureTopic(group);
          } else {
            // A group that may not be used; pulls say why.
            self->Next();
          }
        });
  }

 private:
  void EnsureTopic(const std::string& group) {
    broker_->topic_creation().ForConsumerGroup(
        message::RetryTopic(group), give_up_,
        [self = shared_from_this()](const absl::StatusOr<store::TopicConfig>&) {
          // Without a leader the next heartbeat tries again.
          self->Next();
        });
  }

  service::BrokerService* const broker_;
  const absl::Duration give_up_;
  const RemotingRequestPtr request_;
  std::vector<std::string> groups_;
};

// Heartbeat V2: nothing has changed since the client's last whole one.
void Refresh(const HandlerContext& context, const RemotingRequestPtr& request,
             const remoting::HeartbeatData& heartbeat) {
  service::Sessions& sessions = context.broker->sessions();
  const service::ClientSession* const known = sessions.Find(heartbeat.client_id);
  const bool is_same = known != nullptr && known->fingerprint == heartbeat.heartbeat_fingerprint;
  if (is_same) sessions.Touch(heartbeat.client_id, service::ClientKind::kUnknown, "");
  ReplyHeartbeat(request, !is_same);
}

// Counted anew each time: the connection may be gone already, or the session
// have ended while it was open.
void CountConnections(const HandlerContext& context, const std::string& client_id,
                      service::Sessions::ClosedBy closed_by) {
  context.broker->sessions().SetConnections(
      client_id, context.channels->ConnectionsOf(client_id).size(), closed_by);
}

void Register(const HandlerContext& context, RemotingRequestPtr request,
              service::ClientSession session) {
  std::vector<std::string> groups = session.consumer_groups;
  const std::string client_id = session.client_id;
  const absl::Status status = context.broker->sessions().Put(std::move(session));
  if (!status.ok()) {
    ReplyStatus(request, status, Doing::kAsk);
    return;
  }
  CountConnections(context, client_id, service::Sessions::ClosedBy::kClient);
  std::make_shared<GroupsEnsured>(context, std::move(request), std::move(groups))->Next();
}

void Heartbeat(const HandlerContext& context, RemotingRequestPtr request) {
  absl::StatusOr<remoting::HeartbeatData> heartbeat =
      remoting::DecodeBody<remoting::HeartbeatData>(request->command().body.view());
  if (!heartbeat.ok()) {
    request->Reply(ResponseCode::kSystemError, RemarkText(heartbeat.status().message()));
    return;
  }
  if (heartbeat->client_id.empty() || heartbeat->client_id.size() > kClientIdBytesMax ||
      heartbeat->consumers.size() + heartbeat->producers.size() > kGroupsPerClientMax) {
    request->Reply(ResponseCode::kInvalidParameter,
                   absl::StrCat("a client has an id of at most ", kClientIdBytesMax,
                                " bytes and at most ", kGroupsPerClientMax, " groups"));
    return;
  }
  const absl::Status bound = context.channels->Bind(request->connection(), heartbeat->client_id);
  if (!bound.ok()) {
    ReplyStatus(request, bound, Doing::kAsk);
    return;
  }
  std::string mistaken =
      context.channels->EndMistake(request->connection()->info().id, heartbeat->client_id);
  context.broker->executor()->Post(
      [&context, request = std::move(request), heartbeat = *std::move(heartbeat),
       mistaken = std::move(mistaken)]() mutable {
        if (!mistaken.empty()) {
          CountConnections(context, mistaken, service::Sessions::ClosedBy::kClient);
        }
        if (heartbeat.without_subscriptions) {
          CountConnections(context, heartbeat.client_id, service::Sessions::ClosedBy::kClient);
          Refresh(context, request, heartbeat);
        } else {
          service::ClientSession session = SessionOf(heartbeat, *request->connection());
          Register(context, std::move(request), std::move(session));
        }
      });
}

void Unregister(const HandlerContext& context, RemotingRequestPtr request,
                const remoting::UnregisterClientRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    client_id = std::string(header.client_id),
                                    producer_group = std::string(header.producer_group),
                                    consumer_group = std::string(header.consumer_group)] {
    context.broker->sessions().Leave(client_id, producer_group, consumer_group);
    request->Reply(ResponseCode::kSuccess);
  });
}

// --- Members ------------------------------------------------------------------------

void ListMembers(const HandlerContext& context, const RemotingRequestPtr& request,
                 const std::string& group, absl::Duration wait_until) {
  std::vector<std::string> members = context.broker->sessions().MembersOf(group);
  const absl::Duration now = Now(context);
  const bool may_be_partial = !context.broker->sessions().HasHeardAll() &&
                              now - context.broker->started_at() < kPeersPatience;
  if ((may_be_partial || (members.empty() && now < wait_until)) &&
      request->connection()->is_open()) {
    context.broker->executor()->PostAfter(kListAgain, [&context, request, group, wait_until] {
      ListMembers(context, request, group, wait_until);
    });
    return;
  }
  if (members.empty()) {
    request->Reply(ResponseCode::kSystemError,
                   RemarkText(absl::StrCat("no consumer of group ", group, " is known")));
    return;
  }
  remoting::ConsumerListBody body;
  body.consumer_ids = std::move(members);
  Content content;
  content.AddBody(remoting::EncodeBody(body));
  request->Reply(ResponseCode::kSuccess, content);
}

void GetConsumerList(const HandlerContext& context, RemotingRequestPtr request,
                     const remoting::ConsumerGroupRequest& header) {
  context.broker->executor()->Post(
      [&context, request = std::move(request), group = std::string(header.consumer_group)] {
        RecognizeMember(context, request->connection(), group, [&context, request, group] {
          const absl::Duration now = Now(context);
          const bool may_be_early =
              now - context.broker->started_at() < service::Sessions::kVanishedGrace;
          ListMembers(context, request, group, may_be_early ? now + kListPatience : now);
        });
      });
}

}  // namespace

void NotifyMembers(const HandlerContext& context, const std::string& consumer_group) {
  const auto config = context.broker->state().FindConsumerGroup(consumer_group);
  if (config.has_value() && !config->hears_of_members) return;
  Content content;
  remoting::WriteFields(remoting::ConsumerGroupRequest{consumer_group}, &content.fields);
  for (const std::string& client_id : context.broker->sessions().MembersOf(consumer_group)) {
    for (const RemotingConnectionPtr& connection : context.channels->ConnectionsOf(client_id)) {
      // A client that misses it looks again by itself, every 20 s.
      connection->Notify(RequestCode::kNotifyConsumerIdsChanged, content).IgnoreError();
    }
  }
}

void ConnectionClosed(const HandlerContext& context, const RemotingConnectionPtr& connection) {
  ClientChannels::Closed closed = context.channels->Unbind(connection->info().id);
  if (closed.client_ids.empty()) return;
  context.broker->executor()->Post([&context, closed = std::move(closed)]() mutable {
    context.broker->consumer_offsets().WhenStored([&context, closed = std::move(closed)] {
      for (const std::string& client_id : closed.client_ids) {
        CountConnections(context, client_id,
                         closed.was_sent_away ? service::Sessions::ClosedBy::kReplica
                                              : service::Sessions::ClosedBy::kClient);
      }
    });
  });
}

void ConnectionDrains(const HandlerContext& context, const RemotingConnectionPtr& connection) {
  context.channels->SendAway(connection->info().id);
}

void AddClients(const HandlerContext* context, remoting::RemotingService* to) {
  to->Add(RequestCode::kHeartbeat,
          [context](RemotingRequestPtr request) { Heartbeat(*context, std::move(request)); });
  to->Add(
      RequestCode::kUnregisterClient,
      WithHeader<remoting::UnregisterClientRequest>(
          [context](RemotingRequestPtr request, const remoting::UnregisterClientRequest& header) {
            Unregister(*context, std::move(request), header);
          }));
  to->Add(RequestCode::kGetConsumerListByGroup,
          WithHeader<remoting::ConsumerGroupRequest>(
              [context](RemotingRequestPtr request, const remoting::ConsumerGroupRequest& header) {
                GetConsumerList(*context, std::move(request), header);
              }));
}

}  // namespace totora::remoting_api
