#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace totora {
namespace {

// What a direct write has to be aligned to, on every disk we know.
constexpr uint64_t kDirectBlock = 4096;
constexpr uint64_t kDirectMin = 64 << 10;
alignas(kDirectBlock) constexpr char kZeros[1 << 20] = {};

class PosixFile : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { close(fd_); }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = pread(fd_, to + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, absl::StrCat("read ", path_));
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> parts) override {
    std::vector<iovec> vecs;
    vecs.reserve(parts.size());
    for (absl::string_view part : parts) {
      if (!part.empty()) vecs.push_back({const_cast<char*>(part.data()), part.size()});
    }
    size_t at = 0;
    while (at < vecs.size()) {
      const int count = static_cast<int>(std::min<size_t>(vecs.size() - at, IOV_MAX));
      const ssize_t n = pwritev(fd_, &vecs[at], count, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, absl::StrCat("write ", path_));
      offset += static_cast<uint64_t>(n);
      Advance(&vecs, &at, static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status WriteZeros(uint64_t offset, uint64_t size) override {
    if (size < kDirectMin) return File::WriteZeros(offset, size);
    const uint64_t head = -offset % kDirectBlock;
    TOTORA_RETURN_IF_ERROR(File::WriteZeros(offset, head));
    offset += head;
    size -= head;
    const uint64_t done = WriteZerosDirectly(offset, size - size % kDirectBlock);
    return File::WriteZeros(offset + done, size - done);
  }

  absl::Status Sync() override {
    if (fdatasync(fd_) != 0) return ErrnoStatus(errno, absl::StrCat("fdatasync ", path_));
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    if (ftruncate(fd_, static_cast<off_t>(size)) != 0) {
      return ErrnoStatus(errno, absl::StrCat("truncate ", path_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat st {};
    if (fstat(fd_, &st) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path_));
    return static_cast<uint64_t>(st.st_size);
  }

 private:
  // How many of `size` zeros it could write around the page cache; the cause why
  // it stopped shows again where the rest is written.
  uint64_t WriteZerosDirectly(uint64_t offset, uint64_t size) const {
    // A descriptor of its own: O_DIRECT would bind everybody who reads by ours.
    const std::string self = absl::StrCat("/proc/self/fd/", fd_);
    const int fd = open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0) return 0;
    uint64_t done = 0;
    while (done < size) {
      const ssize_t n = pwrite(fd, kZeros, std::min<uint64_t>(size - done, sizeof(kZeros)),
                               static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0 || n % kDirectBlock != 0) break;
      done += static_cast<uint64_t>(n);
    }
    close(fd);
    return done;
  }

  // Drops the first `written` bytes from the vectors that begin at `*at`.
  static void Advance(std::vector<iovec>* vecs, size_t* at, size_t written) {
    while (written > 0) {
      iovec& vec = (*vecs)[*at];
      const size_t part = std::min(written, vec.iov_len);
      vec.iov_base = static_cast<char*>(vec.iov_base) + part;
      vec.iov_len -= part;
      written -= part;
      if (vec.iov_len == 0) ++*at;
    }
  }

  const int fd_;
  const std::string path_;
};

class PosixFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case OpenMode::kRead:
        flags |= O_RDONLY;
        break;
      case OpenMode::kWrite:
        flags |= O_RDWR;
        break;
      case OpenMode::kCreate:
        flags |= O_RDWR | O_CREAT;
        break;
      case OpenMode::kExclusive:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
    }
    const int fd = open(path.c_str(), flags, 0640);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
    return std::make_unique<PosixFile>(fd, path);
  }

  absl::Status CreateDirectory(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return ErrnoStatus(error.value(), absl::StrCat("mkdir ", path));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator it(path, error);
    if (error) return ErrnoStatus(error.value(), absl::StrCat("list ", path));
    while (it != std::filesystem::directory_iterator()) {
      names.push_back(it->path().filename().string());
      it.increment(error);
      if (error) return ErrnoStatus(error.value(), absl::StrCat("list ", path));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("remove ", path));
    return absl::OkStatus();
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("rename ", from, " to ", to));
    }
    return absl::OkStatus();
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
    const int result = fsync(fd);
    const int error = errno;
    close(fd);
    if (result != 0) return ErrnoStatus(error, absl::StrCat("sync ", path));
    return absl::OkStatus();
  }

  bool Exists(const std::string& path) override { return access(path.c_str(), F_OK) == 0; }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs st {};
    if (statvfs(path.c_str(), &st) != 0) return ErrnoStatus(errno, absl::StrCat("statvfs ", path));
    return static_cast<uint64_t>(st.f_bavail) * st.f_frsize;
  }
};

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::Status File::WriteZeros(uint64_t offset, uint64_t size) {
  while (size > 0) {
    const uint64_t part = std::min<uint64_t>(size, sizeof(kZeros));
    TOTORA_RETURN_IF_ERROR(WriteAt(offset, {absl::string_view(kZeros, part)}));
    offset += part;
    size -= part;
  }
  return absl::OkStatus();
}

FileSystem* FileSystem::Posix() {
  static PosixFileSystem fs;
  return &fs;
}

absl::StatusOr<std::string> ReadWholeFile(FileSystem* fs, const std::string& path, size_t limit) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(path, OpenMode::kRead));
  TOTORA_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > limit) {
    return absl::ResourceExhaustedError(absl::StrCat(path, " has ", size, " bytes, limit ", limit));
  }
  std::string content(size, '\0');
  TOTORA_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, content.size(), content.data()));
  content.resize(got);
  return content;
}

absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path,
                                 absl::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(temporary, OpenMode::kCreate));
    TOTORA_RETURN_IF_ERROR(file->Truncate(0));
    TOTORA_RETURN_IF_ERROR(file->WriteAt(0, {content}));
    TOTORA_RETURN_IF_ERROR(file->Sync());
  }
  TOTORA_RETURN_IF_ERROR(fs->Rename(temporary, path));
  return fs->SyncDirectory(ParentOf(path));
}

}  // namespace totora
