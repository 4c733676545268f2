// The transport between processes: gRPC streams of raw ByteBuffers.
#ifndef TOTORA_RAFT_GRPC_TRANSPORT_H_
#define TOTORA_RAFT_GRPC_TRANSPORT_H_

#include <map>
#include <memory>
#include <string>

#include "raft/transport.h"

namespace grpc {
class ServerBuilder;
}

namespace totora::raft {

struct GrpcTransportOptions {
  GroupId group;
  std::map<ReplicaId, std::string> peers;  // host:port of each other replica's internal port.
  size_t queued_bytes_max = 64 << 20;      // Per stream; beyond it messages are dropped.
};

// Streams of any number of groups that come in by one gRPC server. Construct
// it, register it with the server's builder, then make the transports.
//
// Thread safety: monitor.
class GrpcTransportService {
 public:
  GrpcTransportService();
  ~GrpcTransportService();

  // Before the server is built. The service must outlive the server.
  void Register(grpc::ServerBuilder* builder);

  // A transport of one group. The service must outlive it.
  std::unique_ptr<Transport> MakeTransport(const GrpcTransportOptions& options);

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_GRPC_TRANSPORT_H_
