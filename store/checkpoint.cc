#include "store/checkpoint.h"

#include <string>
#include <utility>

#include "common/check.h"
#include "common/status.h"
#include "store/key_codec.h"

namespace totora::store {
namespace {

// Rows of deleted topics that one checkpoint removes: deleting a topic of a
// hundred million messages must not make a batch of a million deletions.
constexpr size_t kDeadRowsPerCheckpoint = 10'000;

absl::Status CollectKeys(const CheckpointStore& store, const KeyRange& range, size_t limit,
                         std::vector<std::string>* keys) {
  return store.Scan(range.from, range.to, [&](absl::string_view key, absl::string_view) {
    if (keys->size() >= limit) return false;
    keys->emplace_back(key);
    return true;
  });
}

// Removes what deleted topics left behind. Topic ids are never given again, so
// nobody reads these rows and there is no hurry.
absl::Status RemoveDeadRows(const CheckpointStore& store, std::vector<CheckpointWrite>* writes) {
  std::vector<std::string> topics;
  TOTORA_RETURN_IF_ERROR(CollectKeys(store, RowsOf(RowKind::kDeadTopic), kDeadRowsPerCheckpoint,
                                     &topics));
  std::vector<std::string> keys;
  for (const std::string& topic : topics) {
    TOTORA_ASSIGN_OR_RETURN(uint32_t id, ParseIdKey(topic));
    for (RowKind kind : {RowKind::kQueue, RowKind::kBlock}) {
      TOTORA_RETURN_IF_ERROR(
          CollectKeys(store, RowsOf(kind, TopicId(id)), kDeadRowsPerCheckpoint, &keys));
    }
    if (keys.size() >= kDeadRowsPerCheckpoint) break;  // The rest, and the mark, next time.
    keys.push_back(topic);
  }
  for (std::string& key : keys) writes->push_back({std::move(key), std::nullopt});
  return absl::OkStatus();
}

}  // namespace

CheckpointWriter::CheckpointWriter(CheckpointStore* store, Executor* background)
    : store_(store), background_(background), progress_(std::make_shared<Progress>()) {}

CheckpointWriter::~CheckpointWriter() { progress_->is_abandoned = true; }

CheckpointWriter::Phase CheckpointWriter::phase() const {
  if (job_ == nullptr) return Phase::kNone;
  MutexLock lock(&job_->mu);
  return job_->phase;
}

LogIndex CheckpointWriter::freezing() const { return job_->frozen.applied; }
const FrozenCheckpoint& CheckpointWriter::frozen() const { return job_->frozen; }

absl::Status CheckpointWriter::error() const {
  MutexLock lock(&job_->mu);
  return job_->error;
}

void CheckpointWriter::Begin(FrozenCheckpoint frozen, std::vector<CheckpointDone> done) {
  TOTORA_CHECK(job_ == nullptr) << " two checkpoints at once";
  job_ = std::make_shared<Job>();
  job_->frozen = std::move(frozen);
  {
    MutexLock lock(&job_->mu);
    job_->done = std::move(done);
  }
  PostIfSynced();
}

void CheckpointWriter::AddDone(CheckpointDone done) {
  {
    MutexLock lock(&job_->mu);
    if (job_->phase != Phase::kWritten) {
      job_->done.push_back(std::move(done));
      return;
    }
  }
  Tell(std::move(done), absl::OkStatus());
}

void CheckpointWriter::Tell(CheckpointDone done, absl::Status status) {
  background_->Post([done = std::move(done), status = std::move(status)]() mutable {
    done(std::move(status));
  });
}

void CheckpointWriter::Retry() {
  {
    MutexLock lock(&job_->mu);
    job_->phase = Phase::kWaiting;
  }
  PostIfSynced();
}

void CheckpointWriter::Finish() {
  TOTORA_CHECK(phase() == Phase::kWritten);
  // What was frozen can be a hundred megabytes: the background frees it.
  background_->Post([job = std::move(job_)] {});
  job_ = nullptr;
}

void CheckpointWriter::LogSynced(LogIndex index) {
  synced_ = index;  // Lower than before if the log was cut.
  PostIfSynced();
}

void CheckpointWriter::PostIfSynced() {
  if (job_ == nullptr || job_->frozen.applied > synced_) return;
  {
    MutexLock lock(&job_->mu);
    if (job_->phase != Phase::kWaiting) return;
    job_->phase = Phase::kWriting;
  }
  background_->Post(
      [store = store_, progress = progress_, job = job_, wake_up = wake_up_] {
        Write(store, progress.get(), job.get());
        if (wake_up) wake_up();
      });
}

void CheckpointWriter::Write(CheckpointStore* store, Progress* progress, Job* job) {
  absl::Status status = absl::CancelledError("the state machine is gone");
  if (!progress->is_abandoned) {
    std::vector<CheckpointWrite> writes = job->frozen.rows;
    for (const FrozenQueue& queue : job->frozen.queues) queue.AppendRows(&writes);
    for (const FrozenDedupChunk& chunk : job->frozen.dedup) chunk.AppendRow(&writes);
    if (job->frozen.keys != nullptr) job->frozen.keys->AppendRows(&writes);
    for (CheckpointWrite& write : writes) {
      if (write.value.has_value()) write.value = SealValue(write.key, *std::move(write.value));
    }
    status = RemoveDeadRows(*store, &writes);
    if (status.ok()) status = store->Commit(writes);
  }
  std::vector<CheckpointDone> done;
  {
    MutexLock lock(&job->mu);
    job->phase = status.ok() ? Phase::kWritten : Phase::kFailed;
    job->error = status;
    done.swap(job->done);
    if (status.ok()) progress->checkpointed = job->frozen.applied.value();
  }
  for (CheckpointDone& tell : done) tell(status);
}

}  // namespace totora::store
