// A file system of its own in a file, whose power can be cut: what was not
// synced when that happened is gone after the next mount.
#ifndef TOTORA_TESTS_INTEGRATION_LOOP_VOLUME_H_
#define TOTORA_TESTS_INTEGRATION_LOOP_VOLUME_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace totora::integration {

// Gives this process a mount namespace of its own, so that no mount of a test
// outlives it. Errors: PermissionDenied (not root), Unavailable (the kernel refuses).
absl::Status EnterPrivateMounts();

// Thread safety: none.
class LoopVolume {
 public:
  // Makes a sparse file `image` with an empty ext4 and mounts it at `directory`,
  // which is created.
  // Errors: Unavailable if this machine lets us mount none.
  static absl::StatusOr<std::unique_ptr<LoopVolume>> Create(const std::string& image,
                                                            const std::string& directory,
                                                            uint64_t bytes);

  // Unmounts, and removes the file.
  ~LoopVolume();

  // Cuts the power: from now on every access fails, and neither data nor
  // journal that is not on the image yet will get there (ext4's shutdown
  // ioctl without log flush).
  absl::Status Cut();

  // What the next boot does. REQUIRES: nobody has a file open on it.
  absl::Status MountAgain();

 private:
  LoopVolume(std::string image, std::string directory)
      : image_(std::move(image)), directory_(std::move(directory)) {}
  absl::Status Mount();
  absl::Status Unmount();

  const std::string image_;
  const std::string directory_;
  bool is_mounted_ = false;
};

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_LOOP_VOLUME_H_
