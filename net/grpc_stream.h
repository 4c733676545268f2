// A gRPC call on an HTTP/2 stream: the inside of GrpcCall. Internal to net.
#ifndef TOTORA_NET_GRPC_STREAM_H_
#define TOTORA_NET_GRPC_STREAM_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "common/shared_bytes.h"
#include "net/grpc_call.h"
#include "net/grpc_service.h"
#include "net/loop_core.h"
#include "net/output_buffer.h"
#include "net/serving.h"
#include "net/timer_wheel.h"

namespace totora::net {

class GrpcSession;

// Two lives: the HTTP/2 stream (from request headers until nghttp2 closed it)
// and the call (until OnDone was told). The session keeps the object alive for
// both; handlers may hold it longer.
//
// Thread safety: the methods of GrpcCall from any thread; the rest is confined
// to the connection's loop.
class GrpcStream : public GrpcCall,
                   public TimerNode,
                   public std::enable_shared_from_this<GrpcStream> {
 public:
  GrpcStream(GrpcSession* session, int32_t id);
  ~GrpcStream() override;

  absl::string_view path() const override { return metadata(":path"); }
  absl::string_view metadata(absl::string_view name) const override;
  const ConnectionInfo& connection() const override { return *info_; }
  absl::Duration deadline() const override;
  Executor* executor() const override { return core_.get(); }
  bool is_done() const override { return is_done_.load(std::memory_order_acquire); }
  void SendInitialMetadata() override;
  bool Write(std::string message) override;
  using GrpcCall::Finish;
  void Finish(GrpcCode code, std::string text) override;
  void Reply(std::string message) override;
  void OnMessage(MessageCallback callback) override;
  void OnHalfClose(Callback callback) override;
  void OnWritable(Callback callback) override;
  void OnDone(DoneCallback callback) override;

  // What the session tells.
  void AddHeader(absl::string_view name, absl::string_view value);
  void HeadersComplete(bool half_closed);
  void DataReceived(absl::string_view data);
  void HalfClosed();
  // nghttp2 has closed the stream, or the connection is gone.
  void Closed();
  // The call has ended; idempotent.
  void Ended(bool written_completely);
  void CallOnWritable();

  // What nghttp2 pulls: how many bytes may go now, and the bytes.
  size_t outgoing_bytes() const { return outgoing_bytes_; }
  void MoveOutgoing(size_t size, OutputBuffer* output);
  bool is_finishing() const { return finishing_; }
  bool is_aborted() const { return aborted_; }
  GrpcCode code() const { return code_; }
  const std::string& text() const { return text_; }
  void SetDeferred() { deferred_ = true; }

  void OnTimer() override;

  int32_t id() const { return id_; }
  int64_t started_nanos() const { return started_nanos_; }

  // Links of the session's list of open streams, and its hold on this object.
  GrpcStream* next = nullptr;
  GrpcStream* prev = nullptr;
  std::shared_ptr<GrpcStream> self;

  // Connection::output_end() behind the frame with END_STREAM; 0 before.
  uint64_t end_offset = 0;

 private:
  struct Header {
    uint32_t name_at;
    uint32_t name_size;
    uint32_t value_size;  // The value stands behind the name.
  };
  struct Outgoing {
    std::string bytes;
    SharedBytes shared;  // Replaces `bytes` once a part of them was referenced.
    size_t sent = 0;     // Counts the prefix.
  };

  template <typename Work>
  void OnLoop(Work work);
  // True if the message may be queued; otherwise the stream is reset.
  bool Account(size_t size, bool* go_on);
  void WriteOnLoop(std::string message);
  void FinishOnLoop(GrpcCode code, std::string text);
  void Resume();
  void DropOutgoing();
  // Resets the stream; what it had to say is dropped.
  void Abort(uint32_t error_code);

  // Charges received bytes; false if a bound is passed.
  bool Charge(size_t size);
  void Uncharge();
  bool ParsePrefix(absl::string_view* data);
  void MessageReceived();
  // Ends the call for a fault of the request: what follows of it is ignored.
  void Refuse(NetRefusal reason, GrpcCode code, absl::string_view text);
  void Fail(GrpcCode code, absl::string_view text);
  bool CheckHeaders();
  void ArmDeadline(bool request_complete);

  const std::shared_ptr<LoopCore> core_;
  const std::shared_ptr<Serving> serving_;
  const std::shared_ptr<const ConnectionInfo> info_;
  const int32_t id_;
  const int64_t started_nanos_;

  // Set before the handler is called, constant from then on.
  std::string header_bytes_;
  absl::InlinedVector<Header, 16> headers_;
  size_t header_list_size_ = 0;  // As HPACK counts: 32 for each entry on top.
  int64_t deadline_nanos_ = INT64_MAX;

  // Shared between threads.
  std::atomic<bool> is_done_{false};
  std::atomic<int64_t> held_{0};  // Written by the handler, not yet framed.
  std::atomic<bool> wants_writable_{false};
  std::atomic<bool> overflowed_{false};

  // Confined to the loop.
  GrpcSession* session_;  // Null once the stream is closed.
  const GrpcService::Method* method_ = nullptr;

  // Incoming.
  uint8_t prefix_[5] = {};
  size_t prefix_have_ = 0;
  bool in_message_ = false;
  bool half_closed_ = false;
  bool refused_ = false;  // The request's remaining bytes are dropped.
  bool has_request_ = false;
  size_t message_size_ = 0;
  std::string message_;
  int64_t charged_ = 0;
  std::vector<std::string> unread_;  // Messages that came before OnMessage.

  // Outgoing.
  absl::InlinedVector<Outgoing, 1> outgoing_;
  size_t outgoing_first_ = 0;
  size_t outgoing_bytes_ = 0;  // Prefixes included.
  bool response_begun_ = false;
  bool deferred_ = false;   // nghttp2 waits for Resume().
  bool finishing_ = false;  // Nothing more may be written.
  bool aborted_ = false;    // A RST_STREAM is on its way.
  GrpcCode code_ = GrpcCode::kOk;
  std::string text_;
  bool written_completely_ = false;

  MessageCallback on_message_;
  Callback on_half_close_;
  Callback on_writable_;
  DoneCallback on_done_;
};

}  // namespace totora::net

#endif  // TOTORA_NET_GRPC_STREAM_H_
