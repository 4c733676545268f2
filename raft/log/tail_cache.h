// The newest frames of the log, so that followers and readers who keep up
// never touch the disk.
#ifndef TOTORA_RAFT_LOG_TAIL_CACHE_H_
#define TOTORA_RAFT_LOG_TAIL_CACHE_H_

#include <cstdint>
#include <deque>

#include "common/types.h"
#include "raft/log/frame.h"

namespace totora::raft {

// Thread safety: external.
class TailCache {
 public:
  // Keeps whole frames, together at most `bytes_max` with their headers.
  explicit TailCache(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // REQUIRES: `frame` follows the last one added, unless the cache is empty.
  void Add(const Frame& frame);
  void TruncateAfter(LogIndex last_kept);

  // Null if it is not here. Valid until the next change.
  const Frame* Find(LogIndex index) const;
  // The frame in whose header or body `position` lies.
  const Frame* FindAt(BytePosition position) const;

 private:
  static uint64_t Cost(const Frame& frame) { return sizeof(Frame) + frame.body.size(); }

  const uint64_t bytes_max_;
  std::deque<Frame> frames_;
  uint64_t bytes_ = 0;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_TAIL_CACHE_H_
