#include "raft/log/segmented_log.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "raft/log/log_test_support.h"

namespace totora::raft {
namespace {

// One replica's log, and what was put into it.
class LogTest : public testing::Test {
 protected:
  void Open() {
    log_.reset();
    absl::StatusOr<RecoveredLog> opened = OpenLog(&fs_, &background_, options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    terms_ = opened->terms;
    cut_bytes_ = opened->cut_bytes;
    log_ = std::move(opened->log);
  }

  // Appends one frame for each spec, in one call.
  absl::Status Append(const std::vector<FrameSpec>& specs) {
    std::vector<Frame> frames;
    FrameHeader previous = log_->last();
    for (const FrameSpec& spec : specs) {
      frames.push_back(NextFrame(previous, spec));
      previous = frames.back().header;
    }
    const absl::Status status = log_->Append(frames);
    if (status.ok()) history_.insert(history_.end(), frames.begin(), frames.end());
    return status;
  }
  void Put(const std::vector<FrameSpec>& specs) {
    ASSERT_TRUE(Append(specs).ok());
    ASSERT_TRUE(log_->Sync().ok());
  }
  void Truncate(uint64_t last_kept) {
    ASSERT_TRUE(log_->TruncateAfter(LogIndex(last_kept)).ok());
    history_.resize(last_kept);
  }

  // The log holds the history, by frames and by bytes.
  void ExpectHistory() {
    ASSERT_EQ(log_->last().index.value(), history_.size());
    if (history_.empty()) return;
    EXPECT_EQ(log_->last(), history_.back().header);
    const absl::StatusOr<std::vector<Frame>> frames =
        log_->ReadFrames(LogIndex(1), LogIndex(history_.size()), ~uint64_t{0});
    ASSERT_TRUE(frames.ok()) << frames.status();
    ASSERT_EQ(frames->size(), history_.size());
    for (size_t i = 0; i < history_.size(); ++i) {
      EXPECT_TRUE(SameFrame((*frames)[i], history_[i])) << i;
      const FrameHeader& header = history_[i].header;
      const absl::StatusOr<std::string> body =
          log_->Read(header.body_position(), header.body_bytes);
      ASSERT_TRUE(body.ok()) << body.status();
      EXPECT_EQ(*body, history_[i].body.view());
    }
  }

  MemoryFileSystem fs_;
  QueueExecutor background_;
  LogOptions options_ = SmallLog();
  std::unique_ptr<LogStore> log_;
  std::vector<TermStart> terms_;
  uint64_t cut_bytes_ = 0;
  std::vector<Frame> history_;
};

TEST_F(LogTest, AnEmptyLogOpensEmpty) {
  Open();
  Open();

  EXPECT_EQ(log_->last(), FrameHeader());
  EXPECT_EQ(log_->segment_used_bytes(), 0u);
  EXPECT_EQ(log_->Read(BytePosition(0), 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(log_->ReadFrames(LogIndex(1), LogIndex(1), 1).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(LogTest, FramesComeBackFromMemoryAndFromDisk) {
  Open();
  Put({{1, ""}, {1, "alpha"}, {1, std::string(70000, 'b')}});
  Put({{2, "charlie"}});
  ExpectHistory();

  Open();

  ExpectHistory();
  EXPECT_EQ(terms_, (std::vector<TermStart>{{Term(1), LogIndex(1)}, {Term(2), LogIndex(4)}}));
  EXPECT_EQ(cut_bytes_, 0u);
}

TEST_F(LogTest, ASegmentRollsWhereTheLeaderRolled) {
  Open();
  Put({{1, "a"}, {1, "b"}, {1, "c", true}, {1, "d"}});
  Put({{1, "e", true}});

  EXPECT_EQ(log_->segment_used_bytes(), 65u);
  EXPECT_TRUE(fs_.Exists("/data/log/00000000000000000001.seg"));
  EXPECT_TRUE(fs_.Exists("/data/log/00000000000000000003.seg"));
  EXPECT_TRUE(fs_.Exists("/data/log/00000000000000000005.seg"));
  ExpectHistory();
  Open();
  ExpectHistory();
  EXPECT_EQ(log_->segment_used_bytes(), 65u);
}

TEST_F(LogTest, BytesAreReadAcrossFramesAndSegmentsButNeverBeyondTheEnd) {
  options_.tail_cache_bytes = 0;
  Open();
  Put({{1, "abc"}, {1, "def", true}, {1, "ghi", true}});
  const uint64_t end = log_->last().end().value();

  const absl::StatusOr<std::string> all = log_->Read(BytePosition(0), end);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->substr(64, 3), "abc");
  EXPECT_EQ(all->substr(67 + 64, 3), "def");
  EXPECT_EQ(all->substr(2 * 67 + 64, 3), "ghi");
  EXPECT_TRUE(log_->Read(BytePosition(end), 0).ok());
  for (const auto& [at, size] : std::vector<std::pair<uint64_t, size_t>>{
           {end, 1}, {end - 1, 2}, {0, end + 1}, {~uint64_t{0}, 1}, {~uint64_t{0} - 1, 64}}) {
    EXPECT_EQ(log_->Read(BytePosition(at), size).status().code(), absl::StatusCode::kNotFound);
  }
  EXPECT_FALSE(log_->Read(BytePosition(0), ~size_t{0}).ok());
}

TEST_F(LogTest, FramesAreReadUpToABudgetButAtLeastOne) {
  for (uint64_t cache : {0, 1 << 20}) {
    options_.tail_cache_bytes = cache;
    history_.clear();
    options_.directory = absl::StrCat("/data/log", cache);
    Open();
    Put({{1, "aaaa"}, {1, "bbbb"}, {1, "cccc", true}, {1, "dddd"}});

    EXPECT_EQ(log_->ReadFrames(LogIndex(2), LogIndex(4), 0)->size(), 1u);
    EXPECT_EQ(log_->ReadFrames(LogIndex(2), LogIndex(4), 2 * 68)->size(), 2u);
    EXPECT_EQ(log_->ReadFrames(LogIndex(2), LogIndex(4), 2 * 68 - 1)->size(), 1u);
    EXPECT_EQ(log_->ReadFrames(LogIndex(2), LogIndex(3), 1000)->size(), 2u);
    EXPECT_EQ(log_->ReadFrames(LogIndex(2), LogIndex(99), 1000)->size(), 3u);
    EXPECT_FALSE(log_->ReadFrames(LogIndex(5), LogIndex(9), 1000).ok());
    EXPECT_FALSE(log_->ReadFrames(LogIndex(0), LogIndex(9), 1000).ok());
    EXPECT_FALSE(log_->ReadFrames(LogIndex(3), LogIndex(2), 1000).ok());
  }
}

TEST_F(LogTest, ASmallCacheHandsOverToTheDisk) {
  options_.tail_cache_bytes = 2000;
  Open();
  for (int i = 0; i < 300; ++i) Put({{1, std::string(i % 90, 'x'), i % 50 == 0}});
  ExpectHistory();
}

TEST_F(LogTest, FramesThatDoNotContinueAreRefused) {
  Open();
  Put({{5, "a"}});
  const Frame good = NextFrame(log_->last(), {5, "b"});
  std::vector<Frame> bad(5, good);
  bad[0].header.index = LogIndex(3);
  bad[1].header.term = Term(4);
  bad[2].header.start = BytePosition(1);
  bad[3].header.chain_crc ^= 1;
  bad[4].body = SharedBytes("bb");

  for (const Frame& frame : bad) {
    EXPECT_EQ(log_->Append({frame}).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(log_->Append({good}).ok());
}

TEST_F(LogTest, ATruncatedTailIsGoneAndAnotherTakesItsPlace) {
  Open();
  Put({{1, "a"}, {1, "b"}, {1, "c", true}, {1, "d", true}});

  Truncate(2);
  ExpectHistory();
  EXPECT_FALSE(fs_.Exists("/data/log/00000000000000000003.seg"));
  EXPECT_FALSE(log_->Read(history_[1].header.end(), 1).ok());
  Open();
  ExpectHistory();
  Put({{2, "B"}, {2, "C", true}});
  ExpectHistory();
  Open();
  ExpectHistory();
}

TEST_F(LogTest, TruncationGoesToTheFrontAndToWhereNothingChanges) {
  Open();
  Put({{1, "a"}, {1, "b"}, {1, "c", true}});

  Truncate(3);
  ExpectHistory();
  Truncate(1);
  ExpectHistory();
  Truncate(0);
  ExpectHistory();
  EXPECT_EQ(log_->TruncateAfter(LogIndex(1)).code(), absl::StatusCode::kInvalidArgument);
  Put({{3, "x"}, {3, "y"}});
  Open();
  ExpectHistory();
}

TEST_F(LogTest, AFullDiskAddsNothingAndTheSameFramesFitLater) {
  Open();
  Put({{1, "a"}, {1, "b"}});
  ASSERT_TRUE(Append({{1, "open group"}}).ok());
  const uint64_t used = (uint64_t{1} << 50) - *fs_.FreeBytes("/");

  for (uint64_t room = 0; room < 587; room += 7) {
    SCOPED_TRACE(room);
    fs_.SetCapacity(used + room);
    const absl::Status status =
        Append({{1, std::string(200, 'x')}, {1, "y", true}, {1, "z"}, {1, "w", true}});
    ASSERT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    ExpectHistory();
    EXPECT_EQ(*fs_.FreeBytes("/"), room);
  }

  fs_.SetCapacity(used + 587);
  Put({{1, std::string(200, 'x')}, {1, "y", true}, {1, "z"}, {1, "w", true}});
  ExpectHistory();
  Open();
  ExpectHistory();
}

TEST_F(LogTest, AFullDiskStillTruncatesAndMarks) {
  Open();
  Put({{1, "a"}, {1, "b"}, {1, "c", true}});
  fs_.SetCapacity(0);

  EXPECT_TRUE(log_->WriteClosingMark().ok());
  Truncate(1);
  ExpectHistory();
  Open();
  ExpectHistory();
}

TEST_F(LogTest, AfterAFailedSyncNothingSucceedsAgain) {
  Open();
  Put({{1, "a"}});
  ASSERT_TRUE(Append({{1, "b"}}).ok());
  fs_.FailSync(1);

  const absl::Status failed = log_->Sync();
  EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(log_->Sync(), failed);
  EXPECT_EQ(Append({{1, "c"}}), failed);
  EXPECT_EQ(log_->TruncateAfter(LogIndex(1)), failed);
  EXPECT_EQ(log_->WriteClosingMark(), failed);
}

TEST_F(LogTest, ASparePreparedInTheBackgroundBecomesTheNextSegment) {
  options_.prepare_segments = true;
  options_.segment_bytes = 10 << 20;
  Open();
  Put({{1, "a"}});  // Nothing is ready yet: the file grows.
  background_.RunAll();
  ASSERT_TRUE(fs_.Exists("/data/log/next.seg.tmp"));

  Put({{1, "b", true}});

  EXPECT_FALSE(fs_.Exists("/data/log/next.seg.tmp"));
  std::unique_ptr<File> segment = *fs_.Open("/data/log/00000000000000000002.seg", OpenMode::kRead);
  EXPECT_EQ(*segment->Size(), (10u << 20) + 64);
  ExpectHistory();
  background_.RunAll();
  EXPECT_TRUE(fs_.Exists("/data/log/next.seg.tmp"));
  Open();
  ExpectHistory();
}

// What was prepared need not be in the page cache, and the kernel would read a page
// that is written in part from the disk first.
TEST_F(LogTest, InAPreparedSegmentEveryWriteEndsWithAPage) {
  options_.prepare_segments = true;
  options_.segment_bytes = 64 << 10;
  Open();
  background_.RunAll();
  uint64_t at = 0;
  std::vector<uint64_t> ends;
  fs_.SetHook([&](const MemoryFileSystem::Step& step) {
    if (step.kind == MemoryFileSystem::Step::Kind::kWrite) {
      ends.push_back(at + step.bytes);
      at = kSegmentHeaderBytes;  // Behind the header comes the first frame.
    }
    return absl::OkStatus();
  });
  for (const size_t size : {1, 5000, 12'000, 20'000, 20'000}) {
    Put({{1, std::string(size, 'a')}});
    at = log_->segment_used_bytes() + kSegmentHeaderBytes;
  }
  fs_.SetHook(nullptr);

  ASSERT_EQ(ends.size(), 6u);  // A header, too.
  for (const uint64_t end : ends) {
    EXPECT_TRUE(end % 4096 == 0 || end == options_.segment_bytes + kSegmentHeaderBytes) << end;
  }
  ExpectHistory();
  Open();
  ExpectHistory();
}

TEST_F(LogTest, ASpareOfAnEarlierRunIsTakenOver) {
  options_.prepare_segments = true;
  options_.segment_bytes = 10 << 20;
  Open();
  background_.RunAll();
  log_.reset();
  uint64_t written = 0;
  fs_.SetHook([&written](const MemoryFileSystem::Step& step) {
    if (absl::StrContains(step.path, "next.seg")) written += step.bytes;
    return absl::OkStatus();
  });

  Open();
  background_.RunAll();
  EXPECT_EQ(written, 0u);
  Put({{1, "a"}});
  EXPECT_FALSE(fs_.Exists("/data/log/next.seg.tmp"));
  ExpectHistory();
}

TEST_F(LogTest, ADestroyedLogIsNotTouchedByItsBackgroundWork) {
  options_.prepare_segments = true;
  options_.segment_bytes = 10 << 20;
  Open();
  background_.RunOne();
  log_.reset();
  background_.RunAll();

  // Half a spare is no spare.
  Open();
  background_.RunAll();
  Put({{1, "a"}});
  ExpectHistory();
}

TEST_F(LogTest, NoSpareIsPreparedWhereSpaceIsShort) {
  options_.prepare_segments = true;
  options_.segment_bytes = 1 << 20;
  fs_.SetCapacity(3 << 19);
  Open();
  background_.RunAll();

  EXPECT_FALSE(fs_.Exists("/data/log/next.seg.tmp"));
  Put({{1, "a"}});
  ExpectHistory();
}

}  // namespace
}  // namespace totora::raft
