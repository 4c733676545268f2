// The telemetry streams that are open here, by client id: what the broker
// pushes commands through.
#ifndef TOTORA_BROKER_GRPC_API_TELEMETRY_STREAMS_H_
#define TOTORA_BROKER_GRPC_API_TELEMETRY_STREAMS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "net/grpc_call.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {

// A client may have several streams, on one connection or many. How many there
// are is bounded where streams are (net/limits.h).
//
// Thread safety: monitor.
class TelemetryStreams {
 public:
  void Add(const std::string& client_id, const GrpcCallPtr& stream) ABSL_LOCKS_EXCLUDED(mu_);
  void Remove(const std::string& client_id, const GrpcCall* stream) ABSL_LOCKS_EXCLUDED(mu_);

  // Sends to one stream of the client. False if it has none here.
  bool Push(absl::string_view client_id, const apache::rocketmq::v2::TelemetryCommand& command)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Sends to every stream.
  void PushToAll(const apache::rocketmq::v2::TelemetryCommand& command) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;  // Leaf: nothing is written while it is held.
  absl::flat_hash_map<std::string, std::vector<GrpcCallPtr>> by_client_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_TELEMETRY_STREAMS_H_
