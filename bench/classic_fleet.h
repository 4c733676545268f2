// Clients of the classic protocol for load: connections to every broker that a
// topic's route names.
#ifndef TOTORA_BENCH_CLASSIC_FLEET_H_
#define TOTORA_BENCH_CLASSIC_FLEET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/classic_connection.h"
#include "net/budget.h"
#include "net/event_loop.h"

namespace totora::bench {

struct ClassicFleetOptions {
  // Answers code 105: a nameserver, or a broker of ours.
  std::string endpoint;
  std::string topic;
  size_t clients = 1;
  // Everything goes to `endpoint` itself, which is a broker's; its route only
  // tells the queues.
  bool is_direct = false;
  // Queues that can be read; else those that can be written to.
  bool reads = false;
};

// One thread of its own serves all connections. As the route stood at the
// start, so the queues stay; brokers are looked for again at once when a
// connection is lost or a request fails.
//
// Thread safety: what says "loop" is confined to loop()'s thread.
class ClassicFleet {
 public:
  struct Queue {
    size_t broker = 0;
    int32_t id = 0;
  };

  // Returns when every connection is up.
  // Errors: NotFound for a topic without a route or queues, Unavailable.
  static absl::StatusOr<std::unique_ptr<ClassicFleet>> Start(const ClassicFleetOptions& options);

  // Nothing of it is called any more.
  ~ClassicFleet();

  EventLoop* loop() { return &loop_; }
  // Immutable.
  const std::vector<Queue>& queues() const { return queues_; }
  int32_t queue_ids() const { return queue_ids_; }  // Above the highest.

  // Loop. The connection of one client to one broker.
  ClassicConnection* At(size_t client, size_t broker) {
    return connections_[client * brokers_.size() + broker].get();
  }
  // Loop. A request failed: perhaps another broker leads now.
  void LookAgain();

 private:
  explicit ClassicFleet(const ClassicFleetOptions& options);

  absl::Status FindRoute();
  absl::Status Connect();
  // Loop.
  void AskRoute(absl::AnyInvocable<void(absl::StatusOr<remoting::Command>)> done);
  void TakeRoute(const absl::StatusOr<remoting::Command>& answer);

  const ClassicFleetOptions options_;
  const std::shared_ptr<NetBudget> budget_ = std::make_shared<NetBudget>();
  // Constant after Start.
  std::vector<std::string> brokers_;  // Names; one without a name if direct.
  std::map<std::string, std::string> first_addresses_;
  std::vector<Queue> queues_;
  int32_t queue_ids_ = 0;
  // Confined to the loop.
  ClassicConnectionPtr guide_;  // Whom routes are asked of.
  std::vector<ClassicConnectionPtr> connections_;
  bool is_asking_ = false;
  absl::Duration asked_at_ = -absl::InfiniteDuration();

  EventLoop loop_;  // Last: its tasks use the others.
};

}  // namespace totora::bench

#endif  // TOTORA_BENCH_CLASSIC_FLEET_H_
