// Many producers, each with one send outstanding, and a consumer that reads
// everything back.
#ifndef TOTORA_TESTS_INTEGRATION_LOAD_H_
#define TOTORA_TESTS_INTEGRATION_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/producer.h"
#include "tests/integration/ledger.h"

namespace totora::integration {

struct LoadOptions {
  std::string access_point;
  std::string topic;
  int producers = 32;
  uint64_t seed = 0;
  size_t body_size_max = 512;
  // From one send of a producer to its next, at least.
  absl::Duration pace = absl::Milliseconds(5);
  // A message that is still unanswered this long after Stop stays unknown.
  absl::Duration patience = absl::Seconds(30);
};

// A producer that fails sends the same message again, under the same id, until
// it is acknowledged: so nothing may be stored twice, whatever happened to the
// first attempt.
//
// Thread safety: Start, Stop and the questions behind it are for one thread;
// acknowledged() for any.
class Load {
 public:
  static absl::StatusOr<std::unique_ptr<Load>> Start(const LoadOptions& options);
  ~Load();

  uint64_t acknowledged() const { return acknowledged_.load(std::memory_order_relaxed); }

  // Waits until every producer has its last answer, or has lost patience.
  void Stop();

  // --- After Stop -----------------------------------------------------------

  void WriteTo(Ledger* ledger);

  // Each producer's longest time between two acknowledgements in a row that
  // overlaps [from, to], both on the steady clock.
  std::vector<absl::Duration> Gaps(absl::Duration from, absl::Duration to) const;

  // Sends that failed for the program, after all attempts of the client.
  uint64_t failures() const;
  // Statuses of the first few of them.
  std::vector<std::string> failure_examples() const;
  // Attempts beyond the first, of the client and of ours.
  uint64_t retries() const;

 private:
  struct Worker {
    uint32_t number = 0;
    std::unique_ptr<client::Producer> producer;
    std::vector<Ledger::Send> sends;
    std::vector<absl::Duration> acknowledged_at;  // Steady.
    uint64_t failures = 0;
    std::vector<std::string> examples;
    std::thread thread;
  };

  explicit Load(const LoadOptions& options) : options_(options) {}
  void Run(Worker* worker);

  const LoadOptions options_;
  std::atomic<bool> is_stopping_{false};
  // Steady nanoseconds; set before is_stopping_.
  std::atomic<int64_t> give_up_at_{0};
  std::atomic<uint64_t> acknowledged_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
  bool is_stopped_ = false;
};

struct ConsumeOptions {
  std::string access_point;
  std::string topic;
  std::string consumer_group;
  int threads = 8;
  // Ends when nothing new came for so long.
  absl::Duration silence = absl::Seconds(25);
};

// Receives and acknowledges until `wanted` different ids for which `is_wanted`
// holds have come, or nothing new comes any more. Returns every delivery.
absl::StatusOr<std::vector<ReceivedBody>> ConsumeAll(
    const ConsumeOptions& options, size_t wanted,
    const std::function<bool(const std::string&)>& is_wanted);

// Asks once for messages, so that the consumer group exists before the first send.
absl::Status Introduce(const ConsumeOptions& options);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_LOAD_H_
