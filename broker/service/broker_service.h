// The use cases of one group's replica, put together: what dialects call and
// what the replica and its state machine report to.
//
// Construction order of a broker: state machine, replica, this; the broker's
// composition root forwards the replica's observer calls here.
#ifndef TOTORA_BROKER_SERVICE_BROKER_SERVICE_H_
#define TOTORA_BROKER_SERVICE_BROKER_SERVICE_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/ack.h"
#include "broker/service/command_log.h"
#include "broker/service/consumer_groups.h"
#include "broker/service/consumer_offsets.h"
#include "broker/service/deliberate_repeats.h"
#include "broker/service/delivery_reports.h"
#include "broker/service/delivery_time.h"
#include "broker/service/leader_duties.h"
#include "broker/service/offset_resets.h"
#include "broker/service/parked_polls.h"
#include "broker/service/peer_calls.h"
#include "broker/service/pull.h"
#include "broker/service/queue_locks.h"
#include "broker/service/receive.h"
#include "broker/service/retries.h"
#include "broker/service/routes.h"
#include "broker/service/send.h"
#include "broker/service/sessions.h"
#include "broker/service/topic_creation.h"
#include "broker/service/topic_directory.h"
#include "broker/service/topics.h"
#include "broker/service/traffic_stats.h"
#include "common/executor.h"
#include "message/message.h"
#include "message/message_id.h"
#include "raft/replica.h"
#include "store/state_machine.h"

namespace totora::service {

struct BrokerServiceOptions {
  std::string cluster = "DefaultCluster";
  GroupId group;
  std::string group_name;    // RocketMQ's brokerName.
  message::Host store_host;  // As StoreOptions stamps it into messages.
  message::IdOrigin id_origin;
  bool creates_consumer_groups_on_use = true;
  bool creates_topics_on_send = false;  // Classic clients only.
  DelayLevels delay_levels;
  ParkedPolls::Limits polls;
  MessagePuller::Limits pulls;
  absl::Duration tick = absl::Milliseconds(20);
};

// Thread safety: each method says where it may be called; "executor" is the
// replica's. Callbacks run on the executor unless the method says otherwise.
class BrokerService : public store::ApplyObserver {
 public:
  // All pointers are borrowed. `log` and `routes` may belong to what is made
  // later (see SetRoutes), the others must be ready.
  BrokerService(const BrokerServiceOptions& options, CommandLog* log, store::StateMachine* state,
                Executor* executor);
  ~BrokerService() override;

  // Where QueryRoute and its like look. Before the first call of a client.
  void SetRoutes(RouteSource* routes) { routes_ = routes; }

  // Executor. Registers as the state machine's observer, submits this
  // incarnation's first command, starts ticking.
  void Start();
  // Executor. Answers every poll, stops ticking.
  void Stop();

  // --- For dialects, any thread ------------------------------------------------

  const BrokerServiceOptions& options() const { return options_; }
  Executor* executor() const { return executor_; }
  CommandLog* log() const { return log_; }
  const RouteSource& routes() const { return *routes_; }
  MessageSender& sender() { return sender_; }
  MessageAcks& acks() { return acks_; }
  Topics& topics() { return topics_; }
  Retries& retries() { return retries_; }
  QueueLocks& queue_locks() { return queue_locks_; }
  TopicDirectory& topic_directory() { return directory_; }
  DeliberateRepeats& repeats() { return repeats_; }
  // For a message that its producer gave none.
  std::string NextMessageId(int64_t now_ms) { return ids_.NextUniqueId(now_ms); }

  // Starts a poll; CancelPoll when its client is gone.
  PollId Receive(ReceiveRequest request, ReceiveDone done);
  void CancelPoll(PollId poll);
  // What became of the messages of a delivery: written to the client, or lost.
  void ReportDelivery(std::string consumer_group, std::string topic,
                      std::vector<store::DeliveredMessage> messages, bool was_written);
  // A sign of life.
  void TouchClient(std::string client_id, ClientKind kind, std::string consumer_group);
  // The client said goodbye: drops its session, releases what it holds.
  void ReleaseClient(std::string client_id, std::string consumer_group, absl::Duration give_up,
                     absl::AnyInvocable<void(absl::Status)> done);

  // Calls `on_changed` on the executor, a few milliseconds after members of a
  // consumer group changed; once for many changes.
  void WatchConsumerGroups(Sessions::GroupChanged on_changed);

  // --- Executor only -----------------------------------------------------------

  ConsumerGroups& consumer_groups() { return consumer_groups_; }
  TopicCreation& topic_creation() { return topic_creation_; }
  ConsumerOffsets& consumer_offsets() { return consumer_offsets_; }
  OffsetResets& offset_resets() { return offset_resets_; }
  MessagePuller& puller() { return puller_; }
  Sessions& sessions() { return sessions_; }
  PeerCalls& peer_calls() { return peer_calls_; }
  const store::StateMachine& state() const { return *state_; }
  absl::Duration started_at() const { return started_at_; }
  MessageReceiver& receiver() { return receiver_; }
  // With everything that was applied until now.
  TrafficStats& traffic();
  // Of the oldest message there is, as far as it is known; looked for once a minute.
  std::optional<int64_t> EarliestStoreTimeMs();
  absl::Time started_at_wall() const { return started_at_wall_; }

  // The replica's observer calls, forwarded.
  void OnStatus(const raft::ReplicaStatus& status);
  void OnPeerMessage(ReplicaId from, Incarnation incarnation, absl::string_view bytes);
  void OnPeerUp(ReplicaId peer, Incarnation incarnation);
  void OnPeerDown(ReplicaId peer);

  // store::ApplyObserver
  void CommandApplied(const raft::CommandId& id, absl::string_view result) override;
  void QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset end) override;
  void LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                      uint32_t queue_id) override;
  void OffsetReset(absl::string_view topic, absl::string_view consumer_group,
                   uint32_t queue_id) override;
  void TopicChanged(absl::string_view topic,
                    const std::optional<store::TopicConfig>& config) override;

  // Runs what is due: called by the ticking that Start begins, or by tests.
  void Tick();

 private:
  void TickLater();
  void TakeGrowth();
  void CountTraffic(absl::Duration now);
  void SubmitStarted();
  void TellChangedGroups();

  const BrokerServiceOptions options_;
  CommandLog* const log_;
  store::StateMachine* const state_;
  Executor* const executor_;
  RouteSource* routes_ = nullptr;

  TrafficStats traffic_;
  PeerCalls peer_calls_;
  TopicDirectory directory_;
  MessageSender sender_;
  MessageAcks acks_;
  Topics topics_;
  TopicCreation topic_creation_;
  DeliberateRepeats repeats_;
  message::MessageIdMaker ids_;
  ConsumerGroups consumer_groups_;
  DeliveryReports reports_;
  MessageReceiver receiver_;
  Sessions sessions_;
  MessagePuller puller_;
  ConsumerOffsets consumer_offsets_;
  OffsetResets offset_resets_;
  Retries retries_;
  QueueLocks queue_locks_;
  LeaderDuties duties_;
  Sessions::GroupChanged on_group_changed_;
  absl::btree_set<std::string> changed_groups_;  // Not told yet.
  std::atomic<PollId> next_poll_{1};
  bool is_running_ = false;
  absl::Duration started_at_;
  absl::Time started_at_wall_;
  bool counts_everything_ = false;
  absl::Duration last_growth_taken_;
  std::optional<int64_t> earliest_store_ms_;
  absl::Duration earliest_until_;  // What is known counts until then.
  // Guards tasks that outlive this object in the executor's queue.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_BROKER_SERVICE_H_
