// EventLoop: one thread that serves sockets and runs tasks.
//
// Everything about one connection happens on one loop: reading, handlers,
// writing, callbacks. Handlers must not block: no disk, no waiting for locks
// that are held across I/O.
#ifndef TOTORA_NET_EVENT_LOOP_H_
#define TOTORA_NET_EVENT_LOOP_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/executor.h"

namespace totora {

namespace net {
class LoopCore;
}  // namespace net

// Thread safety: every method may be called from any thread.
class EventLoop : public Executor {
 public:
  // Starts the thread. `name` (at most 15 characters) is what `top -H` shows.
  explicit EventLoop(const std::string& name);

  // Stops first.
  ~EventLoop() override;

  // Tasks of one turn are run as a batch, and what they write to connections
  // leaves afterwards in one system call a connection.
  void Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;
  const Clock& clock() const override { return *Clock::System(); }

  // Runs what was posted before this call, closes every connection that this
  // loop serves (its calls end as not written), and ends the thread. Delayed
  // tasks are dropped. Must not be called from a task of this loop.
  void Stop();

  bool IsCurrent() const { return std::this_thread::get_id() == thread_.get_id(); }

  // Internal to net. Outlives the EventLoop while calls and connections refer to it.
  const std::shared_ptr<net::LoopCore>& core() const { return core_; }

 private:
  const std::shared_ptr<net::LoopCore> core_;
  std::thread thread_;
};

// A few loops among which listeners spread their connections.
//
// Thread safety: every method may be called from any thread.
class EventLoopPool {
 public:
  // Threads are called name-0, name-1 and so on. REQUIRES: size > 0.
  EventLoopPool(const std::string& name, size_t size);

  size_t size() const { return loops_.size(); }
  EventLoop* loop(size_t i) const { return loops_[i].get(); }
  // Each in turn.
  EventLoop* Next() { return loop(next_.fetch_add(1, std::memory_order_relaxed) % size()); }
  void Stop();

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::atomic<size_t> next_{0};
};

}  // namespace totora

#endif  // TOTORA_NET_EVENT_LOOP_H_
