// The disk side of a replica: carries out what each Output wants persisted, in
// order, and syncs once for all that arrived while the last sync ran.
#ifndef TOTORA_RAFT_LOG_WRITER_H_
#define TOTORA_RAFT_LOG_WRITER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/executor.h"
#include "common/file.h"
#include "common/mutex.h"
#include "raft/log/log_store.h"
#include "raft/log/vote_store.h"

namespace totora::raft {

// What one Output wants on disk.
struct PersistJob {
  uint64_t number = 0;  // Ascending.
  std::optional<HardState> hard_state;
  std::optional<LogIndex> truncate_after;
  std::vector<Frame> frames;
};

// What became durable: all jobs up to `number`.
struct PersistDone {
  uint64_t number = 0;
  LogIndex last;  // Of the log, with its term; 0 if no job had frames.
  Term term;
};

// Thread safety: Add may be called from any thread; the rest runs on the log
// executor, and so do the callbacks.
class LogWriter : public std::enable_shared_from_this<LogWriter> {
 public:
  struct Callbacks {
    absl::AnyInvocable<void(PersistDone)> done;
    // The disk became full, or has space again.
    absl::AnyInvocable<void(bool is_full)> disk_full;
    // The device failed: nothing will be durable any more.
    absl::AnyInvocable<void(absl::Status)> fatal;
  };

  // `log` and `votes` are borrowed and belong to the log executor from here on.
  LogWriter(Executor* log_executor, FileSystem* fs, std::string directory, uint64_t reserve_bytes,
            LogStore* log, VoteStore* votes, Callbacks callbacks);

  void Add(PersistJob job) ABSL_LOCKS_EXCLUDED(mu_);

  // Looks at the free space every second, from now on, and whenever a part of
  // the reserve may have been written since.
  void WatchSpace();

  // Jobs that are not durable yet.
  size_t backlog() const { return backlog_.load(std::memory_order_relaxed); }

  // Ends timers; no callback comes after the log executor has run what is posted.
  void Stop() { is_stopped_ = true; }

 private:
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);
  // Carries out `jobs` from the front until one fails; how many were done.
  absl::Status Carry(std::vector<PersistJob>* jobs, size_t* carried, PersistDone* done);
  void Fail(const absl::Status& status);
  void SetFull(bool is_full);
  void CheckSpace();
  void MarkWhenIdle();

  Executor* const executor_;
  FileSystem* const fs_;
  const std::string directory_;
  const uint64_t reserve_bytes_;
  LogStore* const log_;
  VoteStore* const votes_;
  Callbacks callbacks_;

  Mutex mu_;  // Leaf.
  std::vector<PersistJob> queue_ ABSL_GUARDED_BY(mu_);
  bool is_draining_ ABSL_GUARDED_BY(mu_) = false;
  std::atomic<size_t> backlog_{0};
  std::atomic<bool> is_stopped_{false};

  // Confined to the log executor.
  std::vector<PersistJob> waiting_;  // Failed for want of space; tried again.
  uint64_t appends_ = 0;             // Guards the closing mark's timer.
  uint64_t unchecked_bytes_ = 0;     // Appended since the free space was looked at.
  bool is_mark_timed_ = false;
  bool is_full_ = false;
  bool is_short_ = false;            // Below the reserve.
  bool has_failed_ = false;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_WRITER_H_
