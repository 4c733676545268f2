#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/crc32c.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"
#include "common/thread_executor.h"
#include "common/types.h"

namespace totora {
namespace {

TEST(Crc32c, MatchesThePublishedCheckValue) { EXPECT_EQ(Crc32c("123456789"), 0xe3069283u); }

TEST(Crc32c, ContinuesOverParts) { EXPECT_EQ(Crc32c("6789", Crc32c("12345")), Crc32c("123456789")); }

TEST(Coding, IntegersAreBigEndian) {
  std::string bytes;
  AppendU16(&bytes, 0x0102);
  AppendU32(&bytes, 0x03040506);
  EXPECT_EQ(bytes, std::string("\x01\x02\x03\x04\x05\x06"));
}

TEST(Coding, VarintsRoundTrip) {
  for (uint64_t value : {0ull, 1ull, 127ull, 128ull, 1ull << 35, ~0ull}) {
    std::string bytes;
    AppendVarint(&bytes, value);
    Reader reader(bytes);
    EXPECT_EQ(reader.Varint(), value);
    EXPECT_TRUE(reader.done());
  }
}

TEST(Coding, ZigZagRoundTripsBothSigns) {
  for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(UnZigZag(ZigZag(value)), value);
  }
}

TEST(Coding, AReaderThatFailedStaysFailed) {
  Reader reader("\x01");
  reader.U32();
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(Coding, AnOverlongVarintIsRefused) {
  Reader reader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
  reader.Varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Status, AnnotateKeepsCodeAndPayload) {
  absl::Status status = absl::NotFoundError("no such topic");
  status.SetPayload("url", absl::Cord("x"));
  const absl::Status annotated = Annotate(status, "send");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(annotated.message(), "send: no such topic");
  EXPECT_TRUE(annotated.GetPayload("url").has_value());
}

TEST(Status, AFullDiskIsResourceExhausted) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "write").code(), absl::StatusCode::kResourceExhausted);
}

class FileTest : public testing::Test {
 protected:
  FileTest() : dir_(absl::StrCat(testing::TempDir(), "/totora_file_", getpid())) {
    std::filesystem::remove_all(dir_);
    EXPECT_TRUE(fs_->CreateDirectory(dir_).ok());
  }
  ~FileTest() override { std::filesystem::remove_all(dir_); }

  FileSystem* const fs_ = FileSystem::Posix();
  const std::string dir_;
};

TEST_F(FileTest, WritesInPartsAndReadsBack) {
  auto file = fs_->Open(dir_ + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->WriteAt(2, {"ab", "", "cde"}).ok());
  char bytes[8];
  const auto got = (*file)->ReadAt(0, sizeof(bytes), bytes);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(absl::string_view(bytes, *got), absl::string_view("\0\0abcde", 7));
}

TEST_F(FileTest, ZerosCoverTheirRangeAndNothingElse) {
  // Small, large, and beginning and ending anywhere in a block.
  const std::pair<uint64_t, uint64_t> ranges[] = {
      {0, 0}, {3, 5}, {0, 1 << 20}, {4095, 70'000}, {1, 3 << 20}, {8192, (1 << 20) + 64}};
  for (const auto& [offset, size] : ranges) {
    auto file = fs_->Open(dir_ + "/a", OpenMode::kCreate);
    ASSERT_TRUE(file.ok()) << file.status();
    std::string expected(5 << 20, 'x');
    ASSERT_TRUE((*file)->WriteAt(0, {expected}).ok());
    ASSERT_TRUE((*file)->WriteZeros(offset, size).ok());
    expected.replace(offset, size, size, '\0');
    EXPECT_TRUE(*ReadWholeFile(fs_, dir_ + "/a") == expected) << offset << " " << size;
  }
}

TEST_F(FileTest, ZerosMakeAFileGrow) {
  auto file = fs_->Open(dir_ + "/a", OpenMode::kCreate);
  ASSERT_TRUE(file.ok()) << file.status();
  for (uint64_t at = 0; at < (2 << 20) + 64; at += 1 << 20) {
    ASSERT_TRUE((*file)->WriteZeros(at, std::min<uint64_t>(1 << 20, (2 << 20) + 64 - at)).ok());
  }
  EXPECT_TRUE(*ReadWholeFile(fs_, dir_ + "/a") == std::string((2 << 20) + 64, '\0'));
}

TEST_F(FileTest, AMissingFileIsNotFound) {
  EXPECT_EQ(fs_->Open(dir_ + "/none", OpenMode::kRead).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(FileTest, AnAtomicWriteReplacesTheContent) {
  ASSERT_TRUE(WriteFileAtomically(fs_, dir_ + "/a", "first, longer").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, dir_ + "/a", "second").ok());
  EXPECT_EQ(*ReadWholeFile(fs_, dir_ + "/a"), "second");
  EXPECT_EQ(fs_->List(dir_)->size(), 1u);
}

TEST(ThreadExecutor, RunsTasksInTheOrderPosted) {
  std::vector<int> seen;
  {
    ThreadExecutor executor("test");
    for (int i = 0; i < 1000; ++i) executor.Post([&seen, i] { seen.push_back(i); });
    executor.Stop();
  }
  ASSERT_EQ(seen.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(ThreadExecutor, ADelayedTaskRunsAfterAShorterDelay) {
  Mutex mu;
  CondVar done;
  std::string order;
  ThreadExecutor executor("test");
  executor.PostAfter(absl::Milliseconds(20), [&] {
    MutexLock lock(&mu);
    order += "b";
    done.Signal();
  });
  executor.PostAfter(absl::Milliseconds(1), [&] {
    MutexLock lock(&mu);
    order += "a";
  });
  MutexLock lock(&mu);
  while (order.size() < 2) done.Wait(&mu);
  EXPECT_EQ(order, "ab");
}

TEST(Log, AnUnknownLevelIsRefusedByName) {
  const absl::Status status = SetLogLevels("raft=loud");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find("loud"), std::string::npos);
}

TEST(Log, AModulesLevelOverridesTheDefault) {
  ASSERT_TRUE(SetLogLevels("warn,raft=debug").ok());
  EXPECT_TRUE(LogEnabled(LogLevel::kDebug, "raft"));
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo, "store"));
  ASSERT_TRUE(SetLogLevels("info").ok());
}

}  // namespace
}  // namespace totora
