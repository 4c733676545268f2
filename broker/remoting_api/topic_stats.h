// What tools ask about one topic: 32, 202, 300, 303, 308, 321, 351.
#ifndef TOTORA_BROKER_REMOTING_API_TOPIC_STATS_H_
#define TOTORA_BROKER_REMOTING_API_TOPIC_STATS_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddTopicStats(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_TOPIC_STATS_H_
