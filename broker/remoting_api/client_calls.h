// What tools ask of a consumer through its broker: GET_CONSUMER_RUNNING_INFO (307)
// and CONSUME_MESSAGE_DIRECTLY (309). A consumer that is connected to another replica
// is asked by that one.
#ifndef TOTORA_BROKER_REMOTING_API_CLIENT_CALLS_H_
#define TOTORA_BROKER_REMOTING_API_CLIENT_CALLS_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service, and the tasks of the broker's executor.
void AddClientCalls(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_CLIENT_CALLS_H_
