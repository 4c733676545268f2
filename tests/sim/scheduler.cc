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

void Scheduler::DropAll() {
  // What goes may add events.
  while (!events_queue_.empty()) std::exchange(events_queue_, {});
}

void SimExecutor::Post(Task task) {
  if (!life_->is_alive) return;
  const absl::Duration ready = scheduler_->now() + scheduler_->random().Between(low_, high_);
  last_ = std::max(last_, ready);
  posted_.push_back(std::move(task));
  scheduler_->At(last_, life_, [this] { RunFirst(); });
}

void SimExecutor::RunFirst() {
  if (stalled_until_ > scheduler_->now()) {
    return scheduler_->At(stalled_until_, life_, [this] { RunFirst(); });
  }
  Task task = std::move(posted_.front());
  posted_.pop_front();
  std::move(task)();
}

void SimExecutor::PostAfter(absl::Duration delay, Task task) {
  if (!life_->is_alive) return;
  const absl::Duration ready =
      scheduler_->now() + delay + scheduler_->random().Between(low_, high_);
  scheduler_->At(ready, life_, [this, task = std::move(task)]() mutable {
    if (stalled_until_ <= scheduler_->now()) return std::move(task)();
    scheduler_->At(stalled_until_, life_, std::move(task));
  });
}

}  // namespace totora::sim
