// SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE.
#ifndef TOTORA_BROKER_REMOTING_API_SEND_H_
#define TOTORA_BROKER_REMOTING_API_SEND_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddSending(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_SEND_H_
