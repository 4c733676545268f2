// A checkpoint on its way to the disk: frozen on the replica's executor,
// encoded and written on the background executor, freed on the first again.
#ifndef TOTORA_STORE_CHECKPOINT_H_
#define TOTORA_STORE_CHECKPOINT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "common/types.h"
#include "store/checkpoint_store.h"
#include "store/dedup_window.h"
#include "store/key_index.h"
#include "store/queue_index.h"

namespace totora::store {

// Everything that changed between two freezes, as of `applied`. Immutable once
// made, so the background may read it while apply goes on.
struct FrozenCheckpoint {
  LogIndex applied;
  std::vector<CheckpointWrite> rows;       // Values without their checksums.
  std::vector<FrozenQueue> queues;
  std::vector<FrozenDedupChunk> dedup;
  std::shared_ptr<const FrozenKeys> keys;  // May be null.
};

using CheckpointDone = absl::AnyInvocable<void(absl::Status)>;

// Takes one frozen checkpoint at a time through
//
//   waiting ── log synced up to it ──▶ writing ──▶ written ── Finish ──▶ none
//      ▲                                  │
//      └──────────── Retry ───────────────┴──▶ failed
//
// Thread safety: confined, but for checkpointed(). The write itself runs on the
// background executor and touches nothing but a shared Job.
class CheckpointWriter {
 public:
  enum class Phase { kNone, kWaiting, kWriting, kWritten, kFailed };

  // Borrowed pointers.
  CheckpointWriter(CheckpointStore* store, Executor* background);
  // A write that has not begun will not happen.
  ~CheckpointWriter();

  // The applied index that the store has already.
  void SetStart(LogIndex start) { progress_->checkpointed = start.value(); }
  // What to do on the background executor once a write has ended.
  void SetWakeUp(std::function<void()> wake_up) { wake_up_ = std::move(wake_up); }

  Phase phase() const;
  // The index that is on its way. REQUIRES: phase() is not kNone.
  LogIndex freezing() const;

  // REQUIRES: phase() is kNone.
  void Begin(FrozenCheckpoint frozen, std::vector<CheckpointDone> done);
  // Adds one more to be told, also if the write has ended well. REQUIRES: phase() is not kNone.
  void AddDone(CheckpointDone done);
  // REQUIRES: phase() is kFailed.
  void Retry();
  // The frozen state may be freed. REQUIRES: phase() is kWritten.
  void Finish();
  const FrozenCheckpoint& frozen() const;
  absl::Status error() const;

  // This disk's log is durable up to here, and no further: it falls when the log
  // is cut. Never below what was applied.
  void LogSynced(LogIndex index);

  // Any thread.
  LogIndex checkpointed() const { return LogIndex(progress_->checkpointed.load()); }

  // Calls `done` on the background executor.
  void Tell(CheckpointDone done, absl::Status status);

 private:
  struct Progress {
    std::atomic<uint64_t> checkpointed{0};
    std::atomic<bool> is_abandoned{false};
  };
  struct Job {
    FrozenCheckpoint frozen;          // Constant.
    Mutex mu;                         // Leaf.
    Phase phase ABSL_GUARDED_BY(mu) = Phase::kWaiting;
    absl::Status error ABSL_GUARDED_BY(mu);
    std::vector<CheckpointDone> done ABSL_GUARDED_BY(mu);
  };

  void PostIfSynced();
  static void Write(CheckpointStore* store, Progress* progress, Job* job);

  CheckpointStore* const store_;
  Executor* const background_;
  const std::shared_ptr<Progress> progress_;
  std::function<void()> wake_up_;
  std::shared_ptr<Job> job_;
  LogIndex synced_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_CHECKPOINT_H_
