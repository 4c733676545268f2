#include "bench/cpu_meter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>

namespace totora::bench {
namespace {

TEST(CpuTicksOfStat, ReadsUserPlusSystemTime) {
  const auto ticks = CpuTicksOfStat("7 (broker) S 1 7 7 0 -1 4194560 1 0 0 0 120 34 0 0 20 0 9 0");

  ASSERT_TRUE(ticks.ok()) << ticks.status();
  EXPECT_EQ(*ticks, 154);
}

TEST(CpuTicksOfStat, AProcessMayCallItselfAnything) {
  const auto ticks = CpuTicksOfStat("7 (a) b (c) d) S 1 7 7 0 -1 4194560 1 0 0 0 2 3 0 0 20 0 9 0");

  ASSERT_TRUE(ticks.ok()) << ticks.status();
  EXPECT_EQ(*ticks, 5);
}

TEST(CpuTicksOfStat, ATruncatedFileIsAnError) {
  EXPECT_FALSE(CpuTicksOfStat("7 (broker) S 1 7 7 0 -1 4194560 1 0 0 0 120").ok());
  EXPECT_FALSE(CpuTicksOfStat("7").ok());
  EXPECT_FALSE(CpuTicksOfStat("").ok());
}

TEST(CpuMeter, SeesTheWorkOfThisProcess) {
  const CpuMeter meter({{"self", getpid()}});

  // CPU time, not wall time: a busy machine makes this slower, never wrong.
  const std::clock_t start = std::clock();
  while (std::clock() - start < CLOCKS_PER_SEC / 5) {
  }

  const std::vector<CpuUse> uses = meter.Read();
  ASSERT_EQ(uses.size(), 1u);
  EXPECT_TRUE(uses[0].is_complete);
  EXPECT_GE(uses[0].used, absl::Milliseconds(150));
}

TEST(CpuMeter, AProcessThatIsNotThereIsNoMeasurement) {
  const CpuMeter meter({{"nobody", 0x7FFFFFFF}});

  EXPECT_FALSE(meter.Read()[0].is_complete);
}

}  // namespace
}  // namespace totora::bench
