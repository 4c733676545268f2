// The LogStore on segment files.
//
// What the log thread does is in Append, Sync, TruncateAfter and
// WriteClosingMark; readers see a small index of segments and the newest
// frames under a mutex that nobody holds during I/O. A reader whose range was
// truncated while it read notices the changed epoch and starts again.
#ifndef TOTORA_RAFT_LOG_SEGMENTED_LOG_H_
#define TOTORA_RAFT_LOG_SEGMENTED_LOG_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "raft/log/log_recovery.h"
#include "raft/log/log_store.h"
#include "raft/log/segment.h"
#include "raft/log/spare_segment.h"
#include "raft/log/tail_cache.h"

namespace totora::raft {

// Most bytes that one Read may ask for.
inline constexpr size_t kReadBytesMax = 64 << 20;

// Thread safety: as LogStore says.
class SegmentedLog : public LogStore {
 public:
  SegmentedLog(FileSystem* fs, Executor* background, const LogOptions& options, OpenedLog opened);
  ~SegmentedLog() override;

  absl::Status Append(absl::Span<const Frame> frames) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Sync() override;
  absl::Status TruncateAfter(LogIndex last_kept) override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status WriteClosingMark() override;

  absl::StatusOr<std::string> Read(BytePosition at, size_t size) const override
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::vector<Frame>> ReadFrames(LogIndex from, LogIndex last,
                                                uint64_t max_bytes) const override
      ABSL_LOCKS_EXCLUDED(mu_);
  FrameHeader last() const override ABSL_LOCKS_EXCLUDED(mu_);
  uint64_t segment_used_bytes() const override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using SegmentPtr = std::shared_ptr<Segment>;

  // Frames of one Append that go to one segment.
  struct Run {
    SegmentPtr segment;
    size_t begin = 0;  // Of the frames appended.
    size_t end = 0;
    uint64_t offset = 0;      // In the file, where the first of them goes.
    uint64_t file_bytes = 0;  // The file's size before.
    bool is_new = false;
  };
  // A part of a range of bytes that is to be read.
  struct Piece {
    SegmentPtr segment;
    uint64_t offset = 0;
    size_t size = 0;
  };
  // How far a reader goes.
  struct Budget {
    LogIndex last;
    uint64_t bytes_max = 0;
    uint64_t bytes = 0;  // Taken so far.
    size_t frames = 0;

    // True if one more frame of `size` bytes still belongs to the answer.
    bool Take(LogIndex index, uint64_t size) {
      if (index > last || (frames > 0 && bytes + size > bytes_max)) return false;
      ++frames;
      bytes += size;
      return true;
    }
  };
  // Where a reader finds frames: in `cached`, or else on disk.
  struct FrameSource {
    std::vector<Frame> cached;
    SegmentPtr segment;
    SparseIndex::Place place;
    uint64_t end_offset = 0;
    uint64_t epoch = 0;
  };

  // Errors: InvalidArgument if the frames do not continue the log.
  absl::Status CheckContinues(absl::Span<const Frame> frames) const;
  // A segment file that begins with `first`, named and durable, header and all.
  absl::StatusOr<SegmentPtr> CreateSegment(const FrameHeader& first, uint32_t previous_chain_crc,
                                           LogIndex group);
  absl::Status Write(absl::Span<const Frame> frames, LogIndex group, std::vector<Run>* runs)
      ABSL_LOCKS_EXCLUDED(mu_);
  static absl::Status WriteRun(absl::Span<const Frame> frames, LogIndex group, const Run& run);
  // Takes back what a failed Append wrote; poisons the log if that fails, too.
  absl::Status Undo(const std::vector<Run>& runs, const absl::Status& why);
  void Publish(absl::Span<const Frame> frames, const std::vector<Run>& runs)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Behind this, the segment that has `last_kept` was never written.
  BytePosition OldEnd(LogIndex last_kept) const ABSL_LOCKS_EXCLUDED(mu_);
  // Marks the log as failed for ever.
  absl::Status Poison(const absl::Status& status);

  size_t SegmentOf(BytePosition position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes what is in memory from `budget` at once.
  absl::StatusOr<FrameSource> Locate(LogIndex from, Budget* budget) const ABSL_LOCKS_EXCLUDED(mu_);
  static absl::Status ReadFromDisk(const FrameSource& source, LogIndex from, Budget* budget,
                                   std::vector<Frame>* frames);
  // One attempt; empty if a truncation came between.
  absl::StatusOr<std::optional<std::vector<Frame>>> TryReadFrames(LogIndex from,
                                                                  Budget budget) const
      ABSL_LOCKS_EXCLUDED(mu_);
  bool IsEpoch(uint64_t epoch) const ABSL_LOCKS_EXCLUDED(mu_);

  FileSystem* const fs_;
  const LogOptions options_;
  const std::shared_ptr<SpareSegment> spare_;  // Null if none is wanted.

  // The log thread's.
  const std::unique_ptr<SlotPair> closing_;
  const std::unique_ptr<SlotPair> truncation_;
  absl::Status failure_;
  std::vector<SegmentPtr> unsynced_;  // Written since the last sync, oldest first.
  LogIndex open_group_;               // First index of the group being written; 0 = none.
  FrameHeader synced_;                // The last frame that is durable.

  mutable Mutex mu_;                                       // Leaf; never held during I/O.
  std::vector<SegmentPtr> segments_ ABSL_GUARDED_BY(mu_);  // Changed by the log thread only.
  FrameHeader last_ ABSL_GUARDED_BY(mu_);                  // Likewise.
  TailCache cache_ ABSL_GUARDED_BY(mu_);
  uint64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;  // Truncations so far.
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_SEGMENTED_LOG_H_
