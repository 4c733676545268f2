// QUERY_CONSUMER_OFFSET, UPDATE_CONSUMER_OFFSET, GET_MAX_OFFSET, GET_MIN_OFFSET,
// SEARCH_OFFSET_BY_TIMESTAMP.
#ifndef TOTORA_BROKER_REMOTING_API_OFFSETS_H_
#define TOTORA_BROKER_REMOTING_API_OFFSETS_H_

#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// `context` must outlive the service.
void AddOffsets(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_OFFSETS_H_
