// Loopback ports for processes that will be started, killed and started again.
#ifndef TOTORA_CLI_PORTS_H_
#define TOTORA_CLI_PORTS_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace totora::cli {

// Picks ports that nobody uses, and holds them until it is destroyed.
//
// They lie below the range from which the kernel takes the source ports of
// outgoing connections: a port that a killed broker left must still be free when
// the broker comes back. Each comes with the port two below it free as well,
// because brokers bind that for classic clients. Ports named in `taken`
// (those of other local clusters, also of stopped ones) are left alone.
//
// Thread safety: confined.
class PortPicker {
 public:
  explicit PortPicker(std::set<uint16_t> taken);
  ~PortPicker();
  PortPicker(const PortPicker&) = delete;
  PortPicker& operator=(const PortPicker&) = delete;

  // `wanted` if it is not 0 and free, else any.
  // Errors: ResourceExhausted if no free port was found.
  absl::StatusOr<uint16_t> Pick(uint16_t wanted = 0);

 private:
  // Holds `port` and the one two below; false if one of them is not free.
  bool Take(uint16_t port);
  // A socket bound to the port, or -1.
  static int Hold(uint16_t port);

  std::set<uint16_t> taken_;
  std::vector<int> held_;
};

// Which clusters of this user exist on this machine, so that a stopped one
// keeps its ports: a folder with one file per cluster.
class PortRegistry {
 public:
  // `folder` is created when needed.
  explicit PortRegistry(std::string folder);

  // $TOTORA_PORT_REGISTRY, else a folder of this user in /tmp.
  static std::string DefaultFolder();

  // Ports of clusters whose folder still holds a cluster.json. Others are forgotten.
  std::set<uint16_t> Taken() const;

  absl::Status Claim(const std::string& cluster_dir, const std::vector<uint16_t>& ports);

 private:
  std::string FileOf(const std::string& cluster_dir) const;
  const std::string folder_;
};

}  // namespace totora::cli

#endif  // TOTORA_CLI_PORTS_H_
