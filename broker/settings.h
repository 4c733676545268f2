// The broker's settings, RocketMQ's own names as aliases.
#ifndef TOTORA_BROKER_SETTINGS_H_
#define TOTORA_BROKER_SETTINGS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/service/delivery_time.h"
#include "broker/service/routes.h"
#include "common/configuration.h"
#include "common/types.h"
#include "remoting/remote_admin.h"

namespace totora::broker {

const std::vector<SettingRow>& SettingRows();
const std::vector<IgnoredKey>& IgnoredKeys();

// The settings, checked against each other.
struct Settings {
  std::string cluster;
  GroupId group;
  std::string group_name;
  ReplicaId replica;
  std::map<ReplicaId, std::string> peers;  // Internal host:port of all replicas, ours too.
  ReplicaId preferred_leader;
  std::string data_directory;
  std::vector<std::string> public_listen;  // The first is the one that routes name.
  bool binds_vip_ports = true;             // Two below the first, and the group's.
  std::optional<service::Address> public_advertise;
  std::optional<service::Address> group_address;
  std::string group_listen;                // Empty: no shared port is bound here.
  std::string internal_listen;
  std::string metrics_listen;
  std::vector<std::string> nameservers;
  size_t net_threads = 1;
  uint64_t segment_bytes = 0;
  bool prepare_segments = true;
  uint64_t reserve_bytes = 0;
  uint64_t checkpoint_log_bytes = 0;
  absl::Duration checkpoint_interval;
  bool creates_consumer_groups = true;
  bool creates_topics = true;
  service::DelayLevels delay_levels;
  absl::Duration shutdown_grace;
  remoting::RemoteAdmin remote_admin = remoting::RemoteAdmin::kTopics;
  std::map<std::string, std::string> texts;  // All of them, as they were written.
};

// Errors: InvalidArgument that names the setting.
absl::StatusOr<Settings> ReadSettings(const Configuration& configuration);

// "host:port" or "[ipv6]:port". Errors: InvalidArgument.
absl::StatusOr<service::Address> ParseAddress(absl::string_view text);

}  // namespace totora::broker

#endif  // TOTORA_BROKER_SETTINGS_H_
