// The transport between processes: frames over TCP, on the loops of net.
// docs/formats/replication.md.
//
// Why not gRPC streams: docs/decisions/0001-replication-over-tcp.md.
#ifndef TOTORA_RAFT_TCP_TRANSPORT_H_
#define TOTORA_RAFT_TCP_TRANSPORT_H_

#include <map>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "net/event_loop.h"
#include "net/raw_connection.h"
#include "raft/transport.h"

namespace totora::raft {

struct TcpTransportOptions {
  GroupId group;
  std::map<ReplicaId, std::string> peers;  // host:port of each other replica's internal port.
  // Between tries to reach a peer, doubled after each. A peer that dials us is
  // dialled at once.
  absl::Duration redial_first = absl::Milliseconds(20);
  absl::Duration redial_max = absl::Milliseconds(500);
};

// Streams of any number of groups that come in by one listener. Construct it,
// let the listener serve its protocol(), make the transports.
//
// Thread safety: monitor.
class TcpTransportService {
 public:
  TcpTransportService();
  ~TcpTransportService();

  // For ListenerProtocols::raw. May outlive this service.
  RawProtocol protocol() const;

  // A transport of one group. What it dials lives on `loop`, which must outlive
  // it; Transport::Send is cheapest from there.
  std::unique_ptr<Transport> MakeTransport(const TcpTransportOptions& options, EventLoop* loop);

 private:
  class Groups;
  const std::shared_ptr<Groups> groups_;

  friend class Incoming;
  friend class TcpTransport;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_TCP_TRANSPORT_H_
