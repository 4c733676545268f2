#include "tests/sim/classic_link.h"

#include <algorithm>
#include <utility>

namespace totora::sim {
namespace {
// A client of a host that went hears of it when something answers there again.
constexpr absl::Duration kHostSilence = absl::Seconds(2);
}  // namespace

absl::Duration ClassicLink::Latency() {
  return scheduler_->random().Between(absl::Microseconds(50), absl::Milliseconds(2));
}

void ClassicLink::Send(std::string frame) {
  if (is_client_gone_) return;
  last_in_ = std::max(last_in_, scheduler_->now() + Latency());
  scheduler_->At(last_in_, life_, [self = shared_from_this(), frame = std::move(frame)] {
    if (self->is_broker_gone_ || self->is_handler_told_) return;
    self->unread_ += frame;
    self->unread_.erase(0, self->handler_->OnData(self->unread_));
  });
}

void ClassicLink::CloseByClient() {
  if (std::exchange(is_client_gone_, true)) return;
  last_in_ = std::max(last_in_, scheduler_->now() + Latency());
  scheduler_->At(last_in_, life_, [self = shared_from_this()] {
    self->is_broker_gone_ = true;
    self->TellHandlerClosed();
  });
}

void ClassicLink::Break() {
  if (is_client_gone_ || std::exchange(is_broker_gone_, true)) return;
  scheduler_->At(scheduler_->now() + Latency(), life_,
                 [self = shared_from_this()] { self->TellHandlerClosed(); });
  TellClientClosed(End::kBroken, Latency());
}

void ClassicLink::ProcessDied(bool host_went) {
  if (std::exchange(is_broker_gone_, true)) return;
  TellClientClosed(End::kProcessDied, host_went ? kHostSilence : Latency());
}

void ClassicLink::Drop() {
  is_client_gone_ = is_broker_gone_ = true;
  TellHandlerClosed();
  handler_ = nullptr;
  client_ = Client();
}

bool ClassicLink::Write(std::string bytes) {
  if (is_broker_gone_) return true;
  ToClient([this, bytes = std::move(bytes)] { client_.on_frame(bytes); });
  return true;
}

bool ClassicLink::Write(std::vector<SharedBytes> pieces) {
  std::string bytes;
  for (const SharedBytes& piece : pieces) bytes.append(piece.view().data(), piece.size());
  return Write(std::move(bytes));
}

void ClassicLink::Close() {
  if (std::exchange(is_broker_gone_, true)) return;
  ToClient([this] {
    is_client_gone_ = true;
    client_.on_closed(End::kByBroker);
  });
  loop_->Post([self = shared_from_this()] { self->TellHandlerClosed(); });
}

// In the order of the writes, unless the connection ends meanwhile.
void ClassicLink::ToClient(std::function<void()> what) {
  last_out_ = std::max(last_out_, scheduler_->now() + Latency());
  scheduler_->At(last_out_, nullptr, [self = shared_from_this(), what = std::move(what)] {
    if (!self->is_client_gone_) what();
  });
}

void ClassicLink::TellHandlerClosed() {
  if (std::exchange(is_handler_told_, true)) return;
  handler_->OnClosed();
}

// What was written before and has not arrived yet is lost.
void ClassicLink::TellClientClosed(End end, absl::Duration after) {
  scheduler_->At(scheduler_->now() + after, nullptr, [self = shared_from_this(), end] {
    if (std::exchange(self->is_client_gone_, true)) return;
    self->client_.on_closed(end);
  });
}

}  // namespace totora::sim
