// RocketMQ's gRPC v2 protocol in front of a broker: every rpc of
// MessagingService, and an echo for measuring.
#ifndef TOTORA_BROKER_GRPC_API_GRPC_API_H_
#define TOTORA_BROKER_GRPC_API_GRPC_API_H_

#include "broker/grpc_api/handler.h"
#include "broker/grpc_api/telemetry_streams.h"
#include "net/grpc_service.h"

namespace totora::grpc_api {

// Thread safety: constructed by one thread before the listeners start; then
// handlers run on the connections' loops.
class GrpcApi {
 public:
  // `broker` must outlive this object, and this object every listener that
  // serves service().
  explicit GrpcApi(service::BrokerService* broker, const GrpcApiOptions& options = {});
  GrpcApi(const GrpcApi&) = delete;
  GrpcApi& operator=(const GrpcApi&) = delete;

  const GrpcService* service() const { return &service_; }

  // Asks every client with a telemetry stream to connect anew: this replica is
  // about to go. Any thread.
  void AskToReconnect();

 private:
  const HandlerContext context_;
  TelemetryStreams streams_;
  GrpcService service_;
};

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_GRPC_API_H_
