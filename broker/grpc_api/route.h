// QueryRoute and QueryAssignment: where a topic's queues are, and which of
// them a consumer polls.
#ifndef TOTORA_BROKER_GRPC_API_ROUTE_H_
#define TOTORA_BROKER_GRPC_API_ROUTE_H_

#include "broker/grpc_api/handler.h"

namespace totora::grpc_api {

void AddRoutes(const HandlerContext* context, GrpcService* to);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_ROUTE_H_
