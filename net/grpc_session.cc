#include "net/grpc_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/log.h"
#include "net/grpc_wire.h"

namespace totora::net {
namespace {

// So much is framed ahead of the socket; the rest waits in the streams, where
// nghttp2 shares the connection out between them.
constexpr size_t kFramedBytesMax = 256 << 10;

constexpr uint8_t kKeepalivePing[8] = {'t', 'o', 't', 'o', 'r', 'a', 0, 1};
constexpr uint8_t kDrainPing[8] = {'t', 'o', 't', 'o', 'r', 'a', 0, 2};

const char* const kCodeText[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                 "9", "10", "11", "12", "13", "14", "15", "16"};

// Both strings must live for ever.
nghttp2_nv StaticHeader(absl::string_view name, absl::string_view value) {
  nghttp2_nv nv{};
  nv.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data()));
  nv.namelen = name.size();
  nv.value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data()));
  nv.valuelen = value.size();
  nv.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
  return nv;
}

// At most two headers: grpc-status, and grpc-message if there is text. `text`
// must outlive the submission.
size_t StatusHeaders(GrpcCode code, const std::string& text, nghttp2_nv* out) {
  const size_t index = std::min<size_t>(static_cast<size_t>(code), std::size(kCodeText) - 1);
  out[0] = StaticHeader("grpc-status", kCodeText[index]);
  if (text.empty()) return 1;
  out[1] = StaticHeader("grpc-message", text);
  out[1].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
  return 2;
}

absl::string_view View(nghttp2_rcbuf* buffer) {
  const nghttp2_vec vec = nghttp2_rcbuf_get_buf(buffer);
  return absl::string_view(reinterpret_cast<const char*>(vec.base), vec.len);
}

GrpcSession* Self(void* user_data) { return static_cast<GrpcSession*>(user_data); }

}  // namespace

struct GrpcSession::Callbacks {
  static ssize_t Send(nghttp2_session*, const uint8_t* data, size_t length, int, void* user_data) {
    OutputBuffer& output = Self(user_data)->connection_->output();
    if (output.size() >= kFramedBytesMax) return NGHTTP2_ERR_WOULDBLOCK;
    output.Append(data, length);
    return static_cast<ssize_t>(length);
  }

  static int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_header, size_t length,
                      nghttp2_data_source* source, void* user_data) {
    OutputBuffer& output = Self(user_data)->connection_->output();
    if (output.size() >= kFramedBytesMax) return NGHTTP2_ERR_WOULDBLOCK;
    output.Append(frame_header, 9);
    static_cast<GrpcStream*>(source->ptr)->MoveOutgoing(length, &output);
    return 0;
  }

  static ssize_t ReadData(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                          nghttp2_data_source* source, void* user_data) {
    return Self(user_data)->ReadStream(static_cast<GrpcStream*>(source->ptr), length, flags);
  }

  static int BeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      Self(user_data)->BeginStream(frame->hd.stream_id);
    return 0;
  }

  static int Header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                    nghttp2_rcbuf* value, uint8_t, void* user_data) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    GrpcStream* const stream = Self(user_data)->header_stream_;
    if (stream != nullptr) stream->AddHeader(View(name), View(value));
    return 0;
  }

  static int FrameRecv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Self(user_data)->FrameReceived(*frame);
    return 0;
  }

  static int DataChunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data,
                       size_t length, void* user_data) {
    GrpcStream* const stream = Self(user_data)->StreamOf(id);
    if (stream != nullptr && !Self(user_data)->cut_) {
      stream->DataReceived(absl::string_view(reinterpret_cast<const char*>(data), length));
    }
    // What we hold is bounded by charges, not by windows.
    return nghttp2_session_consume(session, id, length) == NGHTTP2_ERR_NOMEM
               ? NGHTTP2_ERR_CALLBACK_FAILURE
               : 0;
  }

  static int StreamClose(nghttp2_session*, int32_t id, uint32_t, void* user_data) {
    Self(user_data)->StreamClosed(id);
    return 0;
  }

  static int FrameSend(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Self(user_data)->FrameSent(*frame);
    return 0;
  }

  static const nghttp2_session_callbacks* Table() {
    static const nghttp2_session_callbacks* const table = [] {
      nghttp2_session_callbacks* made = nullptr;
      TOTORA_CHECK(nghttp2_session_callbacks_new(&made) == 0);
      nghttp2_session_callbacks_set_send_callback(made, Send);
      nghttp2_session_callbacks_set_send_data_callback(made, SendData);
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, BeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback2(made, Header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, FrameRecv);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, DataChunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, StreamClose);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, FrameSend);
      return made;
    }();
    return table;
  }
};

GrpcSession::GrpcSession(Connection* connection, const GrpcService* service)
    : connection_(connection),
      service_(service),
      guard_(connection->limits()),
      resets_(connection->limits().resets) {
  nghttp2_option* option = nullptr;
  TOTORA_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_continuations(option,
                                       static_cast<size_t>(connection->limits().continuations_max));
  // Resets are judged here, by a rule that knows the age of streams.
  nghttp2_option_set_stream_reset_rate_limit(option, 1'000'000, 1'000'000);
  TOTORA_CHECK(nghttp2_session_server_new2(&session_, Callbacks::Table(), this, option) == 0);
  nghttp2_option_del(option);

  const NetLimits& limits = connection->limits();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.connection_streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.header_block_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
  TOTORA_CHECK(
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
  TOTORA_CHECK(nghttp2_session_set_local_window_size(
                   session_, NGHTTP2_FLAG_NONE, 0,
                   static_cast<int32_t>(limits.connection_window_bytes)) == 0);
}

GrpcSession::~GrpcSession() { nghttp2_session_del(session_); }

GrpcStream* GrpcSession::StreamOf(int32_t id) const {
  return static_cast<GrpcStream*>(nghttp2_session_get_stream_user_data(session_, id));
}

// ---- Incoming -------------------------------------------------------------

void GrpcSession::OnBytes(absl::string_view bytes) {
  if (cut_) return;
  const FrameGuard::Result result = guard_.Feed(bytes, connection_->core().now_nanos());
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), result.allowed);
  if (result.verdict == FrameGuard::Verdict::kHeaderBlockTooLarge) {
    Cut(NetRefusal::kHeaderBlockTooLarge);
  } else if (result.verdict == FrameGuard::Verdict::kControlFlood || taken == NGHTTP2_ERR_FLOODED) {
    Cut(NetRefusal::kControlFlood);
  } else if (taken < 0) {
    Cut(NetRefusal::kHttp2Malformed);
  }
  TellEnded();
  if (cut_) FinishCut();
  connection_->MarkDirty();
}

void GrpcSession::BeginStream(int32_t id) {
  header_stream_ = nullptr;
  if (cut_) return;
  NetCounters& counters = connection_->budget().counters();
  if (!NetBudget::Take(&counters.streams, 1, connection_->limits().streams_max)) {
    counters.CountRefusal(NetRefusal::kStreamsMax);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    ++own_refusals_;
    return;
  }
  auto stream = std::make_shared<GrpcStream>(this, id);
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  stream->next = streams_;
  if (streams_ != nullptr) streams_->prev = stream.get();
  streams_ = stream.get();
  header_stream_ = stream.get();
  stream->self = std::move(stream);
}

void GrpcSession::Unlink(GrpcStream* stream) {
  if (stream->prev != nullptr) stream->prev->next = stream->next;
  if (stream->next != nullptr) stream->next->prev = stream->prev;
  if (streams_ == stream) streams_ = stream->next;
  stream->next = stream->prev = nullptr;
  if (header_stream_ == stream) header_stream_ = nullptr;
  NetBudget::Give(&connection_->budget().counters().streams, 1);
}

void GrpcSession::FrameReceived(const nghttp2_frame& frame) {
  if (cut_) return;
  const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS: {
      GrpcStream* const stream = StreamOf(frame.hd.stream_id);
      if (stream == nullptr) return;
      if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream->HeadersComplete(ends);
      } else if (ends) {
        stream->HalfClosed();
      }
      return;
    }
    case NGHTTP2_DATA: {
      if (!ends) return;
      GrpcStream* const stream = StreamOf(frame.hd.stream_id);
      if (stream != nullptr) stream->HalfClosed();
      return;
    }
    case NGHTTP2_RST_STREAM:
      ResetReceived(frame.hd.stream_id);
      return;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) == 0) return;
      ping_sent_nanos_ = 0;
      if (std::memcmp(frame.ping.opaque_data, kDrainPing, sizeof kDrainPing) == 0) {
        SendFinalGoAway();
      }
      return;
    default:
      return;
  }
}

// Opening and resetting streams at will makes us work for nothing
// (CVE-2023-44487); many calls that time out together must not look like it.
void GrpcSession::ResetReceived(int32_t id) {
  const int64_t now = connection_->core().now_nanos();
  const GrpcStream* const stream = StreamOf(id);
  const bool is_free = stream != nullptr
                           ? now - stream->started_nanos() >=
                                 absl::ToInt64Nanoseconds(connection_->limits().reset_free_age)
                           : closed_reset_credit_.Take();
  if (!is_free && !resets_.Take(now)) Cut(NetRefusal::kResetFlood);
}

void GrpcSession::StreamClosed(int32_t id) {
  closed_reset_credit_.Add(1);
  GrpcStream* const stream = StreamOf(id);
  if (stream == nullptr) return;
  std::shared_ptr<GrpcStream> keep = std::move(stream->self);
  Unlink(stream);
  stream->Closed();
  if (stream->end_offset == 0) broken_.push_back(std::move(keep));
}

void GrpcSession::Cut(NetRefusal reason) {
  if (cut_) return;
  cut_ = true;
  cut_reason_ = reason;
}

void GrpcSession::FinishCut() {
  if (std::exchange(cut_finished_, true)) return;
  connection_->budget().counters().CountRefusal(cut_reason_);
  TOTORA_LOG_LIMITED(kWarn, "net")
      << Field("peer", connection_->info()->peer)
      << Field("listener", connection_->info()->listener_tag)
      << Field("reason", NetRefusalName(cut_reason_)) << "HTTP/2 connection cut off";
  nghttp2_session_terminate_session(session_, cut_reason_ == NetRefusal::kHttp2Malformed
                                                  ? NGHTTP2_PROTOCOL_ERROR
                                                  : NGHTTP2_ENHANCE_YOUR_CALM);
  FillOutput();
  connection_->CutOff(NetRefusalName(cut_reason_));
}

// ---- Outgoing -------------------------------------------------------------

void GrpcSession::BeginResponse(GrpcStream* stream) {
  const nghttp2_nv headers[] = {StaticHeader(":status", "200"),
                                StaticHeader("content-type", "application/grpc")};
  nghttp2_data_provider provider{};
  provider.source.ptr = stream;
  provider.read_callback = Callbacks::ReadData;
  nghttp2_submit_response(session_, stream->id(), headers, std::size(headers), &provider);
  connection_->MarkDirty();
}

void GrpcSession::ResumeData(GrpcStream* stream) {
  nghttp2_session_resume_data(session_, stream->id());
  connection_->MarkDirty();
}

ssize_t GrpcSession::ReadStream(GrpcStream* stream, size_t length, uint32_t* flags) {
  const size_t waiting = stream->outgoing_bytes();
  if (stream->is_aborted() || (waiting == 0 && !stream->is_finishing())) {
    stream->SetDeferred();
    return NGHTTP2_ERR_DEFERRED;
  }
  const size_t now = std::min(length, waiting);
  if (now > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (now == waiting && stream->is_finishing()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    SubmitTrailers(stream);
  }
  return static_cast<ssize_t>(now);
}

void GrpcSession::SubmitTrailers(GrpcStream* stream) {
  nghttp2_nv headers[2];
  const std::string text = PercentEncode(stream->text());
  const size_t count = StatusHeaders(stream->code(), text, headers);
  nghttp2_submit_trailer(session_, stream->id(), headers, count);
}

void GrpcSession::SendTrailersOnly(GrpcStream* stream) {
  nghttp2_nv headers[4] = {StaticHeader(":status", "200"),
                           StaticHeader("content-type", "application/grpc")};
  const std::string text = PercentEncode(stream->text());
  const size_t count = StatusHeaders(stream->code(), text, headers + 2);
  nghttp2_submit_response(session_, stream->id(), headers, 2 + count, nullptr);
  connection_->MarkDirty();
}

void GrpcSession::SendHttpStatus(GrpcStream* stream, int status) {
  nghttp2_nv header = StaticHeader(":status", status == 415 ? "415" : "405");
  nghttp2_submit_response(session_, stream->id(), &header, 1, nullptr);
  connection_->MarkDirty();
}

void GrpcSession::Reset(GrpcStream* stream, uint32_t error_code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id(), error_code);
  connection_->MarkDirty();
}

void GrpcSession::FrameSent(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_DATA:
      guard_.OnFrameSent();
      return;
    case NGHTTP2_HEADERS: {
      guard_.OnFrameSent();
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
      GrpcStream* const stream = StreamOf(frame.hd.stream_id);
      if (stream == nullptr) return;
      stream->end_offset = connection_->output_end();
      completing_.push_back(stream->self);
      // The rest of the request is of no interest, and the client should know.
      if (nghttp2_session_get_stream_remote_close(session_, stream->id()) == 0) {
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id(), NGHTTP2_NO_ERROR);
      }
      return;
    }
    case NGHTTP2_RST_STREAM: {
      // A client can also make *us* reset its streams, by breaking rules
      // (CVE-2025-8671). Resets of our own free will are not its fault.
      const uint32_t code = frame.rst_stream.error_code;
      if (code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL || code == NGHTTP2_ENHANCE_YOUR_CALM) {
        return;
      }
      if (code == NGHTTP2_REFUSED_STREAM && own_refusals_ > 0) {
        --own_refusals_;
        return;
      }
      if (!resets_.Take(connection_->core().now_nanos())) Cut(NetRefusal::kResetFlood);
      return;
    }
    case NGHTTP2_GOAWAY:
      if (frame.goaway.error_code != NGHTTP2_NO_ERROR && !cut_ && !counted_malformed_) {
        counted_malformed_ = true;
        connection_->budget().counters().CountRefusal(NetRefusal::kHttp2Malformed);
      }
      return;
    default:
      return;
  }
}

void GrpcSession::FillOutput() {
  const int result = nghttp2_session_send(session_);
  TellEnded();
  if (result != 0) {
    connection_->Close("HTTP/2 session failed");
    return;
  }
  if (cut_) {
    FinishCut();
  } else if (nghttp2_session_want_read(session_) == 0 &&
             nghttp2_session_want_write(session_) == 0) {
    connection_->CloseAfterFlush("HTTP/2 session finished");
  }
}

void GrpcSession::OnWritten(uint64_t total) {
  while (!completing_.empty() && completing_.front()->end_offset <= total) {
    const std::shared_ptr<GrpcStream> stream = std::move(completing_.front());
    completing_.pop_front();
    stream->Ended(true);
  }
}

void GrpcSession::TellEnded() {
  // Both lists may grow while handlers run.
  for (size_t i = 0; i < broken_.size(); ++i) {
    const std::shared_ptr<GrpcStream> stream = broken_[i];
    stream->Ended(false);
  }
  broken_.clear();
  for (size_t i = 0; i < writable_.size(); ++i) {
    const std::shared_ptr<GrpcStream> stream = writable_[i];
    stream->CallOnWritable();
  }
  writable_.clear();
}

// ---- Life -----------------------------------------------------------------

void GrpcSession::OnWatch(int64_t now_nanos) {
  if (cut_) return;
  const NetLimits& limits = connection_->limits();
  if (drain_ == DrainStep::kNotice &&
      now_nanos - drain_nanos_ > absl::ToInt64Nanoseconds(limits.drain_notice)) {
    SendFinalGoAway();
  }
  if (!guard_.in_header_block()) {
    block_seen_nanos_ = 0;
  } else if (block_seen_nanos_ == 0) {
    block_seen_nanos_ = now_nanos;
  } else if (now_nanos - block_seen_nanos_ > absl::ToInt64Nanoseconds(limits.first_bytes_timeout)) {
    Cut(NetRefusal::kHeaderBlockTooLarge);
    FinishCut();
    return;
  }
  // While we do not read, silence proves nothing; then writes must progress.
  if (connection_->is_read_paused()) return;
  const int64_t last_read = connection_->last_read_nanos();
  if (ping_sent_nanos_ != 0 && last_read >= ping_sent_nanos_) ping_sent_nanos_ = 0;
  if (ping_sent_nanos_ != 0) {
    if (now_nanos - ping_sent_nanos_ > absl::ToInt64Nanoseconds(limits.keepalive_timeout)) {
      connection_->budget().counters().CountRefusal(NetRefusal::kKeepaliveLost);
      connection_->Close("keepalive lost");
    }
  } else if (now_nanos - last_read > absl::ToInt64Nanoseconds(limits.keepalive_interval)) {
    ping_sent_nanos_ = now_nanos;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kKeepalivePing);
    connection_->MarkDirty();
  }
}

// Two steps, as gRPC's servers do: calls that the client sent before it saw
// the first GOAWAY are still served; the PING tells when that must have been.
void GrpcSession::Drain() {
  if (drain_ != DrainStep::kNone || cut_) return;
  drain_ = DrainStep::kNotice;
  drain_nanos_ = connection_->core().now_nanos();
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing);
  connection_->MarkDirty();
}

void GrpcSession::SendFinalGoAway() {
  if (drain_ != DrainStep::kNotice) return;
  drain_ = DrainStep::kFinal;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  connection_->MarkDirty();
}

void GrpcSession::OnClosed() {
  cut_ = true;  // Nothing goes to nghttp2 any more.
  std::vector<std::shared_ptr<GrpcStream>> ended = std::move(broken_);
  while (streams_ != nullptr) {
    GrpcStream* const stream = streams_;
    std::shared_ptr<GrpcStream> keep = std::move(stream->self);
    Unlink(stream);
    stream->Closed();
    ended.push_back(std::move(keep));
  }
  for (auto& stream : completing_) ended.push_back(std::move(stream));
  completing_.clear();
  broken_.clear();
  for (const auto& stream : ended) stream->Ended(false);
}

}  // namespace totora::net
