// GET_ROUTEINFO_BY_TOPIC, which classic clients ask nameservers, and any broker
// knows as well.
#ifndef TOTORA_BROKER_REMOTING_API_ROUTE_H_
#define TOTORA_BROKER_REMOTING_API_ROUTE_H_

#include <string>

#include "broker/remoting_api/handler.h"
#include "broker/service/routes.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// host:port, or [host]:port.
std::string AddressText(const service::Address& address);

// `context` must outlive the service.
void AddRoutes(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_ROUTE_H_
