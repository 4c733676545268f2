// HEART_BEAT, UNREGISTER_CLIENT, GET_CONSUMER_LIST_BY_GROUP, and
// NOTIFY_CONSUMER_IDS_CHANGED to the clients of this replica.
#ifndef TOTORA_BROKER_REMOTING_API_CLIENTS_H_
#define TOTORA_BROKER_REMOTING_API_CLIENTS_H_

#include <string>

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddClients(const HandlerContext* context, remoting::RemotingService* to);

// Tells the members of `consumer_group` that are connected here to look again
// who they are. On the replica's executor.
void NotifyMembers(const HandlerContext& context, const std::string& consumer_group);

// The connection is gone, or is about to be closed by this replica.
void ConnectionClosed(const HandlerContext& context, const RemotingConnectionPtr& connection);
void ConnectionDrains(const HandlerContext& context, const RemotingConnectionPtr& connection);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_CLIENTS_H_
