#include "raft/log_writer.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace totora::raft {
namespace {
constexpr absl::Duration kClosingMarkDelay = absl::Milliseconds(10);
constexpr absl::Duration kFullRetryDelay = absl::Milliseconds(100);
constexpr absl::Duration kSpaceCheckPeriod = absl::Seconds(1);
constexpr uint64_t kChecksPerReserve = 16;
}  // namespace

LogWriter::LogWriter(Executor* log_executor, FileSystem* fs, std::string directory,
                     uint64_t reserve_bytes, LogStore* log, VoteStore* votes, Callbacks callbacks)
    : executor_(log_executor),
      fs_(fs),
      directory_(std::move(directory)),
      reserve_bytes_(reserve_bytes),
      log_(log),
      votes_(votes),
      callbacks_(std::move(callbacks)) {}

void LogWriter::Add(PersistJob job) {
  backlog_.fetch_add(1, std::memory_order_relaxed);
  bool is_first;
  {
    MutexLock lock(&mu_);
    queue_.push_back(std::move(job));
    is_first = !std::exchange(is_draining_, true);
  }
  if (is_first) executor_->Post([self = shared_from_this()] { self->Drain(); });
}

void LogWriter::Drain() {
  std::vector<PersistJob> jobs = std::exchange(waiting_, {});
  {
    MutexLock lock(&mu_);
    is_draining_ = false;
    jobs.insert(jobs.end(), std::make_move_iterator(queue_.begin()),
                std::make_move_iterator(queue_.end()));
    queue_.clear();
  }
  if (jobs.empty() || has_failed_ || is_stopped_) return;
  size_t carried = 0;
  PersistDone done;
  const absl::Status status = Carry(&jobs, &carried, &done);
  if (!status.ok() && !absl::IsResourceExhausted(status)) return Fail(status);
  if (carried > 0) {
    backlog_.fetch_sub(carried, std::memory_order_relaxed);
    callbacks_.done(done);
  }
  if (status.ok()) {
    // A fast writer fills the reserve before the clock says to look.
    if (unchecked_bytes_ > reserve_bytes_ / kChecksPerReserve) CheckSpace();
    SetFull(is_short_);
    if (done.last.value() != 0) MarkWhenIdle();
    return;
  }
  SetFull(true);
  waiting_.assign(std::make_move_iterator(jobs.begin() + static_cast<ptrdiff_t>(carried)),
                  std::make_move_iterator(jobs.end()));
  executor_->PostAfter(kFullRetryDelay, [self = shared_from_this()] { self->Drain(); });
}

absl::Status LogWriter::Carry(std::vector<PersistJob>* jobs, size_t* carried, PersistDone* done) {
  bool needs_sync = false;
  size_t appended = 0;
  absl::Status full;
  for (PersistJob& job : *jobs) {
    if (job.hard_state) {
      full = votes_->Save(*job.hard_state);
      if (absl::IsResourceExhausted(full)) break;
      TOTORA_RETURN_IF_ERROR(full);
      job.hard_state.reset();
    }
    if (job.truncate_after) {
      if (needs_sync) TOTORA_RETURN_IF_ERROR(log_->Sync());
      needs_sync = false;
      full = log_->TruncateAfter(*job.truncate_after);
      if (absl::IsResourceExhausted(full)) break;
      TOTORA_RETURN_IF_ERROR(full);
      job.truncate_after.reset();
    }
    if (!job.frames.empty()) {
      const absl::Status status = log_->Append(job.frames);
      if (absl::IsResourceExhausted(status)) {
        full = status;
        break;
      }
      TOTORA_RETURN_IF_ERROR(status);
      needs_sync = true;
      for (const Frame& frame : job.frames) unchecked_bytes_ += frame.meta().bytes;
      done->last = job.frames.back().header.index;
      done->term = job.frames.back().header.term;
    }
    done->number = job.number;
    ++appended;
  }
  if (needs_sync) TOTORA_RETURN_IF_ERROR(log_->Sync());
  if (done->last.value() != 0) ++appends_;
  *carried = appended;
  return full;
}

void LogWriter::Fail(const absl::Status& status) {
  has_failed_ = true;
  callbacks_.fatal(status);
}

void LogWriter::SetFull(bool is_full) {
  if (std::exchange(is_full_, is_full) == is_full) return;
  if (is_full) {
    TOTORA_LOG(kError, "raft") << Field("directory", directory_)
                               << "disk is full: writes are refused until there is space";
  } else {
    TOTORA_LOG(kInfo, "raft") << Field("directory", directory_) << "disk has space again";
  }
  callbacks_.disk_full(is_full);
}

// One timer at a time: under load it looks again, instead of one per sync.
void LogWriter::MarkWhenIdle() {
  if (std::exchange(is_mark_timed_, true)) return;
  executor_->PostAfter(kClosingMarkDelay, [self = shared_from_this(), appends = appends_] {
    self->is_mark_timed_ = false;
    if (self->has_failed_ || self->is_stopped_) return;
    if (self->appends_ != appends) return self->MarkWhenIdle();
    const absl::Status status = self->log_->WriteClosingMark();
    if (!status.ok() && !absl::IsResourceExhausted(status)) self->Fail(status);
  });
}

void LogWriter::WatchSpace() {
  executor_->PostAfter(kSpaceCheckPeriod, [self = shared_from_this()] {
    if (self->is_stopped_ || self->has_failed_) return;
    self->CheckSpace();
    if (self->waiting_.empty()) self->SetFull(self->is_short_);
    self->WatchSpace();
  });
}

void LogWriter::CheckSpace() {
  unchecked_bytes_ = 0;
  const absl::StatusOr<uint64_t> free_bytes = fs_->FreeBytes(directory_);
  if (free_bytes.ok()) is_short_ = *free_bytes < reserve_bytes_;
}

}  // namespace totora::raft
