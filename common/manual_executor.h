// An executor for tests: one thread, time that moves when it is told to.
#ifndef TOTORA_COMMON_MANUAL_EXECUTOR_H_
#define TOTORA_COMMON_MANUAL_EXECUTOR_H_

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"

namespace totora {

// Thread safety: confined to the test's thread.
class ManualExecutor : public Executor {
 public:
  void Post(Task task) override { ready_.push_back(std::move(task)); }
  void PostAfter(absl::Duration delay, Task task) override {
    timers_.emplace(clock_.steady + delay, std::move(task));
  }
  const Clock& clock() const override { return clock_; }

  // Runs what is ready, and what that makes ready, at the present time.
  void Run() {
    while (true) {
      while (!timers_.empty() && timers_.begin()->first <= clock_.steady) {
        ready_.push_back(std::move(timers_.begin()->second));
        timers_.erase(timers_.begin());
      }
      if (ready_.empty()) return;
      Task task = std::move(ready_.front());
      ready_.pop_front();
      task();
    }
  }

  // Time passes, timer by timer.
  void Advance(absl::Duration by) {
    const absl::Duration until = clock_.steady + by;
    Run();
    while (!timers_.empty() && timers_.begin()->first <= until) {
      clock_.steady = std::max(clock_.steady, timers_.begin()->first);
      Run();
    }
    clock_.steady = until;
    Run();
  }

  absl::Duration now() const { return clock_.steady; }

 private:
  struct ManualClock : public Clock {
    absl::Time WallNow() const override { return absl::FromUnixMillis(1'700'000'000'000) + steady; }
    absl::Duration SteadyNow() const override { return steady; }
    absl::Duration steady = absl::Seconds(1000);
  };

  ManualClock clock_;
  std::deque<Task> ready_;
  std::multimap<absl::Duration, Task> timers_;
};

}  // namespace totora

#endif  // TOTORA_COMMON_MANUAL_EXECUTOR_H_
