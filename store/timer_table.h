// Messages that wait for their delivery time.
//
//     due:   now ……………… window end ……………………………………………………………… far away
//            │ window: rows in RAM │ rows that only the checkpoint store has  │
//            │ new: added since the last freeze, anywhere, in RAM             │
//
// A timer that is added and fires between two checkpoints never gets to the
// checkpoint store. Of those that do, RAM keeps the next few that are due, so
// that millions of timers that are days away cost disk and nothing else.
//
// Thread safety: confined; also the const methods.
#ifndef TOTORA_STORE_TIMER_TABLE_H_
#define TOTORA_STORE_TIMER_TABLE_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/checkpoint_store.h"
#include "store/queue_block.h"
#include "store/schema.h"

namespace totora::store {

// Names a timer, and orders them. The position is that of the message or, for a
// copy, of the command that made it: no two timers have the same.
struct TimerKey {
  int64_t due_ms = 0;       // Log time, above 0.
  uint64_t position = 0;

  friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
};

// What becomes an index entry.
struct Timer {
  QueueKey queue;
  uint64_t position = 0;    // Of the stored bytes.
  uint32_t size = 0;
  uint32_t tag_hash = 0;
  OverrideBytes override_record;
};

class TimerTable {
 public:
  // Borrowed.
  explicit TimerTable(const CheckpointStore* checkpoints) : checkpoints_(checkpoints) {}

  // REQUIRES: there is no timer of this key.
  void Add(const TimerKey& key, Timer timer);

  // The timer of that key, or nothing. Errors: of the checkpoint store.
  absl::StatusOr<std::optional<Timer>> Find(const TimerKey& key) const;
  // Takes the first one if it is due. Errors: of the checkpoint store.
  absl::StatusOr<std::optional<std::pair<TimerKey, Timer>>> TakeDue(int64_t now_ms);
  // REQUIRES: Find found it. Errors: of the checkpoint store.
  absl::Status Remove(const TimerKey& key);

  std::optional<int64_t> NextDueMs() const;
  uint64_t count() const { return count_; }
  // In RAM because no checkpoint has them yet.
  size_t unfrozen() const { return new_.size(); }

  // All of them, in order. Reads the whole checkpoint store: for tests.
  absl::Status ForEach(absl::FunctionRef<void(const TimerKey&, const Timer&)> visit) const;

  // Rows of all that changed since the last call. Until Thaw says that they are
  // durable, the store may have them or not.
  void Freeze(std::vector<CheckpointWrite>* rows);
  void Thaw();
  // Begins with what the last checkpoint has, `count` of them.
  absl::Status Load(uint64_t count);

 private:
  using Timers = absl::btree_map<TimerKey, Timer>;

  // Reads more rows when the window is empty.
  absl::Status Refill();
  // The map that holds the first timer, or null.
  const Timers* First() const;
  // Takes `key` out of RAM; notes it if the store has it or will have it.
  void Erase(const TimerKey& key);
  // Rows of the store from `from` on that are alive and not in RAM as new ones,
  // until `visit` returns false; it is also told of those that are not.
  absl::Status ScanStore(
      const TimerKey& from,
      absl::FunctionRef<bool(const TimerKey&, std::optional<Timer>)> visit) const;

  const CheckpointStore* const checkpoints_;
  uint64_t count_ = 0;
  Timers new_;                          // Since the last freeze.
  Timers frozen_;                       // In the checkpoint that is being written.
  Timers window_;                       // Durable ones below window_end_.
  TimerKey window_end_;
  bool is_window_whole_ = true;         // There is nothing in the store behind the window.
  absl::btree_set<TimerKey> gone_;         // Taken or removed; the store may have them.
  absl::btree_set<TimerKey> frozen_gone_;  // The checkpoint being written removes them.
};

}  // namespace totora::store

#endif  // TOTORA_STORE_TIMER_TABLE_H_
