// The broker itself, for tools: UPDATE_BROKER_CONFIG, GET_BROKER_CONFIG,
// GET_BROKER_CLUSTER_INFO, and the cleaning that tools may ask for.
#ifndef TOTORA_BROKER_REMOTING_API_BROKER_ADMIN_H_
#define TOTORA_BROKER_REMOTING_API_BROKER_ADMIN_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddBrokerAdmin(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_BROKER_ADMIN_H_
