#include "net/grpc_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "net/grpc_session.h"
#include "net/grpc_wire.h"

namespace totora::net {
namespace {

// A message is given this much memory before its bytes have come: a claim
// costs the client nothing, so it must not cost us much.
constexpr size_t kReserveOnClaim = 16 << 10;

}  // namespace

GrpcStream::GrpcStream(GrpcSession* session, int32_t id)
    : core_(session->connection().shared_core()),
      serving_(session->connection().serving()),
      info_(session->connection().info()),
      id_(id),
      started_nanos_(core_->now_nanos()),
      session_(session) {}

// `held_` may not be 0: a handler may write to a call that has ended.
GrpcStream::~GrpcStream() {
  NetBudget::Give(&serving_->budget->counters().response_bytes_held,
                  held_.load(std::memory_order_relaxed));
}

// ---- From any thread ------------------------------------------------------

template <typename Work>
void GrpcStream::OnLoop(Work work) {
  if (core_->IsCurrent()) {
    work(this);
    return;
  }
  core_->Post([self = shared_from_this(), work = std::move(work)]() mutable { work(self.get()); });
}

absl::string_view GrpcStream::metadata(absl::string_view name) const {
  for (const Header& header : headers_) {
    if (header.name_size != name.size()) continue;
    const char* const at = header_bytes_.data() + header.name_at;
    if (std::memcmp(at, name.data(), name.size()) != 0) continue;
    return absl::string_view(at + header.name_size, header.value_size);
  }
  return absl::string_view();
}

absl::Duration GrpcStream::deadline() const {
  return deadline_nanos_ == INT64_MAX ? absl::InfiniteDuration()
                                      : absl::Nanoseconds(deadline_nanos_);
}

void GrpcStream::SendInitialMetadata() {
  OnLoop([](GrpcStream* self) {
    if (self->session_ == nullptr || self->response_begun_ || self->finishing_) return;
    self->response_begun_ = true;
    self->session_->BeginResponse(self);
  });
}

bool GrpcStream::Account(size_t size, bool* go_on) {
  const NetLimits& limits = serving_->budget->limits();
  NetCounters& counters = serving_->budget->counters();
  const int64_t amount = static_cast<int64_t>(size);
  const int64_t held = held_.fetch_add(amount, std::memory_order_relaxed) + amount;
  const int64_t process =
      counters.response_bytes_held.fetch_add(amount, std::memory_order_relaxed) + amount;
  // When the process holds too much, those who hold little are not to blame.
  const bool too_much = held > static_cast<int64_t>(limits.stream_write_bytes_max) ||
                        (process > limits.response_bytes_held_max &&
                         held > static_cast<int64_t>(limits.stream_write_pause_bytes));
  if (too_much || overflowed_.load(std::memory_order_relaxed)) {
    *go_on = false;
    held_.fetch_sub(amount, std::memory_order_relaxed);
    NetBudget::Give(&counters.response_bytes_held, amount);
    if (overflowed_.exchange(true)) return false;
    counters.CountRefusal(NetRefusal::kResponseBytesHeld);
    OnLoop([](GrpcStream* self) { self->Abort(NGHTTP2_ENHANCE_YOUR_CALM); });
    return false;
  }
  *go_on = held <= static_cast<int64_t>(limits.stream_write_pause_bytes);
  if (!*go_on) wants_writable_.store(true);
  return true;
}

bool GrpcStream::Write(std::string message) {
  bool go_on = false;
  if (!Account(message.size(), &go_on)) return false;
  OnLoop([message = std::move(message)](GrpcStream* self) mutable {
    self->WriteOnLoop(std::move(message));
  });
  return go_on;
}

void GrpcStream::Finish(GrpcCode code, std::string text) {
  OnLoop([code, text = std::move(text)](GrpcStream* self) mutable {
    self->FinishOnLoop(code, std::move(text));
  });
}

void GrpcStream::Reply(std::string message) {
  bool go_on = false;
  if (!Account(message.size(), &go_on)) return;
  OnLoop([message = std::move(message)](GrpcStream* self) mutable {
    self->WriteOnLoop(std::move(message));
    self->FinishOnLoop(GrpcCode::kOk, std::string());
  });
}

void GrpcStream::OnMessage(MessageCallback callback) {
  OnLoop([callback = std::move(callback)](GrpcStream* self) mutable {
    if (self->is_done()) return;
    self->on_message_ = std::move(callback);
    for (std::string& message : std::exchange(self->unread_, {})) {
      if (self->on_message_) self->on_message_(std::move(message));
    }
    self->Uncharge();
    if (self->half_closed_ && self->on_half_close_) std::exchange(self->on_half_close_, nullptr)();
  });
}

void GrpcStream::OnHalfClose(Callback callback) {
  OnLoop([callback = std::move(callback)](GrpcStream* self) mutable {
    if (self->is_done()) return;
    if (self->half_closed_ && self->unread_.empty()) {
      callback();
    } else {
      self->on_half_close_ = std::move(callback);
    }
  });
}

void GrpcStream::OnWritable(Callback callback) {
  OnLoop([callback = std::move(callback)](GrpcStream* self) mutable {
    if (!self->is_done()) self->on_writable_ = std::move(callback);
  });
}

void GrpcStream::OnDone(DoneCallback callback) {
  OnLoop([callback = std::move(callback)](GrpcStream* self) mutable {
    if (self->is_done()) {
      callback(self->written_completely_);
    } else {
      self->on_done_ = std::move(callback);
    }
  });
}

// ---- Request --------------------------------------------------------------

void GrpcStream::AddHeader(absl::string_view name, absl::string_view value) {
  header_list_size_ += name.size() + value.size() + 32;
  if (header_list_size_ > serving_->budget->limits().header_block_bytes_max) return;
  if (headers_.empty()) header_bytes_.reserve(512);
  headers_.push_back({static_cast<uint32_t>(header_bytes_.size()),
                      static_cast<uint32_t>(name.size()), static_cast<uint32_t>(value.size())});
  const size_t at = header_bytes_.size();
  header_bytes_.resize(at + name.size() + value.size());
  std::memcpy(&header_bytes_[at], name.data(), name.size());
  std::memcpy(&header_bytes_[at + name.size()], value.data(), value.size());
}

bool GrpcStream::CheckHeaders() {
  if (header_list_size_ > serving_->budget->limits().header_block_bytes_max) {
    Refuse(NetRefusal::kHeaderBlockTooLarge, GrpcCode::kResourceExhausted,
           "request headers too large");
    return false;
  }
  const bool is_post = metadata(":method") == "POST";
  if (!is_post || !absl::StartsWith(metadata("content-type"), "application/grpc")) {
    serving_->budget->counters().CountRefusal(NetRefusal::kNotGrpc);
    refused_ = finishing_ = true;
    session_->SendHttpStatus(this, is_post ? 415 : 405);
    return false;
  }
  method_ = session_->service().Find(path());
  if (method_ == nullptr) {
    Refuse(NetRefusal::kMethodUnknown, GrpcCode::kUnimplemented,
           absl::StrCat("unknown method ", path()));
    return false;
  }
  const absl::string_view timeout = metadata("grpc-timeout");
  if (timeout.empty()) return true;
  const std::optional<int64_t> nanos = ParseGrpcTimeout(timeout);
  if (!nanos.has_value()) {
    Fail(GrpcCode::kInternal, "malformed grpc-timeout");
    return false;
  }
  deadline_nanos_ = *nanos > INT64_MAX - started_nanos_ ? INT64_MAX : started_nanos_ + *nanos;
  return true;
}

void GrpcStream::HeadersComplete(bool half_closed) {
  serving_->budget->counters().calls_started.fetch_add(1, std::memory_order_relaxed);
  if (CheckHeaders()) {
    ArmDeadline(half_closed || method_->on_stream != nullptr);
    if (method_->on_stream) method_->on_stream(shared_from_this());
  }
  if (half_closed) HalfClosed();
}

void GrpcStream::ArmDeadline(bool request_complete) {
  int64_t due = deadline_nanos_;
  if (!request_complete) {
    due = std::min(
        due, started_nanos_ + absl::ToInt64Nanoseconds(serving_->budget->limits().request_timeout));
  }
  core_->DisarmTimer(this);
  if (due != INT64_MAX) core_->ArmTimer(this, due);
}

void GrpcStream::OnTimer() {
  if (session_ == nullptr || is_done()) return;
  const bool expired = core_->now_nanos() >= deadline_nanos_;
  NetCounters& counters = serving_->budget->counters();
  if (expired) {
    counters.deadlines_exceeded.fetch_add(1, std::memory_order_relaxed);
  } else {
    counters.CountRefusal(NetRefusal::kRequestLate);
  }
  refused_ = true;
  const bool is_partly_sent = outgoing_first_ < outgoing_.size() && outgoing_[outgoing_first_].sent;
  if (finishing_ || is_partly_sent) {
    Abort(NGHTTP2_CANCEL);
  } else {
    DropOutgoing();
    FinishOnLoop(GrpcCode::kDeadlineExceeded,
                 expired ? "deadline exceeded" : "request not complete in time");
  }
  Ended(false);
}

bool GrpcStream::Charge(size_t size) {
  const NetLimits& limits = serving_->budget->limits();
  const int64_t amount = static_cast<int64_t>(size);
  if (session_->held_request_bytes + amount > limits.connection_request_bytes_held_max) {
    return false;
  }
  if (!NetBudget::Take(&serving_->budget->counters().request_bytes_held, amount,
                       limits.request_bytes_held_max)) {
    return false;
  }
  session_->held_request_bytes += amount;
  charged_ += amount;
  return true;
}

void GrpcStream::Uncharge() {
  if (charged_ == 0) return;
  NetBudget::Give(&serving_->budget->counters().request_bytes_held, charged_);
  if (session_ != nullptr) session_->held_request_bytes -= charged_;
  charged_ = 0;
}

void GrpcStream::Refuse(NetRefusal reason, GrpcCode code, absl::string_view text) {
  serving_->budget->counters().CountRefusal(reason);
  Fail(code, text);
}

void GrpcStream::Fail(GrpcCode code, absl::string_view text) {
  refused_ = true;
  message_ = std::string();
  FinishOnLoop(code, std::string(text));
}

bool GrpcStream::ParsePrefix(absl::string_view* data) {
  const size_t now = std::min(kMessagePrefixBytes - prefix_have_, data->size());
  std::memcpy(prefix_ + prefix_have_, data->data(), now);
  prefix_have_ += now;
  data->remove_prefix(now);
  if (prefix_have_ < kMessagePrefixBytes) return false;
  prefix_have_ = 0;
  message_size_ = size_t{prefix_[1]} << 24 | size_t{prefix_[2]} << 16 | size_t{prefix_[3]} << 8 |
                  size_t{prefix_[4]};
  if (prefix_[0] == 1) {
    Fail(GrpcCode::kUnimplemented, "compressed messages are not supported");
    return false;
  }
  if (prefix_[0] != 0) {
    Fail(GrpcCode::kInternal, "malformed message prefix");
    return false;
  }
  const size_t size_max = serving_->budget->limits().request_bytes_max;
  if (message_size_ > size_max) {
    Refuse(NetRefusal::kRequestTooLarge, GrpcCode::kResourceExhausted,
           absl::StrCat("request of ", message_size_, " bytes, at most ", size_max));
    return false;
  }
  if (has_request_) {
    Fail(GrpcCode::kInternal, "more than one request message");
    return false;
  }
  in_message_ = true;
  return true;
}

void GrpcStream::DataReceived(absl::string_view data) {
  while (!data.empty() || (in_message_ && message_.size() == message_size_)) {
    if (refused_ || finishing_) return;
    if (!in_message_) {
      if (!ParsePrefix(&data)) continue;
      message_.reserve(std::min(message_size_, std::max(kReserveOnClaim, data.size())));
    }
    const size_t now = std::min(message_size_ - message_.size(), data.size());
    if (!Charge(now)) {
      Refuse(NetRefusal::kRequestBytesHeld, GrpcCode::kResourceExhausted,
             "too many request bytes held");
      return;
    }
    if (message_.capacity() < message_.size() + now) {
      message_.reserve(std::min(message_size_, 2 * (message_.size() + now)));
    }
    message_.append(data.data(), now);
    data.remove_prefix(now);
    if (message_.size() < message_size_) return;
    in_message_ = false;
    MessageReceived();
  }
}

void GrpcStream::MessageReceived() {
  if (method_->on_request) {
    has_request_ = true;  // Handed over at the end of the stream.
    return;
  }
  std::string message = std::exchange(message_, std::string());
  if (on_message_) {
    on_message_(std::move(message));
    Uncharge();
  } else {
    unread_.push_back(std::move(message));
  }
}

void GrpcStream::HalfClosed() {
  if (half_closed_) return;
  half_closed_ = true;
  if (refused_ || finishing_ || is_done()) return;
  if (in_message_ || prefix_have_ > 0) {
    Fail(GrpcCode::kInternal, "request ends within a message");
    return;
  }
  if (method_->on_stream) {
    if (on_half_close_ && unread_.empty()) std::exchange(on_half_close_, nullptr)();
    return;
  }
  if (!has_request_) {
    Fail(GrpcCode::kInternal, "no request message");
    return;
  }
  if (is_armed() &&
      deadline_nanos_ >
          started_nanos_ + absl::ToInt64Nanoseconds(serving_->budget->limits().request_timeout)) {
    ArmDeadline(true);
  }
  method_->on_request(shared_from_this(), std::exchange(message_, std::string()));
}

// ---- Response -------------------------------------------------------------

void GrpcStream::WriteOnLoop(std::string message) {
  if (session_ == nullptr || finishing_ || is_done()) {
    const int64_t size = static_cast<int64_t>(message.size());
    held_.fetch_sub(size, std::memory_order_relaxed);
    NetBudget::Give(&serving_->budget->counters().response_bytes_held, size);
    return;
  }
  session_->AddHeldOutput(static_cast<int64_t>(message.size()));
  outgoing_bytes_ += kMessagePrefixBytes + message.size();
  outgoing_.push_back(Outgoing{std::move(message), SharedBytes(), 0});
  if (session_->HeldOutputBytes() > serving_->budget->limits().connection_response_bytes_held_max) {
    serving_->budget->counters().CountRefusal(NetRefusal::kResponseBytesHeld);
    Abort(NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  Resume();
}

void GrpcStream::FinishOnLoop(GrpcCode code, std::string text) {
  if (session_ == nullptr || finishing_ || is_done()) return;
  finishing_ = true;
  code_ = code;
  text_ = std::move(text);
  if (!response_begun_ && outgoing_bytes_ == 0) {
    response_begun_ = true;
    session_->SendTrailersOnly(this);
  } else {
    Resume();
  }
}

void GrpcStream::Resume() {
  if (!response_begun_) {
    response_begun_ = true;
    session_->BeginResponse(this);
  } else if (deferred_) {
    deferred_ = false;
    session_->ResumeData(this);
  }
}

void GrpcStream::MoveOutgoing(size_t size, OutputBuffer* output) {
  int64_t payload = 0;
  outgoing_bytes_ -= size;
  while (size > 0) {
    Outgoing& message = outgoing_[outgoing_first_];
    const size_t length = message.shared.owner() ? message.shared.size() : message.bytes.size();
    if (message.sent < kMessagePrefixBytes) {
      const char prefix[kMessagePrefixBytes] = {
          0, static_cast<char>(length >> 24), static_cast<char>(length >> 16),
          static_cast<char>(length >> 8), static_cast<char>(length)};
      const size_t now = std::min(size, kMessagePrefixBytes - message.sent);
      output->Append(prefix + message.sent, now);
      message.sent += now;
      size -= now;
    }
    if (message.sent >= kMessagePrefixBytes) {
      const size_t at = message.sent - kMessagePrefixBytes;
      const size_t now = std::min(size, length - at);
      if (length >= OutputBuffer::kReferenceBytesMin) {
        if (!message.shared.owner()) message.shared = SharedBytes(std::move(message.bytes));
        output->AppendShared(message.shared.Slice(at, now));
      } else {
        output->Append(message.bytes.data() + at, now);
      }
      message.sent += now;
      size -= now;
      payload += static_cast<int64_t>(now);
      if (message.sent < kMessagePrefixBytes + length) break;
      message = Outgoing();
      ++outgoing_first_;
    }
  }
  if (outgoing_first_ == outgoing_.size()) {
    outgoing_.clear();
    outgoing_first_ = 0;
  } else if (outgoing_first_ > 64) {
    outgoing_.erase(outgoing_.begin(),
                    outgoing_.begin() + static_cast<std::ptrdiff_t>(outgoing_first_));
    outgoing_first_ = 0;
  }
  session_->AddHeldOutput(-payload);
  NetBudget::Give(&serving_->budget->counters().response_bytes_held, payload);
  const int64_t held = held_.fetch_sub(payload, std::memory_order_relaxed) - payload;
  const int64_t low = static_cast<int64_t>(serving_->budget->limits().stream_write_pause_bytes / 2);
  if (held <= low && wants_writable_.load(std::memory_order_relaxed) &&
      wants_writable_.exchange(false)) {
    session_->NoteWritable(this);
  }
}

void GrpcStream::DropOutgoing() {
  int64_t payload = 0;
  for (size_t i = outgoing_first_; i < outgoing_.size(); ++i) {
    const Outgoing& message = outgoing_[i];
    const size_t length = message.shared.owner() ? message.shared.size() : message.bytes.size();
    const size_t sent = message.sent > kMessagePrefixBytes ? message.sent - kMessagePrefixBytes : 0;
    payload += static_cast<int64_t>(length - sent);
  }
  outgoing_.clear();
  outgoing_first_ = 0;
  outgoing_bytes_ = 0;
  if (session_ != nullptr) session_->AddHeldOutput(-payload);
  held_.fetch_sub(payload, std::memory_order_relaxed);
  NetBudget::Give(&serving_->budget->counters().response_bytes_held, payload);
}

void GrpcStream::Abort(uint32_t error_code) {
  if (session_ == nullptr || aborted_) return;
  finishing_ = aborted_ = true;
  DropOutgoing();
  session_->Reset(this, error_code);
}

void GrpcStream::CallOnWritable() {
  if (on_writable_ && !is_done()) on_writable_();
}

void GrpcStream::Closed() {
  DropOutgoing();
  Uncharge();
  core_->DisarmTimer(this);
  session_ = nullptr;
}

void GrpcStream::Ended(bool written_completely) {
  if (is_done_.exchange(true, std::memory_order_acq_rel)) return;
  written_completely_ = written_completely;
  core_->DisarmTimer(this);
  Uncharge();
  NetCounters& counters = serving_->budget->counters();
  (written_completely ? counters.calls_completed : counters.calls_broken)
      .fetch_add(1, std::memory_order_relaxed);
  unread_.clear();
  message_ = std::string();
  // The callbacks may hold this object, and each other's.
  const MessageCallback on_message = std::exchange(on_message_, nullptr);
  const Callback on_half_close = std::exchange(on_half_close_, nullptr);
  const Callback on_writable = std::exchange(on_writable_, nullptr);
  DoneCallback on_done = std::exchange(on_done_, nullptr);
  if (on_done) on_done(written_completely);
}

}  // namespace totora::net
