#include <algorithm>

#include "message/message.h"
#include "message/topic.h"
#include "store/retry.h"
#include "store/state.h"

namespace totora::store {

absl::StatusOr<Topic*> State::EnsureTopic(const std::string& name) {
  Topic* topic = topics.Find(name);
  if (topic == nullptr) {
    if (name.size() > message::kStoredTopicBytesMax) {
      return absl::InvalidArgumentError("the consumer group's name is too long for such a topic");
    }
    TopicConfig config;
    config.name = name;
    config.read_queues = config.write_queues = 1;
    config.permission = message::kPermissionRead | message::kPermissionWrite;
    const absl::StatusOr<Topic*> made = topics.Put(config);
    if (!made.ok()) return made.status();
    changed_topics.push_back(name);
    topic = *made;
  }
  if ((topic->config.permission & message::kPermissionWrite) == 0 ||
      topic->config.write_queues == 0) {
    return absl::FailedPreconditionError("the topic is not writable");
  }
  return topic;
}

std::string State::SendBack(absl::string_view payload, BytePosition position) {
  const absl::StatusOr<SendBackCommand> command = SendBackCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  if (groups.Find(command->consumer_group) == nullptr) {
    return StatusResult(absl::NotFoundError("no such consumer group"));
  }
  if (command->delay_ms > kDelayMsMax) {
    return StatusResult(absl::InvalidArgumentError("no delivery time is so far away"));
  }
  const message::Override record = SendBackOverride(*command, position);
  const absl::Status checked = record.Check();
  if (!checked.ok()) return StatusResult(checked);
  SendBackResult result;
  result.is_dead_letter = IsDeadLetter(*command);
  const bool waits = !result.is_dead_letter && command->delay_ms > 0;
  if (waits && timers.count() >= options.timers_max) {
    return StatusResult(absl::ResourceExhaustedError("too many messages wait to be delivered"));
  }
  const absl::StatusOr<Topic*> topic = EnsureTopic(SendBackTopic(*command));
  if (!topic.ok()) return StatusResult(topic.status());

  // Users may give a retry topic more queues: spread what comes back.
  const auto queue_id =
      static_cast<uint32_t>(command->position.value() % (*topic)->config.write_queues);
  auto bytes = std::make_shared<const std::string>(record.Encode());
  if (waits) {
    result.due_ms = log_time_ms + command->delay_ms;
    timers.Add({result.due_ms, position.value()},
               {{(*topic)->id, queue_id}, command->position.value(), command->size,
                command->tag_hash, std::move(bytes)});
    if (log_time_ms >= growth_from_ms) ++timers_added;
    return result.Encode();
  }
  AppendEntry(*topic, queue_id, {command->position.value(), log_time_ms, command->size,
                                 command->tag_hash},
              std::move(bytes));
  return result.Encode();
}

// What a dead letter points at must outlive the retention of the topic that it
// comes from. Nothing is dropped from the log yet: retention, when it comes, has
// to append the bytes anew for the entries of %DLQ% topics (and for far timers)
// before it moves the start of the log, and to point their entries there.
absl::Status State::DeadLetter(const ConsumerGroup& group, const LeaseKey& key, uint64_t offset,
                               uint32_t attempts) {
  const Topic* const from = topics.Find(key.topic);
  if (from == nullptr || offset < from->queues[key.queue_id].begin) return absl::OkStatus();
  const absl::StatusOr<Topic*> topic = EnsureTopic(message::DeadLetterTopic(group.config.name));
  if (!topic.ok()) return topic.status();
  std::vector<IndexEntry> entry;
  std::vector<EntryOverride> known;
  const absl::Status read = index.Read(*from, key.queue_id, offset, 1, &entry, &known);
  if (!read.ok()) Die(read);

  const OverrideRecord base = known.empty() ? nullptr : DecodeOverride(known.front().record);
  const message::Override record = DeadLetterOverride(
      base == nullptr ? message::Override() : *base, from->config.name, attempts);
  const absl::Status checked = record.Check();
  if (!checked.ok()) return checked;
  entry.front().store_time_ms = log_time_ms;
  AppendEntry(*topic, 0, entry.front(), std::make_shared<const std::string>(record.Encode()));
  return absl::OkStatus();
}

// Without a place for dead letters the message is tried once more: better twice
// than lost.
bool State::BuryIfSpent(const LeaseKey& key, uint64_t offset, uint32_t attempts) {
  auto group = groups.by_id().find(key.group);
  if (group == groups.by_id().end()) return false;
  if (attempts < std::max(group->second->config.max_attempts, 1u)) return false;
  return DeadLetter(*group->second, key, offset, attempts).ok();
}

std::string State::ForwardToDeadLetter(absl::string_view payload) {
  const absl::StatusOr<ForwardToDeadLetterCommand> command =
      ForwardToDeadLetterCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  if (groups.Find(command->consumer_group) == nullptr) {
    return StatusResult(absl::NotFoundError("no such consumer group"));
  }
  LeaseKey key;
  const ConsumerGroup* const group =
      FindLeaseKey(command->consumer_group, command->receipt, &key);
  if (group == nullptr) {
    return StatusResult(absl::FailedPreconditionError("the handle does not hold the message"));
  }
  const uint64_t offset = command->receipt.offset.value();
  const uint64_t delivery_id = command->receipt.delivery_id;
  const std::optional<uint32_t> attempts = leases.AttemptsOf(key, offset, delivery_id);
  if (attempts.has_value()) {
    const absl::Status done = DeadLetter(*group, key, offset, std::max(*attempts, 1u));
    if (!done.ok()) return StatusResult(done);
  }
  // One that was acked before, maybe by this very call, is not given up again.
  if (leases.Ack(key, offset, delivery_id, next_delivery_id) != absl::StatusCode::kOk) {
    return StatusResult(absl::FailedPreconditionError("the handle does not hold the message"));
  }
  NoteIfUnblocked(*group, key);
  return StatusResult(absl::OkStatus());
}

}  // namespace totora::store
