#include "store/state.h"

namespace totora::store {

void State::FireTimers(uint64_t limit) {
  for (uint64_t fired = 0; fired < limit; ++fired) {
    absl::StatusOr<std::optional<std::pair<TimerKey, Timer>>> taken = timers.TakeDue(log_time_ms);
    if (!taken.ok()) Die(taken.status());
    if (!taken->has_value()) return;
    Timer& timer = (*taken)->second;
    // A topic that was deleted took what waited for it along; its timers are
    // only cleared away here.
    Topic* const topic = topics.Find(timer.queue.topic);
    if (topic == nullptr) continue;
    IndexEntry entry;
    entry.position = timer.position;
    entry.store_time_ms = log_time_ms;
    entry.size = timer.size;
    entry.tag_hash = timer.tag_hash;
    AppendEntry(topic, timer.queue.queue_id, entry, std::move(timer.override_record));
    if (log_time_ms >= growth_from_ms) ++timers_fired;
  }
}

std::string State::CancelTimer(absl::string_view payload) {
  const absl::StatusOr<CancelTimerCommand> command = CancelTimerCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const Topic* const topic = topics.Find(command->topic);
  if (topic == nullptr) return StatusResult(absl::NotFoundError("no such topic"));
  const TimerKey key{command->due_ms, command->position.value()};
  const absl::StatusOr<std::optional<Timer>> timer = timers.Find(key);
  if (!timer.ok()) Die(timer.status());
  // A handle is worth nothing for the messages of another topic.
  if (!timer->has_value() || (*timer)->queue.topic != topic->id) {
    return StatusResult(absl::NotFoundError("no such message waits to be delivered"));
  }
  const absl::Status removed = timers.Remove(key);
  if (!removed.ok()) Die(removed);
  return StatusResult(absl::OkStatus());
}

}  // namespace totora::store
