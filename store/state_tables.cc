#include <utility>
#include <vector>

#include "message/topic.h"
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
  if (!RemoveTopic(command->name)) return StatusResult(absl::NotFoundError("no such topic"));
  return StatusResult(absl::OkStatus());
}

bool State::RemoveTopic(const std::string& name) {
  const Topic* const topic = topics.Find(name);
  if (topic == nullptr) return false;
  for (const auto& [group_id, group] : groups.by_id()) {
    leases.DropTopic(group_id, topic->id);
    offsets.DropTopic(group_id, topic->id);
    locks.DropTopic(group_id, topic->id);
  }
  index.Forget(*topic);
  topics.Delete(name);
  changed_topics.push_back(name);
  return true;
}

std::string State::PutConsumerGroup(absl::string_view payload) {
  const absl::StatusOr<ConsumerGroupConfig> config = ConsumerGroupConfig::Decode(payload);
  if (!config.ok()) return Unreadable(config.status());
  return StatusResult(groups.Put(*config));
}

std::string State::DeleteConsumerGroup(absl::string_view payload) {
  const absl::StatusOr<DeleteConsumerGroupCommand> command =
      DeleteConsumerGroupCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const group = groups.Find(command->name);
  if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
  leases.DropConsumerGroup(group->id);
  offsets.DropConsumerGroup(group->id);
  locks.DropConsumerGroup(group->id);
  groups.Delete(command->name);
  if (command->with_topics) {
    RemoveTopic(message::RetryTopic(command->name));
    RemoveTopic(message::DeadLetterTopic(command->name));
  }
  return StatusResult(absl::OkStatus());
}

namespace {

OffsetTable::Change ChangeOf(const UpdateOffsetsCommand::Item& item) {
  if (item.ends_hold) return OffsetTable::Change::kEndOfHold;
  if (!item.is_reset) return OffsetTable::Change::kReport;
  return item.holds ? OffsetTable::Change::kHold : OffsetTable::Change::kReset;
}

}  // namespace

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
    const LeaseKey key{group->id, topic->id, item.queue_id};
    const absl::Status updated = offsets.Update(key, item.offset.value(), ChangeOf(item));
    if (item.holds && updated.ok()) FollowReset(key, item.offset.value());
    status.Update(updated);
  }
  return StatusResult(status);
}

void State::FollowReset(const LeaseKey& key, uint64_t offset) {
  resets.push_back(key);
  if (leases.Find(key) == nullptr) return;  // Nobody received anything.
  leases.Reset(key, offset);
  released.push_back(key);
}

std::string State::CopyOffsets(absl::string_view payload) {
  const absl::StatusOr<CopyOffsetsCommand> command = CopyOffsetsCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const from = groups.Find(command->from_group);
  const ConsumerGroup* const to = groups.Find(command->to_group);
  if (from == nullptr || to == nullptr) {
    return StatusResult(absl::NotFoundError("no such consumer group"));
  }
  const Topic* const only = topics.Find(command->topic);
  if (only == nullptr && !command->topic.empty()) {
    return StatusResult(absl::NotFoundError("no such topic"));
  }
  std::vector<std::pair<LeaseKey, uint64_t>> copied;
  const auto& known = offsets.subscriptions();
  for (auto it = known.lower_bound({from->id, only == nullptr ? TopicId(0) : only->id});
       it != known.end() && it->first.first == from->id; ++it) {
    if (only != nullptr && it->first.second != only->id) break;
    for (const auto& [queue_id, committed] : it->second) {
      copied.push_back({{to->id, it->first.second, queue_id}, committed.offset});
    }
  }
  absl::Status status;
  for (const auto& [key, offset] : copied) {
    const absl::Status updated = offsets.Update(key, offset, OffsetTable::Change::kHold);
    if (updated.ok()) FollowReset(key, offset);
    status.Update(updated);
  }
  return StatusResult(status);
}

}  // namespace totora::store
