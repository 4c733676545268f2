// GET_ROUTEINFO_BY_TOPIC, which classic clients ask nameservers, and any broker
// knows as well.
#ifndef TOTORA_BROKER_REMOTING_API_ROUTE_H_
#define TOTORA_BROKER_REMOTING_API_ROUTE_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddRoutes(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_ROUTE_H_
