#include "raft/unwritten_frames.h"

#include <algorithm>

namespace totora::raft {

void UnwrittenFrames::Add(const Frame& frame) {
  MutexLock lock(&mu_);
  frames_.push_back(frame);
  bytes_ += frame.body.size();
}

void UnwrittenFrames::DropThrough(LogIndex index) {
  MutexLock lock(&mu_);
  while (!frames_.empty() && frames_.front().header.index <= index) {
    bytes_ -= frames_.front().body.size();
    frames_.pop_front();
  }
}

void UnwrittenFrames::CutAfter(LogIndex last_kept) {
  MutexLock lock(&mu_);
  while (!frames_.empty() && frames_.back().header.index > last_kept) {
    bytes_ -= frames_.back().body.size();
    frames_.pop_back();
  }
}

uint64_t UnwrittenFrames::bytes() const {
  MutexLock lock(&mu_);
  return bytes_;
}

std::optional<std::string> UnwrittenFrames::Read(BytePosition at, size_t size) const {
  SharedBytes body;
  size_t offset = 0;
  {
    MutexLock lock(&mu_);
    const auto behind = std::upper_bound(
        frames_.begin(), frames_.end(), at,
        [](BytePosition wanted, const Frame& frame) { return wanted < frame.header.start; });
    if (behind == frames_.begin()) return std::nullopt;
    const Frame& frame = *std::prev(behind);
    const BytePosition begin = frame.header.body_position();
    if (at < begin || at.value() + size > frame.header.end().value()) return std::nullopt;
    offset = at.value() - begin.value();
    body = frame.body;
  }
  return std::string(body.view().substr(offset, size));
}

}  // namespace totora::raft
