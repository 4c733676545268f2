#include "broker/grpc_api/telemetry_streams.h"

#include <algorithm>

namespace totora::grpc_api {

void TelemetryStreams::Add(const std::string& client_id, const GrpcCallPtr& stream) {
  MutexLock lock(&mu_);
  by_client_[client_id].push_back(stream);
}

void TelemetryStreams::Remove(const std::string& client_id, const GrpcCall* stream) {
  MutexLock lock(&mu_);
  auto it = by_client_.find(client_id);
  if (it == by_client_.end()) return;
  std::vector<GrpcCallPtr>& streams = it->second;
  streams.erase(std::remove_if(streams.begin(), streams.end(),
                               [stream](const GrpcCallPtr& open) { return open.get() == stream; }),
                streams.end());
  if (streams.empty()) by_client_.erase(it);
}

bool TelemetryStreams::Push(absl::string_view client_id,
                            const apache::rocketmq::v2::TelemetryCommand& command) {
  GrpcCallPtr stream;
  {
    MutexLock lock(&mu_);
    auto it = by_client_.find(client_id);
    if (it == by_client_.end()) return false;
    stream = it->second.back();  // The newest is the likeliest to be read.
  }
  stream->Write(command.SerializeAsString());
  return true;
}

void TelemetryStreams::PushToAll(const apache::rocketmq::v2::TelemetryCommand& command) {
  std::vector<GrpcCallPtr> all;
  {
    MutexLock lock(&mu_);
    for (const auto& [client_id, streams] : by_client_) {
      all.insert(all.end(), streams.begin(), streams.end());
    }
  }
  const std::string bytes = command.SerializeAsString();
  for (const GrpcCallPtr& stream : all) stream->Write(bytes);
}

}  // namespace totora::grpc_api
