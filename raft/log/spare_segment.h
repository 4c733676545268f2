// Prepares the next segment file ahead: full of zeros and synced, so that
// appending to it never waits for the file system to allocate.
#ifndef TOTORA_RAFT_LOG_SPARE_SEGMENT_H_
#define TOTORA_RAFT_LOG_SPARE_SEGMENT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/file.h"
#include "common/mutex.h"

namespace totora::raft {

// At most one spare exists at a time. Preparation goes in short steps, each
// synced, with pauses of three times what a step took: a sync of the log that
// somebody waits for (ours, or that of another replica on the same disk) is
// rarely behind one. A group's first seconds would otherwise pass with writing
// zeros. There are no pauses while the current segment fills so fast that its
// successor might come too late.
//
// Thread safety: monitor. Tasks on the executor keep the object alive.
class SpareSegment : public std::enable_shared_from_this<SpareSegment> {
 public:
  // `fs` and `background` are borrowed and outlive every task posted.
  SpareSegment(FileSystem* fs, Executor* background, std::string directory, uint64_t file_bytes);

  // Begins to prepare one, unless one is ready or under way. A spare that an
  // earlier run left is taken over.
  void Request() ABSL_LOCKS_EXCLUDED(mu_);

  // The spare, now the caller's to rename from path(); null if none is ready.
  std::unique_ptr<File> Take() ABSL_LOCKS_EXCLUDED(mu_);

  // The current segment holds this much. Any thread.
  void SegmentHolds(uint64_t bytes) { segment_bytes_.store(bytes, std::memory_order_relaxed); }

  // No step begins after this returned; one may still be running.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  const std::string& path() const { return path_; }
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  enum class State { kIdle, kWriting, kReady, kStopped };

  void Begin() ABSL_LOCKS_EXCLUDED(mu_);
  void Step() ABSL_LOCKS_EXCLUDED(mu_);
  void PostStep(absl::Duration pause);
  absl::Status OpenOrCreate();
  void GiveUp(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  bool IsWriting() ABSL_LOCKS_EXCLUDED(mu_);

  FileSystem* const fs_;
  Executor* const background_;
  const std::string directory_;
  const std::string path_;
  const uint64_t file_bytes_;
  std::atomic<uint64_t> segment_bytes_{0};

  // Confined to the background executor.
  std::unique_ptr<File> writing_;
  uint64_t written_ = 0;

  Mutex mu_;  // Leaf.
  State state_ ABSL_GUARDED_BY(mu_) = State::kIdle;
  std::unique_ptr<File> ready_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_SPARE_SEGMENT_H_
