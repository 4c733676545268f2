// Seeds and floors. TOTORA_SIM_SEEDS (how many) and TOTORA_SIM_FIRST_SEED choose
// the seeds; a failure prints its seed, and
//   TOTORA_SIM_FIRST_SEED=<seed> TOTORA_SIM_SEEDS=1 totora_sim_test
// repeats it.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "common/log.h"
#include "tests/sim/cluster.h"

namespace totora::sim {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* const text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

void Quiet() {
  const char* const levels = std::getenv("TOTORA_SIM_LOG");
  ASSERT_TRUE(SetLogLevels(levels == nullptr ? "off" : levels).ok());
}

void Print(const SimCounts& counts) {
  std::printf(
      "acknowledged %lu received %lu retries %lu elections %lu | kills %lu power cuts %lu "
      "torn %lu all down %lu pauses %lu partitions %lu one-way %lu clock jumps %lu emptied %lu | "
      "messages %lu lost %lu repeated %lu stalled %lu streams broken %lu blocked %lu\n",
      counts.acknowledged, counts.received, counts.retries, counts.elections, counts.kills,
      counts.power_cuts, counts.torn_power_cuts, counts.all_down, counts.pauses, counts.partitions,
      counts.one_way, counts.clock_jumps, counts.emptied, counts.network.delivered,
      counts.network.lost, counts.network.repeated, counts.network.stalled, counts.network.broken,
      counts.network.blocked);
}

TEST(Simulation, NothingAcknowledgedIsLostWhateverFails) {
  Quiet();
  const uint64_t first = FromEnvironment("TOTORA_SIM_FIRST_SEED", 1);
  const uint64_t seeds = FromEnvironment("TOTORA_SIM_SEEDS", 200);
  SimCounts total;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    SimOptions options;
    options.seed = seed;
    options.with_emptied_volume = seed % 5 == 0;
    const SimResult result = RunSimulation(options);
    total.Add(result.counts);
    for (const std::string& violation : result.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
    if (HasFailure() && !std::getenv("TOTORA_SIM_KEEP_GOING")) break;
  }
  Print(total);
  // Floors: a run in which little happened proves little.
  EXPECT_GE(total.acknowledged, seeds * 500);
  EXPECT_GE(total.received, seeds * 400);
  EXPECT_GE(total.elections, seeds * 5);
  EXPECT_GE(total.kills, seeds * 2);
  EXPECT_GE(total.power_cuts, seeds * 2);
  EXPECT_GE(total.torn_power_cuts, seeds * 1);
  EXPECT_GE(total.pauses, seeds * 2);
  EXPECT_GE(total.network.lost, seeds * 60);
  EXPECT_GE(total.network.repeated, seeds * 60);
  EXPECT_GE(total.network.stalled, seeds * 25);
  if (seeds < 20) return;
  EXPECT_GE(total.all_down, seeds / 2);
  EXPECT_GE(total.partitions, seeds * 2);
  EXPECT_GE(total.one_way, seeds);
  EXPECT_GE(total.clock_jumps, seeds);
  EXPECT_GE(total.emptied, seeds / 20);
}

TEST(Simulation, WithoutFaultsNoSendIsRetried) {
  Quiet();
  SimOptions options;
  options.seed = 7;
  options.with_faults = false;
  const SimResult result = RunSimulation(options);
  EXPECT_TRUE(result.violations.empty()) << result.violations.front();
  EXPECT_EQ(result.counts.retries, 0u);
  EXPECT_EQ(result.counts.elections, 1u);
}

TEST(Simulation, TheSameSeedTwiceGivesTheSameTrace) {
  Quiet();
  SimOptions options;
  options.seed = FromEnvironment("TOTORA_SIM_FIRST_SEED", 1) + 3;
  const SimResult first = RunSimulation(options);
  const SimResult second = RunSimulation(options);
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.events, second.events);
}

}  // namespace
}  // namespace totora::sim
