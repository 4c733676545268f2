#include "bench/floor_bench.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace totora::bench {
namespace {

TEST(FloorBench, EveryWriteIsAnsweredAndNoFileIsLeftBehind) {
  std::string directory = testing::TempDir() + "floorXXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);

  const auto report = BenchFloor({.directory = directory, .size = 100, .messages_max = 50});

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->messages, 50u);
  EXPECT_EQ(report->latency.count(), 50u);
  EXPECT_TRUE(std::filesystem::is_empty(directory));
  std::filesystem::remove_all(directory);
}

TEST(FloorBench, AMissingDirectoryIsNamed) {
  const auto report = BenchFloor({.directory = "/nonexistent/floor", .messages_max = 1});

  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.status().message().find("/nonexistent/floor"), std::string::npos);
}

}  // namespace
}  // namespace totora::bench
