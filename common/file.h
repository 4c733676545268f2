// The disk, injected: the seam through which the log, the votes and the
// configuration reach it, and through which tests lose, tear and refuse writes.
//
// Nothing written is durable before File::Sync; no file that was created,
// renamed or removed is so durably before FileSystem::SyncDirectory.
#ifndef TOTORA_COMMON_FILE_H_
#define TOTORA_COMMON_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace totora {

// One open file.
//
// Thread safety: ReadAt may run at the same time as any method, also as
// another ReadAt; the others are for one thread at a time.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `size` bytes at `offset` into `to`; fewer only at the end of
  // the file. Returns how many.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const = 0;

  // Writes `parts` one after the other from `offset` on; grows the file.
  // Errors: ResourceExhausted if the disk is full (the range is then
  //   undefined, but nothing outside of it changed); Internal if the device failed.
  virtual absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> parts) = 0;

  // Writes `size` zeros at `offset`; grows the file. What is large goes around the
  // page cache where the file system allows it: those zeros are not read soon, and
  // copying them into the cache costs as much as a message's own way to the disk.
  // Not atomic, errors as WriteAt.
  virtual absl::Status WriteZeros(uint64_t offset, uint64_t size);

  // Makes the file's bytes and its size durable (fdatasync).
  // After an error what was written since the last OK may be lost even if a
  // later Sync says OK: never retry, give up the file.
  virtual absl::Status Sync() = 0;

  virtual absl::Status Truncate(uint64_t size) = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
};

enum class OpenMode {
  kRead,      // Must exist.
  kWrite,     // Must exist; read and write.
  kCreate,    // Created empty if it does not exist; read and write.
  kExclusive  // Must not exist; read and write.
};

// Paths are plain strings with '/'.
//
// Thread safety: every method may be called from any thread.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // Creates the directory and its missing parents. OK if it exists.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Names, not paths, of the entries in `path`, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Replaces `to` if it exists.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
  // Bytes that the file system under `path` still has for us.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& path) = 0;

  // The machine's. Lives for ever.
  static FileSystem* Posix();
};

// The whole content of `path`; ResourceExhausted if it is larger than `limit`.
absl::StatusOr<std::string> ReadWholeFile(FileSystem* fs, const std::string& path,
                                          size_t limit = 64 << 20);

// Puts `content` at `path` so that after a crash either the old or the new
// content is there, whole: temporary file, sync, rename, sync of the directory.
absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path,
                                 absl::string_view content);

}  // namespace totora

#endif  // TOTORA_COMMON_FILE_H_
