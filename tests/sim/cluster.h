// A simulated group of three: processes, clients, the nemesis, and what must
// hold at the end whatever happened (what must hold all the time: history.h).
#ifndef TOTORA_TESTS_SIM_CLUSTER_H_
#define TOTORA_TESTS_SIM_CLUSTER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/classic_world.h"
#include "tests/sim/nemesis.h"

namespace totora::sim {

struct SimOptions {
  uint64_t seed = 1;
  absl::Duration duration = absl::Seconds(60);
  int producers = 4;
  int consumers = 2;
  bool with_faults = true;
  Profile profile = Profile::kMixed;
  bool with_emptied_volume = false;  // One volume is replaced once.
};

// How often each thing happened: floors on these keep a run honest.
struct SimCounts {
  uint64_t delayed = 0, sent_back = 0;
  uint64_t acknowledged = 0, received = 0, retries = 0, elections = 0;
  ClassicCounts classic;
  FaultCounts faults;
  NetworkCounts network;

  void Add(const SimCounts& other);
};

struct SimResult {
  std::vector<std::string> violations;  // Empty: all held.
  SimCounts counts;
  uint64_t trace = 0;
  uint64_t events = 0;
};

// Runs one seed. The same options give the same result, trace included.
SimResult RunSimulation(const SimOptions& options);

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLUSTER_H_
