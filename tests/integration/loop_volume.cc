#include "tests/integration/loop_volume.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status.h"
#include "tests/integration/command.h"

namespace totora::integration {
namespace {

// linux/fs.h and fs/ext4/ext4.h: FS_IOC_SHUTDOWN = EXT4_IOC_SHUTDOWN.
constexpr unsigned long kShutdown = _IOR('X', 125, uint32_t);
constexpr uint32_t kWithoutLogFlush = 2;
static_assert(kShutdown == 0x8004587d);

constexpr absl::Duration kToolTimeout = absl::Seconds(60);
constexpr absl::Duration kBusyTimeout = absl::Seconds(15);

}  // namespace

absl::Status EnterPrivateMounts() {
  if (geteuid() != 0) return absl::PermissionDeniedError("mounting needs root");
  if (unshare(CLONE_NEWNS) != 0) {
    return absl::UnavailableError(ErrnoStatus(errno, "unshare").message());
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return absl::UnavailableError(ErrnoStatus(errno, "making mounts private").message());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LoopVolume>> LoopVolume::Create(const std::string& image,
                                                               const std::string& directory,
                                                               uint64_t bytes) {
  std::unique_ptr<LoopVolume> volume(new LoopVolume(image, directory));
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const int fd = open(image.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, image);
  const int truncated = ftruncate(fd, static_cast<off_t>(bytes));
  close(fd);
  if (truncated != 0) return ErrnoStatus(errno, image);
  TOTORA_RETURN_IF_ERROR(
      RunAndExpectSuccess({"mkfs.ext4", "-q", "-F", "-m", "0", image}, kToolTimeout).status());
  const absl::Status mounted = volume->Mount();
  if (!mounted.ok()) return absl::UnavailableError(mounted.message());
  return volume;
}

LoopVolume::~LoopVolume() {
  // Lazily, if somebody still holds it: the name must go.
  if (is_mounted_ && !Unmount().ok()) umount2(directory_.c_str(), MNT_DETACH);
  unlink(image_.c_str());
}

absl::Status LoopVolume::Mount() {
  TOTORA_RETURN_IF_ERROR(
      RunAndExpectSuccess({"mount", "-t", "ext4", "-o", "loop", image_, directory_}, kToolTimeout)
          .status());
  is_mounted_ = true;
  return absl::OkStatus();
}

absl::Status LoopVolume::Unmount() {
  const absl::Time deadline = absl::Now() + kBusyTimeout;
  while (umount(directory_.c_str()) != 0) {
    // A process that was killed may take a moment to let go of its files.
    if (errno != EBUSY || absl::Now() > deadline) {
      return ErrnoStatus(errno, absl::StrCat("umount ", directory_));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  is_mounted_ = false;
  return absl::OkStatus();
}

absl::Status LoopVolume::Cut() {
  const int fd = open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, directory_);
  uint32_t how = kWithoutLogFlush;
  const int result = ioctl(fd, kShutdown, &how);
  const int error = errno;
  close(fd);
  if (result != 0) return ErrnoStatus(error, absl::StrCat("shutdown of ", directory_));
  return absl::OkStatus();
}

absl::Status LoopVolume::MountAgain() {
  TOTORA_RETURN_IF_ERROR(Unmount());
  return Mount();
}

}  // namespace totora::integration
