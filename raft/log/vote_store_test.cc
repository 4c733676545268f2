#include "raft/log/vote_store.h"

#include <gtest/gtest.h>

#include "common/memory_file_system.h"

namespace totora::raft {
namespace {

constexpr char kDirectory[] = "/data";
constexpr char kPath[] = "/data/vote";

HardState Vote(uint64_t term, uint32_t replica) { return {Term(term), ReplicaId(replica)}; }

TEST(Votes, ANewVolumeHasNotVoted) {
  MemoryFileSystem fs;
  const auto votes = OpenVotes(&fs, kDirectory, true);
  ASSERT_TRUE(votes.ok()) << votes.status();
  EXPECT_EQ((*votes)->recovered(), HardState());
}

TEST(Votes, TheLastVoteComesBack) {
  MemoryFileSystem fs;
  {
    auto votes = *OpenVotes(&fs, kDirectory, true);
    ASSERT_TRUE(votes->Save(Vote(3, 1)).ok());
    ASSERT_TRUE(votes->Save(Vote(4, 2)).ok());
  }
  EXPECT_EQ((*OpenVotes(&fs, kDirectory, false))->recovered(), Vote(4, 2));
}

TEST(Votes, AnEmptiedVolumeNeverVotes) {
  MemoryFileSystem fs;
  EXPECT_EQ(OpenVotes(&fs, kDirectory, false).status().code(), absl::StatusCode::kDataLoss);
}

TEST(Votes, OneRottenByteIsNoHarmAndTwoCopiesAreDataLoss) {
  MemoryFileSystem fs;
  ASSERT_TRUE((*OpenVotes(&fs, kDirectory, true))->Save(Vote(7, 3)).ok());
  for (uint64_t offset = 0; offset < 8192; ++offset) {
    SCOPED_TRACE(offset);
    const std::unique_ptr<MemoryFileSystem> copy = fs.Clone();
    copy->FlipByte(kPath, offset, 0x40);
    const auto votes = OpenVotes(copy.get(), kDirectory, false);
    ASSERT_TRUE(votes.ok()) << votes.status();
    ASSERT_EQ((*votes)->recovered(), Vote(7, 3));
  }
  fs.FlipByte(kPath, 9, 1);
  fs.FlipByte(kPath, 4096 + 20, 1);
  EXPECT_EQ(OpenVotes(&fs, kDirectory, false).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(OpenVotes(&fs, kDirectory, true).status().code(), absl::StatusCode::kDataLoss);
}

// A vote that was not answered for may be lost or kept; an answered one is kept,
// and what a restart has shown is kept, too.
TEST(Votes, APowerCutAtAnyStepLosesNoSavedVote) {
  for (uint64_t step = 0; step < 24; ++step) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      SCOPED_TRACE(testing::Message() << "step " << step << " seed " << seed);
      MemoryFileSystem fs(seed);
      uint64_t saved = 0;
      fs.PowerOffAfter(step);
      auto votes = OpenVotes(&fs, kDirectory, true);
      for (uint64_t term = 1; votes.ok() && term <= 3; ++term) {
        if (!(*votes)->Save(Vote(term, 1)).ok()) break;
        saved = term;
      }
      const bool was_open = votes.ok();
      fs.Crash(seed);

      fs.PowerOffAfter(seed % 7);
      (void)OpenVotes(&fs, kDirectory, !was_open);
      fs.Crash(seed + 1);
      auto again = OpenVotes(&fs, kDirectory, !was_open);
      ASSERT_TRUE(again.ok()) << again.status();
      const HardState shown = (*again)->recovered();
      EXPECT_GE(shown.term.value(), saved);
      EXPECT_LE(shown.term.value(), saved + 1);
      fs.Crash(seed + 2);
      EXPECT_EQ((*OpenVotes(&fs, kDirectory, false))->recovered(), shown);
    }
  }
}

// The page cache shows the vote of a failed sync, the disk may not have it.
TEST(Votes, WhatARestartShowsSurvivesThePowerCutAfterIt) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    for (uint64_t nth = 1; nth <= 2; ++nth) {
      MemoryFileSystem fs(seed);
      {
        auto votes = *OpenVotes(&fs, kDirectory, true);
        ASSERT_TRUE(votes->Save(Vote(1, 1)).ok());
        fs.FailSync(nth);
        EXPECT_FALSE(votes->Save(Vote(2, 2)).ok());
        EXPECT_FALSE(votes->Save(Vote(3, 3)).ok());
      }
      const HardState shown = (*OpenVotes(&fs, kDirectory, false))->recovered();
      fs.Crash(seed);
      EXPECT_EQ((*OpenVotes(&fs, kDirectory, false))->recovered(), shown);
    }
  }
}

TEST(Votes, TheBytesOnDiskAreThoseOfTheFormatPage) {
  MemoryFileSystem fs;
  ASSERT_TRUE((*OpenVotes(&fs, kDirectory, true))->Save(Vote(0x0102, 3)).ok());
  const std::string bytes = *ReadWholeFile(&fs, kPath);
  ASSERT_EQ(bytes.size(), 8192u);
  EXPECT_EQ(bytes.substr(0, 28), std::string("TtVO"
                                             "\0\1"
                                             "\0\x0c"
                                             "\0\0\0\0\0\0\0\3"
                                             "\0\0\0\0\0\0\1\2"
                                             "\0\0\0\3",
                                             28));
  EXPECT_EQ(bytes.substr(0, 4096), bytes.substr(4096));
}

}  // namespace
}  // namespace totora::raft
