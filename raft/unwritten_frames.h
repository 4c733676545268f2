// Entries that the log thread has not written yet. A majority may commit an
// entry, and this replica apply it, before its own disk has it: readers find
// its bytes here.
#ifndef TOTORA_RAFT_UNWRITTEN_FRAMES_H_
#define TOTORA_RAFT_UNWRITTEN_FRAMES_H_

#include <deque>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "common/types.h"
#include "raft/log/frame.h"

namespace totora::raft {

// Thread safety: monitor.
class UnwrittenFrames {
 public:
  // `frame` was handed to the log thread; it continues the one before.
  void Add(const Frame& frame) ABSL_LOCKS_EXCLUDED(mu_);
  // The log holds everything up to `index`.
  void DropThrough(LogIndex index) ABSL_LOCKS_EXCLUDED(mu_);
  // Everything behind `last_kept` was overwritten.
  void CutAfter(LogIndex last_kept) ABSL_LOCKS_EXCLUDED(mu_);
  // Of the bodies, together.
  uint64_t bytes() const ABSL_LOCKS_EXCLUDED(mu_);

  // `size` bytes at `at`, if they lie in the body of one of the frames.
  std::optional<std::string> Read(BytePosition at, size_t size) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;  // Leaf.
  std::deque<Frame> frames_ ABSL_GUARDED_BY(mu_);
  uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_UNWRITTEN_FRAMES_H_
