// Pulling: a classic consumer's question for the messages of one queue from an
// offset on, held open until something comes.
//
//   pull ─▶ group, topic, queue, subscription ─▶ read ─ found ─────────▶ answer
//                                                 │  └─ nothing new ─▶ parked
//                                                 │           queue grew │ time is over
//                                                 ◀──────────────────────┘
//
// Everything is read from the local state, which may be behind the group's: what
// is there is there, but "no such topic", "no such queue" and "beyond the end"
// wait for a read barrier first.
//
// Unlike receive (receive.h) a pull changes nothing: offsets are the client's. But
// for one thing: while a reset holds (offset_resets.h), whoever pulls elsewhere is
// sent to its offset, and the first pull there ends it. Consumers that broadcast
// have offsets of their own and hear nothing of it.
#ifndef TOTORA_BROKER_SERVICE_PULL_H_
#define TOTORA_BROKER_SERVICE_PULL_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/consumer_groups.h"
#include "broker/service/sessions.h"
#include "broker/service/traffic_stats.h"
#include "common/executor.h"
#include "message/tag_filter.h"
#include "store/state_machine.h"

namespace totora::service {

struct PullRequest {
  std::string consumer_group;
  std::string topic;
  int32_t queue_id = 0;
  int64_t offset = 0;  // As the client says; may be anything.
  uint32_t max_messages = 32;
  uint32_t max_bytes = 256 << 10;  // Of stored messages; the first may be larger.
  // What the client wants, if it says so here; else its subscription counts.
  std::optional<Subscription> subscription;
  int64_t subscription_version = 0;  // The newest that the client knows of.
  std::vector<std::string> clients;  // Whose connection it is.
  uint64_t owner = 0;                // Names the connection; see SendAway.
  absl::Duration give_up;            // For what the log has to say. All of the executor's
  absl::Duration hold_until;         // steady clock. Not ahead: never held.
};

enum class PullOutcome {
  kFound,
  kNoNewMessage,  // The queue ends at the offset that was asked for.
  kNoMatch,       // There are others, but none that the subscription takes.
  kOffsetMoved,   // There is nothing at that offset; `next` is the nearest.
  kAskAgain,      // This replica goes away.
};

struct PullResult {
  PullOutcome outcome = PullOutcome::kNoNewMessage;
  absl::string_view why;  // In RocketMQ's words, for the remark.
  int64_t next = 0;       // Where the client goes on.
  store::QueueBounds bounds;
  std::vector<store::QueueEntry> entries;  // May match: by the hash of the tag.
  std::shared_ptr<const message::TagFilter> filter;
};

// Errors: kTopicNotFound, kNotReadable, kNoSuchQueue, kIllegalFilter,
// kNoSubscription, kSubscriptionNotLatest, kTooManyPolls, those of
// ConsumerGroups::FindForUse; FailedPrecondition for a filter that is no list of
// tags; those of a read barrier.
using PullDone = absl::AnyInvocable<void(absl::StatusOr<PullResult> result)>;

// Thread safety: confined to the replica's executor.
class MessagePuller {
 public:
  struct Limits {
    size_t total_max = 200'000;  // Pulls open at a time.
    uint32_t messages_max = 32;
    uint32_t bytes_max = 256 << 10;
    // Entries that one pass looks at for those that match.
    uint64_t scan_max = 4096;
    // How long a client may be sent to the offset of a reset and not go. Then it
    // has its way, and the reset is over.
    absl::Duration insist_max = absl::Minutes(2);
  };

  MessagePuller(CommandLog* log, const store::StateMachine* state, Executor* executor,
                ConsumerGroups* consumer_groups, const Sessions* sessions, TrafficStats* traffic,
                const Limits& limits)
      : log_(log),
        state_(state),
        executor_(executor),
        consumer_groups_(consumer_groups),
        sessions_(sessions),
        traffic_(traffic),
        limits_(limits) {}

  // Calls `done` exactly once.
  void Pull(PullRequest request, PullDone done);

  // The owner is gone, or will be soon: its pulls are answered kAskAgain.
  void SendAway(uint64_t owner);
  // The broker stops: the same for all, and for those that come yet.
  void SendAwayAll();

  // From the state machine, while Apply runs: only noted here.
  void QueueGrew(absl::string_view topic, uint32_t queue_id);

  // From the state machine, while Apply runs: only noted here.
  void OffsetReset(absl::string_view topic, absl::string_view consumer_group, uint32_t queue_id);

  // Answers pulls whose time is over; called every few milliseconds.
  void Tick(absl::Duration now);

  size_t open() const { return open_; }
  size_t parked() const { return deadlines_.size(); }

 private:
  struct OpenPull;
  using PullPtr = std::shared_ptr<OpenPull>;
  using Queue = std::pair<std::string, int32_t>;
  using ResetKey = std::tuple<std::string, std::string, uint32_t>;  // Group, topic, queue.
  struct OpenPull {
    PullRequest request;
    PullDone done;  // Empty once it was answered.
    std::shared_ptr<const message::TagFilter> filter;
    int64_t next = 0;  // All before it was looked at, from request.offset on.
    bool is_parked = false;
    std::list<PullPtr>::iterator place;
    std::multimap<absl::Duration, PullPtr>::iterator deadline;
  };

  // Steps. `is_current`: the local state is as new as the pull.
  void FindQueue(const PullPtr& pull, bool is_current);
  absl::Status FindFilter(OpenPull* pull) const;
  void Read(const PullPtr& pull, bool is_current);
  void Scan(const PullPtr& pull, const store::QueueBounds& bounds);
  // True: a reset holds, and the pull was answered where to.
  bool IsSentElsewhere(const PullPtr& pull);
  void EndHold(const ResetKey& key, QueueOffset offset);
  bool IsBroadcast(const PullRequest& request) const;
  // Runs `step` again when the local state is current.
  void Again(const PullPtr& pull, void (MessagePuller::*step)(const PullPtr&, bool));

  void ParkOr(const PullPtr& pull, PullResult result);
  void Unpark(OpenPull* pull);
  void Wake();
  PullResult ResultAt(const OpenPull& pull, PullOutcome outcome, absl::string_view why,
                      int64_t next) const;
  void Count(const OpenPull& pull, const PullResult& result);
  void Finish(const PullPtr& pull, absl::StatusOr<PullResult> result);

  CommandLog* const log_;
  const store::StateMachine* const state_;
  Executor* const executor_;
  ConsumerGroups* const consumer_groups_;
  const Sessions* const sessions_;
  TrafficStats* const traffic_;
  const Limits limits_;

  size_t open_ = 0;
  absl::flat_hash_map<uint64_t, absl::flat_hash_set<PullPtr>> by_owner_;
  absl::flat_hash_map<Queue, std::list<PullPtr>> parked_;  // No empty lists.
  std::multimap<absl::Duration, PullPtr> deadlines_;       // Of what is parked.
  // Queues with parked pulls that grew since the last wake task ran.
  absl::btree_set<Queue> grown_;
  bool is_wake_posted_ = false;
  // Since when pulls are sent to the offset of a reset. Forgotten when it is over,
  // or all at once if there are kSentMax: clients then get more time.
  static constexpr size_t kSentMax = 100'000;
  absl::flat_hash_map<ResetKey, absl::Duration> sent_elsewhere_;
  absl::flat_hash_set<ResetKey> ending_;  // Commands on their way.
  bool is_leaving_ = false;
  // Guards tasks that outlive this object in the executor's queue.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_PULL_H_
