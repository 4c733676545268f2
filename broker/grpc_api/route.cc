#include "broker/grpc_api/route.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/grpc_api/client_settings.h"
#include "broker/grpc_api/names.h"
#include "broker/service/routes.h"
#include "message/topic.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {
namespace {

using message::kPermissionRead;
using message::kPermissionWrite;

v2::AddressScheme SchemeOf(absl::string_view host) {
  if (absl::StrContains(host, ':')) return v2::IPv6;
  const bool is_ipv4 = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.';
  });
  return is_ipv4 ? v2::IPv4 : v2::DOMAIN_NAME;
}

// Exactly one address, and id 0: clients tell brokers apart by the text.
void SetBroker(const service::GroupRoute& route, v2::Broker* broker) {
  broker->set_name(route.broker_name);
  broker->set_id(0);
  v2::Endpoints* endpoints = broker->mutable_endpoints();
  endpoints->set_scheme(SchemeOf(route.address.host));
  v2::Address* address = endpoints->add_addresses();
  address->set_host(route.address.host);
  address->set_port(route.address.port);
}

v2::Permission PermissionOf(const store::TopicConfig& config, uint32_t queue_id) {
  const bool reads = (config.permission & kPermissionRead) != 0 && queue_id < config.read_queues;
  const bool writes = (config.permission & kPermissionWrite) != 0 && queue_id < config.write_queues;
  if (reads) return writes ? v2::READ_WRITE : v2::READ;
  return writes ? v2::WRITE : v2::NONE;
}

std::vector<v2::MessageType> AcceptedTypes(store::TopicType type) {
  switch (type) {
    case store::TopicType::kNormal:
      return {v2::NORMAL};
    case store::TopicType::kFifo:
      return {v2::FIFO};
    case store::TopicType::kDelay:
      return {v2::DELAY};
    case store::TopicType::kTransaction:
      return {v2::TRANSACTION};
    case store::TopicType::kMixed:
      break;
  }
  return {v2::NORMAL, v2::FIFO, v2::DELAY, v2::TRANSACTION};
}

void AddQueues(const service::GroupRoute& route, const v2::Resource& topic,
               v2::QueryRouteResponse* reply) {
  const uint32_t queues = std::max(route.config.read_queues, route.config.write_queues);
  const std::vector<v2::MessageType> types = AcceptedTypes(route.config.type);
  for (uint32_t id = 0; id < queues; ++id) {
    v2::MessageQueue* queue = reply->add_message_queues();
    *queue->mutable_topic() = topic;
    queue->set_id(static_cast<int32_t>(id));
    queue->set_permission(PermissionOf(route.config, id));
    SetBroker(route, queue->mutable_broker());
    for (v2::MessageType type : types) queue->add_accept_message_types(type);
  }
}

void ReplyRoute(const GrpcCallPtr& call, const v2::Resource& topic,
                const std::vector<service::GroupRoute>& routes) {
  v2::QueryRouteResponse reply;
  for (const service::GroupRoute& route : routes) AddQueues(route, topic, &reply);
  SetStatus(v2::OK, "OK", reply.mutable_status());
  call->Reply(reply.SerializeAsString());
}

// Finds the routes of a topic, asking the log before it says that there are
// none. `found(routes)` runs on any thread; empty with the status otherwise.
template <typename Found>
void FindRoutes(const HandlerContext& context, const GrpcCallPtr& call, std::string topic,
                Found found) {
  std::vector<service::GroupRoute> routes =
      context.broker->routes().Find(topic, call->listener_tag());
  if (!routes.empty()) {
    found(absl::OkStatus(), std::move(routes));
    return;
  }
  context.broker->topics().Find(
      topic, GiveUp(context, *call),
      [&context, call, topic,
       found = std::move(found)](const absl::StatusOr<store::TopicConfig>& config) mutable {
        std::vector<service::GroupRoute> routes =
            context.broker->routes().Find(topic, call->listener_tag());
        if (!routes.empty()) {
          found(absl::OkStatus(), std::move(routes));
        } else {
          found(config.ok() ? absl::UnavailableError("the topic's route is not known yet")
                            : config.status(),
                {});
        }
      });
}

void QueryRoute(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                v2::QueryRouteRequest request) {
  const std::string topic = StoredName(request.topic(), caller.default_namespace);
  if (const absl::Status legal = CheckTopic(topic); !legal.ok()) {
    ReplyStatus<v2::QueryRouteResponse>(call, v2::ILLEGAL_TOPIC, legal.message());
    return;
  }
  FindRoutes(context, call, topic,
             [call, request = std::move(request)](const absl::Status& status,
                                                  std::vector<service::GroupRoute> routes) {
               if (status.ok()) {
                 ReplyRoute(call, request.topic(), routes);
               } else {
                 ReplyStatus<v2::QueryRouteResponse>(call, status, Doing::kAsk);
               }
             });
}

// One assignment a broker with "any queue"; one a queue where order matters.
void AddAssignments(const service::GroupRoute& route, const v2::Resource& topic, bool is_fifo,
                    v2::QueryAssignmentResponse* reply) {
  if ((route.config.permission & kPermissionRead) == 0) return;
  const int32_t first = is_fifo ? 0 : service::kAnyQueue;
  const int32_t end = is_fifo ? static_cast<int32_t>(route.config.read_queues) : 0;
  for (int32_t id = first; id < end; ++id) {
    v2::MessageQueue* queue = reply->add_assignments()->mutable_message_queue();
    *queue->mutable_topic() = topic;
    queue->set_id(id);
    queue->set_permission(v2::READ_WRITE);
    SetBroker(route, queue->mutable_broker());
  }
}

void ReplyAssignments(const GrpcCallPtr& call, const v2::Resource& topic,
                      const std::vector<service::GroupRoute>& routes, bool is_fifo) {
  v2::QueryAssignmentResponse reply;
  for (const service::GroupRoute& route : routes) AddAssignments(route, topic, is_fifo, &reply);
  if (reply.assignments().empty()) {
    SetStatus(v2::FORBIDDEN, "no readable queue", reply.mutable_status());
  } else {
    SetStatus(v2::OK, "OK", reply.mutable_status());
  }
  call->Reply(reply.SerializeAsString());
}

void QueryAssignment(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                     v2::QueryAssignmentRequest request) {
  const std::string topic = StoredName(request.topic(), caller.default_namespace);
  const std::string group = StoredName(request.group(), caller.default_namespace);
  if (const absl::Status legal = CheckTopic(topic); !legal.ok()) {
    ReplyStatus<v2::QueryAssignmentResponse>(call, v2::ILLEGAL_TOPIC, legal.message());
    return;
  }
  if (const absl::Status legal = CheckConsumerGroup(group); !legal.ok()) {
    ReplyStatus<v2::QueryAssignmentResponse>(call, v2::ILLEGAL_CONSUMER_GROUP, legal.message());
    return;
  }
  const absl::Duration give_up = GiveUp(context, *call);
  FindRoutes(
      context, call, topic,
      [&context, call, group, give_up, request = std::move(request)](
          const absl::Status& status, std::vector<service::GroupRoute> routes) {
        if (!status.ok()) {
          ReplyStatus<v2::QueryAssignmentResponse>(call, status, Doing::kAsk);
          return;
        }
        context.broker->executor()->Post([&context, call, group, give_up, topic = request.topic(),
                                          routes = std::move(routes)]() mutable {
          // A group that nobody made yet is none that keeps order. Never an
          // error: Go would drop its queues.
          context.broker->consumer_groups().Find(
              group, give_up,
              [call, topic = std::move(topic), routes = std::move(routes)](
                  const absl::StatusOr<store::ConsumerGroupConfig>& config) {
                ReplyAssignments(call, topic, routes, config.ok() && config->is_fifo);
              });
        });
      });
}

}  // namespace

void AddRoutes(const HandlerContext* context, GrpcService* to) {
  to->AddRequest(
      absl::StrCat(kServicePath, "QueryRoute"),
      InBand<v2::QueryRouteRequest, v2::QueryRouteResponse>(
          [context](GrpcCallPtr call, const Caller& caller, v2::QueryRouteRequest request) {
            QueryRoute(*context, std::move(call), caller, std::move(request));
          }));
  to->AddRequest(
      absl::StrCat(kServicePath, "QueryAssignment"),
      InBand<v2::QueryAssignmentRequest, v2::QueryAssignmentResponse>(
          [context](GrpcCallPtr call, const Caller& caller, v2::QueryAssignmentRequest request) {
            QueryAssignment(*context, std::move(call), caller, std::move(request));
          }));
}

}  // namespace totora::grpc_api
