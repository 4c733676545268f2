#include "broker/remoting_api/remoting_api.h"

#include <string>

#include "broker/remoting_api/clients.h"
#include "broker/remoting_api/offsets.h"
#include "broker/remoting_api/pull.h"
#include "broker/remoting_api/route.h"
#include "broker/remoting_api/send.h"
#include "broker/remoting_api/settle.h"

namespace totora::remoting_api {

RemotingApi::RemotingApi(service::BrokerService* broker, const RemotingApiOptions& options)
    : context_{broker, options, &channels_} {
  AddSending(&context_, &service_);
  AddClients(&context_, &service_);
  AddRoutes(&context_, &service_);
  AddPulling(&context_, &service_);
  AddOffsets(&context_, &service_);
  AddSettling(&context_, &service_);
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
