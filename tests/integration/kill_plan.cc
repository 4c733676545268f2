#include "tests/integration/kill_plan.h"

#include <algorithm>
#include <random>

namespace totora::integration {

const char* NameOf(Victim victim) {
  switch (victim) {
    case Victim::kLeader:
      return "leader";
    case Victim::kFollower:
      return "follower";
    case Victim::kAll:
      return "all";
  }
  return "?";
}

std::vector<KillStep> MakeKillPlan(const KillPlanOptions& options) {
  std::mt19937_64 random(options.seed);
  const auto pick_ms = [&random](int64_t low, int64_t high) {
    return absl::Milliseconds(std::uniform_int_distribution<int64_t>(low, high)(random));
  };
  std::vector<KillStep> plan(static_cast<size_t>(std::max(options.kills, 0)));
  const size_t all = std::min<size_t>(plan.size(), std::max(options.all_kills, 0));
  const size_t single = plan.size() - all;
  // A third of the single kills hit a follower: it must come back into a
  // moving log, which a killed leader does as well.
  const size_t followers = options.is_measured ? 0 : single / 3;
  for (size_t i = 0; i < plan.size(); ++i) {
    plan[i].victim = i < single - followers ? Victim::kLeader
                     : i < single           ? Victim::kFollower
                                            : Victim::kAll;
  }
  if (plan.size() > 1) std::shuffle(plan.begin() + 1, plan.end(), random);
  for (KillStep& step : plan) {
    step.choice = static_cast<uint32_t>(random());
    step.load_before = options.load_at_least + pick_ms(150, 1000);
    step.down = options.is_measured ? pick_ms(1200, 1500) : pick_ms(0, 1500);
  }
  return plan;
}

}  // namespace totora::integration
