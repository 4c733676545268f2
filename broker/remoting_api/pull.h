// PULL_MESSAGE and LITE_PULL_MESSAGE.
#ifndef TOTORA_BROKER_REMOTING_API_PULL_H_
#define TOTORA_BROKER_REMOTING_API_PULL_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddPulling(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_PULL_H_
