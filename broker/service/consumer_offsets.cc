#include "broker/service/consumer_offsets.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/plain_result.h"
#include "broker/service/refusal.h"

namespace totora::service {

absl::Status ConsumerOffsets::CheckQueue(const std::string& topic, int32_t queue_id,
                                         int64_t offset) const {
  const std::optional<store::TopicConfig> config = state_->FindTopic(topic);
  if (!config.has_value()) {
    return Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", topic));
  }
  if (queue_id < 0 ||
      static_cast<uint32_t>(queue_id) >= std::max(config->read_queues, config->write_queues)) {
    return Refuse(Refusal::kNoSuchQueue, absl::StrCat("topic ", topic, " has no queue ", queue_id));
  }
  if (offset < 0) return absl::InvalidArgumentError("an offset is not below 0");
  return absl::OkStatus();
}

void ConsumerOffsets::Update(const std::string& consumer_group, const std::string& topic,
                             int32_t queue_id, int64_t offset, Done done) {
  const absl::Duration give_up = executor_->clock().SteadyNow() + kGiveUp;
  consumer_groups_->FindForUse(
      consumer_group, give_up,
      [this, consumer_group, topic, queue_id, offset,
       done = std::move(done)](const absl::StatusOr<store::ConsumerGroupConfig>& config) mutable {
        absl::Status status = config.status();
        if (status.ok()) status = CheckQueue(topic, queue_id, offset);
        if (!status.ok()) {
          done(std::move(status));
          return;
        }
        Add({consumer_group, topic, static_cast<uint32_t>(queue_id)}, static_cast<uint64_t>(offset),
            std::move(done));
      });
}

void ConsumerOffsets::Add(const Key& key, uint64_t offset, Done done) {
  const auto& [group, topic, queue_id] = key;
  const std::optional<QueueOffset> known = state_->ConsumerOffset(group, topic, queue_id);
  if (known.has_value() && offset <= known->value()) {
    done(absl::OkStatus());  // Consumers repeat themselves.
    return;
  }
  if (waiting_count_ >= kWaitingMax) {
    done(absl::ResourceExhaustedError("too many offsets wait to be stored"));
    return;
  }
  Report& report = waiting_[key];
  report.offset = std::max(report.offset, offset);
  report.done.push_back(std::move(done));
  ++waiting_count_;
  if (!is_sending_) Submit();
}

void ConsumerOffsets::Submit() {
  is_sending_ = true;
  sent_.clear();
  while (!waiting_.empty() && sent_.size() < kItemsPerCommand) {
    auto next = waiting_.begin();
    waiting_count_ -= next->second.done.size();
    sent_.emplace(next->first, std::move(next->second));
    waiting_.erase(next);
  }
  if (waiting_.empty()) sent_tasks_ = std::exchange(waiting_tasks_, {});
  store::UpdateOffsetsCommand command;
  for (const auto& [key, report] : sent_) {
    const auto& [group, topic, queue_id] = key;
    command.items.push_back({group, topic, queue_id, QueueOffset(report.offset), false});
  }
  log_->Submit(store::CommandKind::kUpdateOffsets, command.Encode(),
               executor_->clock().SteadyNow() + kGiveUp,
               [this](absl::StatusOr<absl::string_view> bytes) {
                 absl::Status status = PlainOutcome(bytes);
                 // A topic or group went away meanwhile, whose offsets mean
                 // nothing any more; the others were stored.
                 if (absl::IsNotFound(status)) status = absl::OkStatus();
                 Reports reports = std::exchange(sent_, {});
                 std::vector<Task> tasks = std::exchange(sent_tasks_, {});
                 is_sending_ = false;
                 if (!waiting_.empty()) Submit();
                 Tell(&reports, status);
                 for (Task& task : tasks) task();
               });
}

void ConsumerOffsets::WhenStored(Task done) {
  if (!waiting_.empty()) {
    waiting_tasks_.push_back(std::move(done));
  } else if (is_sending_) {
    sent_tasks_.push_back(std::move(done));
  } else {
    done();
  }
}

void ConsumerOffsets::Tell(Reports* reports, const absl::Status& status) {
  for (auto& [key, report] : *reports) {
    for (Done& done : report.done) done(status);
  }
}

void ConsumerOffsets::Find(const std::string& consumer_group, const std::string& topic,
                           int32_t queue_id, absl::Duration give_up, Found found) {
  log_->ReadBarrier(give_up, [this, consumer_group, topic, queue_id,
                              found = std::move(found)](const absl::Status& status) mutable {
    if (!status.ok()) {
      found(status);
      return;
    }
    if (queue_id < 0) {
      found(std::optional<QueueOffset>());
      return;
    }
    const Key key{consumer_group, topic, static_cast<uint32_t>(queue_id)};
    if (const auto held =
            state_->HeldOffset(consumer_group, topic, static_cast<uint32_t>(queue_id))) {
      found(held);  // What was reported is from before the reset.
      return;
    }
    std::optional<QueueOffset> offset =
        state_->ConsumerOffset(consumer_group, topic, static_cast<uint32_t>(queue_id));
    for (const Reports* reports : {&sent_, &waiting_}) {
      auto it = reports->find(key);
      if (it == reports->end()) continue;
      offset = QueueOffset(std::max(it->second.offset, offset ? offset->value() : 0));
    }
    found(offset);
  });
}

}  // namespace totora::service
