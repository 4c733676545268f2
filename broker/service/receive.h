// Receiving: a consumer's poll, from the question to the messages it now holds.
//
//   poll ─▶ anything to deliver? ─no─▶ parked ─ queue grew, lease released ─┐
//                  └─yes─▶ ReceiveCommand ─▶ applied ─▶ messages ─▶ answer  │
//                              ▲      └▶ nothing: somebody was faster ─▶ parked
//                              └────────────────────────────────────────────┘
//
// Each wake wakes one poll; if that one got something and more is there, it
// wakes two others. So a single message wakes a single poll of a thousand, and
// a burst wakes as many as it can feed.
//
// A poll that its client left, or that ended, while its command was on its way
// takes messages that nobody waits for: they are reported as lost at once and
// go to the next poll, without counting an attempt.
#ifndef TOTORA_BROKER_SERVICE_RECEIVE_H_
#define TOTORA_BROKER_SERVICE_RECEIVE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/consumer_groups.h"
#include "broker/service/delivery_reports.h"
#include "broker/service/parked_polls.h"
#include "broker/service/topics.h"
#include "broker/service/traffic_stats.h"
#include "common/executor.h"
#include "store/commands.h"
#include "store/state_machine.h"

namespace totora::service {

struct ReceiveRequest {
  std::string consumer_group;
  std::string topic;
  int32_t queue_id = kAnyQueue;
  uint32_t max_messages = 1;
  absl::Duration invisible = absl::Minutes(1);
  bool auto_renew = false;
  std::string client_id;
  std::vector<uint32_t> tag_hashes;  // Empty: every message. Sorted.
  absl::Duration poll_until;         // Of the executor's steady clock.
};

// What a poll brought. Empty: nothing came until poll_until.
struct Delivery {
  std::vector<store::DeliveredMessage> messages;
  int64_t invisible_until_ms = 0;
};

// Errors: kTopicNotFound, kNotReadable, those of ConsumerGroups::FindForUse,
// kTooManyPolls. No leader is no error: the poll waits.
using ReceiveDone = absl::AnyInvocable<void(absl::StatusOr<Delivery> delivery)>;

// Thread safety: confined to the replica's executor.
class MessageReceiver {
 public:
  MessageReceiver(CommandLog* log, const store::StateMachine* state, Executor* executor,
                  Topics* topics, ConsumerGroups* consumer_groups, DeliveryReports* reports,
                  TrafficStats* traffic, const ParkedPolls::Limits& limits);

  // Calls `done` exactly once, unless Cancel(id) comes first. `id` is the
  // caller's and unique among open polls.
  void Receive(PollId id, ReceiveRequest request, ReceiveDone done);

  // The client is gone. Unknown ids are fine: the poll was faster.
  void Cancel(PollId id);

  // From the state machine, while Apply runs: only noted here.
  void QueueGrew(absl::string_view topic, uint32_t queue_id);
  void LeasesReleased(absl::string_view topic, absl::string_view consumer_group, uint32_t queue_id);

  // Whether somebody leads: without a leader polls wait instead of asking.
  void SetHasLeader(bool has_leader);

  // Answers polls whose time is over; called every few milliseconds.
  void Tick(absl::Duration now);

  // Answers every poll with nothing: the broker stops.
  void AnswerAll();

  size_t open_polls() const { return polls_.size(); }

 private:
  struct Poll {
    ReceiveRequest request;
    ReceiveDone done;  // Empty once it was answered or cancelled.
    PollLine* line = nullptr;
    bool is_asking = false;
    uint64_t changes_at_ask = 0;
    std::multimap<absl::Duration, PollId>::iterator deadline;
    bool has_deadline = false;
  };

  Poll* Find(PollId id);
  // Looks up topic and consumer group, then asks or parks.
  void CheckTopic(PollId id);
  void CheckConsumerGroup(PollId id);
  void Unchecked(PollId id, Poll* poll, const absl::Status& status);
  void AskOrPark(PollId id, Poll* poll);
  void Park(PollId id, Poll* poll);
  void Ask(PollId id, Poll* poll);
  void Answered(PollId id, absl::StatusOr<absl::string_view> bytes);
  // The poll's end. Keeps its entry while a command of it is on its way.
  void Finish(PollId id, Poll* poll, absl::StatusOr<Delivery> delivery);
  void Forget(PollId id, Poll* poll);

  void NoteChange(PollLine* line, int32_t queue_id);
  void WakeSoon();
  void WakeNoted();
  void WakeOne(PollLine* line, int32_t queue_id);
  void WakeMore(const std::string& topic, const std::string& consumer_group, int32_t queue_id);
  bool MayDeliver(const PollLine& line, int32_t queue_id) const;

  CommandLog* const log_;
  const store::StateMachine* const state_;
  Executor* const executor_;
  Topics* const topics_;
  ConsumerGroups* const consumer_groups_;
  DeliveryReports* const reports_;
  TrafficStats* const traffic_;
  const ParkedPolls::Limits limits_;
  ParkedPolls parked_;
  absl::flat_hash_map<PollId, std::unique_ptr<Poll>> polls_;
  std::multimap<absl::Duration, PollId> deadlines_;
  // Queues that changed since the last wake task ran.
  struct Change {
    std::string topic;
    std::string consumer_group;
    int32_t queue_id;
  };
  std::vector<Change> noted_;
  bool is_wake_posted_ = false;
  bool has_leader_ = true;
  // Guards tasks that outlive this object in the executor's queue.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_RECEIVE_H_
