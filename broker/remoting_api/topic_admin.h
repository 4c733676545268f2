// Topics, for tools: UPDATE_AND_CREATE_TOPIC, UPDATE_AND_CREATE_TOPIC_LIST,
// GET_ALL_TOPIC_CONFIG, DELETE_TOPIC_IN_BROKER, GET_SYSTEM_TOPIC_LIST_FROM_BROKER.
#ifndef TOTORA_BROKER_REMOTING_API_TOPIC_ADMIN_H_
#define TOTORA_BROKER_REMOTING_API_TOPIC_ADMIN_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddTopicAdmin(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_TOPIC_ADMIN_H_
