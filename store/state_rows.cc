// The state as rows of the checkpoint store, and back.
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "store/key_codec.h"
#include "store/payload.h"
#include "store/state.h"

namespace totora::store {
namespace {

// Calls `load` with the opened value of each row of a kind, until it fails.
absl::Status LoadRows(
    const CheckpointStore& store, RowKind kind,
    absl::FunctionRef<absl::Status(absl::string_view key, absl::string_view payload)> load) {
  const KeyRange range = RowsOf(kind);
  absl::Status status;
  const absl::Status scanned =
      store.Scan(range.from, range.to, [&](absl::string_view key, absl::string_view value) {
        const absl::StatusOr<absl::string_view> payload = OpenValue(key, value);
        status = payload.ok() ? load(key, *payload) : payload.status();
        return status.ok();
      });
  return scanned.ok() ? status : scanned;
}

absl::Status Orphan(const char* what) {
  return absl::DataLossError(absl::StrCat("checkpoint: ", what, " of nothing that is known"));
}

}  // namespace

FrozenCheckpoint State::Freeze() {
  FrozenCheckpoint frozen;
  frozen.applied = applied;
  std::string meta;
  AppendU32(&meta, kSchemaVersion);
  AppendU64(&meta, applied.value());
  AppendU64(&meta, static_cast<uint64_t>(log_time_ms));
  AppendU64(&meta, static_cast<uint64_t>(passed_ms));
  AppendU64(&meta, topics.version());
  AppendU32(&meta, topics.next_id());
  AppendU32(&meta, groups.next_id());
  AppendU64(&meta, next_delivery_id);
  AppendU64(&meta, dedup.next_ordinal());
  AppendU64(&meta, timers.count());
  AppendU64(&meta, places.end().value());
  frozen.rows.push_back({MetaKey(), std::move(meta)});
  topics.Freeze(&frozen.rows);
  groups.Freeze(&frozen.rows);
  frozen.queues = index.Freeze();
  leases.Freeze(&frozen.rows);
  offsets.Freeze(&frozen.rows);
  locks.Freeze(&frozen.rows);
  timers.Freeze(&frozen.rows);
  places.Freeze(&frozen.rows);
  frozen.dedup = dedup.Freeze(&frozen.rows);
  frozen.keys = keys.Freeze(applied);
  commands.Freeze(&frozen.rows);
  unfrozen_bytes = 0;
  return frozen;
}

void State::Checkpoint(CheckpointDone done) {
  Poll();
  switch (writer.phase()) {
    case CheckpointWriter::Phase::kNone: {
      std::vector<CheckpointDone> all;
      if (done) all.push_back(std::move(done));
      writer.Begin(Freeze(), std::move(all));
      return;
    }
    case CheckpointWriter::Phase::kFailed:
      if (done) writer.AddDone(std::move(done));
      writer.Retry();
      return;
    case CheckpointWriter::Phase::kWaiting:
    case CheckpointWriter::Phase::kWriting:
    case CheckpointWriter::Phase::kWritten:
      if (writer.freezing() == applied) {
        if (done) writer.AddDone(std::move(done));
      } else {
        waiting.push_back(std::move(done));
      }
      return;
  }
}

void State::Poll() {
  switch (writer.phase()) {
    case CheckpointWriter::Phase::kWritten:
      index.Thaw(writer.frozen().queues);
      timers.Thaw();
      keys.Thaw();
      writer.Finish();
      if (!waiting.empty()) {
        std::vector<CheckpointDone> all;
        for (CheckpointDone& done : waiting) {
          if (done) all.push_back(std::move(done));
        }
        waiting.clear();
        writer.Begin(Freeze(), std::move(all));
      }
      return;
    case CheckpointWriter::Phase::kFailed:
      for (CheckpointDone& done : waiting) {
        if (done) writer.Tell(std::move(done), writer.error());
      }
      waiting.clear();
      return;
    case CheckpointWriter::Phase::kNone:
    case CheckpointWriter::Phase::kWaiting:
    case CheckpointWriter::Phase::kWriting:
      return;
  }
}

// --- Load -----------------------------------------------------------------------

absl::Status State::Load() {
  TOTORA_RETURN_IF_ERROR(LoadMeta());
  TOTORA_RETURN_IF_ERROR(LoadTables());
  TOTORA_RETURN_IF_ERROR(LoadQueues());
  return LoadLeases();
}

absl::Status State::LoadMeta() {
  TOTORA_ASSIGN_OR_RETURN(std::optional<std::string> damaged, checkpoints->Get(DamagedKey()));
  if (damaged.has_value()) {
    return absl::DataLossError("checkpoint: it was found damaged while it was in use");
  }
  const std::string key = MetaKey();
  TOTORA_ASSIGN_OR_RETURN(std::optional<std::string> value, checkpoints->Get(key));
  if (!value.has_value()) {
    // A new store. Anything in it would be the remains of another.
    bool is_empty = true;
    const std::string from(1, '\0');
    const std::string to(1, '\x7f');
    TOTORA_RETURN_IF_ERROR(
        checkpoints->Scan(from, to, [&](absl::string_view, absl::string_view) {
          is_empty = false;
          return false;
        }));
    return is_empty ? absl::OkStatus() : Orphan("rows");
  }
  TOTORA_ASSIGN_OR_RETURN(absl::string_view payload, OpenValue(key, *value));
  PayloadReader reader(payload);
  const uint32_t version = reader.U32();
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint: schema ", version, " was written by a newer version; this one "
                     "knows ", kSchemaVersion));
  }
  if (version < kSchemaVersion) {
    // It lacks indexes that every replica must have alike.
    return absl::DataLossError(
        absl::StrCat("checkpoint: schema ", version, " is an old one; the log rebuilds it"));
  }
  applied = applied_at_start = LogIndex(reader.U64());
  writer.SetStart(applied);
  log_time_ms = static_cast<int64_t>(reader.U64());
  passed_ms = static_cast<int64_t>(reader.U64());
  const uint64_t topics_version = reader.U64();
  const uint32_t next_topic = reader.U32();
  topics.LoadCounters(topics_version, next_topic);
  groups.LoadCounter(reader.U32());
  next_delivery_id = reader.U64();
  const uint64_t next_ordinal = reader.U64();
  const uint64_t timer_count = reader.U64();
  const BytePosition end(reader.U64());
  if (!reader.done()) return absl::DataLossError("checkpoint: damaged head");
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kDedup, [&](absl::string_view row, absl::string_view ids) {
        const absl::StatusOr<uint64_t> chunk = ParseDedupKey(row);
        return chunk.ok() ? dedup.LoadRow(*chunk, ids) : chunk.status();
      }));
  TOTORA_RETURN_IF_ERROR(dedup.FinishLoad(next_ordinal));
  places.LoadEnd(applied, end);
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kEntryPlace, [&](absl::string_view row, absl::string_view place) {
        const absl::StatusOr<uint64_t> number = ParseEntryPlaceKey(row);
        return number.ok() ? places.LoadRow(*number, place) : number.status();
      }));
  return timers.Load(timer_count);
}

absl::Status State::LoadTables() {
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kTopic, [&](absl::string_view key, absl::string_view payload) {
        const absl::StatusOr<uint32_t> id = ParseIdKey(key);
        return id.ok() ? topics.LoadRow(TopicId(*id), payload) : id.status();
      }));
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kConsumerGroup,
      [&](absl::string_view key, absl::string_view payload) {
        const absl::StatusOr<uint32_t> id = ParseIdKey(key);
        return id.ok() ? groups.LoadRow(ConsumerGroupId(*id), payload) : id.status();
      }));
  return LoadRows(*checkpoints, RowKind::kCommandWindow,
                  [&](absl::string_view key, absl::string_view payload) {
                    const absl::StatusOr<uint32_t> id = ParseIdKey(key);
                    return id.ok() ? commands.LoadRow(ReplicaId(*id), payload) : id.status();
                  });
}

absl::Status State::LoadQueues() {
  return LoadRows(*checkpoints, RowKind::kQueue,
                  [&](absl::string_view key, absl::string_view payload) {
                    const absl::StatusOr<QueueKey> queue = ParseQueueRowKey(key);
                    if (!queue.ok()) return queue.status();
                    Topic* const topic = topics.Find(queue->topic);
                    // The topic was deleted; its rows go a few at a time.
                    if (topic == nullptr) return absl::OkStatus();
                    return index.LoadRow(topic, queue->queue_id, payload);
                  });
}

absl::Status State::LoadLeases() {
  const auto is_known = [&](const LeaseKey& key) {
    const Topic* const topic = topics.Find(key.topic);
    return topic != nullptr && key.queue_id < topic->queues.size() &&
           groups.by_id().contains(key.group);
  };
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kLease, [&](absl::string_view key, absl::string_view payload) {
        const absl::StatusOr<LeaseKey> lease = ParseLeaseRowKey(key);
        if (!lease.ok()) return lease.status();
        if (!is_known(*lease)) return Orphan("leases");
        return leases.LoadRow(*lease, payload);
      }));
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kClient, [&](absl::string_view key, absl::string_view payload) {
        return leases.LoadClientRow(ParseClientKey(key), payload);
      }));
  TOTORA_RETURN_IF_ERROR(LoadRows(
      *checkpoints, RowKind::kLock, [&](absl::string_view key, absl::string_view payload) {
        const absl::StatusOr<LeaseKey> lock = ParseLockRowKey(key);
        if (!lock.ok()) return lock.status();
        if (!is_known(*lock)) return Orphan("queue locks");
        return locks.LoadRow(*lock, payload);
      }));
  return LoadRows(*checkpoints, RowKind::kOffset,
                  [&](absl::string_view key, absl::string_view payload) {
                    const absl::StatusOr<LeaseKey> offset = ParseOffsetRowKey(key);
                    if (!offset.ok()) return offset.status();
                    if (!is_known(*offset)) return Orphan("consumer offsets");
                    return offsets.LoadRow(*offset, payload);
                  });
}

}  // namespace totora::store
