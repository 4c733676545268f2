// Consumer groups, for tools: UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, the list of
// them, GET_ALL_SUBSCRIPTIONGROUP_CONFIG, DELETE_SUBSCRIPTIONGROUP,
// UPDATE_AND_GET_GROUP_FORBIDDEN, SET_MESSAGE_REQUEST_MODE.
#ifndef TOTORA_BROKER_REMOTING_API_GROUP_ADMIN_H_
#define TOTORA_BROKER_REMOTING_API_GROUP_ADMIN_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddGroupAdmin(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_GROUP_ADMIN_H_
