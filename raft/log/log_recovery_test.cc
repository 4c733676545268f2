// Torn or rotten: what recovery makes of every cut and every flipped byte.
#include "raft/log/log_recovery.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "raft/log/log_files.h"
#include "raft/log/log_test_support.h"

namespace totora::raft {
namespace {

constexpr char kFirst[] = "/data/log/00000000000000000001.seg";

class RecoveryTest : public testing::Test {
 protected:
  // Each inner list is one sync group.
  void Write(const std::vector<std::vector<FrameSpec>>& groups) {
    absl::StatusOr<RecoveredLog> opened = OpenLog(&fs_, &background_, options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    for (const std::vector<FrameSpec>& group : groups) {
      std::vector<Frame> frames;
      FrameHeader previous = opened->log->last();
      for (const FrameSpec& spec : group) {
        frames.push_back(NextFrame(previous, spec));
        previous = frames.back().header;
      }
      history_.insert(history_.end(), frames.begin(), frames.end());
      ASSERT_TRUE(opened->log->Append(frames).ok());
      ASSERT_TRUE(opened->log->Sync().ok());
    }
  }
  void Mark() {
    absl::StatusOr<RecoveredLog> opened = OpenLog(&fs_, &background_, options_);
    ASSERT_TRUE(opened.ok()) << opened.status();  // Which writes the mark.
    ASSERT_TRUE(opened->log->WriteClosingMark().ok());
  }
  absl::StatusOr<RecoveredLog> Open(MemoryFileSystem* fs) {
    return OpenLog(fs, &background_, options_);
  }
  absl::StatusOr<RecoveredLog> Open() { return Open(&fs_); }

  uint64_t FileBytes(const std::string& path) {
    return *(*fs_.Open(path, OpenMode::kRead))->Size();
  }
  // What is at the place in the file where frame `index` of the first segment lies.
  uint64_t OffsetOf(uint64_t index) {
    return kSegmentHeaderBytes + history_[index - 1].header.start.value();
  }
  // The log is a prefix of the history, byte for byte; returns how long.
  size_t ExpectPrefix(const LogStore& log) {
    const size_t count = log.last().index.value();
    EXPECT_LE(count, history_.size());
    if (count == 0) return 0;
    const absl::StatusOr<std::vector<Frame>> frames =
        log.ReadFrames(LogIndex(1), LogIndex(count), ~uint64_t{0});
    EXPECT_TRUE(frames.ok()) << frames.status();
    if (!frames.ok() || frames->size() != count) {
      ADD_FAILURE();
      return 0;
    }
    for (size_t i = 0; i < count; ++i) EXPECT_TRUE(SameFrame((*frames)[i], history_[i])) << i;
    return count;
  }

  MemoryFileSystem fs_;
  QueueExecutor background_;
  LogOptions options_ = SmallLog();
  std::vector<Frame> history_;
};

// Groups {1,2} {3} {4,5}: frames 1 to 3 are proven by frame 4, and 4, 5 are not.
class SmallLogRecovery : public RecoveryTest {
 protected:
  void SetUp() override {
    Write({{{1, "alpha"}, {1, "bravo"}}, {{1, "charlie"}}, {{2, "delta"}, {2, "echo"}}});
  }
};

TEST_F(SmallLogRecovery, AFileCutAtAnyByteCostsOnlyUnprovenFrames) {
  const uint64_t size = FileBytes(kFirst);
  for (uint64_t keep = kSegmentHeaderBytes; keep <= size; ++keep) {
    SCOPED_TRACE(keep);
    const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
    ASSERT_TRUE((*fs->Open(kFirst, OpenMode::kWrite))->Truncate(keep).ok());
    const absl::StatusOr<RecoveredLog> opened = Open(fs.get());
    // A file that only became shorter proves nothing of what it lost: what
    // is left is a prefix, and no frame that is whole is lost.
    ASSERT_TRUE(opened.ok()) << opened.status();
    const size_t count = ExpectPrefix(*opened->log);
    const uint64_t end = count == 0 ? 0 : history_[count - 1].header.end().value();
    EXPECT_LE(opened->cut_bytes, keep - kSegmentHeaderBytes - end);
    if (count < history_.size()) {
      EXPECT_GT(kSegmentHeaderBytes + history_[count].header.end().value(), keep);
    }
  }
}

TEST_F(SmallLogRecovery, AFileCutAtAnyByteBehindAClosingMarkIsRefused) {
  Mark();
  const uint64_t size = FileBytes(kFirst);
  for (uint64_t keep = 0; keep < size; ++keep) {
    SCOPED_TRACE(keep);
    const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
    ASSERT_TRUE((*fs->Open(kFirst, OpenMode::kWrite))->Truncate(keep).ok());
    EXPECT_EQ(Open(fs.get()).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST_F(SmallLogRecovery, AFlippedByteIsRefusedWhereProvenAndCutWhereNot) {
  const uint64_t size = FileBytes(kFirst);
  for (uint64_t offset = 0; offset < size; ++offset) {
    for (uint8_t mask : {0x01, 0x80}) {
      SCOPED_TRACE(testing::Message() << "offset " << offset << " mask " << int{mask});
      const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
      fs->FlipByte(kFirst, offset, mask);
      const std::string before = *ReadWholeFile(fs.get(), kFirst);

      const absl::StatusOr<RecoveredLog> opened = Open(fs.get());

      if (offset < OffsetOf(4)) {
        EXPECT_FALSE(opened.ok());
        EXPECT_TRUE(absl::StrContains(opened.status().message(), kFirst)) << opened.status();
        EXPECT_EQ(*ReadWholeFile(fs.get(), kFirst), before);
        continue;
      }
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_EQ(ExpectPrefix(*opened->log), offset < OffsetOf(5) ? 3u : 4u);
      EXPECT_GT(opened->cut_bytes, 0u);
    }
  }
}

TEST_F(SmallLogRecovery, BehindAClosingMarkEveryFlippedByteIsRefused) {
  Mark();
  const uint64_t size = FileBytes(kFirst);
  for (uint64_t offset = 0; offset < size; ++offset) {
    SCOPED_TRACE(offset);
    const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
    fs->FlipByte(kFirst, offset, 0x20);
    EXPECT_FALSE(Open(fs.get()).ok());
  }
}

TEST_F(SmallLogRecovery, ALostSectorBeforeALaterGroupIsRot) {
  const std::string zeros(20, '\0');
  for (uint64_t index : {1, 2, 3}) {
    const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
    ASSERT_TRUE((*fs->Open(kFirst, OpenMode::kWrite))->WriteAt(OffsetOf(index) + 4, {zeros}).ok());
    const absl::Status status = Open(fs.get()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("frame ", index))) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("offset ", OffsetOf(index))))
        << status;
  }
}

// Frame 5 is whole, but of the same group as the torn frame 4: it proves nothing.
TEST_F(SmallLogRecovery, AValidFrameOfTheSameGroupIsNoProof) {
  fs_.FlipByte(kFirst, OffsetOf(4) + 30, 1);

  const absl::StatusOr<RecoveredLog> opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(ExpectPrefix(*opened->log), 3u);

  // And it never comes back: the tail is zero.
  const std::string bytes = *ReadWholeFile(&fs_, kFirst);
  EXPECT_EQ(bytes.find_first_not_of('\0', OffsetOf(4)), std::string::npos);
}

TEST_F(SmallLogRecovery, AfterACutTheLogGoesOn) {
  fs_.FlipByte(kFirst, OffsetOf(5), 1);
  {
    absl::StatusOr<RecoveredLog> opened = Open();
    ASSERT_TRUE(opened.ok());
    history_.resize(4);
    history_.push_back(NextFrame(opened->log->last(), {3, "another echo"}));
    ASSERT_TRUE(opened->log->Append({history_[4]}).ok());
    ASSERT_TRUE(opened->log->Sync().ok());
  }
  fs_.Crash(3);
  const absl::StatusOr<RecoveredLog> again = Open();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ExpectPrefix(*again->log), 5u);
}

TEST_F(SmallLogRecovery, ARottenClosingMarkIsNoHarmTwoAreRefused) {
  Mark();
  for (uint64_t offset = 0; offset < 8192; offset += offset % 4096 > 64 ? 111 : 1) {
    const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
    fs->FlipByte("/data/log/closing", offset, 2);
    const absl::StatusOr<RecoveredLog> opened = Open(fs.get());
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(ExpectPrefix(*opened->log), 5u);
  }
  fs_.FlipByte("/data/log/closing", 10, 2);
  fs_.FlipByte("/data/log/closing", 4096 + 10, 2);
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SmallLogRecovery, GarbageBehindTheEndIsCut) {
  const uint64_t size = FileBytes(kFirst);
  ASSERT_TRUE((*fs_.Open(kFirst, OpenMode::kWrite))->WriteAt(size + 100, {"TtF\2garbage"}).ok());
  const absl::StatusOr<RecoveredLog> opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(ExpectPrefix(*opened->log), 5u);
  EXPECT_EQ(opened->cut_bytes, 111u);
}

TEST_F(SmallLogRecovery, AnotherGroupsLogIsRefused) {
  options_.group_fingerprint = 0x9999;
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SmallLogRecovery, AFileThatLooksLikeASegmentIsRefused) {
  ASSERT_TRUE(fs_.Open("/data/log/backup.seg", OpenMode::kCreate).ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kFailedPrecondition);
}

// An older one, too: its frames would look like the torn end of a log.
TEST_F(SmallLogRecovery, AnotherFormatIsRefusedByName) {
  std::unique_ptr<File> file = *fs_.Open(kFirst, OpenMode::kWrite);
  std::string header = ReadWholeFile(&fs_, kFirst)->substr(0, kSegmentHeaderBytes);
  for (const int version : {kSegmentFormatVersion - 1, kSegmentFormatVersion + 1}) {
    header.resize(60);
    header[5] = static_cast<char>(version);
    AppendU32(&header, Crc32c(header));
    ASSERT_TRUE(file->WriteAt(0, {header}).ok());
    const absl::Status status = Open().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("format version ", version)))
        << status;
  }
}

TEST_F(SmallLogRecovery, ALogWhoseFilesWereRemovedIsRefused) {
  Mark();
  const std::unique_ptr<MemoryFileSystem> no_segments = fs_.Clone();
  ASSERT_TRUE(no_segments->Remove(kFirst).ok());
  EXPECT_EQ(Open(no_segments.get()).status().code(), absl::StatusCode::kDataLoss);

  ASSERT_TRUE(fs_.Remove("/data/log/closing").ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);

  MemoryFileSystem empty;
  options_.is_new_volume = false;
  EXPECT_EQ(Open(&empty).status().code(), absl::StatusCode::kDataLoss);
}

// A page cache shows frames that no disk has, after a failed sync. What recovery
// reports must survive the power cut right after it.
TEST_F(SmallLogRecovery, TheLastUnprovenGroupIsWrittenAgain) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    MemoryFileSystem fs(seed);
    size_t count = 0;
    {
      absl::StatusOr<RecoveredLog> opened = Open(&fs);
      ASSERT_TRUE(opened->log->Append({history_[0]}).ok());
      ASSERT_TRUE(opened->log->Sync().ok());
      ASSERT_TRUE(opened->log->Append(absl::MakeSpan(history_).subspan(1, 4)).ok());
      fs.FailSync(1);
      EXPECT_FALSE(opened->log->Sync().ok());
    }
    {
      absl::StatusOr<RecoveredLog> opened = Open(&fs);
      ASSERT_TRUE(opened.ok()) << opened.status();
      count = ExpectPrefix(*opened->log);
      EXPECT_EQ(count, 5u);
    }
    fs.Crash(seed);
    absl::StatusOr<RecoveredLog> opened = Open(&fs);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(ExpectPrefix(*opened->log), count);
  }
}

// The zeros of a truncation were in the page cache and, after a failed sync, not
// on the disk. A recovery that looked for what is left to zero found nothing,
// and the power cut after it brought the forgotten frame back.
TEST_F(SmallLogRecovery, ATruncatedFrameStaysGoneWhenItsZerosWereLostByAFailedSync) {
  for (uint64_t nth = 1; nth < 10; ++nth) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(absl::StrCat("sync ", nth, " seed ", seed));
      MemoryFileSystem fs(seed);
      {
        absl::StatusOr<RecoveredLog> opened = Open(&fs);
        ASSERT_TRUE(opened->log->Append(history_).ok());
        ASSERT_TRUE(opened->log->Sync().ok());
        fs.FailSync(nth);
        (void)opened->log->TruncateAfter(LogIndex(3));
        fs.FailSync(0);
      }
      size_t count = 0;
      {
        absl::StatusOr<RecoveredLog> opened = Open(&fs);
        ASSERT_TRUE(opened.ok()) << opened.status();
        count = ExpectPrefix(*opened->log);
      }
      fs.Crash(seed);
      absl::StatusOr<RecoveredLog> opened = Open(&fs);
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_EQ(ExpectPrefix(*opened->log), count);
    }
  }
}

TEST_F(RecoveryTest, AMissingSegmentIsRefusedByName) {
  Write({{{1, "a"}}, {{1, "b", true}}, {{1, "c", true}}, {{1, "d", true}}});
  for (uint64_t index : {1, 2, 3}) {
    const std::unique_ptr<MemoryFileSystem> fs = fs_.Clone();
    ASSERT_TRUE(fs->Remove(SegmentPath(options_.directory, LogIndex(index))).ok());
    const absl::Status status = Open(fs.get()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  }
  const absl::StatusOr<RecoveredLog> opened = Open();
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(ExpectPrefix(*opened->log), 4u);
}

TEST_F(RecoveryTest, ASegmentOfAnotherHistoryIsRefused) {
  Write({{{1, "a"}}, {{1, "b", true}}, {{1, "c", true}}});
  MemoryFileSystem other;
  {
    absl::StatusOr<RecoveredLog> opened = Open(&other);
    const Frame a = NextFrame(FrameHeader(), {1, "A"});
    const Frame b = NextFrame(a.header, {1, "b", true});
    ASSERT_TRUE(opened->log->Append({a, b}).ok());
    ASSERT_TRUE(opened->log->Sync().ok());
  }
  const std::string path = SegmentPath(options_.directory, LogIndex(2));
  const std::string stranger = *ReadWholeFile(&other, path);
  ASSERT_TRUE((*fs_.Open(path, OpenMode::kWrite))->WriteAt(0, {stranger}).ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

// One group over two segments: the torn end of the first takes the second along.
TEST_F(RecoveryTest, ATornGroupThatRolledIsCutInBothSegments) {
  Write({{{1, "a"}}, {{1, "b"}, {1, "c", true}}});
  fs_.FlipByte(kFirst, OffsetOf(2) + 3, 1);
  const absl::StatusOr<RecoveredLog> opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(ExpectPrefix(*opened->log), 1u);
  EXPECT_FALSE(fs_.Exists(SegmentPath(options_.directory, LogIndex(3))));
}

// The header of the next segment alone is proof: it was made after the sync.
TEST_F(RecoveryTest, ANewSegmentProvesTheGroupBeforeIt) {
  Write({{{1, "a"}}, {{1, "b"}}, {{1, "c", true}}});
  const std::unique_ptr<File> next =
      *fs_.Open(SegmentPath(options_.directory, LogIndex(3)), OpenMode::kWrite);
  ASSERT_TRUE(next->Truncate(kSegmentHeaderBytes).ok());
  fs_.FlipByte(kFirst, OffsetOf(2) + 3, 1);
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

// A client chooses the bytes of a body, and knows the format.
TEST_F(RecoveryTest, ABodyThatLooksLikeALaterFrameProvesNothing) {
  const Frame first = NextFrame(FrameHeader(), {1, "a"});
  FrameHeader forged;
  forged.index = LogIndex(9);
  forged.term = Term(1);
  forged.start = first.header.end().Next(kFrameHeaderBytes);
  std::string body(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(forged, 9, body.data());
  Write({{{1, "a"}, {1, body}}});

  fs_.FlipByte(kFirst, OffsetOf(2) + 3, 1);
  const absl::StatusOr<RecoveredLog> opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(ExpectPrefix(*opened->log), 1u);
}

TEST_F(RecoveryTest, FramesLargerThanTheReadBufferAreRecovered) {
  Write({{{1, std::string((1 << 20) + 17, 'x')}, {1, std::string(3 << 20, 'y')}}, {{1, "z"}}});
  const absl::StatusOr<RecoveredLog> opened = Open();
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(ExpectPrefix(*opened->log), 3u);
}

}  // namespace
}  // namespace totora::raft
