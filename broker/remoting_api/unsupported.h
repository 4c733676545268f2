// Requests that mean something to RocketMQ's own parts and nothing here, with the
// reason why, for tools to print; and housekeeping that is never needed here.
#ifndef TOTORA_BROKER_REMOTING_API_UNSUPPORTED_H_
#define TOTORA_BROKER_REMOTING_API_UNSUPPORTED_H_

#include "remoting/service.h"

namespace totora::remoting_api {

void AddUnsupported(remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_UNSUPPORTED_H_
