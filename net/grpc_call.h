// One gRPC call as its handler sees it: bytes in, bytes out, and how it ended.
#ifndef TOTORA_NET_GRPC_CALL_H_
#define TOTORA_NET_GRPC_CALL_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "net/connection_info.h"

namespace totora {

// The status codes of gRPC.
enum class GrpcCode : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// A call lives from its request headers until one of: its status was handed to
// the kernel; the client reset it; the connection broke; its deadline passed.
// After that every method still works, without effect.
//
// A handler that keeps the pointer must finish the call some day. The
// callbacks may hold the pointer: all are dropped when the call ends.
//
// Thread safety: every method may be called from any thread; calls of one
// thread take effect in its order, on the connection's loop. All callbacks run
// on that loop, never inside a call of this class except OnMessage with
// messages that came earlier and OnDone of a call that has ended. A callback
// must not replace itself.
class GrpcCall {
 public:
  using MessageCallback = absl::AnyInvocable<void(std::string message)>;
  using Callback = absl::AnyInvocable<void()>;
  using DoneCallback = absl::AnyInvocable<void(bool written_completely)>;

  virtual ~GrpcCall() = default;

  // /package.Service/Method. Valid as long as this object, as is metadata().
  virtual absl::string_view path() const = 0;
  // Value of the first request header called `name` (lower case); empty if
  // there is none. ":authority" is the address as the client spelled it.
  virtual absl::string_view metadata(absl::string_view name) const = 0;

  // peer, local_address, listener_tag, id of the connection.
  virtual const ConnectionInfo& connection() const = 0;
  absl::string_view peer() const { return connection().peer; }
  absl::string_view local_address() const { return connection().local_address; }
  absl::string_view listener_tag() const { return connection().listener_tag; }

  // The instant, on Clock::SteadyNow's scale, at which the client gives up;
  // InfiniteDuration if it never does.
  virtual absl::Duration deadline() const = 0;

  // The loop of the connection. Lives as long as this object.
  virtual Executor* executor() const = 0;

  // True once the call has ended, however. May lag behind for an instant.
  virtual bool is_done() const = 0;

  // Response headers now, ahead of the first message: some clients wait for them.
  virtual void SendInitialMetadata() = 0;

  // Queues one response message. False: more than
  // NetLimits::stream_write_pause_bytes wait, the caller should go on after
  // OnWritable. Above stream_write_bytes_max, or when connection or process
  // hold too much, the stream is reset instead and ends as not written.
  virtual bool Write(std::string message) = 0;

  // Ends the call. Messages written before are sent first.
  virtual void Finish(GrpcCode code, std::string text) = 0;
  void Finish() { Finish(GrpcCode::kOk, std::string()); }

  // Write and Finish(OK) in one step.
  virtual void Reply(std::string message) = 0;

  // Bidi calls only; others get their one message with the handler's call.
  // Messages that came before OnMessage is set are kept for it.
  virtual void OnMessage(MessageCallback callback) = 0;
  // The client will send no more messages.
  virtual void OnHalfClose(Callback callback) = 0;

  // A Write() that returned false has drained below half of that bound.
  virtual void OnWritable(Callback callback) = 0;

  // Called exactly once, when the call has ended: with true if everything up
  // to and including the status was handed to the kernel, with false if it was
  // cut short (reset, connection lost, deadline passed).
  virtual void OnDone(DoneCallback callback) = 0;
};

using GrpcCallPtr = std::shared_ptr<GrpcCall>;

}  // namespace totora

#endif  // TOTORA_NET_GRPC_CALL_H_
