#include "broker/service/broker_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/plain_result.h"
#include "common/log.h"
#include "message/topic.h"

namespace totora::service {
namespace {

constexpr absl::Duration kStartedAgain = absl::Seconds(1);

// What is older than the process by log time was replayed and is no traffic; only
// this long, for the two clocks may differ.
constexpr absl::Duration kReplayMax = absl::Minutes(1);

// The oldest message is looked for in so many queues, and again after so long.
constexpr size_t kQueuesLookedAtMax = 2000;
constexpr absl::Duration kEarliestInterval = absl::Minutes(1);

}  // namespace

BrokerService::BrokerService(const BrokerServiceOptions& options, CommandLog* log,
                             store::StateMachine* state, Executor* executor)
    : options_(options),
      log_(log),
      state_(state),
      executor_(executor),
      traffic_(log, executor),
      peer_calls_(log, executor),
      sender_(log, state, &directory_),
      acks_(log),
      topics_(log, &directory_,
              {options.cluster, options.group_name,
               absl::StrCat(options.cluster, message::kReplyTopicSuffix)}),
      topic_creation_(log, state, &topics_, options.creates_topics_on_send),
      ids_(options.id_origin),
      consumer_groups_(log, state, options.creates_consumer_groups_on_use),
      reports_(log, executor),
      receiver_(log, state, executor, &topics_, &consumer_groups_, &reports_, &traffic_,
                options.polls),
      sessions_(log, executor, [this](const std::string& group) { changed_groups_.insert(group); }),
      puller_(log, state, executor, &consumer_groups_, &sessions_, &traffic_, options.pulls),
      consumer_offsets_(log, state, executor, &consumer_groups_),
      offset_resets_(log, state),
      retries_(log, state, executor, &consumer_groups_, options.delay_levels, options.store_host),
      queue_locks_(log, executor, &consumer_groups_),
      duties_(log, state, &sessions_, &topic_creation_) {
  for (const store::TopicConfig& topic : state_->Topics()) directory_.Set(topic.name, topic);
}

BrokerService::~BrokerService() = default;

void BrokerService::Start() {
  is_running_ = true;
  started_at_ = executor_->clock().SteadyNow();
  started_at_wall_ = executor_->clock().WallNow();
  state_->CountGrowthFrom(absl::ToUnixMillis(started_at_wall_));
  state_->SetObserver(this);
  SubmitStarted();
  TickLater();
}

void BrokerService::SubmitStarted() {
  // Never given up: it must stay in front of everything else that this
  // incarnation submits.
  log_->Submit(store::CommandKind::kReplicaStarted, std::string(), absl::InfiniteDuration(),
               [this](absl::StatusOr<absl::string_view> result) {
                 if (!is_running_ || result.ok() || absl::IsDeadlineExceeded(result.status())) {
                   return;
                 }
                 // The disk is full, perhaps. Until this gets through, leases
                 // of earlier incarnations end by their own time, no sooner.
                 TOTORA_LOG_LIMITED(kWarn, "service")
                     << "start not recorded yet: " << result.status().message();
                 executor_->PostAfter(kStartedAgain,
                                      [this, alive = std::weak_ptr<bool>(is_alive_)] {
                                        if (!alive.expired() && is_running_) SubmitStarted();
                                      });
               });
}

void BrokerService::Stop() {
  is_running_ = false;
  receiver_.AnswerAll();
  puller_.SendAwayAll();
}

void BrokerService::TickLater() {
  executor_->PostAfter(options_.tick, [this, alive = std::weak_ptr<bool>(is_alive_)] {
    if (alive.expired() || !is_running_) return;
    Tick();
    TickLater();
  });
}

void BrokerService::Tick() {
  const absl::Duration now = executor_->clock().SteadyNow();
  receiver_.Tick(now);
  puller_.Tick(now);
  reports_.Tick(now);
  sessions_.Tick(now);
  duties_.Tick(now);
  CountTraffic(now);
  TellChangedGroups();
}

void BrokerService::TakeGrowth() {
  const store::Growth growth = state_->TakeGrowth();
  traffic_.TimersMoved(growth.timers_added, growth.timers_fired);
  for (const store::TopicGrowth& topic : growth.topics) {
    traffic_.Put(topic.topic, {topic.messages, topic.bytes, topic.batches});
  }
}

TrafficStats& BrokerService::traffic() {
  TakeGrowth();
  return traffic_;
}

std::optional<int64_t> BrokerService::EarliestStoreTimeMs() {
  const absl::Duration now = executor_->clock().SteadyNow();
  if (now < earliest_until_) return earliest_store_ms_;
  earliest_store_ms_ = std::nullopt;
  size_t left = kQueuesLookedAtMax;
  for (const store::TopicConfig& topic : state_->Topics()) {
    for (uint32_t at = 0; at < topic.write_queues && left > 0; ++at, --left) {
      const auto time_ms = state_->EarliestStoreTimeMs(topic.name, at);
      if (!time_ms.ok() || !time_ms->has_value()) continue;
      earliest_store_ms_ = std::min(earliest_store_ms_.value_or(INT64_MAX), **time_ms);
    }
  }
  if (earliest_store_ms_.has_value()) earliest_until_ = now + kEarliestInterval;
  return earliest_store_ms_;
}

void BrokerService::CountTraffic(absl::Duration now) {
  if (now - last_growth_taken_ < TrafficStats::kShareInterval) return;
  last_growth_taken_ = now;
  if (!counts_everything_ && now - started_at_ >= kReplayMax) {
    counts_everything_ = true;
    state_->CountGrowthFrom(0);
  }
  TakeGrowth();
  traffic_.Tick(now);
}

void BrokerService::TellChangedGroups() {
  // Many members come at once when programs start: one notice tells of all.
  const absl::btree_set<std::string> changed = std::exchange(changed_groups_, {});
  if (on_group_changed_ == nullptr) return;
  for (const std::string& group : changed) on_group_changed_(group);
}

// --- For dialects --------------------------------------------------------------

PollId BrokerService::Receive(ReceiveRequest request, ReceiveDone done) {
  const PollId poll = next_poll_.fetch_add(1, std::memory_order_relaxed);
  executor_->Post([this, poll, request = std::move(request), done = std::move(done)]() mutable {
    sessions_.Touch(request.client_id, ClientKind::kUnknown, request.consumer_group);
    receiver_.Receive(poll, std::move(request), std::move(done));
  });
  return poll;
}

void BrokerService::CancelPoll(PollId poll) {
  executor_->Post([this, poll] { receiver_.Cancel(poll); });
}

void BrokerService::ReportDelivery(std::string consumer_group, std::string topic,
                                   std::vector<store::DeliveredMessage> messages,
                                   bool was_written) {
  executor_->Post([this, consumer_group = std::move(consumer_group), topic = std::move(topic),
                   messages = std::move(messages),
                   was_written] { reports_.Add(consumer_group, topic, messages, was_written); });
}

void BrokerService::TouchClient(std::string client_id, ClientKind kind,
                                std::string consumer_group) {
  executor_->Post(
      [this, client_id = std::move(client_id), kind, consumer_group = std::move(consumer_group)] {
        sessions_.Touch(client_id, kind, consumer_group);
      });
}

void BrokerService::WatchConsumerGroups(Sessions::GroupChanged on_changed) {
  executor_->Post([this, on_changed = std::move(on_changed)]() mutable {
    on_group_changed_ = std::move(on_changed);
  });
}

void BrokerService::ReleaseClient(std::string client_id, std::string consumer_group,
                                  absl::Duration give_up,
                                  absl::AnyInvocable<void(absl::Status)> done) {
  executor_->Post([this, client_id = std::move(client_id),
                   consumer_group = std::move(consumer_group), give_up,
                   done = std::move(done)]() mutable {
    sessions_.Remove(client_id);
    store::ReleaseClientCommand command{std::move(client_id), std::move(consumer_group)};
    log_->Submit(store::CommandKind::kReleaseClient, command.Encode(), give_up,
                 [done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                   done(PlainOutcome(bytes));
                 });
  });
}

// --- From the replica ------------------------------------------------------------

void BrokerService::OnStatus(const raft::ReplicaStatus& status) {
  receiver_.SetHasLeader(status.leader != ReplicaId());
  sender_.SetDiskFull(status.is_disk_full);
}

void BrokerService::OnPeerMessage(ReplicaId from, Incarnation, absl::string_view bytes) {
  if (TrafficStats::IsPeerMessage(bytes)) {
    traffic_.PeerMessage(bytes);
  } else if (PeerCalls::IsPeerMessage(bytes)) {
    peer_calls_.PeerMessage(from, bytes);
  } else {
    sessions_.PeerMessage(from, bytes);
  }
}

void BrokerService::OnPeerUp(ReplicaId peer, Incarnation) { sessions_.PeerUp(peer); }

void BrokerService::OnPeerDown(ReplicaId peer) {
  sessions_.PeerDown(peer);
  peer_calls_.PeerDown(peer);
}

void BrokerService::CommandApplied(const raft::CommandId& id, absl::string_view result) {
  log_->CommandApplied(id, result);
}

void BrokerService::QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset) {
  receiver_.QueueGrew(topic, queue_id);
  puller_.QueueGrew(topic, queue_id);
}

void BrokerService::LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                                   uint32_t queue_id) {
  receiver_.LeasesReleased(topic, consumer_group, queue_id);
}

void BrokerService::OffsetReset(absl::string_view topic, absl::string_view consumer_group,
                                uint32_t queue_id) {
  puller_.OffsetReset(topic, consumer_group, queue_id);
}

void BrokerService::TopicChanged(absl::string_view topic,
                                 const std::optional<store::TopicConfig>& config) {
  directory_.Set(topic, config);
}

}  // namespace totora::service
