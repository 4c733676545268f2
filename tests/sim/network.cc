#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace totora::sim {
namespace {
constexpr absl::Duration kRedial = absl::Milliseconds(50);
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
    stream.last = scheduler_->now();
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
    scheduler_->At(at, nullptr, [this, key, channel, shared, epoch = stream.epoch] {
      const auto& [sender, receiver, number] = key;
      const Stream& open = streams_[key];
      if (!open.is_open || open.epoch != epoch) return;
      if (IsBlocked(sender, receiver)) {
        ++counts_.blocked;
        return;
      }
      const auto it = transports_.find(receiver);
      if (it == transports_.end() || !it->second->is_live()) return;
      ++counts_.delivered;
      it->second->receiver()->OnMessage(open.hello, channel, shared);
    });
  }
}

}  // namespace totora::sim
