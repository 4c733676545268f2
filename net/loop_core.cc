#include "net/loop_core.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include "common/check.h"
#include "net/connection.h"

namespace totora::net {
namespace {

// Tasks that post tasks must let the sockets have their turn.
constexpr int kTaskRoundsPerTurn = 4;

thread_local LoopCore* current_core = nullptr;

int OpenEventFd() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  TOTORA_CHECK(fd >= 0) << "eventfd: errno " << errno;
  return fd;
}

}  // namespace

int64_t SteadyNanos() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// The hint 1 tells asio that one thread runs the context.
LoopCore::LoopCore()
    : context_(1),
      timer_(context_),
      wake_(context_, OpenEventFd()),
      read_buffer_(new char[kReadBufferBytes]),
      wheel_(SteadyNanos()) {}

bool LoopCore::IsCurrent() const { return current_core == this; }

void LoopCore::Post(Task task) {
  LoopCore* const poster =
      current_core != nullptr && current_core->turn_depth_ > 0 ? current_core : nullptr;
  {
    MutexLock lock(&mu_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    // A turn of this loop looks at the tasks before it ends.
    if (poster == this || std::exchange(is_woken_, true)) return;
  }
  if (poster == nullptr) return Wake();
  // One wake for all that the poster's turn has for this loop: woken at once, it
  // would run a task at a time, in turns with the poster.
  poster->to_wake_.push_back(shared_from_this());
}

void LoopCore::Wake() {
  const uint64_t one = 1;
  const ssize_t n = ::write(wake_.native_handle(), &one, sizeof one);
  TOTORA_CHECK(n == sizeof one) << "eventfd: errno " << errno;
}

void LoopCore::AwaitWake() {
  wake_.async_read_some(boost::asio::buffer(&wakes_, sizeof wakes_),
                        [this](const boost::system::error_code& error, size_t) {
                          if (error) return;
                          OnWake();
                          AwaitWake();
                        });
}

void LoopCore::PostAfter(absl::Duration delay, Task task) {
  const int64_t due = delay >= absl::Hours(24 * 365 * 100)
                          ? INT64_MAX
                          : SteadyNanos() + std::max<int64_t>(0, absl::ToInt64Nanoseconds(delay));
  Post([this, due, task = std::move(task)]() mutable {
    delayed_.push(Delayed{due, next_delayed_++, std::move(task)});
    Rearm(due);
  });
}

void LoopCore::Run() {
  current_core = this;
  {
    AwaitWake();
    auto work = boost::asio::make_work_guard(context_);
    context_.run();
  }
  // Stopped. What was cancelled still holds references: let it finish.
  context_.restart();
  context_.poll();
  current_core = nullptr;
}

void LoopCore::Stop() {
  {
    MutexLock lock(&mu_);
    if (std::exchange(stopping_, true)) return;
  }
  Wake();
}

void LoopCore::OnWake() {
  bool stopping;
  {
    const Turn turn(this);
    MutexLock lock(&mu_);
    is_woken_ = false;
    stopping = stopping_;
  }
  if (!stopping) return;
  while (RunTasks()) {
  }
  CloseConnections();
  delayed_ = {};
  timer_.cancel();
  wake_.cancel();
  context_.stop();
}

void LoopCore::CloseConnections() {
  const Turn turn(this);
  closed_ = true;
  const auto all = connections_;
  for (const auto& connection : all) connection->Close("event loop stopped");
}

bool LoopCore::RunTasks() {
  {
    MutexLock lock(&mu_);
    if (tasks_.empty()) return false;
    batch_.swap(tasks_);
  }
  for (Task& task : batch_) {
    std::move(task)();
    task = nullptr;
  }
  batch_.clear();
  return true;
}

// What was posted meanwhile is run first, so that all it writes leaves together.
void LoopCore::EndTurn() {
  for (int round = 0; round < kTaskRoundsPerTurn && RunTasks(); ++round) {
  }
  // Flushing may call back handlers that write again.
  while (!dirty_.empty()) {
    flushing_.swap(dirty_);
    for (const auto& connection : flushing_) connection->Flush();
    flushing_.clear();
  }
  bool wake;
  {
    MutexLock lock(&mu_);
    wake = !tasks_.empty() && !std::exchange(is_woken_, true);
  }
  if (wake) Wake();
  for (const std::shared_ptr<LoopCore>& other : to_wake_) other->Wake();
  to_wake_.clear();
}

void LoopCore::ArmTimer(TimerNode* node, int64_t due_nanos) {
  wheel_.Add(node, due_nanos);
  if (due_nanos < armed_nanos_) Rearm(due_nanos);
}

void LoopCore::AddConnection(std::shared_ptr<Connection> connection) {
  if (closed_) {
    connection->Close("event loop stopped");
    return;
  }
  const int64_t interval = absl::ToInt64Nanoseconds(connection->watch_interval());
  watch_interval_nanos_ = std::min(watch_interval_nanos_, interval);
  if (connections_.empty()) next_watch_nanos_ = now_nanos_ + watch_interval_nanos_;
  connections_.insert(std::move(connection));
  Rearm(next_watch_nanos_);
}

void LoopCore::RemoveConnection(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
  if (connections_.empty()) next_watch_nanos_ = INT64_MAX;
}

void LoopCore::Rearm(int64_t due_nanos) {
  if (due_nanos >= armed_nanos_) return;
  armed_nanos_ = due_nanos;
  timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(due_nanos)));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) OnTimer();
  });
}

void LoopCore::OnTimer() {
  const Turn turn(this);
  armed_nanos_ = INT64_MAX;
  wheel_.Advance(now_nanos_);
  while (!delayed_.empty() && delayed_.top().due <= now_nanos_) {
    Task task = std::move(delayed_.top().task);
    delayed_.pop();
    std::move(task)();
  }
  if (next_watch_nanos_ <= now_nanos_) WatchConnections();
  int64_t next = std::min(wheel_.NextWakeNanos(), next_watch_nanos_);
  if (!delayed_.empty()) next = std::min(next, delayed_.top().due);
  Rearm(next);
}

void LoopCore::WatchConnections() {
  next_watch_nanos_ = now_nanos_ + watch_interval_nanos_;
  // Closing a connection changes the set.
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) connection->OnWatch();
}

}  // namespace totora::net
