// The inside of store/state_machine.h: tables, and what each command does to
// them. Only files of this folder include it.
//
//   state_machine.cc   the public face: questions
//   state_apply.cc     entries and commands, ids, events
//   state_send.cc      send, stamp
//   state_receive.cc   receive
//   state_leases.cc    ack, change of invisible time, delivery reports, expiry
//   state_locks.cc     locks of orderly consumers
//   state_retry.cc     send back, dead letters
//   state_timers.cc    messages that wait for their delivery time
//   state_tables.cc    topics, consumer groups, offsets
//   state_rows.cc      freeze and load
//   state_dump.cc      the canonical text
//
// Everything that decides a result is ordered by ids or names: no hash map is
// walked, no pointer compared, no clock read.
#ifndef TOTORA_STORE_STATE_H_
#define TOTORA_STORE_STATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "raft/command.h"
#include "raft/log/frame.h"
#include "store/checkpoint.h"
#include "store/checkpoint_store.h"
#include "store/command_window.h"
#include "store/commands.h"
#include "store/consumer_group_table.h"
#include "store/dedup_window.h"
#include "store/entry_places.h"
#include "store/key_index.h"
#include "store/lease_table.h"
#include "store/lock_table.h"
#include "store/offset_table.h"
#include "store/queue_index.h"
#include "store/schema.h"
#include "store/send_items.h"
#include "store/state_machine.h"
#include "store/timer_table.h"
#include "store/topic_table.h"

namespace totora::store {

// Thread safety: confined, as the StateMachine that owns it.
struct State {
  // Empty until Load.
  State(const StoreOptions& options, CheckpointStore* checkpoints, Executor* background);

  // --- Apply --------------------------------------------------------------

  void Apply(const raft::Frame& entry);
  // `position`: where the payload lies in the log. Returns the encoded result.
  std::string Execute(const raft::Command& command, BytePosition position);

  std::string Send(absl::string_view payload, BytePosition position);
  std::string Receive(const raft::Command& command);
  std::string Ack(absl::string_view payload);
  std::string ChangeInvisible(const raft::Command& command);
  std::string Delivered(absl::string_view payload);
  std::string Expire(absl::string_view payload);
  std::string ClientsAlive(absl::string_view payload);
  std::string ReleaseClient(absl::string_view payload);
  std::string SendBack(absl::string_view payload, BytePosition position);
  std::string ForwardToDeadLetter(absl::string_view payload);
  std::string CancelTimer(absl::string_view payload);
  std::string PutTopic(absl::string_view payload);
  std::string DeleteTopic(absl::string_view payload);
  std::string PutConsumerGroup(absl::string_view payload);
  std::string DeleteConsumerGroup(absl::string_view payload);
  std::string UpdateOffsets(absl::string_view payload);
  std::string CopyOffsets(absl::string_view payload);
  // What a group receives goes on where a reset that holds has put it.
  void FollowReset(const LeaseKey& key, uint64_t offset);
  std::string LockQueues(absl::string_view payload);
  std::string UnlockQueues(absl::string_view payload);

  // Takes a topic away with all that is known of it. False if there is none.
  bool RemoveTopic(const std::string& name);
  // Puts an entry at the end of a queue.
  void AppendEntry(Topic* topic, uint32_t queue_id, const IndexEntry& entry,
                   OverrideBytes override_record = nullptr);
  // The retry or dead letter topic of that name, made if it is missing.
  // Errors: ResourceExhausted; InvalidArgument; FailedPrecondition: not writable.
  absl::StatusOr<Topic*> EnsureTopic(const std::string& name);
  // Adds a message of a queue to the dead letters of a group that got it
  // `attempts` times. OK also when retention has taken it. Errors: as EnsureTopic.
  absl::Status DeadLetter(const ConsumerGroup& group, const LeaseKey& key, uint64_t offset,
                          uint32_t attempts);
  // Does so if the group's attempts are used up. False: it is tried again.
  bool BuryIfSpent(const LeaseKey& key, uint64_t offset, uint32_t attempts);
  // Puts up to `limit` messages whose time has come into their queues.
  void FireTimers(uint64_t limit);
  // Null unless names stand for something; `key` is then complete.
  const ConsumerGroup* FindLeaseKey(absl::string_view group, const Receipt& receipt,
                                    LeaseKey* key) const;
  // Notes that an ack let a queue deliver again that could not: the last lease
  // of a FIFO queue, or one of as many as a group may hold.
  void NoteIfUnblocked(const ConsumerGroup& group, const LeaseKey& key);
  // Whether the group committed offsets of the topic or received from it.
  bool IsConsumedBy(const Topic& topic, const ConsumerGroup& group) const;
  // Whether a receive of this queue might find something.
  bool MayDeliver(const ConsumerGroup& group, const Topic& topic, uint32_t queue_id) const;
  // A command whose payload cannot be read: the same answer on every replica.
  std::string Unreadable(const absl::Status& why) const;

  // The checkpoint store failed under apply. If it is damaged, a note in it
  // makes the next Open refuse it, so that it is rebuilt instead of failing at
  // the same entry for ever.
  [[noreturn]] void Die(const absl::Status& why);

  // --- Events: collected while a command runs, told when it is done. ---------

  void TellEvents();

  // --- Checkpoints ----------------------------------------------------------

  absl::Status Load();
  absl::Status LoadMeta();
  absl::Status LoadTables();
  absl::Status LoadQueues();
  absl::Status LoadLeases();
  FrozenCheckpoint Freeze();
  void Checkpoint(CheckpointDone done);
  // Frees what a written checkpoint left, starts one that waits.
  void Poll();

  std::string Dump() const;

  // Constant after construction.
  const StoreOptions options;
  CheckpointStore* const checkpoints;
  Executor* const background;
  ApplyObserver* observer = nullptr;
  // Given to tasks that may outlive this object.
  const std::shared_ptr<bool> is_alive = std::make_shared<bool>(true);

  LogIndex applied;
  LogIndex applied_at_start;
  int64_t log_time_ms = 0;
  int64_t passed_ms = 0;                 // Of the entry, too (raft::FrameHeader).
  uint64_t next_delivery_id = 1;

  TopicTable topics;
  ConsumerGroupTable groups;
  QueueIndex index;
  LeaseTable leases;
  OffsetTable offsets;
  LockTable locks;
  TimerTable timers;
  EntryPlaces places;
  KeyIndex keys;
  DedupWindow dedup;
  CommandWindow commands;

  CheckpointWriter writer;
  std::vector<CheckpointDone> waiting;   // For the checkpoint after the one on its way.
  uint64_t unfrozen_bytes = 0;           // Of log, applied since the last freeze.

  std::vector<QueueKey> grown;
  std::vector<LeaseKey> released;
  std::vector<LeaseKey> resets;
  std::vector<std::string> changed_topics;

  // Statistics (StateMachine::TakeGrowth); no part of the state.
  int64_t growth_from_ms = INT64_MAX;
  std::vector<TopicId> grown_topics;     // Each once: those with grown_batches > 0.
  uint64_t timers_added = 0;
  uint64_t timers_fired = 0;

  // Reused by every send, receive and stamp.
  std::vector<SendItemView> send_items;
  std::vector<IndexEntry> entries;
  std::vector<EntryOverride> overrides;   // Of `entries`.
};

// The record that the index has the bytes of. Null if they are null, or damaged:
// the index checks only lengths, and a message is delivered whatever is laid over it.
OverrideRecord DecodeOverride(const OverrideBytes& bytes);

// A result that is nothing but a status: errors of every kind of command.
std::string StatusResult(const absl::Status& status);

}  // namespace totora::store

#endif  // TOTORA_STORE_STATE_H_
