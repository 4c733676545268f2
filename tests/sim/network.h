// The network between simulated replicas: streams that delay, lose, repeat,
// break, and hosts that cannot hear each other.
#ifndef TOTORA_TESTS_SIM_NETWORK_H_
#define TOTORA_TESTS_SIM_NETWORK_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "raft/transport.h"
#include "tests/sim/scheduler.h"

namespace totora::sim {

struct NetworkFaults {
  double lose = 0;     // Of single messages.
  double repeat = 0;
  double stall = 0;    // A message (and those behind it) waits up to 300 ms.
  double break_stream = 0;
};

struct NetworkCounts {
  uint64_t delivered = 0, lost = 0, repeated = 0, stalled = 0, broken = 0, blocked = 0;
};

class SimNetwork {
 public:
  explicit SimNetwork(Scheduler* scheduler) : scheduler_(scheduler) {}

  // The transport of one life of a replica. The network must outlive it.
  std::unique_ptr<raft::Transport> MakeTransport(ReplicaId self, std::vector<ReplicaId> all,
                                                 std::shared_ptr<Life> life);

  void SetFaults(const NetworkFaults& faults) { faults_ = faults; }
  // Nothing gets from `from` to `to` until unblocked; streams do not notice.
  void Block(ReplicaId from, ReplicaId to) { blocked_.insert({from, to}); }
  void UnblockAll();
  // How long what the programs of two replicas tell each other has got through;
  // 0 if it does not now.
  absl::Duration LinkedFor(ReplicaId from, ReplicaId to) const;
  // How long the stream itself has been open, blocked or not: then the one was
  // told that the other is up.
  absl::Duration OpenFor(ReplicaId from, ReplicaId to) const;
  // Hears of every message that leaves a replica, also if it is lost on the way.
  using Tap = std::function<void(ReplicaId from, ReplicaId to, raft::Channel channel,
                                 const SharedBytes& bytes)>;
  void SetTap(Tap tap) { tap_ = std::move(tap); }
  // The process of `replica` died: peers see their streams break. If the whole
  // host went, they see nothing but silence until their streams time out.
  void Died(ReplicaId replica, bool host_went);

  const NetworkCounts& counts() const { return counts_; }

 private:
  class SimTransport;
  struct Stream {
    uint64_t epoch = 0;     // Of the dialler's attempt; stale events check it.
    bool is_open = false;
    absl::Duration last;    // When the message sent last arrives: order is kept.
    absl::Duration opened_at;
    // Messages of the programs that wait for the hosts to hear each other: unlike
    // Raft they count on it that an open stream loses nothing.
    std::deque<SharedBytes> held;
    std::shared_ptr<const raft::Hello> hello;  // Of the dialler, as the acceptor knows it.
  };
  using Key = std::tuple<ReplicaId, ReplicaId, int>;  // From, to, channel.

  void Dial(ReplicaId from, ReplicaId to, int channel, uint64_t epoch);
  void Break(const Key& key, bool is_refused);
  void Transmit(ReplicaId from, ReplicaId to, raft::Channel channel, raft::WireMessage message);
  void TransmitProgram(const Key& key, SharedBytes bytes);
  void Arrive(const Key& key, uint64_t epoch, SharedBytes bytes);
  void DeliverHeld(const Key& key, uint64_t epoch);
  bool IsBlocked(ReplicaId from, ReplicaId to) const { return blocked_.count({from, to}) > 0; }
  absl::Duration Latency();

  Scheduler* const scheduler_;
  NetworkFaults faults_;
  Tap tap_;
  NetworkCounts counts_;
  std::map<ReplicaId, SimTransport*> transports_;  // Of live processes.
  std::map<Key, Stream> streams_;
  std::set<std::pair<ReplicaId, ReplicaId>> blocked_;
  std::map<std::pair<ReplicaId, ReplicaId>, absl::Duration> unblocked_at_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_NETWORK_H_
