// Connections whose bytes are none of net's business: the classic protocol.
//
// A listener with a RawHandlerFactory makes one RawHandler for each connection
// that speaks neither HTTP nor TLS. The handler finds its frames in the bytes
// and answers through the RawConnection.
#ifndef TOTORA_NET_RAW_CONNECTION_H_
#define TOTORA_NET_RAW_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/executor.h"
#include "common/shared_bytes.h"
#include "net/connection_info.h"

namespace totora {

// The way back to a peer. Keeps working as an object, without effect, after
// the connection is gone.
//
// Thread safety: every method may be called from any thread. What one thread
// writes is sent in its order; the pieces of one Write stay together.
class RawConnection {
 public:
  virtual ~RawConnection() = default;

  virtual const ConnectionInfo& info() const = 0;
  // The loop that calls the handler.
  virtual Executor* executor() = 0;

  // Queues bytes. False: more than NetLimits::stream_write_pause_bytes wait, the
  // caller should go on after OnWritable. Above
  // NetLimits::connection_response_bytes_held_max, or if the process holds too
  // much, the connection is cut.
  virtual bool Write(std::string bytes) = 0;
  // One frame made of parts that are shared with somebody (stored messages).
  virtual bool Write(std::vector<SharedBytes> pieces) = 0;

  // Closes once everything written so far was handed to the kernel.
  virtual void Close() = 0;

  // While paused, nothing is read: the peer is slowed down by TCP.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

using RawConnectionPtr = std::shared_ptr<RawConnection>;

// Thread safety: confined; all methods are called on the connection's loop.
class RawHandler {
 public:
  virtual ~RawHandler() = default;

  // `bytes` begins where the last call's consumed part ended; returns how many
  // of them are dealt with (whole frames). The rest is presented again with
  // more behind it. The view is valid during the call.
  virtual size_t OnData(absl::string_view bytes) = 0;

  // A Write() that returned false has drained below half of that bound.
  virtual void OnWritable() {}
  // The listener wants to go away: finish what is under way, start nothing, Close().
  virtual void OnDrain() {}
  // The last call. The connection is gone, whoever ended it.
  virtual void OnClosed() {}
};

// Called on the loop of a new connection, before its first bytes are
// presented. Null refuses the connection.
using RawHandlerFactory = std::function<std::unique_ptr<RawHandler>(RawConnectionPtr)>;

struct RawProtocol {
  RawHandlerFactory factory{};
  // Bytes that a handler may leave unconsumed; more cuts the connection. Must
  // exceed the largest frame.
  size_t unconsumed_bytes_max = (16u << 20) + 4096;
};

}  // namespace totora

#endif  // TOTORA_NET_RAW_CONNECTION_H_
