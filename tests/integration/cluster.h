// Three brokers as real processes, looked at through their admin ports. How
// they are started is the business of those who derive from it.
#ifndef TOTORA_TESTS_INTEGRATION_CLUSTER_H_
#define TOTORA_TESTS_INTEGRATION_CLUSTER_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/integration/ledger.h"

namespace totora::integration {

struct ClusterOptions {
  std::string totora;     // The program; totora-broker and totora-namesrv are beside it.
  std::string directory;  // Must not hold another cluster.
  // False: routes name each leader's own address (ManualCluster only).
  bool has_group_address = true;
  // Laid over the environment of every process that is started.
  std::map<std::string, std::string> environment = {};
  // Settings of every broker beyond the necessary ones (ManualCluster only).
  std::map<std::string, std::string> settings = {};
  // The same for the nameserver.
  std::map<std::string, std::string> namesrv_settings = {};
};

struct BrokerProcess {
  int id = 0;
  pid_t pid = 0;
  std::string address;   // Its own for clients.
  std::string internal;  // Raft and admin.
  std::string metrics;
  std::vector<std::string> written;  // Files with its own words.
};

// What a replica says of itself.
struct ReplicaView {
  bool is_leader = false;
  uint64_t term = 0;
  uint32_t leader_id = 0;
  uint64_t commit_index = 0;
  uint64_t applied_index = 0;
  bool is_disk_full = false;
};

// Thread safety: none, but Look, which any thread may call once it has started.
class Cluster {
 public:
  virtual ~Cluster();

  // Where clients go: the group address, or all brokers' addresses.
  const std::string& access_point() const { return access_point_; }
  const std::vector<BrokerProcess>& brokers() const { return brokers_; }
  const BrokerProcess& broker(int id) const;

  absl::Status CreateTopic(const std::string& topic, int queues) const;

  // kill -9, at once for all of `ids`. Returns without waiting for the ends.
  void Kill(const std::vector<int>& ids) const;

  // Starts killed brokers again. Does not wait until they serve.
  virtual absl::Status Restart(const std::vector<int>& ids) = 0;

  // Asks one broker, with a short deadline.
  absl::StatusOr<ReplicaView> Look(int id) const;

  // The broker that leads, by its own words; the one with the highest term.
  std::optional<int> Leader() const;

  // Waits until all replicas follow one leader and have applied what it had
  // committed when it was asked. Errors: DeadlineExceeded that says who lags, and
  // what can be seen of those who did not answer.
  absl::Status WaitUntilWhole(absl::Duration timeout) const;

  // Every message of `topic` in one broker's log.
  absl::StatusOr<std::vector<StoredMessage>> Scan(int id, const std::string& topic) const;

 protected:
  Cluster();
  // Also after a restart: pids change, addresses must not.
  void SetBrokers(std::vector<BrokerProcess> brokers, const std::string& group_address);

 private:
  class Stubs;

  std::string access_point_;
  std::vector<BrokerProcess> brokers_;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_CLUSTER_H_
