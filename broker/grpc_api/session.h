// Heartbeat, Telemetry and NotifyClientTermination: who is there, and how it
// should behave.
#ifndef TOTORA_BROKER_GRPC_API_SESSION_H_
#define TOTORA_BROKER_GRPC_API_SESSION_H_

#include "broker/grpc_api/handler.h"
#include "broker/grpc_api/telemetry_streams.h"

namespace totora::grpc_api {

// Both outlive every call.
void AddSessions(const HandlerContext* context, TelemetryStreams* streams, GrpcService* to);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_SESSION_H_
