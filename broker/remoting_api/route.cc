#include "broker/remoting_api/route.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/service/routes.h"
#include "remoting/bodies/route.h"
#include "remoting/header/nameserver.h"

namespace totora::remoting_api {
std::string AddressText(const service::Address& address) {
  const bool is_ipv6 = absl::StrContains(address.host, ':');
  return is_ipv6 ? absl::StrCat("[", address.host, "]:", address.port)
                 : absl::StrCat(address.host, ":", address.port);
}

namespace {

// Id 0 alone: whoever answers there forwards what it does not lead.
remoting::TopicRouteData RouteOf(const std::vector<service::GroupRoute>& routes,
                                 const std::string& cluster) {
  remoting::TopicRouteData data;
  for (const service::GroupRoute& route : routes) {
    remoting::BrokerData& broker = data.brokers.emplace_back();
    broker.addresses[0] = AddressText(route.address);
    broker.broker_name = route.broker_name;
    broker.cluster = cluster;
    remoting::QueueData& queues = data.queues.emplace_back();
    queues.broker_name = route.broker_name;
    queues.perm = static_cast<int32_t>(route.config.permission);
    queues.read_queue_nums = static_cast<int32_t>(route.config.read_queues);
    queues.write_queue_nums = static_cast<int32_t>(route.config.write_queues);
  }
  return data;
}

void ReplyRoute(const HandlerContext& context, const RemotingRequestPtr& request,
                const std::vector<service::GroupRoute>& routes) {
  Content content;
  content.AddBody(remoting::EncodeBody(RouteOf(routes, context.broker->options().cluster)));
  request->Reply(ResponseCode::kSuccess, content);
}

void GetRoute(const HandlerContext& context, RemotingRequestPtr request,
              const remoting::GetRouteInfoRequest& header) {
  const std::string topic(header.topic);
  const std::string listener(request->connection()->info().listener_tag);
  const std::vector<service::GroupRoute> routes = context.broker->routes().Find(topic, listener);
  if (!routes.empty()) {
    ReplyRoute(context, request, routes);
    return;
  }
  context.broker->topics().Find(
      topic, GiveUp(context),
      [&context, request = std::move(request), topic,
       listener](const absl::StatusOr<store::TopicConfig>& config) {
        const std::vector<service::GroupRoute> routes =
            context.broker->routes().Find(topic, listener);
        if (!routes.empty()) {
          ReplyRoute(context, request, routes);
        } else {
          ReplyStatus(request,
                      config.ok() ? absl::UnavailableError("the topic's route is not known yet")
                                  : config.status(),
                      Doing::kAsk);
        }
      });
}

}  // namespace

void AddRoutes(const HandlerContext* context, remoting::RemotingService* to) {
  to->Add(RequestCode::kGetRouteInfoByTopic,
          WithHeader<remoting::GetRouteInfoRequest>(
              [context](RemotingRequestPtr request, const remoting::GetRouteInfoRequest& header) {
                GetRoute(*context, std::move(request), header);
              }));
}

}  // namespace totora::remoting_api
