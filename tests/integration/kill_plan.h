// Which processes a crash test kills, and when: decided by the seed alone.
#ifndef TOTORA_TESTS_INTEGRATION_KILL_PLAN_H_
#define TOTORA_TESTS_INTEGRATION_KILL_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace totora::integration {

enum class Victim { kLeader, kFollower, kAll };

const char* NameOf(Victim victim);

struct KillStep {
  Victim victim = Victim::kLeader;
  uint32_t choice = 0;         // Picks among several followers.
  absl::Duration load_before;  // From the moment the cluster is whole to the kill.
  absl::Duration down;         // From the kill to the restart.
};

struct KillPlanOptions {
  uint64_t seed = 0;
  int kills = 50;
  int all_kills = 10;  // Of `kills`, those of every broker at once.
  // Kills the leader or all, and leaves it down for at least a second, so that
  // what is measured after the kill is not disturbed by the restart.
  bool is_measured = false;
  // Every kill comes at least so long after the cluster was whole.
  absl::Duration load_at_least;
};

// Every plan with room for it kills a follower too, and its first kill is the leader's.
std::vector<KillStep> MakeKillPlan(const KillPlanOptions& options);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_KILL_PLAN_H_
