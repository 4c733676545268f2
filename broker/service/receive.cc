#include "broker/service/receive.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"
#include "message/topic.h"

namespace totora::service {
namespace {

// How long a receive command is waited for beyond its poll: if it is applied
// late, somebody must be there to hand its messages back.
constexpr absl::Duration kLateResult = absl::Minutes(1);

// Between two tries to find out whether topic and consumer group exist.
constexpr absl::Duration kCheckAgain = absl::Milliseconds(200);

// Any-queue polls of one line that wake-ups let ask at the same time.
constexpr size_t kWokenMax = 64;

}  // namespace

MessageReceiver::MessageReceiver(CommandLog* log, const store::StateMachine* state,
                                 Executor* executor, Topics* topics,
                                 ConsumerGroups* consumer_groups, DeliveryReports* reports,
                                 TrafficStats* traffic, const ParkedPolls::Limits& limits)
    : log_(log),
      state_(state),
      executor_(executor),
      topics_(topics),
      consumer_groups_(consumer_groups),
      reports_(reports),
      traffic_(traffic),
      limits_(limits),
      parked_(limits) {}

MessageReceiver::Poll* MessageReceiver::Find(PollId id) {
  auto it = polls_.find(id);
  return it == polls_.end() ? nullptr : it->second.get();
}

void MessageReceiver::Receive(PollId id, ReceiveRequest request, ReceiveDone done) {
  if (polls_.size() >= limits_.total_max) {
    done(Refuse(Refusal::kTooManyPolls, "too many polls are open at this broker"));
    return;
  }
  auto poll = std::make_unique<Poll>();
  poll->line = parked_.Open(request.topic, request.consumer_group);
  poll->deadline = deadlines_.emplace(request.poll_until, id);
  poll->has_deadline = true;
  poll->request = std::move(request);
  poll->done = std::move(done);
  polls_[id] = std::move(poll);
  CheckTopic(id);
}

void MessageReceiver::CheckTopic(PollId id) {
  Poll* poll = Find(id);
  topics_->Find(
      poll->request.topic, poll->request.poll_until,
      [this, id](absl::StatusOr<store::TopicConfig> config) {
        Poll* poll = Find(id);
        if (poll == nullptr) return;
        if (!config.ok()) {
          Unchecked(id, poll, config.status());
          return;
        }
        if ((config->permission & message::kPermissionRead) == 0 || config->read_queues == 0) {
          Finish(id, poll,
                 Refuse(Refusal::kNotReadable,
                        absl::StrCat("topic ", config->name, " is not readable")));
          return;
        }
        CheckConsumerGroup(id);
      });
}

void MessageReceiver::CheckConsumerGroup(PollId id) {
  Poll* poll = Find(id);
  consumer_groups_->FindForUse(poll->request.consumer_group, poll->request.poll_until,
                               [this, id](absl::StatusOr<store::ConsumerGroupConfig> config) {
                                 Poll* poll = Find(id);
                                 if (poll == nullptr) return;
                                 if (config.ok()) {
                                   AskOrPark(id, poll);
                                 } else {
                                   Unchecked(id, poll, config.status());
                                 }
                               });
}

void MessageReceiver::Unchecked(PollId id, Poll* poll, const absl::Status& status) {
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) {
    Finish(id, poll, status);
    return;
  }
  // Nobody leads who could say whether it exists: the poll waits, and asks again.
  executor_->PostAfter(kCheckAgain, [this, id, alive = std::weak_ptr<bool>(is_alive_)] {
    if (alive.expired()) return;
    const Poll* poll = Find(id);
    if (poll != nullptr && poll->done) CheckTopic(id);
  });
}

bool MessageReceiver::MayDeliver(const PollLine& line, int32_t queue_id) const {
  return has_leader_ && state_->MayDeliver(line.consumer_group, line.topic, queue_id);
}

void MessageReceiver::AskOrPark(PollId id, Poll* poll) {
  if (MayDeliver(*poll->line, poll->request.queue_id)) {
    Ask(id, poll);
  } else {
    Park(id, poll);
  }
}

void MessageReceiver::Park(PollId id, Poll* poll) {
  absl::Status status = parked_.Park(poll->line, poll->request.queue_id, id);
  if (!status.ok()) Finish(id, poll, std::move(status));
}

void MessageReceiver::Ask(PollId id, Poll* poll) {
  const ReceiveRequest& request = poll->request;
  store::ReceiveCommand command;
  command.consumer_group = request.consumer_group;
  command.topic = request.topic;
  command.queue_id = request.queue_id;
  command.max_messages = request.max_messages;
  command.invisible_ms = absl::ToInt64Milliseconds(request.invisible);
  command.auto_renew = request.auto_renew;
  command.client_id = request.client_id;
  command.tag_hashes = request.tag_hashes;
  if (request.queue_id == kAnyQueue) {
    command.first_queue = poll->line->next_queue++;
    ++poll->line->asking;
  }
  poll->is_asking = true;
  poll->changes_at_ask = poll->line->changes;
  log_->Submit(store::CommandKind::kReceive, command.Encode(), request.poll_until + kLateResult,
               [this, id](absl::StatusOr<absl::string_view> bytes) { Answered(id, bytes); });
}

void MessageReceiver::Answered(PollId id, absl::StatusOr<absl::string_view> bytes) {
  Poll* poll = Find(id);
  if (poll == nullptr) return;
  poll->is_asking = false;
  if (poll->request.queue_id == kAnyQueue) --poll->line->asking;
  absl::StatusOr<store::ReceiveResult> result =
      bytes.ok() ? store::ReceiveResult::Decode(*bytes) : bytes.status();
  const bool is_over = !poll->done;
  if (!result.ok()) {
    // Refused for now, or nobody knows: what may still come of it ends with its
    // lease. The poll goes on waiting for the next change.
    if (is_over) {
      Forget(id, poll);
    } else {
      Park(id, poll);
    }
    return;
  }
  if (is_over) {
    reports_->Add(poll->request.consumer_group, poll->request.topic, result->messages, false);
    Forget(id, poll);
    return;
  }
  if (result->status.code == absl::StatusCode::kNotFound) {
    // Topic or consumer group went away under the poll: find out which.
    CheckTopic(id);
    return;
  }
  if (!result->status.ok()) {
    Finish(id, poll, absl::Status(result->status.code, result->status.text));
    return;
  }
  if (!result->messages.empty()) {
    const std::string topic = poll->request.topic;
    const std::string consumer_group = poll->request.consumer_group;
    const int32_t queue_id = poll->request.queue_id;
    uint64_t bytes = 0;
    for (const store::DeliveredMessage& message : result->messages) bytes += message.size;
    traffic_->Delivered(topic, consumer_group, result->messages.size(), bytes);
    Finish(id, poll, Delivery{std::move(result->messages), result->invisible_until_ms});
    WakeMore(topic, consumer_group, queue_id);
    return;
  }
  // Without a change since the question the same question has the same answer.
  const bool asks_again = result->has_more || poll->line->changes != poll->changes_at_ask;
  if (asks_again && MayDeliver(*poll->line, poll->request.queue_id)) {
    Ask(id, poll);
  } else {
    Park(id, poll);
  }
}

void MessageReceiver::Finish(PollId id, Poll* poll, absl::StatusOr<Delivery> delivery) {
  ReceiveDone done = std::move(poll->done);
  poll->done = nullptr;
  parked_.Remove(id);
  if (!poll->is_asking) Forget(id, poll);
  done(std::move(delivery));
}

void MessageReceiver::Forget(PollId id, Poll* poll) {
  if (poll->has_deadline) deadlines_.erase(poll->deadline);
  parked_.Close(poll->line);
  polls_.erase(id);
}

void MessageReceiver::Cancel(PollId id) {
  Poll* poll = Find(id);
  if (poll == nullptr || !poll->done) return;
  poll->done = nullptr;
  parked_.Remove(id);
  if (!poll->is_asking) Forget(id, poll);
}

void MessageReceiver::Tick(absl::Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const PollId id = deadlines_.begin()->second;
    Poll* poll = Find(id);
    deadlines_.erase(deadlines_.begin());
    poll->has_deadline = false;
    if (!poll->done) continue;
    traffic_->Missed();
    Finish(id, poll, Delivery{});
  }
}

void MessageReceiver::AnswerAll() {
  std::vector<PollId> ids;
  ids.reserve(polls_.size());
  for (const auto& [id, poll] : polls_) ids.push_back(id);
  for (PollId id : ids) {
    Poll* poll = Find(id);
    if (poll != nullptr && poll->done) Finish(id, poll, Delivery{});
  }
}

// --- Waking -------------------------------------------------------------------

void MessageReceiver::QueueGrew(absl::string_view topic, uint32_t queue_id) {
  if (polls_.empty()) return;
  for (PollLine* line : parked_.LinesOf(topic)) {
    NoteChange(line, static_cast<int32_t>(queue_id));
  }
}

void MessageReceiver::LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                                     uint32_t queue_id) {
  if (polls_.empty()) return;
  PollLine* line = parked_.Find(topic, consumer_group);
  if (line != nullptr) NoteChange(line, static_cast<int32_t>(queue_id));
}

void MessageReceiver::NoteChange(PollLine* line, int32_t queue_id) {
  ++line->changes;
  if (line->parked.empty()) return;
  noted_.push_back({line->topic, line->consumer_group, queue_id});
  WakeSoon();
}

void MessageReceiver::WakeSoon() {
  if (is_wake_posted_) return;
  is_wake_posted_ = true;
  executor_->Post([this, alive = std::weak_ptr<bool>(is_alive_)] {
    if (!alive.expired()) WakeNoted();
  });
}

void MessageReceiver::WakeNoted() {
  is_wake_posted_ = false;
  std::vector<Change> changes = std::move(noted_);
  noted_.clear();
  for (const Change& change : changes) {
    PollLine* line = parked_.Find(change.topic, change.consumer_group);
    if (line != nullptr) WakeOne(line, change.queue_id);
  }
}

void MessageReceiver::WakeOne(PollLine* line, int32_t queue_id) {
  if (queue_id != kAnyQueue && line->parked.contains(queue_id) && MayDeliver(*line, queue_id)) {
    const PollId id = *parked_.Take(line, queue_id);
    Ask(id, Find(id));
    return;
  }
  // One any-queue poll is asking already: if it finds more than it can take,
  // it wakes the next ones.
  if (line->asking > 0 || !line->parked.contains(kAnyQueue) || !MayDeliver(*line, kAnyQueue)) {
    return;
  }
  const PollId id = *parked_.Take(line, kAnyQueue);
  Ask(id, Find(id));
}

void MessageReceiver::WakeMore(const std::string& topic, const std::string& consumer_group,
                               int32_t queue_id) {
  PollLine* line = parked_.Find(topic, consumer_group);
  if (line == nullptr || line->parked.empty()) return;
  if (queue_id != kAnyQueue) {
    noted_.push_back({topic, consumer_group, queue_id});
    WakeSoon();
    return;
  }
  for (int woken = 0; woken < 2 && line->asking < kWokenMax; ++woken) {
    if (!line->parked.contains(kAnyQueue) || !MayDeliver(*line, kAnyQueue)) return;
    const PollId id = *parked_.Take(line, kAnyQueue);
    Ask(id, Find(id));
  }
}

void MessageReceiver::SetHasLeader(bool has_leader) {
  const bool is_new = has_leader && !has_leader_;
  has_leader_ = has_leader;
  if (!is_new) return;
  for (PollLine* line : parked_.Lines()) {
    ++line->changes;
    for (const auto& [queue_id, polls] : line->parked) {
      noted_.push_back({line->topic, line->consumer_group, queue_id});
    }
  }
  if (!noted_.empty()) WakeSoon();
}

}  // namespace totora::service
