// A file system in memory that knows the difference between the page cache and
// the disk: what tests and the simulator run the log on.
//
// Model. Every write goes to the page cache, which every reader sees. File::Sync
// moves a file's bytes to the disk, SyncDirectory a directory's names. A power
// cut keeps the disk, and of what was not synced a random part: of each
// 512-byte sector any version written since the last sync or the one before
// it, of each directory's changes any first few. A sync that fails leaves its
// bytes readable in the cache, marked clean, while some of them never reached the
// disk, as Linux does.
//
// No thread, no clock; all randomness comes from the seeds given. The same calls
// give the same state.
#ifndef TOTORA_COMMON_MEMORY_FILE_SYSTEM_H_
#define TOTORA_COMMON_MEMORY_FILE_SYSTEM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/file.h"
#include "common/mutex.h"

namespace totora {

// Thread safety: monitor.
class MemoryFileSystem : public FileSystem {
 public:
  // What is about to happen, for a hook. `bytes` is 0 where it has no meaning.
  struct Step {
    enum class Kind { kCreate, kWrite, kTruncate, kSync, kRemove, kRename, kSyncDirectory };
    Kind kind;
    std::string path;
    uint64_t bytes = 0;
  };
  // Called before each step, without any lock held. An error is returned to the
  // caller and the step does not happen.
  using Hook = absl::AnyInvocable<absl::Status(const Step&)>;

  explicit MemoryFileSystem(uint64_t seed = 1);
  ~MemoryFileSystem() override;

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status SyncDirectory(const std::string& path) override;
  bool Exists(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override;

  // --- Faults ---------------------------------------------------------------

  // Power comes back after a cut: only what reached the disk is there, and
  // files that were open answer with an error for ever.
  void Crash(uint64_t seed);

  // The power fails at the step after `steps` more: that one may or may not
  // reach the disk, and from then on everything fails until Crash().
  void PowerOffAfter(uint64_t steps);

  // Steps (changes and syncs) so far.
  uint64_t steps() const;

  // The `nth` sync from now on (1 = the next one, of a file or a directory) fails.
  void FailSync(uint64_t nth);

  // Bytes that all files together may have; a write beyond fits in part and
  // fails with ResourceExhausted. Writes inside of a file always fit.
  void SetCapacity(uint64_t bytes);

  void SetHook(Hook hook);

  // Rot: changes one byte on disk and in the cache. REQUIRES: it exists.
  void FlipByte(const std::string& path, uint64_t offset, uint8_t mask);

  // A copy of everything but open files, faults and the hook.
  std::unique_ptr<MemoryFileSystem> Clone() const;

 private:
  class OpenFile;
  friend class OpenFile;

  struct Inode;
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  // A change of a directory that is not on the disk yet.
  struct NameChange {
    std::string directory;
    std::string removed;  // Empty: nothing.
    std::string added;    // Empty: nothing.
    std::shared_ptr<Inode> inode;
  };

  // Counts a step; an error if the power is off. The step that meets the cut
  // happens (except a sync) and sets `*is_cut`.
  absl::Status Begin(bool* is_cut) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CallHook(const Step& step) ABSL_LOCKS_EXCLUDED(mu_);
  bool TakeSyncFailure() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Record(NameChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void ApplyChange(const NameChange& change, Names* names);
  absl::Status MakeDirectory(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t UsedBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Status Write(Inode* inode, uint64_t offset, absl::Span<const absl::string_view> parts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Resize(Inode* inode, uint64_t size);
  static void MarkDirty(Inode* inode, uint64_t sector);
  void SyncInode(Inode* inode, bool fails) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void CutPower(Inode* inode, int mode, std::mt19937_64* random);

  mutable Mutex mu_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
  Names names_ ABSL_GUARDED_BY(mu_);          // As the cache shows them.
  Names durable_names_ ABSL_GUARDED_BY(mu_);  // As the disk has them.
  std::vector<NameChange> unsynced_ ABSL_GUARDED_BY(mu_);
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;  // Power cuts so far.
  uint64_t steps_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t power_off_at_ ABSL_GUARDED_BY(mu_) = ~uint64_t{0};
  uint64_t fail_sync_in_ ABSL_GUARDED_BY(mu_) = 0;  // 0: never.
  uint64_t capacity_ ABSL_GUARDED_BY(mu_) = uint64_t{1} << 50;

  Mutex hook_mu_;  // Held while the hook runs; taken before mu_.
  Hook hook_ ABSL_GUARDED_BY(hook_mu_);
};

}  // namespace totora

#endif  // TOTORA_COMMON_MEMORY_FILE_SYSTEM_H_
