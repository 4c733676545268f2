// ReceiveMessage: a long poll, answered as a stream of status, messages and
// the time of delivery.
#ifndef TOTORA_BROKER_GRPC_API_RECEIVE_H_
#define TOTORA_BROKER_GRPC_API_RECEIVE_H_

#include "broker/grpc_api/handler.h"

namespace totora::grpc_api {

void AddReceiving(const HandlerContext* context, GrpcService* to);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_RECEIVE_H_
