// A replica whose index (RocksDB) is damaged while it is stopped: it starts all
// the same, and its state becomes that of the others.
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/command.h"
#include "tests/integration/crash_run.h"
#include "tests/integration/manual_cluster.h"

namespace totora::integration {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kTopic[] = "damaged-index";
constexpr absl::Duration kWhole = absl::Seconds(60);
constexpr int kVictim = 3;

std::string Program(const std::string& name) {
  const char* directory = std::getenv("TOTORA_BIN");
  return absl::StrCat(directory == nullptr ? "build/dev/bin" : directory, "/", name);
}

std::string TextOf(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void FlipMiddleByte(const fs::path& path) {
  if (fs::file_size(path) == 0) return;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(fs::file_size(path) / 2);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(at);
  file.put(byte);
}

class DamagedIndex : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = *MakeTemporaryDirectory("totora-damaged-index");
    ClusterOptions options;
    options.totora = Program("totora");
    options.directory = directory_ + "/cluster";
    absl::StatusOr<std::unique_ptr<Cluster>> cluster = ManualCluster::Start(options);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    ExpectWhole();
    ASSERT_TRUE(cluster_->CreateTopic(kTopic, 4).ok());
    Send(500);
    StopVictim();
    Send(100);  // While it is away.
  }
  void TearDown() override {
    cluster_.reset();
    if (!HasFailure()) fs::remove_all(directory_);
  }

  void ExpectWhole() {
    const absl::Status whole = cluster_->WaitUntilWhole(kWhole);
    ASSERT_TRUE(whole.ok()) << whole;
  }
  void Send(int count) {
    const absl::StatusOr<std::string> sent =
        RunAndExpectSuccess({Program("totora"), "send", "--endpoint", cluster_->access_point(),
                             "--topic", kTopic, "--body", "x", "--count", absl::StrCat(count)},
                            kWhole);
    ASSERT_TRUE(sent.ok()) << sent.status();
  }
  // In peace, so that it leaves a checkpoint.
  void StopVictim() {
    const pid_t pid = cluster_->broker(kVictim).pid;
    kill(pid, SIGTERM);
    ASSERT_TRUE(WaitForEnd(pid, absl::Seconds(20)).ok());
  }
  void ExpectTheVictimToBeLikeTheOthers() {
    ASSERT_TRUE(cluster_->Restart({kVictim}).ok());
    ExpectWhole();
    const auto own = cluster_->Scan(kVictim, kTopic);
    const auto others = cluster_->Scan(1, kTopic);
    ASSERT_TRUE(own.ok()) << own.status();
    ASSERT_TRUE(others.ok()) << others.status();
    ASSERT_EQ(others->size(), 600u);
    EXPECT_TRUE(*own == *others) << own->size() << " messages, not the same";
  }
  std::string data() const {
    return ManualCluster::DataDirectory(directory_ + "/cluster", kVictim);
  }
  std::string index() const { return data() + "/index"; }
  std::string log() const {
    return TextOf(ManualCluster::LogFile(directory_ + "/cluster", kVictim));
  }

  std::string directory_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(DamagedIndex, WithFlippedBytesIsSetAsideAndRebuilt) {
  for (const fs::directory_entry& entry : fs::directory_iterator(index())) {
    if (entry.is_regular_file()) FlipMiddleByte(entry.path());
  }

  ExpectTheVictimToBeLikeTheOthers();

  EXPECT_THAT(log(), HasSubstr("set aside"));
  EXPECT_TRUE(fs::exists(index() + ".damaged"));
}

TEST_F(DamagedIndex, WithMissingFilesIsSetAsideAndRebuilt) {
  for (const fs::directory_entry& entry : fs::directory_iterator(index())) {
    const std::string name = entry.path().filename();
    if (absl::StartsWith(name, "MANIFEST") || absl::EndsWith(name, ".sst")) fs::remove(entry);
  }

  ExpectTheVictimToBeLikeTheOthers();

  EXPECT_THAT(log(), HasSubstr("set aside"));
}

TEST_F(DamagedIndex, ThatIsGoneIsRebuilt) {
  fs::remove_all(index());

  ExpectTheVictimToBeLikeTheOthers();
}

TEST_F(DamagedIndex, WithoutTheLogsBeginningIsARefusal) {
  fs::remove_all(index());
  fs::remove(data() + "/log/00000000000000000001.seg");

  const absl::StatusOr<CommandResult> run =
      RunCommand({Program("totora-broker"), "--config",
                  ManualCluster::ConfigFile(directory_ + "/cluster", kVictim)},
                 absl::Seconds(20));

  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->status, 1);
  EXPECT_THAT(run->err, HasSubstr("segment")) << run->err;
}

}  // namespace
}  // namespace totora::integration
