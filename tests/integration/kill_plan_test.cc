#include "tests/integration/kill_plan.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace totora::integration {
namespace {

int64_t Count(const std::vector<KillStep>& plan, Victim victim) {
  return std::count_if(plan.begin(), plan.end(),
                       [victim](const KillStep& step) { return step.victim == victim; });
}

TEST(KillPlan, HasAsManyKillsOfAllAsAskedAndFollowersToo) {
  const std::vector<KillStep> plan = MakeKillPlan({.seed = 3, .kills = 50, .all_kills = 10, .load_at_least = {}});

  EXPECT_EQ(plan.size(), 50u);
  EXPECT_EQ(Count(plan, Victim::kAll), 10);
  EXPECT_EQ(Count(plan, Victim::kFollower), 13);
  EXPECT_EQ(Count(plan, Victim::kLeader), 27);
  EXPECT_EQ(plan[0].victim, Victim::kLeader);
}

TEST(KillPlan, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto victims = [](uint64_t seed) {
    std::vector<int64_t> result;
    for (const KillStep& step : MakeKillPlan({.seed = seed, .kills = 50, .all_kills = 10, .load_at_least = {}})) {
      result.push_back(absl::ToInt64Milliseconds(step.load_before) * 10 +
                       static_cast<int>(step.victim));
    }
    return result;
  };

  EXPECT_EQ(victims(5), victims(5));
  EXPECT_NE(victims(5), victims(6));
}

TEST(KillPlan, AMeasuredOneSparesFollowersAndLeavesTheDeadDownForASecond) {
  const std::vector<KillStep> plan =
      MakeKillPlan({.seed = 1, .kills = 50, .all_kills = 0, .is_measured = true, .load_at_least = {}});

  EXPECT_EQ(Count(plan, Victim::kLeader), 50);
  for (const KillStep& step : plan) EXPECT_GE(step.down, absl::Seconds(1));
}

}  // namespace
}  // namespace totora::integration
