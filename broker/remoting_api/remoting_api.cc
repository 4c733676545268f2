#include "broker/remoting_api/remoting_api.h"

#include <string>

#include "broker/remoting_api/broker_admin.h"
#include "broker/remoting_api/client_calls.h"
#include "broker/remoting_api/clients.h"
#include "broker/remoting_api/connections.h"
#include "broker/remoting_api/group_admin.h"
#include "broker/remoting_api/group_stats.h"
#include "broker/remoting_api/offset_admin.h"
#include "broker/remoting_api/offsets.h"
#include "broker/remoting_api/pull.h"
#include "broker/remoting_api/query.h"
#include "broker/remoting_api/route.h"
#include "broker/remoting_api/runtime_info.h"
#include "broker/remoting_api/send.h"
#include "broker/remoting_api/settle.h"
#include "broker/remoting_api/topic_admin.h"
#include "broker/remoting_api/topic_stats.h"
#include "broker/remoting_api/unsupported.h"

namespace totora::remoting_api {

RemotingApi::RemotingApi(service::BrokerService* broker, const RemotingApiOptions& options)
    : context_{broker, options, &channels_} {
  AddSending(&context_, &service_);
  AddClients(&context_, &service_);
  AddRoutes(&context_, &service_);
  AddPulling(&context_, &service_);
  AddOffsets(&context_, &service_);
  AddSettling(&context_, &service_);
  AddTopicAdmin(&context_, &service_);
  AddGroupAdmin(&context_, &service_);
  AddOffsetAdmin(&context_, &service_);
  AddBrokerAdmin(&context_, &service_);
  AddQueries(&context_, &service_);
  AddTopicStats(&context_, &service_);
  AddGroupStats(&context_, &service_);
  AddConnections(&context_, &service_);
  AddRuntimeInfo(&context_, &service_);
  AddClientCalls(&context_, &service_);
  AddUnsupported(&service_);
  service_.SetOnClosed([this](const RemotingConnectionPtr& connection) {
    ConnectionClosed(context_, connection);
    context_.broker->executor()->Post(
        [this, id = connection->info().id] { context_.broker->puller().SendAway(id); });
  });
  service_.SetOnDrain([this](const RemotingConnectionPtr& connection) {
    ConnectionDrains(context_, connection);
    context_.broker->executor()->Post(
        [this, id = connection->info().id] { context_.broker->puller().SendAway(id); });
  });
  broker->WatchConsumerGroups([this](const std::string& group) { NotifyMembers(context_, group); });
}

}  // namespace totora::remoting_api
