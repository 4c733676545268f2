#include "broker/service/offset_resets.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/plain_result.h"
#include "broker/service/refusal.h"

namespace totora::service {
namespace {

absl::Status NoSuchQueue(const std::string& topic, int32_t queue_id) {
  return Refuse(Refusal::kNoSuchQueue, absl::StrCat("topic ", topic, " has no queue ", queue_id));
}

// Deleted while the command was on its way.
absl::Status Gone(const absl::Status& status, const std::string& topic) {
  if (!absl::IsNotFound(status)) return status;
  return Refuse(Refusal::kTopicNotFound,
                absl::StrCat("topic ", topic, " or the consumer group does not exist any more"));
}

}  // namespace

absl::Status OffsetResets::CheckNames(const std::string& consumer_group,
                                      const std::string& topic) const {
  if (!topic.empty() && !state_->FindTopic(topic).has_value()) {
    return Refuse(Refusal::kTopicNotFound, absl::StrCat("Topic ", topic, " does not exist"));
  }
  if (!state_->FindConsumerGroup(consumer_group).has_value()) {
    return Refuse(Refusal::kConsumerGroupNotFound,
                  absl::StrCat("Group ", consumer_group, " does not exist"));
  }
  return absl::OkStatus();
}

absl::StatusOr<QueueOffset> OffsetResets::FindIn(const OffsetReset& reset,
                                                 uint32_t queue_id) const {
  const auto bounds = state_->Bounds(reset.topic, queue_id);
  if (!bounds.ok()) return NoSuchQueue(reset.topic, static_cast<int32_t>(queue_id));
  if (!reset.offset.has_value()) {
    if (reset.time_ms < 0) return bounds->end;
    return state_->OffsetAtTime(reset.topic, queue_id, reset.time_ms, store::TimeBoundary::kLower);
  }
  const auto begin = static_cast<int64_t>(bounds->begin.value());
  const auto end = static_cast<int64_t>(bounds->end.value());
  // RocketMQ takes one behind the end, too: there is nothing to skip.
  if (*reset.offset < begin || *reset.offset > end + 1) {
    return absl::OutOfRangeError(absl::StrCat("Target offset ", *reset.offset,
                                              " not in consume queue range [", begin, "-", end,
                                              "]"));
  }
  return QueueOffset(static_cast<uint64_t>(std::min(*reset.offset, end)));
}

absl::StatusOr<std::vector<store::CommittedOffset>> OffsetResets::Find(
    const OffsetReset& reset) const {
  if (absl::Status status = CheckNames(reset.consumer_group, reset.topic); !status.ok()) {
    return status;
  }
  const std::optional<store::TopicConfig> topic = state_->FindTopic(reset.topic);
  if (!topic.has_value()) {
    return Refuse(Refusal::kTopicNotFound, "the name of the topic is missing");
  }
  uint32_t first = 0;
  uint32_t end = topic->read_queues;
  if (reset.queue_id >= 0) {
    first = static_cast<uint32_t>(reset.queue_id);
    if (first >= std::max(topic->read_queues, topic->write_queues)) {
      return NoSuchQueue(reset.topic, reset.queue_id);
    }
    end = first + 1;
  }
  std::vector<store::CommittedOffset> offsets;
  for (uint32_t queue_id = first; queue_id < end; ++queue_id) {
    const absl::StatusOr<QueueOffset> offset = FindIn(reset, queue_id);
    if (!offset.ok()) return offset.status();
    offsets.push_back({queue_id, *offset});
  }
  return offsets;
}

void OffsetResets::Reset(OffsetReset reset, absl::Duration give_up, ResetDone done) {
  if (reset.queue_id < 0) reset.offset.reset();
  log_->ReadBarrier(give_up, [this, reset = std::move(reset), give_up,
                              done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) {
      done(status);
      return;
    }
    absl::StatusOr<std::vector<store::CommittedOffset>> offsets = Find(reset);
    if (!offsets.ok()) {
      done(offsets.status());
      return;
    }
    store::UpdateOffsetsCommand command;
    for (const store::CommittedOffset& offset : *offsets) {
      store::UpdateOffsetsCommand::Item& item = command.items.emplace_back();
      item.consumer_group = reset.consumer_group;
      item.topic = reset.topic;
      item.queue_id = offset.queue_id;
      item.offset = offset.offset;
      item.is_reset = item.holds = true;
    }
    log_->Submit(store::CommandKind::kUpdateOffsets, command.Encode(), give_up,
                 [topic = reset.topic, offsets = *std::move(offsets),
                  done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                   const absl::Status status = Gone(PlainOutcome(bytes), topic);
                   if (status.ok()) {
                     done(std::move(offsets));
                   } else {
                     done(status);
                   }
                 });
  });
}

void OffsetResets::Set(const std::string& consumer_group, const std::string& topic,
                       int32_t queue_id, int64_t offset, absl::Duration give_up, Done done) {
  log_->ReadBarrier(give_up, [this, consumer_group, topic, queue_id, offset, give_up,
                              done = std::move(done)](absl::Status status) mutable {
    if (status.ok()) status = CheckNames(consumer_group, topic);
    if (status.ok() && (queue_id < 0 || offset < 0 ||
                        !state_->Bounds(topic, static_cast<uint32_t>(queue_id)).ok())) {
      status = NoSuchQueue(topic, queue_id);
    }
    if (!status.ok()) {
      done(std::move(status));
      return;
    }
    store::UpdateOffsetsCommand command;
    store::UpdateOffsetsCommand::Item& item = command.items.emplace_back();
    item.consumer_group = consumer_group;
    item.topic = topic;
    item.queue_id = static_cast<uint32_t>(queue_id);
    item.offset = QueueOffset(static_cast<uint64_t>(offset));
    item.is_reset = true;
    log_->Submit(store::CommandKind::kUpdateOffsets, command.Encode(), give_up,
                 [topic, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                   done(Gone(PlainOutcome(bytes), topic));
                 });
  });
}

void OffsetResets::Copy(const std::string& from, const std::string& to, const std::string& topic,
                        absl::Duration give_up, Done done) {
  log_->ReadBarrier(give_up, [this, from, to, topic, give_up,
                              done = std::move(done)](absl::Status status) mutable {
    if (status.ok()) status = CheckNames(from, topic);
    if (status.ok()) status = CheckNames(to, topic);
    if (!status.ok()) {
      done(std::move(status));
      return;
    }
    log_->Submit(store::CommandKind::kCopyOffsets,
                 store::CopyOffsetsCommand{from, to, topic}.Encode(), give_up,
                 [topic, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                   done(Gone(PlainOutcome(bytes), topic));
                 });
  });
}

}  // namespace totora::service
