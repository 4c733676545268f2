#include "store/state_machine.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status.h"
#include "store/state.h"

namespace totora::store {
namespace {

// Index entries appended since the last freeze: at 10 bytes each what RAM holds
// of a flood of small messages, and what one batch writes.
constexpr uint64_t kUnfrozenEntriesMax = 2'000'000;
// Timers that were added since, at about 100 bytes.
constexpr size_t kUnfrozenTimersMax = 500'000;
// Message keys that were added since, at 24 bytes.
constexpr uint64_t kUnfrozenKeysMax = 4'000'000;

}  // namespace

absl::StatusOr<std::unique_ptr<StateMachine>> StateMachine::Open(const StoreOptions& options,
                                                                 CheckpointStore* checkpoints,
                                                                 Executor* background) {
  TOTORA_CHECK(options.dedup_ids_max > 0 && options.dedup_ids_max < (uint64_t{1} << 31));
  auto loading = std::make_unique<State>(options, checkpoints, background);
  TOTORA_RETURN_IF_ERROR(loading->Load());
  return std::unique_ptr<StateMachine>(new StateMachine(std::move(loading)));
}

StateMachine::StateMachine(std::unique_ptr<State> state) : state_(std::move(state)) {}
StateMachine::~StateMachine() = default;

void StateMachine::SetObserver(ApplyObserver* observer) { state_->observer = observer; }

void StateMachine::SetExecutor(Executor* executor) {
  state_->writer.SetWakeUp(
      [executor, state = state_.get(), alive = std::weak_ptr<bool>(state_->is_alive)] {
        executor->Post([state, alive] {
          if (!alive.expired()) state->Poll();
        });
      });
}

void StateMachine::Apply(const raft::Frame& entry) { state_->Apply(entry); }
LogIndex StateMachine::applied_at_start() const { return state_->applied_at_start; }
LogIndex StateMachine::applied() const { return state_->applied; }
int64_t StateMachine::log_time_ms() const { return state_->log_time_ms; }
int64_t StateMachine::passed_ms() const { return state_->passed_ms; }

// --- Checkpoints ----------------------------------------------------------------

void StateMachine::LogSynced(LogIndex index) {
  state_->Poll();
  state_->writer.LogSynced(index);
}

void StateMachine::Checkpoint(absl::AnyInvocable<void(absl::Status)> done) {
  state_->Checkpoint(std::move(done));
}

bool StateMachine::NeedsCheckpoint() const {
  return state_->unfrozen_bytes >= state_->options.checkpoint_log_bytes ||
         state_->index.unfrozen_entries() >= kUnfrozenEntriesMax ||
         state_->timers.unfrozen() >= kUnfrozenTimersMax ||
         state_->keys.unfrozen() >= kUnfrozenKeysMax;
}

LogIndex StateMachine::checkpointed() const { return state_->writer.checkpointed(); }

// --- Statistics -------------------------------------------------------------------

void StateMachine::CountGrowthFrom(int64_t log_time_ms) { state_->growth_from_ms = log_time_ms; }

Growth StateMachine::TakeGrowth() {
  Growth growth;
  growth.timers_added = std::exchange(state_->timers_added, 0);
  growth.timers_fired = std::exchange(state_->timers_fired, 0);
  for (const TopicId id : std::exchange(state_->grown_topics, {})) {
    Topic* const topic = state_->topics.Find(id);
    if (topic == nullptr) continue;  // Deleted since.
    growth.topics.push_back({topic->config.name, std::exchange(topic->grown_messages, 0),
                             std::exchange(topic->grown_bytes, 0),
                             std::exchange(topic->grown_batches, 0)});
  }
  return growth;
}

// --- Questions --------------------------------------------------------------------

BytePosition StateMachine::applied_end() const { return state_->places.end(); }

std::optional<TopicConfig> StateMachine::FindTopic(absl::string_view name) const {
  const Topic* const topic = state_->topics.Find(name);
  if (topic == nullptr) return std::nullopt;
  return topic->config;
}

std::vector<TopicConfig> StateMachine::Topics() const {
  std::vector<TopicConfig> all;
  for (const auto& [id, topic] : state_->topics.by_id()) all.push_back(topic->config);
  std::sort(all.begin(), all.end(),
            [](const TopicConfig& a, const TopicConfig& b) { return a.name < b.name; });
  return all;
}

uint64_t StateMachine::topic_table_version() const { return state_->topics.version(); }

std::optional<ConsumerGroupConfig> StateMachine::FindConsumerGroup(absl::string_view name) const {
  const ConsumerGroup* const group = state_->groups.Find(name);
  if (group == nullptr) return std::nullopt;
  return group->config;
}

std::vector<ConsumerGroupConfig> StateMachine::ConsumerGroups() const {
  std::vector<ConsumerGroupConfig> all;
  for (const auto& [id, group] : state_->groups.by_id()) all.push_back(group->config);
  std::sort(all.begin(), all.end(), [](const ConsumerGroupConfig& a, const ConsumerGroupConfig& b) {
    return a.name < b.name;
  });
  return all;
}

absl::StatusOr<QueueBounds> StateMachine::Bounds(absl::string_view topic_name,
                                                 uint32_t queue_id) const {
  const Topic* const topic = state_->topics.Find(topic_name);
  if (topic == nullptr) return absl::NotFoundError("no such topic");
  if (queue_id >= topic->queues.size()) return absl::NotFoundError("no such queue");
  const Queue& queue = topic->queues[queue_id];
  return QueueBounds{QueueOffset(queue.begin), QueueOffset(queue.end)};
}

absl::StatusOr<std::vector<QueueEntry>> StateMachine::Entries(absl::string_view topic_name,
                                                              uint32_t queue_id, QueueOffset from,
                                                              size_t count) const {
  TOTORA_ASSIGN_OR_RETURN(const QueueBounds bounds, Bounds(topic_name, queue_id));
  if (from < bounds.begin || from > bounds.end) {
    return absl::OutOfRangeError("the queue has no such offset");
  }
  const Topic& topic = *state_->topics.Find(topic_name);
  std::vector<IndexEntry> packed;
  std::vector<EntryOverride> overrides;
  TOTORA_RETURN_IF_ERROR(state_->index.Read(
      topic, queue_id, from.value(),
      std::min<uint64_t>(count, bounds.end.value() - from.value()), &packed, &overrides));
  std::vector<QueueEntry> entries;
  entries.reserve(packed.size());
  QueueOffset offset = from;
  for (const IndexEntry& entry : packed) {
    entries.push_back({offset, BytePosition(entry.position), entry.size, entry.tag_hash,
                       entry.store_time_ms});
    offset = offset.Next();
  }
  for (const EntryOverride& known : overrides) {
    entries[known.at - from.value()].override_record = DecodeOverride(known.record);
  }
  return entries;
}

bool StateMachine::MayDeliver(absl::string_view group_name, absl::string_view topic_name,
                              int32_t queue_id) const {
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  const Topic* const topic = state_->topics.Find(topic_name);
  if (group == nullptr || topic == nullptr || !group->config.is_enabled) return false;
  const size_t readable = std::min<size_t>(topic->config.read_queues, topic->queues.size());
  if (queue_id >= 0) {
    const auto at = static_cast<uint32_t>(queue_id);
    return at < topic->queues.size() && state_->MayDeliver(*group, *topic, at);
  }
  for (uint32_t at = 0; at < readable; ++at) {
    if (state_->MayDeliver(*group, *topic, at)) return true;
  }
  return false;
}

absl::StatusOr<std::vector<KeyHit>> StateMachine::FindByKey(absl::string_view topic_name,
                                                            absl::string_view key, int64_t from_ms,
                                                            int64_t to_ms, size_t limit) const {
  const Topic* const topic = state_->topics.Find(topic_name);
  if (topic == nullptr) return absl::NotFoundError("no such topic");
  return state_->keys.Find({topic->id, key, from_ms, to_ms, limit});
}

absl::StatusOr<QueueOffset> StateMachine::OffsetAtTime(absl::string_view topic_name,
                                                       uint32_t queue_id, int64_t time_ms,
                                                       TimeBoundary boundary) const {
  TOTORA_ASSIGN_OR_RETURN(const QueueBounds bounds, Bounds(topic_name, queue_id));
  const Topic& topic = *state_->topics.Find(topic_name);
  // Store times of a queue never fall. The first one at or after `time_ms`, or
  // after it: [begin, low) is before, [high, end) is not.
  const bool is_upper = boundary == TimeBoundary::kUpper;
  uint64_t low = bounds.begin.value();
  uint64_t high = bounds.end.value();
  std::vector<IndexEntry> entry;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    entry.clear();
    TOTORA_RETURN_IF_ERROR(state_->index.Read(topic, queue_id, middle, 1, &entry));
    const int64_t stored_ms = entry.front().store_time_ms;
    if (is_upper ? stored_ms <= time_ms : stored_ms < time_ms) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (is_upper && low > bounds.begin.value()) --low;
  return QueueOffset(low);
}

absl::StatusOr<std::optional<int64_t>> StateMachine::EarliestStoreTimeMs(
    absl::string_view topic, uint32_t queue_id) const {
  TOTORA_ASSIGN_OR_RETURN(const QueueBounds bounds, Bounds(topic, queue_id));
  if (bounds.begin == bounds.end) return std::optional<int64_t>();
  TOTORA_ASSIGN_OR_RETURN(const std::vector<QueueEntry> first,
                          Entries(topic, queue_id, bounds.begin, 1));
  return std::optional<int64_t>(first.front().store_time_ms);
}

absl::StatusOr<QueueOffset> StateMachine::OffsetOf(absl::string_view topic_name, uint32_t queue_id,
                                                   BytePosition position,
                                                   int64_t store_time_ms) const {
  TOTORA_ASSIGN_OR_RETURN(const QueueOffset from, OffsetAtTime(topic_name, queue_id, store_time_ms,
                                                               TimeBoundary::kLower));
  const Topic& topic = *state_->topics.Find(topic_name);
  const uint64_t end = topic.queues[queue_id].end;
  // Messages of one millisecond: an entry of the log has at most so many.
  constexpr uint64_t kLookedAt = 4 * SendCommand::kSendItemsMax;
  std::vector<IndexEntry> entries;
  for (uint64_t at = from.value(); at < std::min(end, from.value() + kLookedAt);) {
    entries.clear();
    const uint64_t count = std::min(end - at, kBlockEntries);
    TOTORA_RETURN_IF_ERROR(state_->index.Read(topic, queue_id, at, count, &entries));
    for (const IndexEntry& entry : entries) {
      if (entry.position == position.value()) return QueueOffset(at);
      if (entry.store_time_ms > store_time_ms) return absl::NotFoundError("not in this queue");
      ++at;
    }
  }
  return absl::NotFoundError("not in this queue");
}

std::optional<EntryRange> StateMachine::EntriesAround(BytePosition at) const {
  return state_->places.Around(at);
}

std::vector<ConsumerProgress> StateMachine::Progress(absl::string_view group_name,
                                                     absl::string_view topic_name) const {
  std::vector<ConsumerProgress> all;
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  const Topic* const topic = state_->topics.Find(topic_name);
  if (group == nullptr || topic == nullptr) return all;
  for (uint32_t at = 0; at < topic->queues.size(); ++at) {
    const Queue& queue = topic->queues[at];
    ConsumerProgress& progress = all.emplace_back();
    progress.queue_id = at;
    progress.bounds = {QueueOffset(queue.begin), QueueOffset(queue.end)};
    progress.next = progress.committed = progress.bounds.begin;
    const LeaseQueue* const held = state_->leases.Find({group->id, topic->id, at});
    if (held == nullptr) continue;
    progress.next = QueueOffset(std::max(held->next, queue.begin));
    progress.committed = QueueOffset(std::max(held->LowestOpen(), queue.begin));
    progress.in_flight = held->leased;
    progress.ready_again = held->ready.size();
  }
  return all;
}

std::optional<QueueOffset> StateMachine::ConsumerOffset(absl::string_view group_name,
                                                        absl::string_view topic_name,
                                                        uint32_t queue_id) const {
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  const Topic* const topic = state_->topics.Find(topic_name);
  if (group == nullptr || topic == nullptr) return std::nullopt;
  const std::optional<uint64_t> offset =
      state_->offsets.Find({group->id, topic->id, queue_id});
  if (!offset.has_value()) return std::nullopt;
  return QueueOffset(*offset);
}

std::optional<QueueOffset> StateMachine::HeldOffset(absl::string_view group_name,
                                                    absl::string_view topic_name,
                                                    uint32_t queue_id) const {
  if (state_->offsets.held_count() == 0) return std::nullopt;
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  const Topic* const topic = state_->topics.Find(topic_name);
  if (group == nullptr || topic == nullptr) return std::nullopt;
  const std::optional<uint64_t> offset =
      state_->offsets.FindHeld({group->id, topic->id, queue_id});
  if (!offset.has_value()) return std::nullopt;
  return QueueOffset(*offset);
}

std::vector<CommittedOffset> StateMachine::ConsumerOffsets(absl::string_view group_name,
                                                           absl::string_view topic_name) const {
  std::vector<CommittedOffset> all;
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  const Topic* const topic = state_->topics.Find(topic_name);
  if (group == nullptr || topic == nullptr) return all;
  const auto& known = state_->offsets.subscriptions();
  auto it = known.find({group->id, topic->id});
  if (it == known.end()) return all;
  for (const auto& [queue_id, committed] : it->second) {
    all.push_back({queue_id, QueueOffset(committed.offset)});
  }
  return all;
}

std::vector<std::string> StateMachine::TopicsOf(absl::string_view group_name) const {
  std::vector<std::string> names;
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  if (group == nullptr) return names;
  for (const auto& [id, topic] : state_->topics.by_id()) {
    if (state_->IsConsumedBy(*topic, *group)) names.push_back(topic->config.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> StateMachine::ConsumerGroupsOf(absl::string_view topic_name) const {
  std::vector<std::string> names;
  const Topic* const topic = state_->topics.Find(topic_name);
  if (topic == nullptr) return names;
  for (const auto& [id, group] : state_->groups.by_id()) {
    if (state_->IsConsumedBy(*topic, *group)) names.push_back(group->config.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<QueueLock> StateMachine::LockHolders(absl::string_view group_name) const {
  std::vector<QueueLock> all;
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  if (group == nullptr) return all;
  const auto& locks = state_->locks.locks();
  for (auto it = locks.lower_bound({group->id, TopicId(0), 0});
       it != locks.end() && it->first.group == group->id; ++it) {
    if (it->second.until_ms <= state_->passed_ms) continue;
    const Topic* const topic = state_->topics.Find(it->first.topic);
    all.push_back({topic->config.name, it->first.queue_id, it->second.client_id,
                   it->second.until_ms});
  }
  return all;
}

bool StateMachine::HasLiveLock(absl::string_view group_name) const {
  const ConsumerGroup* const group = state_->groups.Find(group_name);
  return group != nullptr && state_->locks.HasLive(group->id, state_->passed_ms);
}

std::optional<int64_t> StateMachine::NextExpiryMs() const {
  const std::optional<int64_t> lease = state_->leases.NextExpiryMs();
  const std::optional<int64_t> timer = state_->timers.NextDueMs();
  if (!lease.has_value() || !timer.has_value()) return lease.has_value() ? lease : timer;
  return std::min(*lease, *timer);
}

uint64_t StateMachine::TimerCount() const { return state_->timers.count(); }

std::vector<std::string> StateMachine::ClientsWithAutoRenewedLeases(size_t limit) const {
  return state_->leases.AutoRenewedClients(limit);
}

uint64_t StateMachine::DedupIdsForgottenYoung() const { return state_->dedup.forgotten_young(); }

uint64_t StateMachine::LastSequenceOf(ReplicaId replica, Incarnation incarnation) const {
  auto it = state_->commands.lives().find(replica);
  if (it == state_->commands.lives().end() || it->second.incarnation != incarnation) return 0;
  return it->second.highest;
}

std::string StateMachine::Dump() const { return state_->Dump(); }

}  // namespace totora::store
