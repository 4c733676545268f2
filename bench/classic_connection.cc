#include "bench/classic_connection.h"

#include <utility>
#include <vector>

#include "net/dialer.h"
#include "remoting/frame.h"

namespace totora::bench {
namespace {

constexpr absl::Duration kDialPause = absl::Milliseconds(20);
constexpr absl::Duration kDialTimeout = absl::Seconds(1);
constexpr absl::Duration kSweepInterval = absl::Milliseconds(100);

}  // namespace

// Net's side: finds the frames.
class ClassicConnection::Handler : public RawHandler {
 public:
  Handler(std::weak_ptr<ClassicConnection> owner, RawConnectionPtr raw, uint64_t generation)
      : owner_(std::move(owner)), raw_(std::move(raw)), generation_(generation) {}

  size_t OnData(absl::string_view bytes) override {
    size_t done = 0;
    while (true) {
      const absl::string_view rest = bytes.substr(done);
      const absl::StatusOr<size_t> size = remoting::FrameSize(rest);
      if (!size.ok()) return Cut(bytes);
      if (*size == 0 || rest.size() < *size) return done;
      absl::StatusOr<remoting::Command> command =
          remoting::DecodeFrame(rest.substr(0, *size));
      if (!command.ok()) return Cut(bytes);
      done += *size;
      const std::shared_ptr<ClassicConnection> owner = Owner();
      if (owner == nullptr) return Cut(bytes);
      if (command->is_response()) owner->OnAnswer(*std::move(command));
    }
  }

  void OnClosed() override {
    if (const auto owner = Owner()) {
      owner->OnLost(absl::UnavailableError("the server closed the connection"));
    }
  }

 private:
  // Null if it has another connection now.
  std::shared_ptr<ClassicConnection> Owner() const {
    std::shared_ptr<ClassicConnection> owner = owner_.lock();
    return owner != nullptr && owner->generation_ == generation_ ? owner : nullptr;
  }
  size_t Cut(absl::string_view bytes) {
    raw_->Close();
    return bytes.size();
  }

  const std::weak_ptr<ClassicConnection> owner_;
  const RawConnectionPtr raw_;
  const uint64_t generation_;
};

ClassicConnection::ClassicConnection(EventLoop* loop, std::shared_ptr<NetBudget> budget,
                                     std::string address)
    : loop_(loop), budget_(std::move(budget)), address_(std::move(address)) {}

void ClassicConnection::Open(Event on_change) {
  on_change_ = std::move(on_change);
  Dial();
  SweepLater();
}

void ClassicConnection::MoveTo(const std::string& address) {
  if (address == address_) return;
  address_ = address;
  const RawConnectionPtr old = std::move(raw_);
  OnLost(absl::UnavailableError("the broker has another address now"));
  if (old != nullptr) old->Close();
}

void ClassicConnection::Dial() {
  const uint64_t generation = ++generation_;
  RawProtocol protocol;
  protocol.factory = [weak = weak_from_this(),
                      generation](RawConnectionPtr raw) -> std::unique_ptr<RawHandler> {
    const std::shared_ptr<ClassicConnection> self = weak.lock();
    if (self == nullptr || self->generation_ != generation) return nullptr;
    auto handler = std::make_unique<Handler>(weak, raw, generation);
    self->OnUp(std::move(raw));
    return handler;
  };
  DialRaw(loop_, budget_, {.address = address_, .timeout = kDialTimeout}, std::move(protocol),
          [weak = weak_from_this(), generation](const DialFailure&) {
            const std::shared_ptr<ClassicConnection> self = weak.lock();
            if (self == nullptr || self->generation_ != generation) return;
            self->DialLater();
            self->on_change_(false);
          });
}

void ClassicConnection::DialLater() {
  loop_->PostAfter(kDialPause, [weak = weak_from_this(), generation = generation_] {
    const std::shared_ptr<ClassicConnection> self = weak.lock();
    if (self != nullptr && self->generation_ == generation) self->Dial();
  });
}

void ClassicConnection::SweepLater() {
  loop_->PostAfter(kSweepInterval, [weak = weak_from_this()] {
    const std::shared_ptr<ClassicConnection> self = weak.lock();
    if (self == nullptr) return;
    const absl::Duration now = self->loop_->clock().SteadyNow();
    std::vector<Done> late;
    for (auto it = self->pending_.begin(); it != self->pending_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      late.push_back(std::move(it->second.done));
      self->pending_.erase(it++);
    }
    for (Done& done : late) done(absl::DeadlineExceededError("no answer in time"));
    self->SweepLater();
  });
}

void ClassicConnection::OnUp(RawConnectionPtr raw) {
  raw_ = std::move(raw);
  on_change_(true);
}

void ClassicConnection::OnLost(const absl::Status& why) {
  raw_ = nullptr;
  ++generation_;
  auto pending = std::exchange(pending_, {});
  DialLater();
  on_change_(false);
  for (auto& [opaque, call] : pending) call.done(why);
}

void ClassicConnection::OnAnswer(remoting::Command answer) {
  const auto found = pending_.find(answer.opaque);
  if (found == pending_.end()) return;  // Too late.
  Done done = std::move(found->second.done);
  pending_.erase(found);
  done(std::move(answer));
}

void ClassicConnection::Call(int32_t opaque, std::string frame, absl::Duration timeout,
                             Done done) {
  if (raw_ == nullptr) {
    // Not at once: whoever starts the next request then would ask as fast as
    // this can refuse.
    loop_->PostAfter(kDialPause, [done = std::move(done)]() mutable {
      done(absl::UnavailableError("no connection to the server"));
    });
    return;
  }
  pending_.emplace(opaque, Pending{loop_->clock().SteadyNow() + timeout, std::move(done)});
  raw_->Write(std::move(frame));
}

}  // namespace totora::bench
