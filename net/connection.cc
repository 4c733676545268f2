#include "net/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "net/sniffer.h"
#include "net/socket.h"

namespace totora::net {
namespace {

constexpr int kPiecesMax = 64;
// A connection that always has bytes must let the others have a turn.
constexpr int kReadsPerTurn = 4;

}  // namespace

Connection::Connection(std::shared_ptr<LoopCore> core, std::shared_ptr<Serving> serving, int fd,
                       ConnectionInfo info)
    : core_(std::move(core)),
      serving_(std::move(serving)),
      info_(std::make_shared<const ConnectionInfo>(std::move(info))),
      socket_(core_->context(), fd),
      protocol_(std::make_unique<Sniffer>(this)) {}

Connection::~Connection() { GiveUpPlace(); }

void Connection::GiveUpPlace() {
  if (!std::exchange(has_place_, false)) return;
  serving_->connections.fetch_sub(1, std::memory_order_relaxed);
  NetBudget::Give(&budget().counters().connections, 1);
}

absl::Duration Connection::watch_interval() const {
  const NetLimits& l = limits();
  const absl::Duration shortest =
      std::min({l.first_bytes_timeout, l.keepalive_interval, l.keepalive_timeout,
                l.write_stall_timeout, l.drain_notice, l.request_timeout});
  return std::clamp(shortest / 4, absl::Milliseconds(5), absl::Seconds(1));
}

void Connection::Start() {
  last_read_nanos_ = last_write_nanos_ = core_->now_nanos();
  core_->AddConnection(shared_from_this());
  if (!is_open_) return;
  if (serving_->draining.load(std::memory_order_relaxed)) Drain();
  ArmRead();
}

void Connection::Become(std::unique_ptr<Protocol> protocol, absl::string_view bytes) {
  previous_ = std::move(protocol_);
  protocol_ = std::move(protocol);
  protocol_->OnBytes(bytes);
  if (serving_->draining.load(std::memory_order_relaxed)) Drain();
  MarkDirty();
}

void Connection::ArmRead() {
  if (is_read_armed_ || !is_open_ || closing_ || is_paused_by_protocol_ || is_paused_by_output_) {
    return;
  }
  is_read_armed_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->is_read_armed_ = false;
                       if (!error) self->OnReadable();
                     });
}

void Connection::OnReadable() {
  const LoopCore::Turn turn(core_.get());
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!is_open_ || closing_ || is_paused_by_protocol_ || is_paused_by_output_) return;
    const ssize_t n =
        ::recv(socket_.native_handle(), core_->read_buffer(), LoopCore::kReadBufferBytes, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      Close("read failed");
      return;
    }
    if (n == 0) {
      if (protocol_->OnEof()) {
        CloseAfterFlush("closed by peer");
      } else {
        Close("closed by peer");
      }
      return;
    }
    last_read_nanos_ = core_->now_nanos();
    budget().counters().bytes_in.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
    protocol_->OnBytes(absl::string_view(core_->read_buffer(), static_cast<size_t>(n)));
    previous_.reset();
    if (static_cast<size_t>(n) < LoopCore::kReadBufferBytes) break;
  }
  ArmRead();
}

void Connection::MarkDirty() {
  if (is_dirty_ || !is_open_) return;
  is_dirty_ = true;
  core_->MarkDirty(shared_from_this());
}

void Connection::Flush() {
  is_dirty_ = false;
  while (is_open_ && !lingering_ && !is_write_armed_) {
    if (!closing_) protocol_->FillOutput();
    if (!is_open_) return;
    if (output_.empty()) {
      last_write_nanos_ = core_->now_nanos();
      if (closing_) Linger();
      break;
    }
    if (!WriteOutput()) break;
  }
  if (is_open_) UpdateReadPause();
}

bool Connection::WriteOutput() {
  while (!output_.empty()) {
    iovec pieces[kPiecesMax];
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<size_t>(output_.Gather(pieces, kPiecesMax));
    const ssize_t n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        ArmWrite();
      } else {
        Close("write failed");
      }
      return false;
    }
    output_.Consume(static_cast<size_t>(n));
    written_total_ += static_cast<uint64_t>(n);
    last_write_nanos_ = core_->now_nanos();
    budget().counters().bytes_out.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
    protocol_->OnWritten(written_total_);
    if (!is_open_) return false;
  }
  return true;
}

void Connection::ArmWrite() {
  is_write_armed_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->is_write_armed_ = false;
                       if (error || !self->is_open_) return;
                       const LoopCore::Turn turn(self->core_.get());
                       self->MarkDirty();
                     });
}

// A peer that does not read what it asked for is not read either. Only while
// the kernel is full: a peer that merely holds its HTTP/2 windows shut must be
// read, or its window updates would never arrive.
void Connection::UpdateReadPause() {
  const int64_t held = static_cast<int64_t>(output_.size()) + protocol_->HeldOutputBytes();
  const bool pause = is_write_armed_ && held > limits().connection_read_pause_bytes;
  if (pause == is_paused_by_output_) return;
  is_paused_by_output_ = pause;
  ArmRead();
}

void Connection::SetReadPaused(bool paused) {
  is_paused_by_protocol_ = paused;
  ArmRead();
}

void Connection::CloseAfterFlush(absl::string_view why) {
  if (is_closing()) return;
  TOTORA_LOG(kDebug, "net") << Field("peer", info_->peer) << Field("why", why) << "closing";
  closing_ = true;
  MarkDirty();
}

void Connection::CutOff(absl::string_view why) {
  CloseAfterFlush(why);
  if (is_write_armed_) Close(why);
}

void Connection::ResetAtDeath() {
  if (!is_open_ || lingering_) return;
  resets_at_death_ = true;
  SetResetAtDeath(socket_.native_handle(), true);
}

// A close with unread bytes in the kernel makes it send a reset, which may
// reach the peer before it has read our last words.
void Connection::Linger() {
  lingering_ = true;
  ::shutdown(socket_.native_handle(), SHUT_WR);
  core_->PostAfter(limits().linger, [self = shared_from_this()] { self->Close("lingered"); });
}

void Connection::Close(absl::string_view why) {
  if (!is_open_) return;
  const LoopCore::Turn turn(core_.get());
  TOTORA_LOG(kDebug, "net") << Field("peer", info_->peer) << Field("why", why) << "closed";
  is_open_ = false;
  const std::shared_ptr<Connection> self = shared_from_this();
  if (resets_at_death_) SetResetAtDeath(socket_.native_handle(), false);
  boost::system::error_code ignored;
  socket_.close(ignored);
  output_.Clear();
  core_->RemoveConnection(self);
  // The protocol may be on the stack. It dies with this object, which the
  // dirty list keeps until the turn ends.
  core_->MarkDirty(self);
  protocol_->OnClosed();
  GiveUpPlace();
}

void Connection::OnWatch() {
  if (!is_open_) return;
  const LoopCore::Turn turn(core_.get());
  const int64_t stalled = core_->now_nanos() - last_write_nanos_;
  if (is_write_armed_ && stalled > absl::ToInt64Nanoseconds(limits().write_stall_timeout)) {
    budget().counters().CountRefusal(NetRefusal::kWriteStalled);
    Close("write stalled");
    return;
  }
  if (!closing_) protocol_->OnWatch(core_->now_nanos());
  if (output_.empty()) output_.DropSpare();
}

void Connection::Drain() {
  if (is_closing()) return;
  protocol_->Drain();
}

}  // namespace totora::net
