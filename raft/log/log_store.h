// The durable home of one Raft log, which is also the commit log that
// consumers read message bodies from. On-disk layout: docs/formats/segment.md.
#ifndef TOTORA_RAFT_LOG_LOG_STORE_H_
#define TOTORA_RAFT_LOG_LOG_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/executor.h"
#include "common/file.h"
#include "raft/log/frame.h"

namespace totora::raft {

struct LogOptions {
  std::string directory;
  // A leader begins a new segment when the current one would grow beyond this;
  // segments are pre-written with zeros to this size in the background.
  uint64_t segment_bytes = 256 << 20;
  // Names the group: a segment copied from another one is refused.
  uint64_t group_fingerprint = 0;
  bool prepare_segments = true;  // False: files grow as they are written (small tests).
  // False: this volume had a log before, so an absent one is a loss, not a beginning.
  bool is_new_volume = true;
  // Bytes of the newest frames that are kept in memory for readers and followers.
  uint64_t tail_cache_bytes = 32 << 20;
};

// Thread safety: Append, TruncateAfter, Sync and WriteClosingMark belong to the
// log thread. Read, ReadFrames and the bounds may be called from any thread at
// the same time as any of them.
class LogStore {
 public:
  virtual ~LogStore() = default;

  // Adds `frames` behind the last one as (part of) the next sync group.
  // Nothing is durable before Sync() returns OK.
  // REQUIRES: indexes, positions and chain CRCs continue the log.
  //
  // Errors: ResourceExhausted if the disk is full (nothing was added and the
  //   log goes on as it was); Internal if the device failed. After that every
  //   later call returns the same status: what fsync dropped once cannot be
  //   trusted again, so the replica must end and recover.
  virtual absl::Status Append(absl::Span<const Frame> frames) = 0;

  // Makes all that was appended so far durable and closes the sync group.
  virtual absl::Status Sync() = 0;

  // Forgets every frame behind `last_kept`. Durable on return: writes a synced
  // intent first, so that a forgotten tail never comes back after a crash and
  // never looks like proof that something was lost.
  virtual absl::Status TruncateAfter(LogIndex last_kept) = 0;

  // Writes and syncs the closing mark (last index, term, chain CRC, end): the
  // last sync group is proven durable from then on. The driver calls it when
  // nothing was appended for 10 ms. No acknowledgement waits for it.
  virtual absl::Status WriteClosingMark() = 0;

  // Copies `size` bytes that begin at `at`.
  // Errors: NotFound if the log does not hold them (any longer); DataLoss if
  //   they lie in a frame known to be rotten.
  virtual absl::StatusOr<std::string> Read(BytePosition at, size_t size) const = 0;

  // The frames from `from` on, bodies checked, until `max_bytes` would be
  // exceeded, but at least one.
  // Errors: NotFound, DataLoss as above.
  virtual absl::StatusOr<std::vector<Frame>> ReadFrames(LogIndex from, LogIndex last,
                                                        uint64_t max_bytes) const = 0;

  // The last frame appended (durable or not); a header of zeros if the log is empty.
  virtual FrameHeader last() const = 0;

  // Bytes of the current segment file that are used; what a leader needs to
  // decide where segments roll.
  virtual uint64_t segment_used_bytes() const = 0;
};

// What OpenLog found.
struct RecoveredLog {
  std::unique_ptr<LogStore> log;
  LogIndex last_index;
  std::vector<TermStart> terms;
  uint64_t cut_bytes = 0;  // Of a torn, unproven last group; 0 after a clean end.
};

// Opens or creates the log in options.directory and decides what is torn and
// what is rotten (design: sync groups, closing mark, truncation intent). The
// last unproven group is written again and synced before this returns, so
// everything that it reports is durable.
//
// `background` runs the preparation of segments; it outlives the log.
// Errors: DataLoss (named refusal, nothing was changed) if a frame of a proven
//   group is bad; FailedPrecondition if the directory belongs to another group
//   or was written by a newer format; the disk's own errors.
absl::StatusOr<RecoveredLog> OpenLog(FileSystem* fs, Executor* background,
                                     const LogOptions& options);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_LOG_STORE_H_
