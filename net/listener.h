// Listener: a TCP address behind which every protocol is spoken.
//
//   auto listener = Listener::Open({.address = "0.0.0.0:8081", .tag = "public"});
//   ... build what is served ...
//   (*listener)->Start(&loops, budget, {.grpc = &service});
//
// Opened early, clients' connections wait in the kernel until Start: a refused
// connection costs a gRPC client a second of back-off, a slow one nothing. A
// connection is recognised by its first bytes: HTTP/2 is gRPC, HTTP/1 goes to
// the HttpHandler, anything else to the RawProtocol; what is not served is
// closed and counted. TLS is recognised and, for now, refused by name.
#ifndef TOTORA_NET_LISTENER_H_
#define TOTORA_NET_LISTENER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/serving.h"

namespace totora {

struct ListenerOptions {
  // "host:port" or "[ipv6]:port". Port 0: the kernel chooses.
  std::string address{};
  // Tells handlers by which door a client came (GrpcCall::listener_tag).
  std::string tag{};
  // Several processes of a host share the port, and the kernel spreads clients
  // among them.
  bool reuse_port = false;
  int backlog = 1024;
  int64_t connections_max = 20'000;
};

// Thread safety: Start, Stop and the destructor by one owner, not on a loop
// that serves this listener; the rest from any thread.
class Listener {
 public:
  // Binds and listens.
  // Errors: InvalidArgument for an address that cannot be read or resolved;
  //   as ErrnoStatus for what the system refuses.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(ListenerOptions options);

  // Stops.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const;
  // ip:port as bound.
  const std::string& address() const;

  // Begins to accept; connections are spread over `loops`, which must live until
  // Stop() has returned. Called once.
  void Start(EventLoopPool* loops, std::shared_ptr<NetBudget> budget, ListenerProtocols protocols);

  // Closes the listening socket. Connections already in its queue are served.
  // Returns when that is done, unless called on a loop.
  void StopAccepting();

  // StopAccepting, then says goodbye to every connection: HTTP/2 gets a GOAWAY
  // in two steps and is closed when its calls are over, raw handlers are asked
  // (OnDrain), HTTP/1 is closed after its answer. Returns at once; when
  // connections() is 0 it is over, and CloseAll() ends who takes too long.
  void Drain();

  // Closes every connection now; their calls end as not written. Returns when
  // that is done, unless called on a loop.
  void CloseAll();

  // Connections that were accepted here and are not closed yet.
  int64_t connections() const;

  // StopAccepting and CloseAll. Idempotent.
  void Stop();

 private:
  class Acceptor;
  explicit Listener(std::shared_ptr<Acceptor> acceptor);

  const std::shared_ptr<Acceptor> acceptor_;
  bool stopped_ = false;
};

}  // namespace totora

#endif  // TOTORA_NET_LISTENER_H_
