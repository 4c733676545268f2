#include "raft/log/tail_cache.h"

#include <algorithm>

namespace totora::raft {

void TailCache::Add(const Frame& frame) {
  frames_.push_back(frame);
  bytes_ += Cost(frame);
  while (bytes_ > bytes_max_) {
    bytes_ -= Cost(frames_.front());
    frames_.pop_front();
  }
}

void TailCache::TruncateAfter(LogIndex last_kept) {
  while (!frames_.empty() && frames_.back().header.index > last_kept) {
    bytes_ -= Cost(frames_.back());
    frames_.pop_back();
  }
}

const Frame* TailCache::Find(LogIndex index) const {
  if (frames_.empty() || index < frames_.front().header.index) return nullptr;
  const uint64_t at = index.value() - frames_.front().header.index.value();
  return at < frames_.size() ? &frames_[at] : nullptr;
}

const Frame* TailCache::FindAt(BytePosition position) const {
  auto it =
      std::upper_bound(frames_.begin(), frames_.end(), position,
                       [](BytePosition p, const Frame& frame) { return p < frame.header.start; });
  if (it == frames_.begin()) return nullptr;
  --it;
  return position < it->header.end() ? &*it : nullptr;
}

}  // namespace totora::raft
