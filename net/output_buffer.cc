#include "net/output_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace totora::net {

void OutputBuffer::Append(const void* data, size_t size) {
  const char* from = static_cast<const char*>(data);
  size_ += size;
  while (size > 0) {
    if (first_ == segments_.size() || segments_.back().room == 0) {
      Segment fresh;
      fresh.block = spare_ ? std::move(spare_) : std::unique_ptr<char[]>(new char[kBlockBytes]);
      fresh.begin = fresh.block.get();
      fresh.size = 0;
      fresh.room = kBlockBytes;
      segments_.push_back(std::move(fresh));
    }
    Segment& last = segments_.back();
    const size_t now = std::min(size, last.room);
    std::memcpy(last.block.get() + (kBlockBytes - last.room), from, now);
    last.size += now;
    last.room -= now;
    from += now;
    size -= now;
  }
}

void OutputBuffer::AppendShared(SharedBytes bytes) {
  if (bytes.size() < kReferenceBytesMin) {
    Append(bytes.view());
    return;
  }
  Segment segment;
  segment.begin = bytes.view().data();
  segment.size = bytes.size();
  segment.room = 0;
  segment.shared = std::move(bytes);
  size_ += segment.size;
  segments_.push_back(std::move(segment));
}

int OutputBuffer::Gather(iovec* pieces, int max) const {
  int count = 0;
  for (size_t i = first_; i < segments_.size() && count < max; ++i) {
    pieces[count].iov_base = const_cast<char*>(segments_[i].begin);
    pieces[count].iov_len = segments_[i].size;
    ++count;
  }
  return count;
}

void OutputBuffer::Consume(size_t size) {
  size_ -= size;
  while (size > 0) {
    Segment& segment = segments_[first_];
    const size_t now = std::min(size, segment.size);
    segment.begin += now;
    segment.size -= now;
    size -= now;
    if (segment.size > 0) break;
    if (segment.block) spare_ = std::move(segment.block);
    segment.shared = SharedBytes();
    ++first_;
  }
  if (first_ == segments_.size()) {
    segments_.clear();
    first_ = 0;
  } else if (first_ > 64) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputBuffer::Clear() {
  segments_.clear();
  first_ = 0;
  size_ = 0;
}

}  // namespace totora::net
