// What `totora local` writes into its folder:
//
//   D/cluster.json            this file's ClusterFile
//   D/namesrv.conf            D/broker-1.conf …      configurations
//   D/namesrv.log, .out       D/broker-1.log, .out   logs; what was written to stdout and stderr
//   D/broker-1/ …             data
//
// Thread safety: values and pure functions.
#ifndef TOTORA_CLI_LOCAL_CONFIG_H_
#define TOTORA_CLI_LOCAL_CONFIG_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/process.h"

namespace totora::cli {

struct LocalProcess {
  std::string name;  // "namesrv", "broker-2"; the stem of its files.
  ProcessId process;
};

struct LocalNamesrv : LocalProcess {
  std::string address;
};

struct LocalBroker : LocalProcess {
  uint32_t id = 0;
  std::string public_address;
  std::string internal_address;
  std::string metrics_address;
};

struct ClusterFile {
  std::string cluster_name = "totora-local";
  std::string broker_name = "broker-a";
  std::string group_address;
  uint64_t segment_bytes = 0;  // 0: the broker's default.
  std::string log_levels = "info";
  // Further lines of every broker's configuration.
  std::vector<std::pair<std::string, std::string>> broker_settings;
  LocalNamesrv namesrv;
  std::vector<LocalBroker> brokers;
};

std::string ClusterFileText(const ClusterFile& cluster);
// Errors: InvalidArgument, with what is wrong.
absl::StatusOr<ClusterFile> ParseClusterFile(absl::string_view text);

// Where a client connects first: the group address, else the first broker's.
std::string AccessPoint(const ClusterFile& cluster);

// Configurations, as `key = value` lines. `dir` is absolute.
std::string NamesrvConfig(const ClusterFile& cluster, const std::string& dir);
std::string BrokerConfig(const ClusterFile& cluster, const LocalBroker& broker,
                         const std::string& dir);

}  // namespace totora::cli

#endif  // TOTORA_CLI_LOCAL_CONFIG_H_
