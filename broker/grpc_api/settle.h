// AckMessage and ChangeInvisibleDuration: what consumers do with what they hold.
#ifndef TOTORA_BROKER_GRPC_API_SETTLE_H_
#define TOTORA_BROKER_GRPC_API_SETTLE_H_

#include "broker/grpc_api/handler.h"

namespace totora::grpc_api {

void AddSettling(const HandlerContext* context, GrpcService* to);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_SETTLE_H_
