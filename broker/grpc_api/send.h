// SendMessage.
#ifndef TOTORA_BROKER_GRPC_API_SEND_H_
#define TOTORA_BROKER_GRPC_API_SEND_H_

#include "broker/grpc_api/handler.h"

namespace totora::grpc_api {

void AddSending(const HandlerContext* context, GrpcService* to);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_SEND_H_
