// One seeded scheduler runs every actor of a simulated cluster in one thread.
#ifndef TOTORA_TESTS_SIM_SCHEDULER_H_
#define TOTORA_TESTS_SIM_SCHEDULER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "common/executor.h"

namespace totora::sim {

// The only source of randomness of a simulation.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  // In [0, limit).
  uint64_t Below(uint64_t limit) { return limit == 0 ? 0 : engine_() % limit; }
  bool Chance(double probability) {
    return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability;
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    const int64_t span = absl::ToInt64Nanoseconds(high - low);
    return low + absl::Nanoseconds(static_cast<int64_t>(Below(static_cast<uint64_t>(span) + 1)));
  }
  // Where races are: within the first message's way, or within some round trips.
  absl::Duration Moment() {
    return Chance(0.5) ? Between(absl::ZeroDuration(), absl::Milliseconds(1))
                       : Between(absl::Milliseconds(1), absl::Milliseconds(12));
  }
  uint64_t Next() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// One life of a process: its tasks are dropped once it is dead, and wait while
// it is paused.
struct Life {
  bool is_alive = true;
  absl::Duration paused_until;  // Steady time; in the past = not paused.
};

class Scheduler {
 public:
  explicit Scheduler(uint64_t seed) : random_(seed) {}

  absl::Duration now() const { return now_; }
  Random& random() { return random_; }

  // Runs `task` at `at`; dropped if `life` (may be null) is over by then.
  void At(absl::Duration at, std::shared_ptr<Life> life, Task task);

  // Runs events until `until`, or until none is left.
  void RunUntil(absl::Duration until);

  // Forgets all events: before what they refer to goes.
  void DropAll();

  uint64_t events() const { return events_; }
  // Changes with every event: equal traces mean equal runs.
  uint64_t trace() const { return trace_; }
  // Mixes a fact into the trace.
  void Trace(uint64_t fact) { trace_ = (trace_ ^ fact) * 1099511628211ull; }

 private:
  struct Event {
    absl::Duration at;
    uint64_t sequence;
    std::shared_ptr<Life> life;
    mutable Task task;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };

  Random random_;
  absl::Duration now_ = absl::Seconds(1);
  std::priority_queue<Event> events_queue_;
  uint64_t next_sequence_ = 0;
  uint64_t events_ = 0;
  uint64_t trace_ = 1469598103934665603ull;
};

// A process's clock: simulated time, and a wall that the nemesis may move.
class SimClock : public Clock {
 public:
  explicit SimClock(const Scheduler* scheduler) : scheduler_(scheduler) {}
  absl::Time WallNow() const override {
    return absl::FromUnixSeconds(1'800'000'000) + scheduler_->now() + offset_;
  }
  absl::Duration SteadyNow() const override { return scheduler_->now(); }
  void SetOffset(absl::Duration offset) { offset_ = offset; }

 private:
  const Scheduler* const scheduler_;
  absl::Duration offset_;
};

// Tasks of one executor run in order, each after a delay from [low, high].
class SimExecutor : public Executor {
 public:
  SimExecutor(Scheduler* scheduler, std::shared_ptr<Life> life, const SimClock* clock,
              absl::Duration low, absl::Duration high)
      : scheduler_(scheduler), life_(std::move(life)), clock_(clock), low_(low), high_(high) {}

  // Dropped when the process is dead.
  void Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;
  const Clock& clock() const override { return *clock_; }
  // Nothing runs before `until`, and then in the old order.
  void Stall(absl::Duration until) { stalled_until_ = until; }

 private:
  void RunFirst();

  Scheduler* const scheduler_;
  const std::shared_ptr<Life> life_;
  const SimClock* const clock_;
  const absl::Duration low_;
  const absl::Duration high_;
  absl::Duration last_;  // When the task posted last will run.
  absl::Duration stalled_until_;
  std::deque<Task> posted_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_SCHEDULER_H_
