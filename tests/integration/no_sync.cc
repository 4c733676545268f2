// Preloaded into a broker, this makes every sync a lie: what the power cut test
// must notice, or it proves nothing.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>

// The C library's own declarations carry attributes that must be repeated.
#pragma GCC diagnostic ignored "-Wattributes"

namespace {

constexpr int kSyncFlags = O_DSYNC | O_SYNC;

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int fsync(int) { return 0; }
int fdatasync(int) { return 0; }
int msync(void*, size_t, int) { return 0; }
int syncfs(int) noexcept { return 0; }
int sync_file_range(int, off64_t, off64_t, unsigned int) { return 0; }

ssize_t pwritev2(int fd, const struct iovec* parts, int count, off_t at, int flags) {
  static const auto next = Next<ssize_t (*)(int, const struct iovec*, int, off_t, int)>("pwritev2");
  return next(fd, parts, count, at, flags & ~(RWF_DSYNC | RWF_SYNC));
}

ssize_t pwritev64v2(int fd, const struct iovec* parts, int count, off64_t at, int flags) {
  static const auto next =
      Next<ssize_t (*)(int, const struct iovec*, int, off64_t, int)>("pwritev64v2");
  return next(fd, parts, count, at, flags & ~(RWF_DSYNC | RWF_SYNC));
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  static const auto next = Next<int (*)(const char*, int, ...)>("open");
  return next(path, flags & ~kSyncFlags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  static const auto next = Next<int (*)(const char*, int, ...)>("open64");
  return next(path, flags & ~kSyncFlags, mode);
}

}  // extern "C"
