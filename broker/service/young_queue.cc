#include "broker/service/young_queue.h"

#include <vector>

#include "common/status.h"

namespace totora::service {
namespace {

// Log between a young queue's first and last message.
constexpr uint64_t kYoungBytes = uint64_t{1} << 30;

absl::StatusOr<store::QueueEntry> EntryAt(const store::StateMachine& state, absl::string_view topic,
                                          uint32_t queue_id, uint64_t offset) {
  TOTORA_ASSIGN_OR_RETURN(const std::vector<store::QueueEntry> entries,
                          state.Entries(topic, queue_id, QueueOffset(offset), 1));
  if (entries.empty()) return absl::DataLossError("a queue without one of its entries");
  return entries.front();
}

}  // namespace

bool IsYoung(const store::StateMachine& state, absl::string_view topic, uint32_t queue_id) {
  const auto bounds = state.Bounds(topic, queue_id);
  if (!bounds.ok() || bounds->begin.value() != 0) return false;
  if (bounds->end.value() == 0) return true;
  const auto first = EntryAt(state, topic, queue_id, 0);
  const auto last = EntryAt(state, topic, queue_id, bounds->end.value() - 1);
  if (!first.ok() || !last.ok()) return false;
  const uint64_t from = first->position.value();
  const uint64_t to = last->position.value();
  return to < from || to - from < kYoungBytes;
}

}  // namespace totora::service
