// How far consumer groups have come, and what they are: 208, 317, 343, 345, 352.
#ifndef TOTORA_BROKER_REMOTING_API_GROUP_STATS_H_
#define TOTORA_BROKER_REMOTING_API_GROUP_STATS_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddGroupStats(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_GROUP_STATS_H_
