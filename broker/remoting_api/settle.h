// CONSUMER_SEND_MSG_BACK, LOCK_BATCH_MQ, UNLOCK_BATCH_MQ.
#ifndef TOTORA_BROKER_REMOTING_API_SETTLE_H_
#define TOTORA_BROKER_REMOTING_API_SETTLE_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddSettling(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_SETTLE_H_
