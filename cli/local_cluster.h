// A nameserver and broker replicas as background processes of this machine.
#ifndef TOTORA_CLI_LOCAL_CLUSTER_H_
#define TOTORA_CLI_LOCAL_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/local_config.h"

namespace totora::cli {

struct LocalOptions {
  int brokers = 3;
  // Nameserver and group address where README and RocketMQ have them (9876, 8081)
  // if nobody else is there.
  bool prefers_known_ports = false;
  // 0: a free one.
  uint16_t namesrv_port = 0;
  uint16_t group_port = 0;
  // Without one, routes name the leader's own address.
  bool has_group_address = true;
  // Of broker 1; broker n has it + n - 1. 0: free ones.
  uint16_t public_port = 0;
  uint64_t segment_bytes = 0;
  std::string log_levels = "info";
  std::vector<std::pair<std::string, std::string>> broker_settings;
};

// Every method that changes something writes D/cluster.json before it returns.
// A lock on D/lock keeps two commands from changing one cluster at a time.
//
// Thread safety: confined; but FindLeader asks the brokers from threads of its own.
class LocalCluster {
 public:
  // The cluster in `dir`. Errors: NotFound if there is none.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Open(const std::string& dir);

  // The cluster in `dir` as it was, or a new one made of `options`; nothing is started.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> OpenOrCreate(const std::string& dir,
                                                                    const LocalOptions& options);
  ~LocalCluster();

  const std::string& dir() const { return dir_; }
  const ClusterFile& file() const { return file_; }
  bool HasRunningProcess() const;

  // Starts what does not run. The programs stand beside this one.
  absl::Status Start();

  // The replica that says that it leads, of the highest term; 0 if none does.
  uint32_t FindLeader() const;

  // Returns a leader other than `other_than`. Errors: Unavailable after `timeout`
  // or when a process has ended, with the end of its log.
  absl::StatusOr<uint32_t> WaitForLeader(absl::Duration timeout, uint32_t other_than = 0);

  // The process called "namesrv", "leader", "broker-2" or "2".
  absl::StatusOr<LocalProcess*> Find(const std::string& target);

  absl::Status Signal(LocalProcess* process, int signal);
  // Ends it (SIGTERM, then SIGKILL) if it runs, and starts it again.
  absl::Status Restart(LocalProcess* process);
  // Ends all: the brokers together, then the nameserver.
  absl::Status Stop();

  // {"namesrv", "group_address", "leader", "brokers": [{"id", "pid", …}]} as text.
  std::string StatusJson(uint32_t leader) const;

  // Addresses of the internal ports of brokers that run.
  std::vector<std::string> InternalAddresses() const;

 private:
  LocalCluster(std::string dir, ClusterFile file);

  absl::Status Lock();
  absl::Status Save() const;
  absl::Status StartProcess(LocalProcess* process);
  absl::Status End(LocalProcess* process);
  std::vector<LocalProcess*> Processes();
  std::string LogTail(const LocalProcess& process) const;

  const std::string dir_;  // Absolute.
  ClusterFile file_;
  int lock_fd_ = -1;
};

}  // namespace totora::cli

#endif  // TOTORA_CLI_LOCAL_CLUSTER_H_
