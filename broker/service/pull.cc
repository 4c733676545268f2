#include "broker/service/pull.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"
#include "message/topic.h"

namespace totora::service {
namespace {

// Entries read at a time while looking for those that match.
constexpr uint64_t kScanStep = 128;

constexpr absl::Duration kEndHoldMax = absl::Milliseconds(2500);

int64_t Number(QueueOffset offset) { return static_cast<int64_t>(offset.value()); }

}  // namespace

void MessagePuller::Pull(PullRequest request, PullDone done) {
  if (open_ >= limits_.total_max) {
    done(Refuse(Refusal::kTooManyPolls, "too many pulls are open at this broker"));
    return;
  }
  auto pull = std::make_shared<OpenPull>();
  pull->request = std::move(request);
  pull->done = std::move(done);
  pull->next = pull->request.offset;
  pull->request.max_messages = std::clamp(pull->request.max_messages, 1u, limits_.messages_max);
  pull->request.max_bytes = std::clamp(pull->request.max_bytes, 1u, limits_.bytes_max);
  ++open_;
  by_owner_[pull->request.owner].insert(pull);
  consumer_groups_->FindForUse(pull->request.consumer_group, pull->request.give_up,
                               [this, pull](absl::StatusOr<store::ConsumerGroupConfig> config) {
                                 if (!pull->done) return;
                                 if (!config.ok()) {
                                   Finish(pull, config.status());
                                 } else if (!config->may_broadcast && IsBroadcast(pull->request)) {
                                   Finish(pull, Refuse(Refusal::kConsumerGroupDisabled,
                                                       absl::StrCat("the consumer group[",
                                                                    config->name,
                                                                    "] can not consume by "
                                                                    "broadcast way")));
                                 } else {
                                   FindQueue(pull, false);
                                 }
                               });
}

void MessagePuller::FindQueue(const PullPtr& pull, bool is_current) {
  const PullRequest& request = pull->request;
  const std::optional<store::TopicConfig> topic = state_->FindTopic(request.topic);
  const bool is_there = topic.has_value() && request.queue_id >= 0 &&
                        static_cast<uint32_t>(request.queue_id) < topic->read_queues;
  if (!is_there && !is_current) {
    Again(pull, &MessagePuller::FindQueue);
    return;
  }
  if (!topic.has_value()) {
    Finish(pull, Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", request.topic)));
    return;
  }
  if ((topic->permission & message::kPermissionRead) == 0) {
    Finish(pull, Refuse(Refusal::kNotReadable,
                        absl::StrCat("topic ", request.topic, " is not readable")));
    return;
  }
  if (!is_there) {
    Finish(pull,
           Refuse(Refusal::kNoSuchQueue, absl::StrCat("topic ", request.topic, " has no queue ",
                                                      request.queue_id, " to read")));
    return;
  }
  if (absl::Status status = FindFilter(pull.get()); !status.ok()) {
    Finish(pull, std::move(status));
    return;
  }
  Read(pull, is_current);
}

absl::Status MessagePuller::FindFilter(OpenPull* pull) const {
  const PullRequest& request = pull->request;
  const Subscription* subscription =
      request.subscription.has_value() ? &*request.subscription : nullptr;
  if (subscription == nullptr) {
    subscription =
        sessions_->FindSubscription(request.consumer_group, request.topic, request.clients);
    if (subscription == nullptr) {
      return Refuse(Refusal::kNoSubscription,
                    absl::StrCat("nobody said what consumer group ", request.consumer_group,
                                 " wants of topic ", request.topic));
    }
    if (subscription->version < request.subscription_version) {
      return Refuse(Refusal::kSubscriptionNotLatest,
                    "the client's newest subscription is not known here yet");
    }
  }
  if (subscription->is_sql) {
    return absl::FailedPreconditionError("SQL filters are not supported yet");
  }
  absl::StatusOr<message::TagFilter> filter = message::TagFilter::Parse(subscription->expression);
  if (!filter.ok()) return Refuse(Refusal::kIllegalFilter, filter.status().message());
  pull->filter = std::make_shared<const message::TagFilter>(*std::move(filter));
  return absl::OkStatus();
}

void MessagePuller::Again(const PullPtr& pull, void (MessagePuller::*step)(const PullPtr&, bool)) {
  log_->ReadBarrier(
      pull->request.give_up,
      [this, pull, step, alive = std::weak_ptr<bool>(is_alive_)](absl::Status status) {
        if (alive.expired() || !pull->done) return;
        if (status.ok()) {
          (this->*step)(pull, true);
        } else {
          Finish(pull, std::move(status));
        }
      });
}

// --- Reading ------------------------------------------------------------------

void MessagePuller::Read(const PullPtr& pull, bool is_current) {
  const auto bounds =
      state_->Bounds(pull->request.topic, static_cast<uint32_t>(pull->request.queue_id));
  if (!bounds.ok()) {  // Deleted since.
    Finish(pull, Refuse(Refusal::kTopicNotFound, absl::StrCat("no topic ", pull->request.topic)));
    return;
  }
  if (IsSentElsewhere(pull)) return;
  const int64_t begin = Number(bounds->begin);
  const int64_t end = Number(bounds->end);
  if (pull->next > end && !is_current) {
    Again(pull, &MessagePuller::Read);
  } else if (pull->next > end) {
    Finish(pull, ResultAt(*pull, PullOutcome::kOffsetMoved,
                          end == 0 ? "NO_MESSAGE_IN_QUEUE" : "OFFSET_OVERFLOW_BADLY", end));
  } else if (pull->next < begin) {
    Finish(pull, ResultAt(*pull, PullOutcome::kOffsetMoved, "OFFSET_TOO_SMALL", begin));
  } else if (pull->next == end) {
    ParkOr(pull, ResultAt(*pull, PullOutcome::kNoNewMessage,
                          end == 0 ? "NO_MESSAGE_IN_QUEUE" : "OFFSET_OVERFLOW_ONE", end));
  } else {
    Scan(pull, *bounds);
  }
}

bool MessagePuller::IsBroadcast(const PullRequest& request) const {
  for (const std::string& client_id : request.clients) {
    const ClientSession* const session = sessions_->Find(client_id);
    if (session == nullptr) continue;
    for (const GroupMembership& membership : session->memberships) {
      if (membership.consumer_group == request.consumer_group) {
        return membership.model == MessageModel::kBroadcasting;
      }
    }
  }
  return false;
}

bool MessagePuller::IsSentElsewhere(const PullPtr& pull) {
  const PullRequest& request = pull->request;
  const auto queue_id = static_cast<uint32_t>(request.queue_id);
  const std::optional<QueueOffset> held =
      state_->HeldOffset(request.consumer_group, request.topic, queue_id);
  if (!held.has_value() || IsBroadcast(request)) return false;
  const ResetKey key(request.consumer_group, request.topic, queue_id);
  const absl::Duration now = executor_->clock().SteadyNow();
  if (sent_elsewhere_.size() >= kSentMax) sent_elsewhere_.clear();
  const absl::Duration since = sent_elsewhere_.try_emplace(key, now).first->second;
  if (request.offset == Number(*held) || now - since >= limits_.insist_max) {
    EndHold(key, *held);
    return false;
  }
  Finish(pull, ResultAt(*pull, PullOutcome::kOffsetMoved, "OFFSET_RESET", Number(*held)));
  return true;
}

void MessagePuller::OffsetReset(absl::string_view topic, absl::string_view consumer_group,
                                uint32_t queue_id) {
  if (!sent_elsewhere_.empty()) {
    sent_elsewhere_.erase(
        ResetKey(std::string(consumer_group), std::string(topic), queue_id));
  }
  QueueGrew(topic, queue_id);  // Whoever is parked there looks again.
}

void MessagePuller::EndHold(const ResetKey& key, QueueOffset offset) {
  sent_elsewhere_.erase(key);
  if (!ending_.insert(key).second) return;
  store::UpdateOffsetsCommand command;
  store::UpdateOffsetsCommand::Item& item = command.items.emplace_back();
  std::tie(item.consumer_group, item.topic, item.queue_id) = key;
  item.offset = offset;
  item.ends_hold = true;
  // If it is lost, the next pull sends another.
  log_->Submit(store::CommandKind::kUpdateOffsets, command.Encode(),
               executor_->clock().SteadyNow() + kEndHoldMax,
               [this, key, alive = std::weak_ptr<bool>(is_alive_)](
                   const absl::StatusOr<absl::string_view>&) {
                 if (!alive.expired()) ending_.erase(key);
               });
}

void MessagePuller::Scan(const PullPtr& pull, const store::QueueBounds& bounds) {
  const PullRequest& request = pull->request;
  const auto queue_id = static_cast<uint32_t>(request.queue_id);
  PullResult result = ResultAt(*pull, PullOutcome::kFound, "FOUND", pull->next);
  const uint64_t stop =
      std::min(bounds.end.value(), static_cast<uint64_t>(pull->next) + limits_.scan_max);
  auto at = static_cast<uint64_t>(pull->next);
  uint64_t bytes = 0;
  bool is_full = false;
  while (at < stop && !is_full) {
    const uint64_t left = request.max_messages - result.entries.size();
    const uint64_t count = std::min(
        stop - at, pull->filter->takes_everything() ? std::min(left, kScanStep) : kScanStep);
    absl::StatusOr<std::vector<store::QueueEntry>> entries =
        state_->Entries(request.topic, queue_id, QueueOffset(at), count);
    if (!entries.ok()) {
      Finish(pull, entries.status());
      return;
    }
    for (store::QueueEntry& entry : *entries) {
      if (pull->filter->MayMatch(entry.tag_hash)) {
        is_full = !result.entries.empty() && bytes + entry.size > request.max_bytes;
        if (is_full) break;
        bytes += entry.size;
        result.entries.push_back(std::move(entry));
      }
      ++at;
      is_full = result.entries.size() >= request.max_messages || bytes >= request.max_bytes;
      if (is_full) break;
    }
  }
  result.next = pull->next = static_cast<int64_t>(at);
  if (!result.entries.empty()) {
    Finish(pull, std::move(result));
    return;
  }
  result.outcome = PullOutcome::kNoMatch;
  result.why = "NO_MATCHED_MESSAGE";
  if (at < bounds.end.value()) {
    Finish(pull, std::move(result));  // One pass is over; the client comes again at once.
  } else {
    ParkOr(pull, std::move(result));
  }
}

PullResult MessagePuller::ResultAt(const OpenPull& pull, PullOutcome outcome, absl::string_view why,
                                   int64_t next) const {
  PullResult result;
  result.outcome = outcome;
  result.why = why;
  result.next = next;
  result.filter = pull.filter;
  const auto bounds =
      state_->Bounds(pull.request.topic, static_cast<uint32_t>(pull.request.queue_id));
  if (bounds.ok()) result.bounds = *bounds;
  return result;
}

// --- Waiting ------------------------------------------------------------------

void MessagePuller::ParkOr(const PullPtr& pull, PullResult result) {
  if (is_leaving_) {
    Finish(pull, ResultAt(*pull, PullOutcome::kAskAgain, "the broker goes away", pull->next));
    return;
  }
  if (pull->request.hold_until <= executor_->clock().SteadyNow()) {
    Finish(pull, std::move(result));
    return;
  }
  std::list<PullPtr>& waiting = parked_[{pull->request.topic, pull->request.queue_id}];
  waiting.push_back(pull);
  pull->place = std::prev(waiting.end());
  pull->deadline = deadlines_.emplace(pull->request.hold_until, pull);
  pull->is_parked = true;
}

void MessagePuller::Unpark(OpenPull* pull) {
  if (!std::exchange(pull->is_parked, false)) return;
  auto it = parked_.find({pull->request.topic, pull->request.queue_id});
  it->second.erase(pull->place);
  if (it->second.empty()) parked_.erase(it);
  deadlines_.erase(pull->deadline);
}

void MessagePuller::QueueGrew(absl::string_view topic, uint32_t queue_id) {
  if (deadlines_.empty()) return;
  Queue queue(topic, static_cast<int32_t>(queue_id));
  if (!parked_.contains(queue)) return;
  grown_.insert(std::move(queue));
  if (std::exchange(is_wake_posted_, true)) return;
  executor_->Post([this, alive = std::weak_ptr<bool>(is_alive_)] {
    if (!alive.expired()) Wake();
  });
}

void MessagePuller::Wake() {
  is_wake_posted_ = false;
  for (const Queue& queue : std::exchange(grown_, {})) {
    auto it = parked_.find(queue);
    if (it == parked_.end()) continue;
    // A pull that finds nothing parks again, behind the others.
    const std::vector<PullPtr> woken(it->second.begin(), it->second.end());
    for (const PullPtr& pull : woken) {
      Unpark(pull.get());
      if (pull->done) Read(pull, false);
    }
  }
}

void MessagePuller::Tick(absl::Duration now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const PullPtr pull = deadlines_.begin()->second;
    const bool has_skipped = pull->next > pull->request.offset;
    Finish(pull, ResultAt(*pull, has_skipped ? PullOutcome::kNoMatch : PullOutcome::kNoNewMessage,
                          has_skipped ? "NO_MATCHED_MESSAGE" : "OFFSET_OVERFLOW_ONE", pull->next));
  }
}

// --- Ends ---------------------------------------------------------------------

void MessagePuller::Count(const OpenPull& pull, const PullResult& result) {
  if (result.outcome == PullOutcome::kAskAgain) return;
  if (result.entries.empty()) {
    traffic_->Missed();
    return;
  }
  uint64_t bytes = 0;
  for (const store::QueueEntry& entry : result.entries) bytes += entry.size;
  traffic_->Pulled(pull.request.topic, pull.request.consumer_group,
                   static_cast<uint32_t>(pull.request.queue_id), result.next,
                   result.entries.size(), bytes);
}

void MessagePuller::Finish(const PullPtr& pull, absl::StatusOr<PullResult> result) {
  Unpark(pull.get());
  if (result.ok()) Count(*pull, *result);
  PullDone done = std::move(pull->done);
  pull->done = nullptr;
  --open_;
  auto owner = by_owner_.find(pull->request.owner);
  owner->second.erase(pull);
  if (owner->second.empty()) by_owner_.erase(owner);
  done(std::move(result));
}

void MessagePuller::SendAway(uint64_t owner) {
  auto it = by_owner_.find(owner);
  if (it == by_owner_.end()) return;
  const std::vector<PullPtr> pulls(it->second.begin(), it->second.end());
  for (const PullPtr& pull : pulls) {
    Finish(pull, ResultAt(*pull, PullOutcome::kAskAgain, "the broker goes away", pull->next));
  }
}

void MessagePuller::SendAwayAll() {
  is_leaving_ = true;
  std::vector<uint64_t> owners;
  for (const auto& [owner, pulls] : by_owner_) owners.push_back(owner);
  for (uint64_t owner : owners) SendAway(owner);
}

}  // namespace totora::service
