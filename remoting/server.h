// RemotingServer: the classic protocol on any number of listeners.
//
//   RemotingService service;
//   service.Add(RequestCode::kHeartbeat, [](RemotingRequestPtr request) { ... });
//   RemotingServer server(&service, loops.loop(0));
//   listener->Start(&loops, budget, {.raw = server.protocol()});
//
// Frames that cannot be read, and answers that nobody reads, cut the
// connection; a code that nobody serves is answered REQUEST_CODE_NOT_SUPPORTED.
// Requests of one connection are handed out in their order; answers leave in
// the order in which handlers give them.
#ifndef TOTORA_REMOTING_SERVER_H_
#define TOTORA_REMOTING_SERVER_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "common/executor.h"
#include "net/raw_connection.h"
#include "remoting/limits.h"
#include "remoting/service.h"

namespace totora::remoting {

// Thread safety: every member may be read from any thread; only remoting writes.
struct RemotingCounters {
  // Now.
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> requests_held{0};
  std::atomic<int64_t> request_bytes_held{0};
  // Since start.
  std::atomic<uint64_t> requests{0};  // One-way ones included.
  std::atomic<uint64_t> oneways{0};
  std::atomic<uint64_t> busy{0};           // Refused at a limit.
  std::atomic<uint64_t> not_supported{0};  // Codes that nobody serves.
  std::atomic<uint64_t> malformed{0};      // Connections cut for a frame that cannot be.
  std::atomic<uint64_t> idle{0};           // Connections closed for silence.
  std::atomic<uint64_t> unanswered{0};     // Requests that a handler lost.
  std::atomic<uint64_t> too_large{0};      // Answers that fit into no frame.
  std::atomic<uint64_t> calls{0};          // Requests of ours to clients.
  std::atomic<uint64_t> calls_failed{0};
  std::atomic<uint64_t> stray_answers{0};  // To no request of ours.
};

// Thread safety: every method may be called from any thread.
class RemotingServer {
 public:
  // `service` must outlive every listener that serves protocol(); `timer`, on
  // which silence is looked for, this object.
  RemotingServer(const RemotingService* service, Executor* timer,
                 RemotingLimits limits = RemotingLimits());
  // REQUIRES: the listeners are stopped.
  ~RemotingServer();
  RemotingServer(const RemotingServer&) = delete;

  // What a listener needs (ListenerProtocols::raw).
  RawProtocol protocol() const;

  const RemotingCounters& counters() const;

 private:
  const std::shared_ptr<RemotingCore> core_;
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_SERVER_H_
