// How long a kill takes to be felt: until the dead process's connections are
// reset, and until another replica leads.
#ifndef TOTORA_TESTS_INTEGRATION_KILL_PROBE_H_
#define TOTORA_TESTS_INTEGRATION_KILL_PROBE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/integration/cluster.h"

namespace totora::integration {

struct KillTimes {
  // The moment just before the signal.
  absl::Time wall;
  absl::Duration steady;
  // From there. Infinite: not within the time that was waited.
  absl::Duration reset = absl::InfiniteDuration();
  absl::Duration elected = absl::InfiniteDuration();
};

// Kills `victims` and watches for up to `patience`. With `with_reset` a
// connection to the first victim's own address is opened before and watched.
// With `with_election` the other brokers are asked every two milliseconds
// whether they lead in a newer term; the answer is late by that and by the call.
absl::StatusOr<KillTimes> KillAndWatch(Cluster* cluster, const std::vector<int>& victims,
                                       bool with_reset, bool with_election,
                                       absl::Duration patience);

// A TCP connection to "host:port". Errors: InvalidArgument, Unavailable.
absl::StatusOr<int> ConnectTcp(const std::string& address);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_KILL_PROBE_H_
