// Progress of consumer groups, for tools: GET_ALL_CONSUMER_OFFSET,
// INVOKE_BROKER_TO_RESET_OFFSET, INVOKE_BROKER_TO_GET_CONSUMER_STATUS (and
// GET_CONSUMER_STATUS_FROM_CLIENT to consumers), CLONE_GROUP_OFFSET.
#ifndef TOTORA_BROKER_REMOTING_API_OFFSET_ADMIN_H_
#define TOTORA_BROKER_REMOTING_API_OFFSET_ADMIN_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddOffsetAdmin(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_OFFSET_ADMIN_H_
