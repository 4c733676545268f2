// The production Executor: one thread, one queue, one timer heap.
#ifndef TOTORA_COMMON_THREAD_EXECUTOR_H_
#define TOTORA_COMMON_THREAD_EXECUTOR_H_

#include <atomic>
#include <cstdint>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "common/executor.h"
#include "common/mutex.h"

namespace totora {

// Thread safety: monitor.
class ThreadExecutor : public Executor {
 public:
  // Starts the thread. `name` (at most 15 characters) is what `top -H` shows.
  explicit ThreadExecutor(const std::string& name);

  // Stops first.
  ~ThreadExecutor() override;

  void Post(Task task) override ABSL_LOCKS_EXCLUDED(mu_);
  void PostAfter(absl::Duration delay, Task task) override ABSL_LOCKS_EXCLUDED(mu_);
  const Clock& clock() const override { return *Clock::System(); }

  // Runs what was posted before this call, then ends the thread. Delayed
  // tasks are dropped. Must not be called from a task of this executor.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  // True on this executor's own thread.
  bool IsCurrent() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  struct Timer {
    absl::Duration due;
    uint64_t sequence;  // Keeps timers of one instant in order.
    mutable Task task;
    bool operator<(const Timer& other) const {
      return due != other.due ? due > other.due : sequence > other.sequence;
    }
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // Moves timers that are due into `batch`; the time until the next one.
  absl::Duration TakeDue(std::vector<Task>* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Mutex mu_;  // Leaf.
  CondVar wake_;
  std::vector<Task> queue_ ABSL_GUARDED_BY(mu_);
  std::priority_queue<Timer> timers_ ABSL_GUARDED_BY(mu_);
  uint64_t next_timer_ ABSL_GUARDED_BY(mu_) = 0;
  bool sleeping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace totora

#endif  // TOTORA_COMMON_THREAD_EXECUTOR_H_
