// What the log means: topics, queues, consumer groups, leases, the window of
// message ids and of command ids, as a deterministic function of the committed
// entries.
//
// Between checkpoints only RAM changes. A checkpoint freezes all that changed
// since the last one at an applied index X, writes it in the background, and
// only when this disk has synced the log up to X, as one atomic batch with X
// in it. After a crash the store holds exactly the last checkpoint and the log
// from there goes through the same Apply.
//
// Thread safety: confined to the replica's executor, but for what says otherwise.
#ifndef TOTORA_STORE_STATE_MACHINE_H_
#define TOTORA_STORE_STATE_MACHINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/executor.h"
#include "common/types.h"
#include "raft/state_machine.h"
#include "store/checkpoint_store.h"
#include "store/commands.h"
#include "store/entry_places.h"
#include "store/key_index.h"

namespace totora::store {

// Hears what Apply did, on the replica's executor, while Apply runs.
class ApplyObserver {
 public:
  virtual ~ApplyObserver() = default;

  // The command's outcome; `result` is one of the *Result types, encoded.
  // Called again with the first result when the log holds a command twice.
  virtual void CommandApplied(const raft::CommandId& id, absl::string_view result) = 0;

  // A queue has new messages, up to but not including `end`.
  virtual void QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset end) = 0;

  // Messages of this queue became available again to this consumer group.
  virtual void LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                              uint32_t queue_id) = 0;

  // An administrator moved this consumer group to another offset of the queue,
  // which its consumers have to follow (StateMachine::HeldOffset).
  virtual void OffsetReset(absl::string_view /*topic*/, absl::string_view /*consumer_group*/,
                           uint32_t /*queue_id*/) {}

  // A topic was created, changed (config set) or deleted (config empty).
  virtual void TopicChanged(absl::string_view topic, const std::optional<TopicConfig>& config) = 0;
};

struct StoreOptions {
  // Store host stamped into messages and message ids: IPv4 in host byte order.
  uint32_t store_host_ip = 0x7f000001;
  uint16_t store_host_port = 0;
  uint64_t checkpoint_log_bytes = 512ull << 20;
  // These decide results: they must be equal on all replicas.
  absl::Duration dedup_window = absl::Minutes(5);
  uint64_t dedup_ids_max = 4'000'000;
  uint64_t timers_max = 10'000'000;   // Messages that wait for their delivery time.
};

struct QueueEntry {
  QueueOffset offset;
  BytePosition position;
  uint32_t size = 0;
  uint32_t tag_hash = 0;
  int64_t store_time_ms = 0;       // Since when it lies in this queue.
  OverrideRecord override_record = nullptr;
};

struct QueueBounds {
  QueueOffset begin;
  QueueOffset end;   // One behind the last message.
};

// Which offset stands for a time (RocketMQ's BoundaryType).
enum class TimeBoundary {
  kLower,   // The first message stored at or after it; the end if there is none.
  kUpper,   // The last message stored at or before it; the begin if there is none.
};

struct ConsumerProgress {
  uint32_t queue_id = 0;
  QueueOffset next;      // First never delivered to the group.
  uint64_t in_flight = 0;   // Delivered and neither acked nor available again.
  uint64_t ready_again = 0; // Waiting for another attempt.
  QueueOffset committed;    // Lowest that is not acked: what it would have committed.
  QueueBounds bounds;
};

struct CommittedOffset {
  uint32_t queue_id = 0;
  QueueOffset offset;
};

struct QueueLock {
  std::string topic;
  uint32_t queue_id = 0;
  std::string client_id;
  int64_t until_ms = 0;  // Until when less has passed than this.
};

// What came into the queues of a topic.
struct TopicGrowth {
  std::string topic;
  uint64_t messages = 0;
  uint64_t bytes = 0;     // As stored.
  uint64_t batches = 0;   // At least one for each command.
};

struct Growth {
  std::vector<TopicGrowth> topics;
  uint64_t timers_added = 0;
  uint64_t timers_fired = 0;   // Their messages came into queues, and are counted there.
};

struct State;

class StateMachine : public raft::StateMachine {
 public:
  // Loads the last checkpoint. `checkpoints` and `background` (runs the write of
  // a checkpoint) must outlive this object and the tasks posted to `background`.
  // Damage that is only found later ends the process, after a note in the store
  // that makes the next Open return DataLoss.
  // Errors: DataLoss if the checkpoint is damaged (OpenDiskState sets it aside and
  //   the log rebuilds it); FailedPrecondition if it was written by a newer format.
  static absl::StatusOr<std::unique_ptr<StateMachine>> Open(const StoreOptions& options,
                                                            CheckpointStore* checkpoints,
                                                            Executor* background);
  ~StateMachine() override;

  // Null: nobody listens. Borrowed.
  void SetObserver(ApplyObserver* observer);
  // The replica's executor, which this object is confined to. With it, what a
  // written checkpoint leaves to do (free RAM, a freeze that waited) is done at
  // once; without it, at the next Apply, LogSynced or Checkpoint. Borrowed.
  void SetExecutor(Executor* executor);

  // raft::StateMachine
  void Apply(const raft::Frame& entry) override;
  LogIndex applied_at_start() const override;
  void Stamp(uint16_t kind, char* payload, size_t size, BytePosition position,
             int64_t log_time_ms) const override;

  LogIndex applied() const;
  // Of the last applied entry.
  int64_t log_time_ms() const;
  int64_t passed_ms() const;

  // --- Checkpoints --------------------------------------------------------

  // The log of this disk is synced up to `index` and no further: a frozen
  // checkpoint at or below it may be written now.
  void LogSynced(LogIndex index) override;
  // Freezes a checkpoint now or, if one is being written, as soon as that is
  // durable. `done` (may be null) is called on the background executor once a
  // checkpoint of at least this moment's state is durable, or with why it is
  // not; after an error the next call tries the same checkpoint again.
  void Checkpoint(absl::AnyInvocable<void(absl::Status)> done);
  // True when checkpoint_log_bytes were applied since the last freeze, or so
  // many small messages that RAM asks for one.
  bool NeedsCheckpoint() const;
  // The applied index of the last checkpoint that is durable. Any thread.
  LogIndex checkpointed() const;

  // --- Statistics -------------------------------------------------------------

  // Counts what entries of this log time and later bring; nothing is counted
  // before the first call. What is replayed after a start is old.
  void CountGrowthFrom(int64_t log_time_ms);
  // Since the last call. Of RAM only, and no part of the state: replicas differ.
  Growth TakeGrowth();

  // --- Questions ------------------------------------------------------------

  // One behind the last byte of the log that was applied.
  BytePosition applied_end() const;
  std::optional<TopicConfig> FindTopic(absl::string_view name) const;
  std::vector<TopicConfig> Topics() const;        // Sorted by name.
  uint64_t topic_table_version() const;           // Grows with every change.
  std::optional<ConsumerGroupConfig> FindConsumerGroup(absl::string_view name) const;
  std::vector<ConsumerGroupConfig> ConsumerGroups() const;

  // Errors: NotFound: no such topic or queue.
  absl::StatusOr<QueueBounds> Bounds(absl::string_view topic, uint32_t queue_id) const;
  // Up to `count` entries from `from` on. Errors: NotFound; OutOfRange if `from` is
  // below the queue's begin or above its end; the checkpoint store's own.
  absl::StatusOr<std::vector<QueueEntry>> Entries(absl::string_view topic, uint32_t queue_id,
                                                  QueueOffset from, size_t count) const;
  // False: a receive would certainly find nothing (queue_id -1: in any queue).
  // Costs no more than a look at each queue; tags are not looked at.
  bool MayDeliver(absl::string_view consumer_group, absl::string_view topic,
                  int32_t queue_id) const;
  // Messages with a key (a word of KEYS, or UNIQ_KEY) in a range of store times,
  // newest first. Whoever reads one compares the key: a hit may have another.
  // Errors: NotFound: no such topic; the checkpoint store's own.
  absl::StatusOr<std::vector<KeyHit>> FindByKey(absl::string_view topic, absl::string_view key,
                                                int64_t from_ms, int64_t to_ms,
                                                size_t limit) const;
  // Errors: as Entries.
  absl::StatusOr<QueueOffset> OffsetAtTime(absl::string_view topic, uint32_t queue_id,
                                           int64_t time_ms, TimeBoundary boundary) const;
  // Of the first message there is; empty if there is none. Errors: as Entries.
  absl::StatusOr<std::optional<int64_t>> EarliestStoreTimeMs(absl::string_view topic,
                                                             uint32_t queue_id) const;
  // The offset of a message whose position and store time are known (FindMessage,
  // FindByKey). Errors: as Entries; NotFound also if it is not in this queue.
  absl::StatusOr<QueueOffset> OffsetOf(absl::string_view topic, uint32_t queue_id,
                                       BytePosition position, int64_t store_time_ms) const;
  // Where to look for a message that begins at a position (store/find_message.h);
  // empty if that lies in no entry that was applied.
  std::optional<EntryRange> EntriesAround(BytePosition at) const;
  std::vector<ConsumerProgress> Progress(absl::string_view consumer_group,
                                         absl::string_view topic) const;
  std::optional<QueueOffset> ConsumerOffset(absl::string_view consumer_group,
                                            absl::string_view topic, uint32_t queue_id) const;
  // The committed offset, if it was reset and no consumer was seen there since:
  // none may go on elsewhere. Cheap while there is no reset at all.
  std::optional<QueueOffset> HeldOffset(absl::string_view consumer_group, absl::string_view topic,
                                        uint32_t queue_id) const;
  // What a consumer group committed, of each queue that it did; and of which topics.
  std::vector<CommittedOffset> ConsumerOffsets(absl::string_view consumer_group,
                                               absl::string_view topic) const;
  // Topics that a consumer group committed offsets of or received from, by name.
  std::vector<std::string> TopicsOf(absl::string_view consumer_group) const;
  // Consumer groups of which the same is true, by name.
  std::vector<std::string> ConsumerGroupsOf(absl::string_view topic) const;
  // Locks of a consumer group that are held at the log time of the last entry.
  std::vector<QueueLock> LockHolders(absl::string_view consumer_group) const;
  bool HasLiveLock(absl::string_view consumer_group) const;
  // Log time at which the next lease ends or the next timer is due; empty if
  // there is neither. The leader proposes kExpire when it has passed, and again
  // until it lies ahead.
  std::optional<int64_t> NextExpiryMs() const;
  // Messages that wait for their delivery time; those of deleted topics count
  // until they are due.
  uint64_t TimerCount() const;
  // Clients that hold leases which the server renews, at most `limit`.
  std::vector<std::string> ClientsWithAutoRenewedLeases(size_t limit) const;
  // Message ids that later ones pushed out of the window within 30 s.
  uint64_t DedupIdsForgottenYoung() const;
  // Highest sequence seen of a replica's incarnation (0 = none).
  uint64_t LastSequenceOf(ReplicaId replica, Incarnation incarnation) const;

  // Every logical fact in one canonical text: equal on all replicas at the same
  // applied index, however their checkpoints fell. For tests and the simulator.
  std::string Dump() const;

 private:
  explicit StateMachine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_STATE_MACHINE_H_
