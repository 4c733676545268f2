#include "store/state.h"

namespace totora::store {

std::string State::PutTopic(absl::string_view payload) {
  const absl::StatusOr<TopicConfig> config = TopicConfig::Decode(payload);
  if (!config.ok()) return Unreadable(config.status());
  const absl::StatusOr<Topic*> changed = topics.Put(*config);
  if (!changed.ok()) return StatusResult(changed.status());
  if (*changed != nullptr) changed_topics.push_back(config->name);
  return StatusResult(absl::OkStatus());
}

std::string State::DeleteTopic(absl::string_view payload) {
  const absl::StatusOr<NameCommand> command = NameCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const Topic* const topic = topics.Find(command->name);
  if (topic == nullptr) return StatusResult(absl::NotFoundError("no such topic"));
  for (const auto& [group_id, group] : groups.by_id()) {
    leases.DropTopic(group_id, topic->id);
    offsets.DropTopic(group_id, topic->id);
  }
  index.Forget(*topic);
  topics.Delete(command->name);
  changed_topics.push_back(command->name);
  return StatusResult(absl::OkStatus());
}

std::string State::PutConsumerGroup(absl::string_view payload) {
  const absl::StatusOr<ConsumerGroupConfig> config = ConsumerGroupConfig::Decode(payload);
  if (!config.ok()) return Unreadable(config.status());
  return StatusResult(groups.Put(*config));
}

std::string State::DeleteConsumerGroup(absl::string_view payload) {
  const absl::StatusOr<NameCommand> command = NameCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const group = groups.Find(command->name);
  if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
  leases.DropConsumerGroup(group->id);
  offsets.DropConsumerGroup(group->id);
  groups.Delete(command->name);
  return StatusResult(absl::OkStatus());
}

// Offsets of several consumers travel together: one that means nothing any more
// must not stop the others. The status tells of the first such one.
std::string State::UpdateOffsets(absl::string_view payload) {
  const absl::StatusOr<UpdateOffsetsCommand> command = UpdateOffsetsCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  absl::Status status;
  for (const UpdateOffsetsCommand::Item& item : command->items) {
    const ConsumerGroup* const group = groups.Find(item.consumer_group);
    const Topic* const topic = topics.Find(item.topic);
    if (group == nullptr || topic == nullptr || item.queue_id >= topic->queues.size()) {
      status.Update(absl::NotFoundError("no such consumer group, topic or queue"));
      continue;
    }
    status.Update(offsets.Update({group->id, topic->id, item.queue_id}, item.offset.value(),
                                 item.is_reset));
  }
  return StatusResult(status);
}

}  // namespace totora::store
