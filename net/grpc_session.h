// The HTTP/2 side of a connection with gRPC calls. Internal to net.
//
// nghttp2 keeps the protocol's rules; FrameGuard and this class keep the
// client's use of it within bounds. How we behave on the wire:
// docs/protocol/grpc.md.
#ifndef TOTORA_NET_GRPC_SESSION_H_
#define TOTORA_NET_GRPC_SESSION_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "net/connection.h"
#include "net/frame_guard.h"
#include "net/grpc_service.h"
#include "net/grpc_stream.h"
#include "net/token_bucket.h"

namespace totora::net {

// Thread safety: confined to the connection's loop.
class GrpcSession : public Protocol {
 public:
  GrpcSession(Connection* connection, const GrpcService* service);
  ~GrpcSession() override;

  void OnBytes(absl::string_view bytes) override;
  void FillOutput() override;
  void OnWritten(uint64_t total) override;
  void OnWatch(int64_t now_nanos) override;
  void Drain() override;
  void OnClosed() override;
  int64_t HeldOutputBytes() const override { return held_output_bytes_; }

  // Of the charges that streams hold on the budget.
  int64_t held_request_bytes = 0;

  // What streams ask of their session.
  Connection& connection() { return *connection_; }
  const GrpcService& service() const { return *service_; }
  // Response headers with a body to follow.
  void BeginResponse(GrpcStream* stream);
  // The stream has more to send than when its data was deferred.
  void ResumeData(GrpcStream* stream);
  // Status without any message: headers and end in one frame.
  void SendTrailersOnly(GrpcStream* stream);
  // A plain HTTP status, for what is no gRPC request.
  void SendHttpStatus(GrpcStream* stream, int status);
  void Reset(GrpcStream* stream, uint32_t error_code);
  // The stream's call is to be told OnWritable after this piece of work.
  void NoteWritable(GrpcStream* stream) { writable_.push_back(stream->shared_from_this()); }

  void AddHeldOutput(int64_t amount) { held_output_bytes_ += amount; }

 private:
  struct Callbacks;  // The C functions that nghttp2 calls.

  GrpcStream* StreamOf(int32_t id) const;
  void BeginStream(int32_t id);
  void StreamClosed(int32_t id);
  void FrameReceived(const nghttp2_frame& frame);
  void FrameSent(const nghttp2_frame& frame);
  ssize_t ReadStream(GrpcStream* stream, size_t length, uint32_t* flags);
  void SubmitTrailers(GrpcStream* stream);
  void ResetReceived(int32_t id);
  void Unlink(GrpcStream* stream);
  // The client breaks the rules of good behaviour: GOAWAY and goodbye.
  void Cut(NetRefusal reason);
  void FinishCut();
  // Tells calls what nghttp2's callbacks found out; handlers may do anything then.
  void TellEnded();
  void SendFinalGoAway();

  Connection* const connection_;
  const GrpcService* const service_;
  nghttp2_session* session_ = nullptr;
  FrameGuard guard_;
  TokenBucket resets_;
  Credit closed_reset_credit_{20'000};  // Resets that crossed the end we sent.

  GrpcStream* streams_ = nullptr;  // Open in nghttp2.
  // Whose request headers are being read; null if they are of no interest.
  GrpcStream* header_stream_ = nullptr;
  // Streams whose last frame is in the output, in its order.
  std::deque<std::shared_ptr<GrpcStream>> completing_;
  std::vector<std::shared_ptr<GrpcStream>> broken_;
  std::vector<std::shared_ptr<GrpcStream>> writable_;

  int64_t held_output_bytes_ = 0;  // In the streams' queues.
  int64_t own_refusals_ = 0;       // RST_STREAMs under way that the budget made us send.
  bool cut_ = false;
  bool cut_finished_ = false;
  NetRefusal cut_reason_ = NetRefusal::kHttp2Malformed;
  bool counted_malformed_ = false;
  int64_t ping_sent_nanos_ = 0;  // 0: none is under way.
  int64_t block_seen_nanos_ = 0;
  enum class DrainStep { kNone, kNotice, kFinal } drain_ = DrainStep::kNone;
  int64_t drain_nanos_ = 0;
};

}  // namespace totora::net

#endif  // TOTORA_NET_GRPC_SESSION_H_
