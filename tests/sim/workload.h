// Clients of a simulated cluster: producers with one outstanding send each that
// retry elsewhere under the same id, some of it to be delivered later, and
// consumers that receive, mostly ack, and send some back for another attempt.
#ifndef TOTORA_TESTS_SIM_WORKLOAD_H_
#define TOTORA_TESTS_SIM_WORKLOAD_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/process.h"

namespace totora::sim {

inline constexpr char kSimTopic[] = "sim";
inline constexpr char kSimConsumerGroup[] = "sim-consumers";
inline constexpr uint32_t kSimQueues = 3;
// One queue, of nothing but messages with a delay.
inline constexpr char kSimDelayedTopic[] = "sim-delayed";

class Workload {
 public:
  // `reach` gives the process that a client reaches at a replica, or null.
  Workload(Scheduler* scheduler, std::function<Process*(ReplicaId)> reach,
           std::vector<ReplicaId> all, std::function<void(const std::string&)> violation)
      : scheduler_(scheduler),
        reach_(std::move(reach)),
        all_(std::move(all)),
        violation_(std::move(violation)) {}

  void Start(int producers, int consumers);
  void StopProducing() { is_producing_ = false; }
  void Stop() { is_consuming_ = is_producing_ = false; }

  struct Place {
    uint32_t queue = 0;
    QueueOffset offset;
    friend bool operator==(const Place&, const Place&) = default;
  };
  const std::map<std::string, Place>& acknowledged() const { return acknowledged_; }
  // Delayed messages, and when they are due.
  const std::map<std::string, int64_t>& delayed() const { return delayed_; }
  // Send-backs, by the tag that each was given: those asked for, and those done.
  uint32_t send_backs() const { return send_backs_; }
  const std::set<uint32_t>& sent_back() const { return sent_back_; }
  uint64_t received() const { return received_; }
  uint64_t retries() const { return retries_; }
  std::vector<std::string> NeverReceived() const;
  // Commands that were not answered though the process that took them lives.
  size_t Unanswered() const;

 private:
  struct Producer {
    std::string name;
    uint64_t sequence = 0;
    uint32_t queue = 0;
    int64_t delay_ms = 0;
    uint64_t attempt = 0;  // Stale answers are recognised by it.
    bool is_waiting = false;
  };

  // Gives a command to a random process; `done` is called at most once, and
  // never when that process dies first.
  bool Submit(store::CommandKind kind, const std::string& payload, raft::SubmitCallback done);
  void SubmitTo(Process* process, store::CommandKind kind, const std::string& payload,
                raft::SubmitCallback done);
  void Setup();
  void SendNext(Producer* producer);
  void Send(Producer* producer);
  void Sent(Producer* producer, const absl::StatusOr<absl::string_view>& result);
  void Consume(int number);
  void SendBack(const store::DeliveredMessage& delivered);
  void Received(int number, const absl::StatusOr<absl::string_view>& bytes, Process* process);

  Scheduler* const scheduler_;
  const std::function<Process*(ReplicaId)> reach_;
  const std::vector<ReplicaId> all_;
  const std::function<void(const std::string&)> violation_;
  bool is_producing_ = true;
  bool is_consuming_ = true;
  bool has_group_ = false;
  bool has_delayed_topic_ = false;
  bool is_set_up_ = false;
  int producer_count_ = 0;
  int consumer_count_ = 0;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<uint64_t> consumer_rounds_;
  std::map<std::string, Place> acknowledged_;
  std::map<std::string, int64_t> delayed_;
  uint32_t send_backs_ = 0;
  std::set<uint32_t> sent_back_;
  std::set<std::string> received_ids_;
  // Calls of each command's callback, and whose they are to be.
  struct Submitted {
    std::shared_ptr<const Life> life;
    std::shared_ptr<int> calls;
  };
  std::vector<Submitted> submitted_;
  uint64_t received_ = 0;
  uint64_t retries_ = 0;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_WORKLOAD_H_
