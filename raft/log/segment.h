// One segment of the log while it is open, and where its frames are.
#ifndef TOTORA_RAFT_LOG_SEGMENT_H_
#define TOTORA_RAFT_LOG_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/file.h"
#include "common/types.h"
#include "raft/log/segment_format.h"

namespace totora::raft {

// Index to file offset for some of a segment's frames: one in 64, or one in
// every 64 KiB where frames are large. 8 bytes each, so 100 GiB of small
// frames cost some 12 MiB.
//
// Thread safety: external.
class SparseIndex {
 public:
  struct Place {
    LogIndex index;
    uint64_t offset = 0;
  };

  explicit SparseIndex(LogIndex first) : first_(first) {}

  // Frames come in order.
  void Add(LogIndex index, uint64_t offset) {
    const uint32_t behind = static_cast<uint32_t>(index.value() - first_.value());
    if (!places_.empty() && behind - places_.back().behind < kFrames &&
        offset - places_.back().offset < kBytes) {
      return;
    }
    places_.push_back({behind, static_cast<uint32_t>(offset)});
  }
  // The last noted frame at or before `index`. REQUIRES: the segment has `index`.
  Place Find(LogIndex index) const;
  void TruncateAfter(LogIndex last_kept);

 private:
  static constexpr uint32_t kFrames = 64;
  static constexpr uint32_t kBytes = 64 << 10;
  struct Noted {
    uint32_t behind;  // Index less the first one.
    uint32_t offset;
  };

  LogIndex first_;
  std::vector<Noted> places_;
};

// Thread safety: the constants and the file's reads are for every thread; the
// rest says whose it is.
struct Segment {
  Segment(std::string path_in, const SegmentHeader& header_in, uint32_t key_in,
          std::unique_ptr<File> file_in, uint64_t file_bytes_in)
      : path(std::move(path_in)),
        header(header_in),
        key(key_in),
        file(std::move(file_in)),
        index(header_in.first_index),
        end(header_in.first_start),
        last(header_in.first_index.Prev()),
        file_bytes(file_bytes_in) {}

  uint64_t OffsetOf(BytePosition position) const {
    return kSegmentHeaderBytes + (position.value() - header.first_start.value());
  }
  bool is_empty() const { return last < header.first_index; }

  const std::string path;
  const SegmentHeader header;
  const uint32_t key;
  const std::unique_ptr<File> file;

  // Guarded by the log's mutex.
  SparseIndex index;
  BytePosition end;  // Behind the last frame.
  LogIndex last;     // header.first_index - 1 if there is none.

  // The log thread's.
  uint64_t file_bytes;
  uint64_t written_end = 0;  // Offset behind the last byte that was ever written, kept or not.
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_SEGMENT_H_
