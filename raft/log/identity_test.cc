#include "raft/log/identity.h"

#include <gtest/gtest.h>

#include "common/memory_file_system.h"

namespace totora::raft {
namespace {

constexpr char kDirectory[] = "/data";
constexpr char kPath[] = "/data/identity";
const char kVolume[] = "0123456789abcdef";
const char kOther[] = "fedcba9876543210";

IdentityExpectation Expected() {
  IdentityExpectation expected;
  expected.cluster = "reeds";
  expected.group = GroupId(1);
  expected.group_name = "broker-a";
  expected.replica = ReplicaId(2);
  return expected;
}

std::vector<BoundVoter> Voters() { return {{ReplicaId(1), kOther}, {ReplicaId(2), kVolume}}; }

TEST(IdentityFile, AnEmptyVolumeTakesTheFreshIdAndCountsItsFirstStart) {
  MemoryFileSystem fs;
  const auto identity = OpenIdentity(&fs, kDirectory, Expected(), kVolume);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ((*identity)->volume(), kVolume);
  EXPECT_EQ((*identity)->incarnation(), Incarnation(1));
  EXPECT_TRUE((*identity)->is_new_volume());
  EXPECT_TRUE((*identity)->voters().empty());
}

TEST(IdentityFile, EveryStartCountsAndTheIdStays) {
  MemoryFileSystem fs;
  for (uint64_t start = 1; start <= 5; ++start) {
    const auto identity = OpenIdentity(&fs, kDirectory, Expected(), start == 1 ? kVolume : kOther);
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_EQ((*identity)->incarnation(), Incarnation(start));
    EXPECT_EQ((*identity)->volume(), kVolume);
  }
}

TEST(IdentityFile, VotersAreBoundOnce) {
  MemoryFileSystem fs;
  {
    auto identity = *OpenIdentity(&fs, kDirectory, Expected(), kVolume);
    EXPECT_FALSE(identity->BindVoters({}).ok());
    EXPECT_FALSE(identity->BindVoters({{ReplicaId(1), "short"}}).ok());
    ASSERT_TRUE(identity->BindVoters(Voters()).ok());
    EXPECT_TRUE(identity->BindVoters(Voters()).ok());
    EXPECT_EQ(identity->BindVoters({{ReplicaId(1), kOther}}).code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(identity->is_new_volume());  // As it was opened.
  }
  fs.Crash(1);
  const auto identity = *OpenIdentity(&fs, kDirectory, Expected(), kVolume);
  EXPECT_EQ(identity->voters(), Voters());
  EXPECT_FALSE(identity->is_new_volume());
}

TEST(IdentityFile, AnotherOwnersVolumeIsRefusedByName) {
  MemoryFileSystem fs;
  ASSERT_TRUE(OpenIdentity(&fs, kDirectory, Expected(), kVolume).ok());
  std::vector<IdentityExpectation> others(4, Expected());
  others[0].cluster = "elsewhere";
  others[1].group = GroupId(9);
  others[2].group_name = "broker-b";
  others[3].replica = ReplicaId(3);
  const std::vector<std::string> named = {"elsewhere", "group 1, not 9", "broker-b",
                                          "replica 2, not 3"};
  for (size_t i = 0; i < others.size(); ++i) {
    const absl::Status status = OpenIdentity(&fs, kDirectory, others[i], kVolume).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(status.message().find(named[i]), absl::string_view::npos) << status;
  }
  EXPECT_EQ((*OpenIdentity(&fs, kDirectory, Expected(), kVolume))->incarnation(), Incarnation(2));
}

TEST(IdentityFile, ALogWithoutAnIdentityIsNoEmptyVolume) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.CreateDirectory("/data/log").ok());
  EXPECT_EQ(OpenIdentity(&fs, kDirectory, Expected(), kVolume).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(IdentityFile, OneRottenByteIsNoHarm) {
  MemoryFileSystem fs;
  ASSERT_TRUE((*OpenIdentity(&fs, kDirectory, Expected(), kVolume))->BindVoters(Voters()).ok());
  for (uint64_t offset = 0; offset < 8192; offset += offset % 4096 > 200 ? 97 : 1) {
    SCOPED_TRACE(offset);
    const std::unique_ptr<MemoryFileSystem> copy = fs.Clone();
    copy->FlipByte(kPath, offset, 0x10);
    const auto identity = OpenIdentity(copy.get(), kDirectory, Expected(), kVolume);
    ASSERT_TRUE(identity.ok()) << identity.status();
    ASSERT_EQ((*identity)->incarnation(), Incarnation(2));
    ASSERT_EQ((*identity)->voters(), Voters());
  }
}

// An incarnation that somebody was told of never comes again.
TEST(IdentityFile, APowerCutAtAnyStepRepeatsNoIncarnationAndForgetsNoBinding) {
  for (uint64_t step = 0; step < 20; ++step) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE(testing::Message() << "step " << step << " seed " << seed);
      MemoryFileSystem fs(seed);
      uint64_t told = 0;
      bool is_bound = false;
      for (int life = 0; life < 3; ++life) {
        fs.PowerOffAfter(step + static_cast<uint64_t>(life));
        const auto identity = OpenIdentity(&fs, kDirectory, Expected(), kVolume);
        if (identity.ok()) {
          EXPECT_GT((*identity)->incarnation().value(), told);
          told = (*identity)->incarnation().value();
          if (is_bound) {
            EXPECT_EQ((*identity)->voters(), Voters());
          }
          if ((*identity)->BindVoters(Voters()).ok()) is_bound = true;
        }
        fs.Crash(seed + static_cast<uint64_t>(life));
      }
      const auto identity = OpenIdentity(&fs, kDirectory, Expected(), kVolume);
      ASSERT_TRUE(identity.ok()) << identity.status();
      EXPECT_GT((*identity)->incarnation().value(), told);
      if (is_bound) {
        EXPECT_EQ((*identity)->voters(), Voters());
      }
    }
  }
}

TEST(IdentityFile, StartsOnAFullDisk) {
  MemoryFileSystem fs;
  ASSERT_TRUE(OpenIdentity(&fs, kDirectory, Expected(), kVolume).ok());
  fs.SetCapacity(0);
  const auto identity = OpenIdentity(&fs, kDirectory, Expected(), kVolume);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE((*identity)->BindVoters(Voters()).ok());
}

}  // namespace
}  // namespace totora::raft
