#include "common/thread_executor.h"

#include <pthread.h>

#include <utility>

#include "common/check.h"

namespace totora {

ThreadExecutor::ThreadExecutor(const std::string& name) : thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

void ThreadExecutor::Post(Task task) {
  bool wake;
  {
    MutexLock lock(&mu_);
    if (stopping_) return;
    queue_.push_back(std::move(task));
    wake = std::exchange(sleeping_, false);
  }
  if (wake) wake_.Signal();
}

void ThreadExecutor::PostAfter(absl::Duration delay, Task task) {
  bool wake;
  {
    MutexLock lock(&mu_);
    if (stopping_) return;
    const absl::Duration due = clock().SteadyNow() + delay;
    const bool is_first = timers_.empty() || due < timers_.top().due;
    timers_.push(Timer{due, next_timer_++, std::move(task)});
    wake = is_first && std::exchange(sleeping_, false);
  }
  if (wake) wake_.Signal();
}

void ThreadExecutor::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    sleeping_ = false;
  }
  wake_.Signal();
  TOTORA_CHECK(!IsCurrent()) << "an executor cannot stop itself";
  if (thread_.joinable()) thread_.join();
}

absl::Duration ThreadExecutor::TakeDue(std::vector<Task>* batch) {
  if (timers_.empty()) return absl::InfiniteDuration();
  const absl::Duration now = clock().SteadyNow();
  while (!timers_.empty() && timers_.top().due <= now) {
    batch->push_back(std::move(timers_.top().task));
    timers_.pop();
  }
  return timers_.empty() ? absl::InfiniteDuration() : timers_.top().due - now;
}

void ThreadExecutor::Run() {
  std::vector<Task> batch;
  while (true) {
    {
      MutexLock lock(&mu_);
      while (true) {
        batch.swap(queue_);
        const absl::Duration until_timer = stopping_ ? absl::InfiniteDuration() : TakeDue(&batch);
        if (!batch.empty()) break;
        if (stopping_) return;
        sleeping_ = true;
        if (until_timer == absl::InfiniteDuration()) {
          wake_.Wait(&mu_);
        } else {
          wake_.WaitFor(&mu_, until_timer);
        }
        sleeping_ = false;
      }
    }
    for (Task& task : batch) {
      std::move(task)();
      task = nullptr;
    }
    batch.clear();
  }
}

}  // namespace totora
