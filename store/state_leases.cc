#include <algorithm>

#include "store/state.h"

namespace totora::store {

const ConsumerGroup* State::FindLeaseKey(absl::string_view group_name, const Receipt& receipt,
                                         LeaseKey* key) const {
  const ConsumerGroup* const group = groups.Find(group_name);
  const Topic* const topic = topics.Find(receipt.topic);
  if (group == nullptr || topic == nullptr) return nullptr;
  *key = {group->id, topic->id, receipt.queue_id};
  return group;
}

void State::NoteIfUnblocked(const ConsumerGroup& group, const LeaseKey& key) {
  const LeaseQueue* const queue = leases.Find(key);
  if (queue == nullptr) return;
  const bool is_unblocked =
      group.config.is_fifo ? queue->leased == 0
                           : queue->leased + queue->ready.size() == kInFlightMax - 1;
  if (is_unblocked) released.push_back(key);
}

bool State::IsConsumedBy(const Topic& topic, const ConsumerGroup& group) const {
  if (offsets.subscriptions().contains({group.id, topic.id})) return true;
  auto held = leases.queues().lower_bound({group.id, topic.id, 0});
  return held != leases.queues().end() && held->first.group == group.id &&
         held->first.topic == topic.id;
}

bool State::MayDeliver(const ConsumerGroup& group, const Topic& topic, uint32_t queue_id) const {
  const LeaseQueue* const held = leases.Find({group.id, topic.id, queue_id});
  const Queue& queue = topic.queues[queue_id];
  if (held == nullptr) return queue.begin < queue.end;
  if (group.config.is_fifo && held->leased > 0) return false;
  if (!held->ready.empty()) return true;
  return held->leased < kInFlightMax && std::max(held->next, queue.begin) < queue.end;
}

std::string State::Ack(absl::string_view payload) {
  const absl::StatusOr<AckCommand> command = AckCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const group = groups.Find(command->consumer_group);
  if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
  AckResult result;
  result.codes.reserve(command->receipts.size());
  for (const Receipt& receipt : command->receipts) {
    const Topic* const topic = topics.Find(receipt.topic);
    if (topic == nullptr) {
      result.codes.push_back(absl::StatusCode::kFailedPrecondition);
      continue;
    }
    const LeaseKey key{group->id, topic->id, receipt.queue_id};
    result.codes.push_back(
        leases.Ack(key, receipt.offset.value(), receipt.delivery_id, next_delivery_id));
    NoteIfUnblocked(*group, key);
  }
  return result.Encode();
}

std::string State::ChangeInvisible(const raft::Command& raw) {
  const absl::StatusOr<ChangeInvisibleCommand> command =
      ChangeInvisibleCommand::Decode(raw.payload);
  if (!command.ok()) return Unreadable(command.status());
  if (command->invisible_ms < 0 || command->invisible_ms > kInvisibleMsMax) {
    return StatusResult(absl::InvalidArgumentError("no such invisible time"));
  }
  if (groups.Find(command->consumer_group) == nullptr) {
    return StatusResult(absl::NotFoundError("no such consumer group"));
  }
  LeaseKey key;
  const ConsumerGroup* const group =
      FindLeaseKey(command->consumer_group, command->receipt, &key);
  Receiver receiver;
  receiver.replica = raw.id.replica;
  receiver.incarnation = raw.id.incarnation;
  receiver.now_ms = log_time_ms;
  receiver.deadline_ms = log_time_ms + command->invisible_ms;
  const auto bury = [this](const LeaseKey& lease, uint64_t offset, uint32_t attempts) {
    return BuryIfSpent(lease, offset, attempts);
  };
  if (group == nullptr ||
      leases.ChangeInvisible(key, command->receipt.offset.value(), command->receipt.delivery_id,
                             receiver, bury) != absl::StatusCode::kOk) {
    return StatusResult(
        absl::FailedPreconditionError("the handle does not hold the message"));
  }
  if (command->invisible_ms == 0) released.push_back(key);
  return StatusResult(absl::OkStatus());
}

std::string State::Delivered(absl::string_view payload) {
  const absl::StatusOr<DeliveredCommand> command = DeliveredCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  for (const DeliveredCommand::Item& item : command->items) {
    LeaseKey key;
    if (FindLeaseKey(item.consumer_group, item.receipt, &key) == nullptr) continue;
    const uint64_t offset = item.receipt.offset.value();
    if (item.was_written) {
      leases.MarkWritten(key, offset, item.receipt.delivery_id);
    } else if (leases.ReleaseUnwritten(key, offset, item.receipt.delivery_id)) {
      released.push_back(key);
    }
  }
  return StatusResult(absl::OkStatus());
}

std::string State::Expire(absl::string_view payload) {
  const absl::StatusOr<ExpireCommand> command = ExpireCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  leases.Expire(
      log_time_ms, command->limit,
      [this](const LeaseKey& key, uint64_t offset, uint32_t attempts) {
        return BuryIfSpent(key, offset, attempts);
      },
      &released);
  FireTimers(command->limit);
  return StatusResult(absl::OkStatus());
}

std::string State::ClientsAlive(absl::string_view payload) {
  const absl::StatusOr<ClientsAliveCommand> command = ClientsAliveCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  for (const std::string& client_id : command->client_ids) {
    leases.ClientAlive(client_id, log_time_ms);
  }
  return StatusResult(absl::OkStatus());
}

std::string State::ReleaseClient(absl::string_view payload) {
  const absl::StatusOr<ReleaseClientCommand> command = ReleaseClientCommand::Decode(payload);
  if (!command.ok()) return Unreadable(command.status());
  std::optional<ConsumerGroupId> only;
  if (!command->consumer_group.empty()) {
    const ConsumerGroup* const group = groups.Find(command->consumer_group);
    if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
    only = group->id;
  }
  leases.ReleaseClient(command->client_id, only, log_time_ms);
  locks.ReleaseClient(command->client_id, only);
  return StatusResult(absl::OkStatus());
}

}  // namespace totora::store
