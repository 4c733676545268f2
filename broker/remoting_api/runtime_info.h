// What a broker says of itself in figures: GET_BROKER_RUNTIME_INFO (28) and
// VIEW_BROKER_STATS_DATA (315). Both answer also while nobody leads.
#ifndef TOTORA_BROKER_REMOTING_API_RUNTIME_INFO_H_
#define TOTORA_BROKER_REMOTING_API_RUNTIME_INFO_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddRuntimeInfo(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_RUNTIME_INFO_H_
