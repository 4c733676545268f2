#include "tests/sim/scheduler.h"

#include <algorithm>
#include <utility>

namespace totora::sim {

void Scheduler::At(absl::Duration at, std::shared_ptr<Life> life, Task task) {
  events_queue_.push(Event{std::max(at, now_), next_sequence_++, std::move(life), std::move(task)});
}

void Scheduler::RunUntil(absl::Duration until) {
  while (!events_queue_.empty() && events_queue_.top().at <= until) {
    const Event& top = events_queue_.top();
    now_ = top.at;
    const uint64_t sequence = top.sequence;
    std::shared_ptr<Life> life = top.life;
    Task task = std::move(top.task);
    events_queue_.pop();
    if (life != nullptr && !life->is_alive) continue;
    if (life != nullptr && life->paused_until > now_) {
      // Keeps its place among the paused ones: times differ, sequence grows.
      events_queue_.push(Event{life->paused_until, next_sequence_++, life, std::move(task)});
      continue;
    }
    ++events_;
    Trace(sequence ^ static_cast<uint64_t>(absl::ToInt64Nanoseconds(now_)));
    std::move(task)();
  }
  now_ = std::max(now_, until);
}

void SimExecutor::Post(Task task) {
  const absl::Duration ready = scheduler_->now() + scheduler_->random().Between(low_, high_);
  const absl::Duration at = std::max({last_, stalled_until_, ready});
  last_ = at;
  scheduler_->At(at, life_, std::move(task));
}

void SimExecutor::PostAfter(absl::Duration delay, Task task) {
  const absl::Duration ready =
      scheduler_->now() + delay + scheduler_->random().Between(low_, high_);
  scheduler_->At(std::max(stalled_until_, ready), life_, std::move(task));
}

}  // namespace totora::sim
