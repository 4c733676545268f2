// What the classic clients of a simulated cluster share: the way to the brokers,
// what they were told (classic_records.h), and how often what happened.
#ifndef TOTORA_TESTS_SIM_CLASSIC_WORLD_H_
#define TOTORA_TESTS_SIM_CLASSIC_WORLD_H_

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/process.h"

namespace totora::sim {

inline constexpr char kClassicTopic[] = "classic";
inline constexpr uint32_t kClassicQueues = 3;
// One queue, of nothing but messages with a delivery time.
inline constexpr char kClassicDelayedTopic[] = "classic-delayed";
inline constexpr char kClassicGroup[] = "classic-consumers";
// After so much time an id that comes again is a new message.
inline constexpr int64_t kRetryWindowMs = 15'000;
// A message that was sent back so often is a dead letter the next time.
inline constexpr int32_t kClassicReconsumeMax = 2;

struct ClassicCounts {
  uint64_t sent = 0, send_retries = 0, deliberate = 0, late_repeats = 0, delayed = 0;
  uint64_t steps = 0, retries_over_steps = 0;  // Of log time.
  uint64_t pulls = 0, pulled = 0, waits = 0, corrections = 0, filtered = 0;
  uint64_t offsets_stored = 0, offset_queries = 0, takeovers = 0;
  uint64_t sent_back = 0, dead_letters = 0, locks = 0;
  uint64_t heartbeats = 0, member_checks = 0, departures = 0, links_broken = 0;

  void Add(const ClassicCounts& other);
  std::string ToText() const;
};

class ClassicRecords;
class Membership;

// Thread safety: confined to the scheduler. All is borrowed.
struct ClassicWorld {
  Scheduler* scheduler;
  // The process that a client reaches at a replica, or null.
  std::function<Process*(ReplicaId)> reach;
  std::vector<ReplicaId> all;
  std::function<void(const std::string&)> violation;
  ClassicRecords* records;
  Membership* membership;
  double break_chance = 0;  // Of a connection, at each request.
  bool is_producing = true;
  bool is_over = false;
  uint64_t next_connection = 0;
  uint64_t next_client = 0;
  ClassicCounts counts;

  Random& random() { return scheduler->random(); }
  // Whatever is submitted from now on is applied at this log time or later.
  int64_t LogTimeMs() const {
    int64_t newest = 0;
    for (const ReplicaId id : all) {
      Process* const process = reach(id);
      if (process != nullptr) newest = std::max(newest, process->state()->log_time_ms());
    }
    return newest;
  }
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_WORLD_H_
