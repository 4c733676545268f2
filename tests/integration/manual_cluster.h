// A nameserver and three brokers, started by hand from configuration files of
// our own: where the data lies and what else is set is up to the test. All of
// them die with this process.
#ifndef TOTORA_TESTS_INTEGRATION_MANUAL_CLUSTER_H_
#define TOTORA_TESTS_INTEGRATION_MANUAL_CLUSTER_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/integration/cluster.h"

namespace totora::integration {

class ManualCluster : public Cluster {
 public:
  // Starts everything. Wait with WaitUntilWhole.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const ClusterOptions& options);

  // Kills every process of the cluster.
  ~ManualCluster() override;

  absl::Status Restart(const std::vector<int>& ids) override;

  // Below the cluster's directory; may be a mount point before the start.
  static std::string DataDirectory(const std::string& cluster_directory, int id);
  static std::string ConfigFile(const std::string& cluster_directory, int id);
  static std::string LogFile(const std::string& cluster_directory, int id);

 private:
  explicit ManualCluster(const ClusterOptions& options) : options_(options) {}
  absl::Status WriteConfigs();
  absl::StatusOr<pid_t> Spawn(const std::string& program, const std::string& config) const;

  const ClusterOptions options_;
  pid_t namesrv_ = 0;
  std::string group_address_;
  std::map<int, BrokerProcess> processes_;
};

// Addresses 127.0.0.1:port, free a moment ago, all different. The kernel gives
// none of them to others, and the port two below each, which brokers bind for
// classic clients, is free as well.
absl::StatusOr<std::vector<std::string>> FreeAddresses(int count);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_MANUAL_CLUSTER_H_
