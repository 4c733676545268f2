// A nameserver and three brokers, started and stopped by `totora local`.
#ifndef TOTORA_TESTS_INTEGRATION_LOCAL_CLUSTER_H_
#define TOTORA_TESTS_INTEGRATION_LOCAL_CLUSTER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/integration/cluster.h"

namespace totora::integration {

class LocalCluster : public Cluster {
 public:
  // Starts everything and waits until it serves.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);

  // Stops every process of the cluster.
  ~LocalCluster() override;

  absl::Status Restart(const std::vector<int>& ids) override;

 private:
  explicit LocalCluster(const ClusterOptions& options) : options_(options) {}
  absl::StatusOr<std::string> Local(const std::vector<std::string>& words,
                                    absl::Duration timeout) const;
  absl::Status ReadStatus();

  const ClusterOptions options_;
};

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_LOCAL_CLUSTER_H_
