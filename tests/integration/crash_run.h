// A cluster under load, struck again and again by a plan, and judged at the
// end: what kill_test and power_cut_test have in common.
#ifndef TOTORA_TESTS_INTEGRATION_CRASH_RUN_H_
#define TOTORA_TESTS_INTEGRATION_CRASH_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/integration/kill_plan.h"
#include "tests/integration/kill_probe.h"
#include "tests/integration/ledger.h"
#include "tests/integration/load.h"
#include "tests/integration/cluster.h"

namespace totora::integration {

struct CrashOptions {
  ClusterOptions cluster;
  KillPlanOptions plan;
  uint64_t acknowledgements = 200'000;  // At least; the kills may take longer.
  int producers = 32;
  absl::Duration pace = absl::Milliseconds(5);
  // How long a send may stay unanswered at the end.
  absl::Duration patience = absl::Seconds(30);
  // How long the cluster may take to be whole again after a kill.
  absl::Duration recovery = absl::Seconds(60);
  bool consumes = true;  // At the end, everything.
  // LocalCluster::Start or ManualCluster::Start.
  std::function<absl::StatusOr<std::unique_ptr<Cluster>>(const ClusterOptions&)> start;
};

struct Blow {
  KillStep step;
  std::vector<int> victims;
  KillTimes times;
};

// Thread safety: none.
class CrashRun {
 public:
  using Strike = std::function<absl::StatusOr<KillTimes>(Cluster*, const std::vector<int>&)>;
  using Revive = std::function<absl::Status(Cluster*, const std::vector<int>&)>;

  CrashRun(const CrashOptions& options, Strike strike, Revive revive)
      : options_(options), strike_(std::move(strike)), revive_(std::move(revive)) {}

  // Starts cluster, topic, consumer group. Load begins with Run.
  absl::Status Prepare();

  // Everything until the verdict.
  // Errors: DataLoss if a promise was broken; others: the test could not go on.
  absl::Status Run();

  // Ends the load and judges what there is. Run does it by itself.
  absl::Status Check();

  Cluster* cluster() { return cluster_.get(); }
  const Load& load() const { return *load_; }
  const Verdict& verdict() const { return verdict_; }
  const std::vector<Blow>& blows() const { return blows_; }

 private:
  absl::Status MakeBlows();
  absl::Status MakeBlow(const KillStep& step);
  std::vector<int> VictimsOf(const KillStep& step, int leader) const;
  absl::Status WaitForAcknowledgements(uint64_t count) const;
  ConsumeOptions Consuming() const;

  const CrashOptions options_;
  const Strike strike_;
  const Revive revive_;
  const std::string topic_ = "crash-test";
  std::unique_ptr<Cluster> cluster_;  // Outlives the load.
  std::unique_ptr<Load> load_;
  std::vector<Blow> blows_;
  Verdict verdict_;
};

// A new directory below the system's for temporary files.
absl::StatusOr<std::string> MakeTemporaryDirectory(const std::string& prefix);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_CRASH_RUN_H_
