#include <algorithm>

#include "message/topic.h"
#include "store/state.h"

namespace totora::store {
namespace {

// Entries read at once where a filter may skip most of them.
constexpr uint64_t kScanStep = 128;

// One receive command: first what is ready again in any of its queues, then
// what was never delivered.
class Reception {
 public:
  Reception(State* state, const ReceiveCommand& command, const ConsumerGroup& group,
            const Topic& topic, const Receiver& receiver)
      : state_(*state), command_(command), group_(group), topic_(topic), receiver_(receiver) {}

  ReceiveResult Run() {
    result_.invisible_until_ms = receiver_.deadline_ms;
    ChooseQueues();
    for (size_t i = 0; i < queues_.size() && Wanted() > 0; ++i) TakeReady(&queues_[i]);
    for (size_t i = 0; i < queues_.size() && Wanted() > 0; ++i) TakeNew(&queues_[i]);
    if (result_.messages.empty() && is_exhausted_) {
      result_.status = {absl::StatusCode::kResourceExhausted, "too many messages are in flight"};
    }
    return std::move(result_);
  }

 private:
  struct Part {
    uint32_t queue_id = 0;
    bool is_blocked = false;     // FIFO, and somebody has messages of it.
    uint64_t delivery_id = 0;    // Given at the first message that is taken.
  };

  LeaseKey KeyOf(const Part& part) const { return {group_.id, topic_.id, part.queue_id}; }
  uint64_t Wanted() const { return command_.max_messages - result_.messages.size(); }

  void ChooseQueues() {
    const uint32_t count = static_cast<uint32_t>(
        std::min<size_t>(topic_.config.read_queues, topic_.queues.size()));
    if (command_.queue_id >= 0) {
      queues_.push_back({static_cast<uint32_t>(command_.queue_id)});
    } else {
      for (uint32_t i = 0; i < count; ++i) {
        queues_.push_back({(command_.first_queue % count + i) % count});
      }
    }
    for (Part& part : queues_) {
      const LeaseQueue* const queue = state_.leases.Find(KeyOf(part));
      part.is_blocked = group_.config.is_fifo && queue != nullptr && queue->leased > 0;
    }
  }

  uint64_t DeliveryId(Part* part) {
    if (part->delivery_id == 0) part->delivery_id = state_.next_delivery_id++;
    return part->delivery_id;
  }

  void Read(const Part& part, uint64_t from, uint64_t count) {
    state_.entries.clear();
    state_.overrides.clear();
    const absl::Status read = state_.index.Read(topic_, part.queue_id, from, count,
                                                &state_.entries, &state_.overrides);
    if (!read.ok()) state_.Die(read);
  }

  void Deliver(Part* part, uint64_t offset, const IndexEntry& entry, uint32_t attempt) {
    DeliveredMessage& message = result_.messages.emplace_back();
    message.queue_id = part->queue_id;
    message.offset = QueueOffset(offset);
    message.position = BytePosition(entry.position);
    message.size = entry.size;
    message.attempt = attempt;
    message.delivery_id = DeliveryId(part);
    for (const EntryOverride& known : state_.overrides) {
      if (known.at == offset) message.override_record = DecodeOverride(known.record);
    }
  }

  void TakeReady(Part* part) {
    if (part->is_blocked) return;
    const LeaseKey key = KeyOf(*part);
    const LeaseQueue* const queue = state_.leases.Find(key);
    if (queue == nullptr) return;
    while (Wanted() > 0 && !queue->ready.empty()) {
      const uint64_t offset = queue->ready.begin()->first;
      if (offset < topic_.queues[part->queue_id].begin) {
        state_.leases.DropReady(key);
        continue;
      }
      // Attempts may have become fewer since: settings of a group change.
      if (scanned_ < kScanMax &&
          state_.BuryIfSpent(key, offset, queue->ready.begin()->second.attempts)) {
        state_.leases.DropReady(key);
        ++scanned_;
        continue;
      }
      Read(*part, offset, 1);
      const uint32_t attempt = state_.leases.LeaseReady(key, receiver_, DeliveryId(part));
      Deliver(part, offset, state_.entries.front(), attempt);
    }
  }

  // How many new messages of this queue the group may get.
  uint64_t Room(const LeaseQueue* queue) {
    const uint64_t total = state_.leases.in_flight();
    if (total >= kInFlightTotalMax ||
        (queue == nullptr && state_.leases.queue_count() >= kLeaseQueuesMax)) {
      is_exhausted_ = true;
      return 0;
    }
    const uint64_t held = queue == nullptr ? 0 : queue->leased + queue->ready.size();
    if (held >= kInFlightMax) return 0;
    return std::min({kInFlightTotalMax - total, kInFlightMax - held, Wanted()});
  }

  void TakeNew(Part* part) {
    if (part->is_blocked) return;
    const LeaseKey key = KeyOf(*part);
    const LeaseQueue* const held = state_.leases.Find(key);
    const Queue& queue = topic_.queues[part->queue_id];
    const uint64_t from = std::max(held == nullptr ? 0 : held->next, queue.begin);
    const uint64_t room = from < queue.end ? Room(held) : 0;
    if (room == 0) return;
    const std::vector<uint32_t>& tags = command_.tag_hashes;
    std::vector<uint64_t> offsets;
    uint64_t next = from;
    while (next < queue.end && offsets.size() < room && scanned_ < kScanMax) {
      const uint64_t step = std::min({queue.end - next, kScanMax - scanned_,
                                      tags.empty() ? room - offsets.size() : kScanStep});
      Read(*part, next, step);
      scanned_ += step;
      for (const IndexEntry& entry : state_.entries) {
        if (offsets.size() == room) break;
        const uint64_t offset = next++;
        if (!tags.empty() && !std::binary_search(tags.begin(), tags.end(), entry.tag_hash)) {
          continue;
        }
        offsets.push_back(offset);
        Deliver(part, offset, entry, 1);
      }
    }
    if (!offsets.empty()) state_.leases.LeaseNew(key, receiver_, part->delivery_id, offsets);
    state_.leases.Advance(key, next);
    if (next < queue.end && scanned_ >= kScanMax && Wanted() > 0) result_.has_more = true;
  }

  State& state_;
  const ReceiveCommand& command_;
  const ConsumerGroup& group_;
  const Topic& topic_;
  const Receiver receiver_;
  std::vector<Part> queues_;
  ReceiveResult result_;
  uint64_t scanned_ = 0;
  bool is_exhausted_ = false;
};

}  // namespace

std::string State::Receive(const raft::Command& raw) {
  const absl::StatusOr<ReceiveCommand> command = ReceiveCommand::Decode(raw.payload);
  if (!command.ok()) return Unreadable(command.status());
  const ConsumerGroup* const group = groups.Find(command->consumer_group);
  if (group == nullptr) return StatusResult(absl::NotFoundError("no such consumer group"));
  const Topic* const topic = topics.Find(command->topic);
  if (topic == nullptr) return StatusResult(absl::NotFoundError("no such topic"));
  if (!group->config.is_enabled) {
    return StatusResult(absl::FailedPreconditionError("the consumer group is disabled"));
  }
  if ((topic->config.permission & message::kPermissionRead) == 0) {
    return StatusResult(absl::FailedPreconditionError("the topic is not readable"));
  }
  if (command->invisible_ms < 1 || command->invisible_ms > kInvisibleMsMax) {
    return StatusResult(absl::InvalidArgumentError("no such invisible time"));
  }
  if (command->queue_id >= 0 &&
      static_cast<size_t>(command->queue_id) >= topic->queues.size()) {
    return StatusResult(absl::InvalidArgumentError("no such queue"));
  }
  Receiver receiver;
  receiver.replica = raw.id.replica;
  receiver.incarnation = raw.id.incarnation;
  receiver.client_id = command->client_id;
  receiver.is_auto_renewed = command->auto_renew;
  receiver.now_ms = log_time_ms;
  receiver.deadline_ms = log_time_ms + command->invisible_ms;
  return Reception(this, *command, *group, *topic, receiver).Run().Encode();
}

}  // namespace totora::store
