// The cut itself, without a broker: if it spared what was never synced, the
// power cut test would prove nothing.
#include "tests/integration/loop_volume.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/integration/crash_run.h"

namespace totora::integration {
namespace {

TEST(LoopVolume, ACutSparesWhatWasSyncedAndNothingElse) {
  const absl::Status mounts = EnterPrivateMounts();
  if (!mounts.ok()) GTEST_SKIP() << "SKIPPED, nothing was tested: " << mounts;
  const absl::StatusOr<std::string> directory = MakeTemporaryDirectory("totora-loop");
  ASSERT_TRUE(directory.ok()) << directory.status();
  const std::string at = *directory + "/volume";
  auto volume = LoopVolume::Create(*directory + "/image", at, 64 << 20);
  if (!volume.ok()) GTEST_SKIP() << "SKIPPED, nothing was tested: " << volume.status();
  const auto write = [&at](const char* name, bool is_synced) {
    const int fd = open((at + "/" + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::write(fd, "12345678", 8), 8);
    if (is_synced) {
      ASSERT_EQ(fsync(fd), 0);
    }
    close(fd);
  };
  write("synced", true);
  write("forgotten", false);

  ASSERT_TRUE((*volume)->Cut().ok());
  EXPECT_LT(open((at + "/late").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), 0);
  ASSERT_TRUE((*volume)->MountAgain().ok());

  EXPECT_EQ(std::filesystem::file_size(at + "/synced"), 8u);
  EXPECT_FALSE(std::filesystem::exists(at + "/forgotten"));
  volume->reset();
  std::filesystem::remove_all(*directory);
}

}  // namespace
}  // namespace totora::integration
