#include "raft/log/spare_segment.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "raft/log/segment_format.h"

namespace totora::raft {
namespace {
constexpr uint64_t kStepBytes = 1 << 20;
constexpr int kPauseFactor = 3;
constexpr absl::Duration kPauseMax = absl::Seconds(1);
// A spare is in time as long as it grows this many times as fast as the segment.
constexpr uint64_t kLead = 2;
}  // namespace

SpareSegment::SpareSegment(FileSystem* fs, Executor* background, std::string directory,
                           uint64_t file_bytes)
    : fs_(fs),
      background_(background),
      directory_(std::move(directory)),
      path_(absl::StrCat(directory_, "/", kPreparedName)),
      file_bytes_(file_bytes) {}

void SpareSegment::Request() {
  {
    MutexLock lock(&mu_);
    if (state_ != State::kIdle) return;
    state_ = State::kWriting;
  }
  background_->Post([self = shared_from_this()] { self->Begin(); });
}

std::unique_ptr<File> SpareSegment::Take() {
  MutexLock lock(&mu_);
  if (state_ != State::kReady) return nullptr;
  state_ = State::kIdle;
  return std::move(ready_);
}

void SpareSegment::Stop() {
  MutexLock lock(&mu_);
  state_ = State::kStopped;
  ready_.reset();
}

bool SpareSegment::IsWriting() {
  MutexLock lock(&mu_);
  return state_ == State::kWriting;
}

void SpareSegment::Begin() {
  if (!IsWriting()) return;
  const absl::Status status = OpenOrCreate();
  if (!status.ok()) return GiveUp(status);
  PostStep(absl::ZeroDuration());
}

absl::Status SpareSegment::OpenOrCreate() {
  TOTORA_ASSIGN_OR_RETURN(const uint64_t free_bytes, fs_->FreeBytes(directory_));
  TOTORA_ASSIGN_OR_RETURN(writing_, fs_->Open(path_, OpenMode::kCreate));
  TOTORA_ASSIGN_OR_RETURN(written_, writing_->Size());
  // A full-sized spare of an earlier run holds zeros and at most the header of
  // a roll that was cut off, which the next one overwrites.
  if (written_ == file_bytes_) return absl::OkStatus();
  // Space is worth more to the current segment than to one not needed yet.
  if (free_bytes < 2 * file_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat(free_bytes, " bytes are free"));
  }
  written_ = 0;
  return writing_->Truncate(0);
}

void SpareSegment::PostStep(absl::Duration pause) {
  const bool is_late = written_ < kLead * segment_bytes_.load(std::memory_order_relaxed);
  background_->PostAfter(is_late ? absl::ZeroDuration() : std::min(pause, kPauseMax),
                         [self = shared_from_this()] { self->Step(); });
}

void SpareSegment::Step() {
  if (!IsWriting()) {
    writing_.reset();
    return;
  }
  const absl::Duration began = background_->clock().SteadyNow();
  const uint64_t bytes = std::min(kStepBytes, file_bytes_ - written_);
  absl::Status status = writing_->WriteZeros(written_, bytes);
  if (status.ok()) status = writing_->Sync();
  if (!status.ok()) return GiveUp(status);
  written_ += bytes;
  if (written_ < file_bytes_) {
    return PostStep(kPauseFactor * (background_->clock().SteadyNow() - began));
  }
  MutexLock lock(&mu_);
  if (state_ != State::kWriting) return;
  ready_ = std::move(writing_);
  state_ = State::kReady;
}

void SpareSegment::GiveUp(const absl::Status& status) {
  // Not the log's failure: without a spare the next segment just grows.
  TOTORA_LOG(kWarn, "raft") << Field("directory", directory_) << Field("reason", status.message())
                            << "no segment is prepared ahead";
  writing_.reset();
  (void)fs_->Remove(path_);
  MutexLock lock(&mu_);
  if (state_ == State::kWriting) state_ = State::kIdle;
}

}  // namespace totora::raft
