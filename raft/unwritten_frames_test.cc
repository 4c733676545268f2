#include "raft/unwritten_frames.h"

#include <gtest/gtest.h>

namespace totora::raft {
namespace {

Frame MakeFrame(uint64_t index, uint64_t start, const std::string& body) {
  Frame frame;
  frame.header.index = LogIndex(index);
  frame.header.start = BytePosition(start);
  frame.header.body_bytes = static_cast<uint32_t>(body.size());
  frame.body = SharedBytes(body);
  return frame;
}

class UnwrittenFramesTest : public testing::Test {
 protected:
  UnwrittenFramesTest() {
    frames_.Add(MakeFrame(1, 0, "abcd"));            // Body at 64 to 68.
    frames_.Add(MakeFrame(2, 64 + 4, "efghij"));     // Body at 132 to 138.
  }
  UnwrittenFrames frames_;
};

TEST_F(UnwrittenFramesTest, ReadsInsideABody) {
  EXPECT_EQ(frames_.Read(BytePosition(65), 2), "bc");
  EXPECT_EQ(frames_.Read(BytePosition(132), 6), "efghij");
}

TEST_F(UnwrittenFramesTest, NeverReadsHeadersOrBeyondABody) {
  EXPECT_EQ(frames_.Read(BytePosition(63), 2), std::nullopt);
  EXPECT_EQ(frames_.Read(BytePosition(67), 2), std::nullopt);
  EXPECT_EQ(frames_.Read(BytePosition(138), 1), std::nullopt);
}

TEST_F(UnwrittenFramesTest, WhatTheLogHoldsIsDropped) {
  frames_.DropThrough(LogIndex(1));
  EXPECT_EQ(frames_.Read(BytePosition(64), 1), std::nullopt);
  EXPECT_EQ(frames_.Read(BytePosition(132), 1), "e");
}

TEST_F(UnwrittenFramesTest, WhatWasOverwrittenIsDropped) {
  frames_.CutAfter(LogIndex(1));
  EXPECT_EQ(frames_.Read(BytePosition(64), 1), "a");
  EXPECT_EQ(frames_.Read(BytePosition(132), 1), std::nullopt);
}

TEST_F(UnwrittenFramesTest, CountsTheBytesOfWhatItHolds) {
  EXPECT_EQ(frames_.bytes(), 10u);
  frames_.DropThrough(LogIndex(1));
  EXPECT_EQ(frames_.bytes(), 6u);
  frames_.CutAfter(LogIndex(1));
  EXPECT_EQ(frames_.bytes(), 0u);
}

}  // namespace
}  // namespace totora::raft
