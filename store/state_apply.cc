#include <algorithm>

#include "common/check.h"
#include "common/log.h"
#include "store/key_codec.h"
#include "store/state.h"

namespace totora::store {

std::string StatusResult(const absl::Status& status) {
  PlainResult result;
  result.status.code = status.code();
  result.status.text = std::string(status.message());
  return result.Encode();
}

OverrideRecord DecodeOverride(const OverrideBytes& bytes) {
  if (bytes == nullptr) return nullptr;
  absl::StatusOr<message::Override> record = message::Override::Decode(*bytes);
  if (!record.ok()) return nullptr;
  return std::make_shared<const message::Override>(*std::move(record));
}

State::State(const StoreOptions& store_options, CheckpointStore* checkpoint_store,
             Executor* background_executor)
    : options(store_options),
      checkpoints(checkpoint_store),
      background(background_executor),
      index(checkpoint_store, &topics),
      timers(checkpoint_store),
      keys(checkpoint_store),
      dedup(absl::ToInt64Milliseconds(store_options.dedup_window), store_options.dedup_ids_max),
      writer(checkpoint_store, background_executor) {}

void State::Apply(const raft::Frame& entry) {
  Poll();
  const raft::FrameHeader& header = entry.header;
  TOTORA_CHECK(header.index == applied.Next())
      << " entry " << header.index << " was applied behind " << applied;
  applied = header.index;
  log_time_ms = std::max(log_time_ms, header.timestamp_ms);
  passed_ms = std::max(passed_ms, header.passed_ms);
  places.Note(header.index, header.start, header.end());
  unfrozen_bytes += raft::kFrameHeaderBytes + entry.body.size();
  if (header.type != raft::EntryType::kCommands) return;

  const absl::StatusOr<std::vector<raft::Command>> split =
      raft::DecodeCommands(entry.body.view());
  if (!split.ok()) {
    // Its checksum was right, so it was proposed like this: every replica
    // skips it.
    TOTORA_LOG(kError, "store") << Field("index", header.index)
                                << "an entry that is no sequence of commands was skipped";
    return;
  }
  for (const raft::Command& command : *split) {
    const CommandWindow::Entry seen = commands.See(command);
    if (seen.is_new_incarnation) {
      leases.ReplicaStarted(command.id.replica, command.id.incarnation, &released);
    }
    switch (seen.verdict) {
      case CommandWindow::Verdict::kNew: {
        std::string result =
            Execute(command, header.body_position().Next(command.payload_offset));
        const absl::string_view kept = commands.Store(command.id, std::move(result));
        if (observer != nullptr) observer->CommandApplied(command.id, kept);
        break;
      }
      case CommandWindow::Verdict::kRepeated:
        if (observer != nullptr) observer->CommandApplied(command.id, seen.result);
        break;
      case CommandWindow::Verdict::kForgotten:
      case CommandWindow::Verdict::kStale:
        break;
    }
    TellEvents();
  }
}

std::string State::Execute(const raft::Command& command, BytePosition position) {
  const absl::string_view payload = command.payload;
  switch (static_cast<CommandKind>(command.kind)) {
    case CommandKind::kVoid:
      static_assert(static_cast<uint16_t>(CommandKind::kVoid) == raft::kVoidCommand);
      return StatusResult(absl::OkStatus());  // Whoever asked was told that nobody knows.
    case CommandKind::kSend:
      return Send(payload, position);
    case CommandKind::kReceive:
      return Receive(command);
    case CommandKind::kAck:
      return Ack(payload);
    case CommandKind::kChangeInvisible:
      return ChangeInvisible(command);
    case CommandKind::kDelivered:
      return Delivered(payload);
    case CommandKind::kExpire:
      return Expire(payload);
    case CommandKind::kClientsAlive:
      return ClientsAlive(payload);
    case CommandKind::kReleaseClient:
      return ReleaseClient(payload);
    case CommandKind::kReplicaStarted:
      return StatusResult(absl::OkStatus());  // The envelope said it.
    case CommandKind::kSendBack:
      return SendBack(payload, position);
    case CommandKind::kForwardToDeadLetter:
      return ForwardToDeadLetter(payload);
    case CommandKind::kCancelTimer:
      return CancelTimer(payload);
    case CommandKind::kLockQueues:
      return LockQueues(payload);
    case CommandKind::kUnlockQueues:
      return UnlockQueues(payload);
    case CommandKind::kCopyOffsets:
      return CopyOffsets(payload);
    case CommandKind::kPutTopic:
      return PutTopic(payload);
    case CommandKind::kDeleteTopic:
      return DeleteTopic(payload);
    case CommandKind::kPutConsumerGroup:
      return PutConsumerGroup(payload);
    case CommandKind::kDeleteConsumerGroup:
      return DeleteConsumerGroup(payload);
    case CommandKind::kUpdateOffsets:
      return UpdateOffsets(payload);
  }
  return StatusResult(absl::UnimplementedError("a kind of command that this version lacks"));
}

void State::AppendEntry(Topic* topic, uint32_t queue_id, const IndexEntry& entry,
                        OverrideBytes override_record) {
  const absl::Status appended =
      index.Append(topic, queue_id, entry, std::move(override_record));
  if (!appended.ok()) Die(appended);
  const QueueKey key{topic->id, queue_id};
  const bool is_new_batch = grown.empty() || grown.back() != key;
  if (is_new_batch) grown.push_back(key);
  if (log_time_ms < growth_from_ms) return;
  if (is_new_batch && ++topic->grown_batches == 1) grown_topics.push_back(topic->id);
  ++topic->grown_messages;
  topic->grown_bytes += entry.size;
}

std::string State::Unreadable(const absl::Status& why) const {
  return StatusResult(absl::InvalidArgumentError(why.message()));
}

void State::TellEvents() {
  if (grown.empty() && released.empty() && resets.empty() && changed_topics.empty()) return;
  std::sort(grown.begin(), grown.end());
  grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
  std::sort(released.begin(), released.end());
  released.erase(std::unique(released.begin(), released.end()), released.end());
  if (observer != nullptr) {
    for (const std::string& name : changed_topics) {
      const Topic* topic = topics.Find(name);
      observer->TopicChanged(name, topic == nullptr ? std::nullopt
                                                    : std::optional<TopicConfig>(topic->config));
    }
    for (const QueueKey& key : grown) {
      const Topic* topic = topics.Find(key.topic);
      if (topic == nullptr) continue;
      observer->QueueGrew(topic->config.name, key.queue_id,
                          QueueOffset(topic->queues[key.queue_id].end));
    }
    for (const LeaseKey& key : released) {
      const Topic* topic = topics.Find(key.topic);
      auto group = groups.by_id().find(key.group);
      if (topic == nullptr || group == groups.by_id().end()) continue;
      observer->LeasesReleased(topic->config.name, group->second->config.name, key.queue_id);
    }
    for (const LeaseKey& key : resets) {
      const Topic* topic = topics.Find(key.topic);
      auto group = groups.by_id().find(key.group);
      if (topic == nullptr || group == groups.by_id().end()) continue;
      observer->OffsetReset(topic->config.name, group->second->config.name, key.queue_id);
    }
  }
  grown.clear();
  released.clear();
  resets.clear();
  changed_topics.clear();
}

void State::Die(const absl::Status& why) {
  if (absl::IsDataLoss(why)) {
    const std::string key = DamagedKey();
    const absl::Status noted =
        checkpoints->Commit({{key, SealValue(key, std::string(why.message()))}});
    TOTORA_CHECK(false) << " " << why << "; it will be rebuilt from the log (" << noted << ")";
  }
  TOTORA_CHECK(false) << " " << why;
  std::abort();
}

}  // namespace totora::store
