#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

#include "raft/wire.h"

namespace totora::sim {
namespace {
constexpr absl::Duration kRedial = absl::Milliseconds(50);
constexpr absl::Duration kTryHeldAgain = absl::Milliseconds(50);
}  // namespace

// Thread safety: confined to the scheduler, like everything here.
class SimNetwork::SimTransport : public raft::Transport {
 public:
  SimTransport(SimNetwork* network, ReplicaId self, std::vector<ReplicaId> all,
               std::shared_ptr<Life> life)
      : network_(network), self_(self), all_(std::move(all)), life_(std::move(life)) {}
  ~SimTransport() override { Stop(); }

  void Start(const raft::Hello& self, raft::TransportReceiver* receiver) override {
    hello_ = self;
    receiver_ = receiver;
    network_->transports_[self_] = this;
    for (const ReplicaId peer : all_) {
      if (peer == self_) continue;
      for (int channel = 0; channel < raft::kChannels; ++channel) {
        Stream& stream = network_->streams_[{self_, peer, channel}];
        stream.is_open = false;
        network_->Dial(self_, peer, channel, ++stream.epoch);
      }
    }
  }
  void SetHello(const raft::Hello& self) override { hello_ = self; }
  void Send(ReplicaId to, raft::Channel channel, raft::WireMessage message) override {
    if (receiver_ != nullptr) network_->Transmit(self_, to, channel, std::move(message));
  }
  void Stop() override {
    receiver_ = nullptr;
    const auto it = network_->transports_.find(self_);
    if (it != network_->transports_.end() && it->second == this) network_->transports_.erase(it);
  }

  const raft::Hello& hello() const { return hello_; }
  raft::TransportReceiver* receiver() const { return receiver_; }
  bool is_live() const { return life_->is_alive && receiver_ != nullptr; }
  bool is_paused(absl::Duration now) const { return life_->paused_until > now; }
  absl::Duration paused_until() const { return life_->paused_until; }

 private:
  SimNetwork* const network_;
  const ReplicaId self_;
  const std::vector<ReplicaId> all_;
  const std::shared_ptr<Life> life_;
  raft::Hello hello_;
  raft::TransportReceiver* receiver_ = nullptr;
};

std::unique_ptr<raft::Transport> SimNetwork::MakeTransport(ReplicaId self,
                                                           std::vector<ReplicaId> all,
                                                           std::shared_ptr<Life> life) {
  return std::make_unique<SimTransport>(this, self, std::move(all), std::move(life));
}

absl::Duration SimNetwork::Latency() {
  return scheduler_->random().Between(absl::Microseconds(50), absl::Milliseconds(2));
}

void SimNetwork::Dial(ReplicaId from, ReplicaId to, int channel, uint64_t epoch) {
  scheduler_->At(scheduler_->now() + Latency(), nullptr, [this, from, to, channel, epoch] {
    const auto dialler = transports_.find(from);
    Stream& stream = streams_[{from, to, channel}];
    if (dialler == transports_.end() || !dialler->second->is_live() || stream.epoch != epoch) {
      return;
    }
    const auto redial = [this, from, to, channel, epoch] {
      scheduler_->At(scheduler_->now() + kRedial, nullptr,
                     [this, from, to, channel, epoch] { Dial(from, to, channel, epoch); });
    };
    if (IsBlocked(from, to) || IsBlocked(to, from)) return redial();
    const auto acceptor = transports_.find(to);
    if (acceptor == transports_.end() || !acceptor->second->is_live()) {
      dialler->second->receiver()->OnDisconnected(to, static_cast<raft::Channel>(channel), true);
      return redial();
    }
    if (acceptor->second->is_paused(scheduler_->now())) return redial();
    stream.is_open = true;
    stream.last = stream.opened_at = scheduler_->now();
    stream.held.clear();
    stream.hello = std::make_shared<raft::Hello>(dialler->second->hello());
    dialler->second->receiver()->OnConnected(to, static_cast<raft::Channel>(channel),
                                             acceptor->second->hello());
  });
}

void SimNetwork::Break(const Key& key, bool is_refused) {
  Stream& stream = streams_[key];
  if (!stream.is_open) return;
  const auto [from, to, channel] = key;
  stream.is_open = false;
  ++stream.epoch;
  ++counts_.broken;
  const auto dialler = transports_.find(from);
  if (dialler == transports_.end() || !dialler->second->is_live()) return;
  dialler->second->receiver()->OnDisconnected(to, static_cast<raft::Channel>(channel), is_refused);
  Dial(from, to, channel, stream.epoch);
}

void SimNetwork::Died(ReplicaId replica, bool host_went) {
  transports_.erase(replica);
  for (auto& [key, stream] : streams_) {
    const auto& [from, to, channel] = key;
    if (!stream.is_open) continue;
    if (from == replica) {
      stream.is_open = false;
      ++stream.epoch;
    } else if (to == replica) {
      const absl::Duration after = host_went ? absl::Seconds(2) : Latency();
      const uint64_t epoch = stream.epoch;
      scheduler_->At(scheduler_->now() + after, nullptr, [this, key = key, epoch] {
        if (streams_[key].epoch == epoch) Break(key, false);
      });
    }
  }
}

void SimNetwork::Transmit(ReplicaId from, ReplicaId to, raft::Channel channel,
                          raft::WireMessage message) {
  const Key key{from, to, static_cast<int>(channel)};
  Stream& stream = streams_[key];
  if (!stream.is_open) return;
  std::string bytes = std::move(message.head);
  for (const SharedBytes& part : message.parts) {
    bytes.append(part.view().data(), part.size());
  }
  const SharedBytes shared(std::move(bytes));
  if (tap_) tap_(from, to, channel, shared);
  if (raft::IsPeerMessage(shared.view())) return TransmitProgram(key, shared);
  Random& random = scheduler_->random();
  if (random.Chance(faults_.lose)) {
    ++counts_.lost;
    return;
  }
  if (random.Chance(faults_.break_stream)) {
    const uint64_t epoch = stream.epoch;
    scheduler_->At(scheduler_->now() + Latency(), nullptr, [this, key, epoch] {
      if (streams_[key].epoch == epoch) Break(key, false);
    });
  }
  absl::Duration latency = Latency();
  if (random.Chance(faults_.stall)) {
    ++counts_.stalled;
    latency += random.Between(absl::ZeroDuration(), absl::Milliseconds(300));
  }
  const int copies = random.Chance(faults_.repeat) ? 2 : 1;
  if (copies == 2) ++counts_.repeated;
  for (int i = 0; i < copies; ++i) {
    const absl::Duration at = std::max(stream.last, scheduler_->now() + latency);
    stream.last = at;
    scheduler_->At(at, nullptr, [this, key, shared, epoch = stream.epoch] {
      if (!IsBlocked(std::get<0>(key), std::get<1>(key))) return Arrive(key, epoch, shared);
      if (streams_[key].is_open && streams_[key].epoch == epoch) ++counts_.blocked;
    });
  }
}

void SimNetwork::Arrive(const Key& key, uint64_t epoch, SharedBytes bytes) {
  const auto& [from, to, channel] = key;
  const Stream& stream = streams_[key];
  if (!stream.is_open || stream.epoch != epoch) return;
  const auto it = transports_.find(to);
  if (it == transports_.end() || !it->second->is_live()) return;
  ++counts_.delivered;
  it->second->receiver()->OnMessage(stream.hello, static_cast<raft::Channel>(channel),
                                    std::move(bytes));
}

void SimNetwork::TransmitProgram(const Key& key, SharedBytes bytes) {
  Stream& stream = streams_[key];
  if (scheduler_->random().Chance(faults_.break_stream)) {
    scheduler_->At(scheduler_->now() + Latency(), nullptr, [this, key, epoch = stream.epoch] {
      if (streams_[key].epoch == epoch) Break(key, false);
    });
  }
  stream.last = std::max(stream.last, scheduler_->now() + Latency());
  scheduler_->At(stream.last, nullptr,
                 [this, key, bytes = std::move(bytes), epoch = stream.epoch] {
                   Stream& open = streams_[key];
                   if (!open.is_open || open.epoch != epoch) return;
                   open.held.push_back(bytes);
                   if (open.held.size() == 1) DeliverHeld(key, epoch);
                 });
}

void SimNetwork::DeliverHeld(const Key& key, uint64_t epoch) {
  Stream& stream = streams_[key];
  if (!stream.is_open || stream.epoch != epoch) return;
  if (IsBlocked(std::get<0>(key), std::get<1>(key))) {
    scheduler_->At(scheduler_->now() + kTryHeldAgain, nullptr,
                   [this, key, epoch] { DeliverHeld(key, epoch); });
    return;
  }
  for (SharedBytes& bytes : std::exchange(stream.held, {})) Arrive(key, epoch, std::move(bytes));
}

void SimNetwork::UnblockAll() {
  for (const auto& pair : blocked_) unblocked_at_[pair] = scheduler_->now();
  blocked_.clear();
}

absl::Duration SimNetwork::OpenFor(ReplicaId from, ReplicaId to) const {
  const auto stream = streams_.find({from, to, static_cast<int>(raft::Channel::kControl)});
  if (stream == streams_.end() || !stream->second.is_open) return absl::ZeroDuration();
  return scheduler_->now() - stream->second.opened_at;
}

absl::Duration SimNetwork::LinkedFor(ReplicaId from, ReplicaId to) const {
  const auto stream = streams_.find({from, to, static_cast<int>(raft::Channel::kControl)});
  if (stream == streams_.end() || !stream->second.is_open || IsBlocked(from, to)) {
    return absl::ZeroDuration();
  }
  absl::Duration since = stream->second.opened_at;
  const auto unblocked = unblocked_at_.find({from, to});
  if (unblocked != unblocked_at_.end()) since = std::max(since, unblocked->second);
  return scheduler_->now() - since;
}

}  // namespace totora::sim
