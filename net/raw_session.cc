#include "net/raw_session.h"

#include <utility>

#include "common/check.h"

namespace totora::net {

RawPeer::RawPeer(Connection* connection)
    : core_(connection->shared_core()),
      serving_(connection->serving()),
      info_(connection->info()),
      connection_(connection) {}

RawPeer::~RawPeer() {
  NetBudget::Give(&serving_->budget->counters().response_bytes_held,
                  held_.load(std::memory_order_relaxed));
}

template <typename Work>
void RawPeer::OnLoop(Work work) {
  if (core_->IsCurrent()) {
    if (connection_ != nullptr && connection_->is_open()) work(connection_);
    return;
  }
  core_->Post([self = shared_from_this(), work = std::move(work)]() mutable {
    if (self->connection_ != nullptr && self->connection_->is_open()) work(self->connection_);
  });
}

bool RawPeer::Account(size_t size) {
  const NetLimits& limits = serving_->budget->limits();
  const int64_t amount = static_cast<int64_t>(size);
  const int64_t held = held_.fetch_add(amount, std::memory_order_relaxed) + amount;
  NetCounters& counters = serving_->budget->counters();
  const int64_t process =
      counters.response_bytes_held.fetch_add(amount, std::memory_order_relaxed) + amount;
  if (held > limits.connection_response_bytes_held_max ||
      (process > limits.response_bytes_held_max &&
       held > static_cast<int64_t>(limits.stream_write_pause_bytes))) {
    if (!overflowed_.exchange(true)) counters.CountRefusal(NetRefusal::kResponseBytesHeld);
    OnLoop([](Connection* connection) { connection->Close("too many response bytes held"); });
  }
  if (held <= static_cast<int64_t>(limits.stream_write_pause_bytes)) return true;
  wants_writable_.store(true);
  return false;
}

bool RawPeer::Write(std::string bytes) {
  const bool go_on = Account(bytes.size());
  if (overflowed_.load(std::memory_order_relaxed)) return false;
  OnLoop([bytes = std::move(bytes)](Connection* connection) mutable {
    if (connection->is_closing()) return;
    if (bytes.size() < OutputBuffer::kReferenceBytesMin) {
      connection->output().Append(bytes);
    } else {
      connection->output().AppendShared(SharedBytes(std::move(bytes)));
    }
    connection->MarkDirty();
  });
  return go_on;
}

bool RawPeer::Write(std::vector<SharedBytes> pieces) {
  size_t size = 0;
  for (const SharedBytes& piece : pieces) size += piece.size();
  const bool go_on = Account(size);
  if (overflowed_.load(std::memory_order_relaxed)) return false;
  OnLoop([pieces = std::move(pieces)](Connection* connection) mutable {
    if (connection->is_closing()) return;
    for (SharedBytes& piece : pieces) connection->output().AppendShared(std::move(piece));
    connection->MarkDirty();
  });
  return go_on;
}

void RawPeer::Close() {
  OnLoop([](Connection* connection) { connection->CloseAfterFlush("closed by handler"); });
}

void RawPeer::SetPaused(bool paused) {
  OnLoop([paused](Connection* connection) { connection->SetReadPaused(paused); });
}

void RawPeer::Drained(size_t size) {
  const int64_t amount = static_cast<int64_t>(size);
  held_.fetch_sub(amount, std::memory_order_relaxed);
  NetBudget::Give(&serving_->budget->counters().response_bytes_held, amount);
}

std::unique_ptr<RawSession> RawSession::Make(Connection* connection, const RawProtocol& protocol) {
  auto peer = std::make_shared<RawPeer>(connection);
  std::unique_ptr<RawHandler> handler = protocol.factory(peer);
  if (handler == nullptr) {
    peer->connection_ = nullptr;
    return nullptr;
  }
  // Java clients up to 4.9 let the calls of a connection that ended wait their
  // time out, for a parked pull 30 s; those of one that was reset fail at once.
  connection->ResetAtDeath();
  return std::unique_ptr<RawSession>(new RawSession(connection, protocol.unconsumed_bytes_max,
                                                    std::move(peer), std::move(handler)));
}

RawSession::RawSession(Connection* connection, size_t unconsumed_max, std::shared_ptr<RawPeer> peer,
                       std::unique_ptr<RawHandler> handler)
    : connection_(connection),
      unconsumed_max_(unconsumed_max),
      peer_(std::move(peer)),
      handler_(std::move(handler)),
      written_seen_(connection->written_total()) {}

void RawSession::OnBytes(absl::string_view bytes) {
  if (!kept_.empty()) {
    kept_.append(bytes.data(), bytes.size());
    bytes = kept_;
  }
  const size_t consumed = handler_->OnData(bytes);
  TOTORA_CHECK(consumed <= bytes.size()) << consumed << " of " << bytes.size();
  if (!connection_->is_open()) return;
  if (kept_.empty()) {
    kept_.assign(bytes.data() + consumed, bytes.size() - consumed);
  } else {
    kept_.erase(0, consumed);
    if (kept_.empty() && kept_.capacity() > (64 << 10)) kept_ = std::string();
  }
  NetCounters& counters = connection_->budget().counters();
  counters.request_bytes_held.fetch_add(
      static_cast<int64_t>(kept_.size()) - static_cast<int64_t>(kept_charged_),
      std::memory_order_relaxed);
  kept_charged_ = kept_.size();
  const bool process_full = counters.request_bytes_held.load(std::memory_order_relaxed) >
                            connection_->limits().request_bytes_held_max;
  if (kept_.size() > unconsumed_max_ || (process_full && kept_.size() > (64 << 10))) {
    counters.CountRefusal(NetRefusal::kRequestBytesHeld);
    connection_->Close("too many bytes without a whole frame");
  }
}

void RawSession::OnWritten(uint64_t total) {
  peer_->Drained(total - written_seen_);
  written_seen_ = total;
  const int64_t low = static_cast<int64_t>(connection_->limits().stream_write_pause_bytes / 2);
  if (peer_->held_.load(std::memory_order_relaxed) <= low &&
      peer_->wants_writable_.exchange(false)) {
    handler_->OnWritable();
  }
}

void RawSession::OnClosed() {
  NetBudget::Give(&connection_->budget().counters().request_bytes_held,
                  static_cast<int64_t>(kept_charged_));
  kept_charged_ = 0;
  peer_->connection_ = nullptr;
  handler_->OnClosed();
}

}  // namespace totora::net
