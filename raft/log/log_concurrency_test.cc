// Readers of many threads beside the log thread; ThreadSanitizer watches.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/thread_executor.h"
#include "raft/log/log_test_support.h"

namespace totora::raft {
namespace {

// A body says which frame of which term it belongs to, so that a reader knows a
// mixture of two histories when it sees one.
std::string BodyOf(uint64_t index, uint64_t term) {
  std::string body = absl::StrCat("frame ", index, " term ", term, " ");
  body.resize(50 + (index * 37 + term * 101) % 900, static_cast<char>('a' + (index + term) % 26));
  return body;
}

void CheckFrames(const std::vector<Frame>& frames, LogIndex from) {
  LogIndex expected = from;
  for (size_t i = 0; i < frames.size(); ++i, expected = expected.Next()) {
    const FrameHeader& header = frames[i].header;
    ASSERT_EQ(header.index, expected);
    ASSERT_EQ(frames[i].body.view(), BodyOf(header.index.value(), header.term.value()));
    if (i > 0) {
      ASSERT_EQ(header.start, frames[i - 1].header.end());
      ASSERT_EQ(header.chain_crc, ChainCrc(frames[i - 1].header.chain_crc, header));
    }
  }
}

void ReadAtRandom(const LogStore& log, uint64_t seed, const std::atomic<bool>& is_done,
                  std::atomic<uint64_t>* reads) {
  std::mt19937_64 random(seed);
  while (!is_done && !testing::Test::HasFailure()) {
    const FrameHeader last = log.last();
    if (last.index.value() == 0) continue;
    const LogIndex from(1 + random() % last.index.value());
    const absl::StatusOr<std::vector<Frame>> frames =
        log.ReadFrames(from, last.index, random() % 20000);
    if (frames.ok()) {
      CheckFrames(*frames, from);
      // Between the two reads the frame may have been truncated and another
      // written in its place, but what is read there is of one of them.
      const FrameHeader& header = frames->front().header;
      const absl::StatusOr<std::string> body = log.Read(header.body_position(), header.body_bytes);
      if (!body.ok()) {
        EXPECT_EQ(body.status().code(), absl::StatusCode::kNotFound) << body.status();
      }
    } else {
      EXPECT_EQ(frames.status().code(), absl::StatusCode::kNotFound) << frames.status();
    }
    reads->fetch_add(1);
  }
}

void RunReadersBeside(FileSystem* fs, const std::string& directory, uint64_t cache_bytes) {
  ThreadExecutor background("background");
  LogOptions options;
  options.directory = directory;
  options.segment_bytes = 16 << 10;
  options.tail_cache_bytes = cache_bytes;
  absl::StatusOr<RecoveredLog> opened = OpenLog(fs, &background, options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  LogStore* const log = opened->log.get();
  std::atomic<bool> is_done{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (uint64_t i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] { ReadAtRandom(*log, i, is_done, &reads); });
  }

  std::mt19937_64 random(7);
  uint64_t term = 1;
  for (int round = 0; round < 400 || reads < 300; ++round) {
    FrameHeader previous = log->last();
    std::vector<Frame> frames;
    for (uint64_t n = 1 + random() % 8; n > 0; --n) {
      const bool begins = log->segment_used_bytes() > options.segment_bytes && frames.empty();
      frames.push_back(
          NextFrame(previous, {term, BodyOf(previous.index.value() + 1, term), begins}));
      previous = frames.back().header;
    }
    ASSERT_TRUE(log->Append(frames).ok());
    ASSERT_TRUE(log->Sync().ok());
    if (round % 7 == 0) {
      ++term;
      const uint64_t back = std::min(random() % 30, previous.index.value());
      ASSERT_TRUE(log->TruncateAfter(previous.index.Prev(back)).ok());
    }
    if (testing::Test::HasFailure() || round > 100000) break;
  }
  is_done = true;
  for (std::thread& reader : readers) reader.join();
  opened->log.reset();
  background.Stop();
}

TEST(LogConcurrency, ReadersNeverSeeAMixtureWithACache) {
  MemoryFileSystem fs;
  RunReadersBeside(&fs, "/log", 64 << 10);
}

TEST(LogConcurrency, ReadersNeverSeeAMixtureWithoutACache) {
  MemoryFileSystem fs;
  RunReadersBeside(&fs, "/log", 0);
}

TEST(LogConcurrency, ReadersNeverSeeAMixtureOnARealFileSystem) {
  const std::string directory =
      absl::StrCat(testing::TempDir(), "/totora_log_concurrency_", getpid());
  RunReadersBeside(FileSystem::Posix(), directory, 16 << 10);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace totora::raft
