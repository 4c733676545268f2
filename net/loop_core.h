// The inside of an EventLoop. Internal to net.
#ifndef TOTORA_NET_LOOP_CORE_H_
#define TOTORA_NET_LOOP_CORE_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <queue>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "net/timer_wheel.h"

namespace totora::net {

class Connection;

// Nanoseconds of CLOCK_MONOTONIC, the scale of Clock::SteadyNow.
int64_t SteadyNanos();

// Thread safety: Post, PostAfter, IsCurrent and clock from any thread; the
// rest is confined to the loop's thread.
class LoopCore : public Executor, public std::enable_shared_from_this<LoopCore> {
 public:
  LoopCore();

  void Post(Task task) override ABSL_LOCKS_EXCLUDED(mu_);
  void PostAfter(absl::Duration delay, Task task) override ABSL_LOCKS_EXCLUDED(mu_);
  const Clock& clock() const override { return *Clock::System(); }
  bool IsCurrent() const;

  // The body of the loop's thread; returns after Stop().
  void Run();
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  boost::asio::io_context& context() { return context_; }

  // One uninterrupted piece of work of the loop. Every way into the loop opens
  // one; the outermost, when it ends, runs what was posted meanwhile and writes
  // what its connections have to say.
  class Turn {
   public:
    explicit Turn(LoopCore* core) : core_(core) {
      if (core_->turn_depth_++ == 0) core_->now_nanos_ = SteadyNanos();
    }
    ~Turn() {
      if (core_->turn_depth_ == 1) core_->EndTurn();
      --core_->turn_depth_;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    LoopCore* const core_;
  };

  // The time at which this turn began.
  int64_t now_nanos() const { return now_nanos_; }

  // Where connections read to: the bytes are dealt with before the next read.
  static constexpr size_t kReadBufferBytes = 64 << 10;
  char* read_buffer() { return read_buffer_.get(); }

  // `node` fires at `due_nanos`.
  void ArmTimer(TimerNode* node, int64_t due_nanos);
  void DisarmTimer(TimerNode* node) { wheel_.Remove(node); }

  // Connections of this loop, kept alive by it until removed.
  void AddConnection(std::shared_ptr<Connection> connection);
  void RemoveConnection(const std::shared_ptr<Connection>& connection);
  const absl::flat_hash_set<std::shared_ptr<Connection>>& connections() const {
    return connections_;
  }

  // Flush() of `connection` is called when the turn ends.
  void MarkDirty(std::shared_ptr<Connection> connection) {
    dirty_.push_back(std::move(connection));
  }

 private:
  struct Delayed {
    int64_t due;
    uint64_t sequence;  // Keeps timers of one instant in order.
    mutable Task task;
    bool operator<(const Delayed& other) const {
      return due != other.due ? due > other.due : sequence > other.sequence;
    }
  };

  void EndTurn() ABSL_LOCKS_EXCLUDED(mu_);
  void Wake();
  void AwaitWake();
  void OnWake() ABSL_LOCKS_EXCLUDED(mu_);
  // Runs what is posted now. False if there was nothing.
  bool RunTasks() ABSL_LOCKS_EXCLUDED(mu_);
  void CloseConnections();
  void OnTimer() ABSL_LOCKS_EXCLUDED(mu_);
  // Sets the one asio timer to the earliest of all timers.
  void Rearm(int64_t due_nanos);
  void WatchConnections();

  boost::asio::io_context context_;
  boost::asio::steady_timer timer_;
  // How other threads wake the loop. asio::post would do it with the context's
  // mutex held, which the woken thread then has to wait for.
  boost::asio::posix::stream_descriptor wake_;
  uint64_t wakes_ = 0;
  std::unique_ptr<char[]> read_buffer_;

  Mutex mu_;  // Leaf.
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mu_);
  bool is_woken_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  // Confined.
  std::vector<Task> batch_;
  std::priority_queue<Delayed> delayed_;
  uint64_t next_delayed_ = 0;
  TimerWheel wheel_;
  int64_t armed_nanos_ = INT64_MAX;
  int64_t next_watch_nanos_ = INT64_MAX;
  int64_t watch_interval_nanos_ = 1'000'000'000;
  int64_t now_nanos_ = 0;
  int turn_depth_ = 0;
  std::vector<std::shared_ptr<LoopCore>> to_wake_;  // When this turn ends.
  std::vector<std::shared_ptr<Connection>> dirty_;
  std::vector<std::shared_ptr<Connection>> flushing_;
  absl::flat_hash_set<std::shared_ptr<Connection>> connections_;
  bool closed_ = false;  // Stopped: no connection is taken in any more.
};

}  // namespace totora::net

#endif  // TOTORA_NET_LOOP_CORE_H_
