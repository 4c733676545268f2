#include "net/timer_wheel.h"

#include <algorithm>

#include "common/check.h"

namespace totora::net {

TimerWheel::TimerWheel(int64_t now_nanos) : slots_(kSlots), current_tick_(now_nanos / kTickNanos) {
  for (List& slot : slots_) slot.next_ = slot.prev_ = &slot;
}

void TimerWheel::Add(TimerNode* node, int64_t due_nanos) {
  TOTORA_DCHECK(!node->is_armed());
  // Rounded up, or a timer would come up to a tick early.
  const int64_t tick =
      due_nanos > INT64_MAX - kTickNanos ? INT64_MAX : (due_nanos + kTickNanos - 1) / kTickNanos;
  node->due_tick_ = std::max(tick, current_tick_ + 1);
  List& slot = slots_[node->due_tick_ % kSlots];
  node->prev_ = slot.prev_;
  node->next_ = &slot;
  slot.prev_->next_ = node;
  slot.prev_ = node;
  ++size_;
}

void TimerWheel::Unlink(TimerNode* node) {
  node->prev_->next_ = node->next_;
  node->next_->prev_ = node->prev_;
  node->next_ = node->prev_ = nullptr;
}

void TimerWheel::Remove(TimerNode* node) {
  if (!node->is_armed()) return;
  Unlink(node);
  --size_;
}

void TimerWheel::Advance(int64_t now_nanos) {
  const int64_t target = now_nanos / kTickNanos;
  // After a long sleep every slot is looked at once, not once per missed turn.
  int64_t tick = std::max(current_tick_ + 1, target - kSlots + 1);
  current_tick_ = std::max(current_tick_, target);
  List due;
  due.next_ = due.prev_ = &due;
  for (; tick <= target && size_ > 0; ++tick) {
    List& slot = slots_[tick % kSlots];
    for (TimerNode* node = slot.next_; node != &slot;) {
      TimerNode* const next = node->next_;
      if (node->due_tick_ <= target) {
        Unlink(node);
        node->prev_ = due.prev_;
        node->next_ = &due;
        due.prev_->next_ = node;
        due.prev_ = node;
      }
      node = next;
    }
  }
  // A callback may add and remove timers, also those still in `due`.
  while (due.next_ != &due) {
    TimerNode* const node = due.next_;
    Unlink(node);
    --size_;
    node->OnTimer();
  }
}

int64_t TimerWheel::NextWakeNanos() const {
  if (size_ == 0) return INT64_MAX;
  for (int64_t tick = current_tick_ + 1; tick < current_tick_ + kSlots; ++tick) {
    const List& slot = slots_[tick % kSlots];
    if (slot.next_ != &slot) return tick * kTickNanos;
  }
  return (current_tick_ + kSlots) * kTickNanos;
}

}  // namespace totora::net
