// Who is connected: 203, 204, 328.
#ifndef TOTORA_BROKER_REMOTING_API_CONNECTIONS_H_
#define TOTORA_BROKER_REMOTING_API_CONNECTIONS_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddConnections(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_CONNECTIONS_H_
