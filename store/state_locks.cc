#include "store/state.h"

namespace totora::store {
namespace {

// Locks that have ended and are cleared away for each one that is asked for:
// so many that they can never gather.
constexpr size_t kSweptForEach = 2;

}  // namespace

std::string State::LockQueues(absl::string_view payload) {
  const absl::StatusOr<LockQueuesCommand> command = LockQueuesCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const group = groups.Find(command->consumer_group);
  if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
  if (command->client_id.empty() || command->client_id.size() > kNameBytesMax) {
    return StatusResult(absl::InvalidArgumentError("a client's id is empty or too long"));
  }
  locks.Sweep(passed_ms, kSweptForEach * command->queues.size());
  LockQueuesResult result;
  for (uint32_t i = 0; i < command->queues.size(); ++i) {
    const QueueName& queue = command->queues[i];
    const Topic* const topic = topics.Find(queue.topic);
    if (topic == nullptr || queue.queue_id >= topic->queues.size()) continue;
    const absl::StatusOr<bool> granted =
        locks.Acquire({group->id, topic->id, queue.queue_id}, command->client_id, passed_ms);
    // What was granted so far stays granted: the client holds it for a minute and
    // asks for the others again.
    if (!granted.ok()) break;
    if (*granted) result.granted.push_back(i);
  }
  return result.Encode();
}

std::string State::UnlockQueues(absl::string_view payload) {
  const absl::StatusOr<LockQueuesCommand> command = LockQueuesCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const group = groups.Find(command->consumer_group);
  if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
  for (const QueueName& queue : command->queues) {
    const Topic* const topic = topics.Find(queue.topic);
    if (topic == nullptr) continue;
    locks.Release({group->id, topic->id, queue.queue_id}, command->client_id);
  }
  return StatusResult(absl::OkStatus());
}

}  // namespace totora::store
