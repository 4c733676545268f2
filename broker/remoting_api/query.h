// QUERY_MESSAGE (by key, by unique key) and VIEW_MESSAGE_BY_ID (by position).
#ifndef TOTORA_BROKER_REMOTING_API_QUERY_H_
#define TOTORA_BROKER_REMOTING_API_QUERY_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddQueries(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_QUERY_H_
