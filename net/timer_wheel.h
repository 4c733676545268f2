// Deadlines of calls: many, almost all removed before they come due.
//
// A hashed wheel: inserting and removing are a few stores, whatever the number
// of timers. A heap with lazy removal would keep an entry per call for the
// length of its deadline, long after the call is over.
#ifndef TOTORA_NET_TIMER_WHEEL_H_
#define TOTORA_NET_TIMER_WHEEL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace totora::net {

// One timer, a base of what it belongs to. Removes nothing by itself: its
// owner must Remove() it before destroying it.
//
// Thread safety: confined to the loop of its wheel.
class TimerNode {
 public:
  virtual void OnTimer() = 0;
  bool is_armed() const { return next_ != nullptr; }

 protected:
  ~TimerNode() = default;

 private:
  friend class TimerWheel;
  TimerNode* next_ = nullptr;
  TimerNode* prev_ = nullptr;
  int64_t due_tick_ = 0;
};

// Thread safety: confined.
class TimerWheel {
 public:
  static constexpr int64_t kTickNanos = 10'000'000;
  static constexpr int64_t kSlots = 1024;  // One turn is 10 s.

  explicit TimerWheel(int64_t now_nanos);

  // Never early, late by at most a tick and what the loop is late.
  // REQUIRES: `node` is not armed.
  void Add(TimerNode* node, int64_t due_nanos);
  // Harmless if `node` is not armed.
  void Remove(TimerNode* node);

  // Calls OnTimer of all that are due; each is disarmed before.
  void Advance(int64_t now_nanos);

  // When Advance should be called next: at or before the earliest timer.
  // INT64_MAX if there is none.
  int64_t NextWakeNanos() const;

  size_t size() const { return size_; }

 private:
  struct List final : TimerNode {
    void OnTimer() override {}
  };
  static void Unlink(TimerNode* node);

  std::vector<List> slots_;
  int64_t current_tick_;  // All timers due at or before it were called.
  size_t size_ = 0;
};

}  // namespace totora::net

#endif  // TOTORA_NET_TIMER_WHEEL_H_
