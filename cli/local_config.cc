#include "cli/local_config.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace totora::cli {
namespace {

using Json = nlohmann::ordered_json;

void PutProcess(const LocalProcess& process, Json* json) {
  (*json)["name"] = process.name;
  (*json)["pid"] = process.process.pid;
  (*json)["start_ticks"] = process.process.start_ticks;
}

// Reads typed values and remembers the first that is missing or of another type.
class JsonReader {
 public:
  template <typename T>
  void Get(const Json& json, const char* key, T* to) {
    const auto found = json.find(key);
    bool fits = found != json.end();
    if constexpr (std::is_same_v<T, std::string>) {
      fits = fits && found->is_string();
    } else {
      fits = fits && found->is_number_integer();
    }
    if (fits) {
      *to = found->template get<T>();
    } else if (missing_.empty()) {
      missing_ = key;
    }
  }
  void GetProcess(const Json& json, LocalProcess* process) {
    Get(json, "name", &process->name);
    Get(json, "pid", &process->process.pid);
    Get(json, "start_ticks", &process->process.start_ticks);
  }
  const std::string& missing() const { return missing_; }

 private:
  std::string missing_;
};

class ConfigText {
 public:
  void Line(absl::string_view key, absl::string_view value) {
    absl::StrAppend(&text_, key, " = ", value, "\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_ = "# Written by `totora local`; a restart writes it again.\n";
};

}  // namespace

std::string AccessPoint(const ClusterFile& cluster) {
  return cluster.group_address.empty() ? cluster.brokers.front().public_address
                                       : cluster.group_address;
}

std::string ClusterFileText(const ClusterFile& cluster) {
  Json json;
  json["format"] = 1;
  json["cluster_name"] = cluster.cluster_name;
  json["broker_name"] = cluster.broker_name;
  json["group_address"] = cluster.group_address;
  json["segment_bytes"] = cluster.segment_bytes;
  json["log_levels"] = cluster.log_levels;
  json["broker_settings"] = Json::array();
  for (const auto& [key, value] : cluster.broker_settings) {
    json["broker_settings"].push_back({{"key", key}, {"value", value}});
  }
  PutProcess(cluster.namesrv, &json["namesrv"]);
  json["namesrv"]["address"] = cluster.namesrv.address;
  json["brokers"] = Json::array();
  for (const LocalBroker& broker : cluster.brokers) {
    Json entry;
    PutProcess(broker, &entry);
    entry["id"] = broker.id;
    entry["public"] = broker.public_address;
    entry["internal"] = broker.internal_address;
    entry["metrics"] = broker.metrics_address;
    json["brokers"].push_back(entry);
  }
  return json.dump(2) + "\n";
}

absl::StatusOr<ClusterFile> ParseClusterFile(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("cluster.json is not a JSON object");
  const auto brokers = json.find("brokers");
  const auto namesrv = json.find("namesrv");
  const auto settings = json.find("broker_settings");
  if (brokers == json.end() || !brokers->is_array() || namesrv == json.end() ||
      !namesrv->is_object() || settings == json.end() || !settings->is_array()) {
    return absl::InvalidArgumentError("cluster.json names no brokers or no namesrv");
  }
  JsonReader reader;
  ClusterFile cluster;
  reader.Get(json, "cluster_name", &cluster.cluster_name);
  reader.Get(json, "broker_name", &cluster.broker_name);
  reader.Get(json, "group_address", &cluster.group_address);
  reader.Get(json, "segment_bytes", &cluster.segment_bytes);
  reader.Get(json, "log_levels", &cluster.log_levels);
  for (const Json& entry : *settings) {
    std::pair<std::string, std::string> line;
    reader.Get(entry, "key", &line.first);
    reader.Get(entry, "value", &line.second);
    cluster.broker_settings.push_back(line);
  }
  reader.GetProcess(*namesrv, &cluster.namesrv);
  reader.Get(*namesrv, "address", &cluster.namesrv.address);
  for (const Json& entry : *brokers) {
    LocalBroker broker;
    reader.GetProcess(entry, &broker);
    reader.Get(entry, "id", &broker.id);
    reader.Get(entry, "public", &broker.public_address);
    reader.Get(entry, "internal", &broker.internal_address);
    reader.Get(entry, "metrics", &broker.metrics_address);
    cluster.brokers.push_back(broker);
  }
  if (!reader.missing().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster.json: ", reader.missing(), " is missing or of the wrong type"));
  }
  return cluster;
}

std::string NamesrvConfig(const ClusterFile& cluster, const std::string& dir) {
  ConfigText config;
  config.Line("listen", cluster.namesrv.address);
  config.Line("log.file", absl::StrCat(dir, "/", cluster.namesrv.name, ".log"));
  config.Line("log.levels", cluster.log_levels);
  return config.Take();
}

std::string BrokerConfig(const ClusterFile& cluster, const LocalBroker& broker,
                         const std::string& dir) {
  const std::string peers =
      absl::StrJoin(cluster.brokers, ",", [](std::string* out, const LocalBroker& peer) {
        absl::StrAppend(out, peer.id, "@", peer.internal_address);
      });
  ConfigText config;
  config.Line("cluster.name", cluster.cluster_name);
  config.Line("broker.name", cluster.broker_name);
  config.Line("group.id", "1");
  config.Line("replica.id", absl::StrCat(broker.id));
  config.Line("replica.peers", peers);
  config.Line("data.dir", absl::StrCat(dir, "/", broker.name));
  config.Line("log.file", absl::StrCat(dir, "/", broker.name, ".log"));
  config.Line("log.levels", cluster.log_levels);
  config.Line("public.listen", broker.public_address);
  if (!cluster.group_address.empty()) {
    config.Line("group.address", cluster.group_address);
    config.Line("group.listen", cluster.group_address);
  }
  config.Line("internal.listen", broker.internal_address);
  config.Line("metrics.listen", broker.metrics_address);
  config.Line("namesrv.addresses", cluster.namesrv.address);
  if (cluster.segment_bytes > 0) config.Line("segment.bytes", absl::StrCat(cluster.segment_bytes));
  for (const auto& [key, value] : cluster.broker_settings) config.Line(key, value);
  return config.Take();
}

}  // namespace totora::cli
