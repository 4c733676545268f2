#include "tests/integration/local_cluster.h"

#include <signal.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "tests/integration/command.h"

namespace totora::integration {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kStartTimeout = absl::Seconds(90);
constexpr absl::Duration kCommandTimeout = absl::Seconds(60);
constexpr absl::Duration kEndTimeout = absl::Seconds(20);

std::string TextOf(const Json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Cluster>> LocalCluster::Start(const ClusterOptions& options) {
  std::unique_ptr<LocalCluster> cluster(new LocalCluster(options));
  
  TOTORA_ASSIGN_OR_RETURN(std::string answer, cluster->Local({"start", "--brokers", "3"}, kStartTimeout));
  TOTORA_RETURN_IF_ERROR(cluster->ReadStatus());
  if (cluster->brokers().size() != 3) {
    return absl::InternalError(absl::StrCat("`totora local start` says: ", answer));
  }
  return cluster;
}

LocalCluster::~LocalCluster() {
  const absl::Status status = Local({"stop"}, kCommandTimeout).status();
  if (status.ok()) return;
  std::fprintf(stderr, "stopping the cluster: %s\n", std::string(status.message()).c_str());
  // What does not stop when asked must not outlive the test.
  for (const BrokerProcess& broker : brokers()) {
    if (broker.pid > 0 && IsRunning(broker.pid)) kill(broker.pid, SIGKILL);
  }
}

absl::StatusOr<std::string> LocalCluster::Local(const std::vector<std::string>& words,
                                                absl::Duration timeout) const {
  std::vector<std::string> argv = {options_.totora, "local"};
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), {"--dir", options_.directory});
  if (words[0] == "start" || words[0] == "status") argv.insert(argv.end(), {"--output", "json"});
  return RunAndExpectSuccess(argv, timeout, options_.environment);
}

absl::Status LocalCluster::ReadStatus() {
  TOTORA_ASSIGN_OR_RETURN(std::string text, Local({"status"}, kCommandTimeout));
  const Json status = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!status.is_object() || !status.contains("brokers") || !status["brokers"].is_array()) {
    return absl::InternalError(absl::StrCat("`totora local status` says: ", text));
  }
  std::vector<BrokerProcess> brokers;
  for (const Json& item : status["brokers"]) {
    BrokerProcess broker;
    broker.id = item.value("id", 0);
    if (item.contains("pid") && item["pid"].is_number()) broker.pid = item["pid"].get<pid_t>();
    broker.address = TextOf(item, "public");
    broker.internal = TextOf(item, "internal");
    broker.metrics = TextOf(item, "metrics");
    broker.written = {absl::StrCat(options_.directory, "/broker-", broker.id, ".log")};
    if (broker.id == 0 || broker.internal.empty()) {
      return absl::InternalError(absl::StrCat("`totora local status` says: ", text));
    }
    brokers.push_back(std::move(broker));
  }
  SetBrokers(std::move(brokers), TextOf(status, "group_address"));
  return absl::OkStatus();
}

absl::Status LocalCluster::Restart(const std::vector<int>& ids) {
  for (const int id : ids) {
    TOTORA_RETURN_IF_ERROR(WaitForEnd(broker(id).pid, kEndTimeout));
  }
  for (const int id : ids) {
    TOTORA_RETURN_IF_ERROR(Local({"restart", absl::StrCat(id)}, kStartTimeout).status());
  }
  return ReadStatus();
}

}  // namespace totora::integration
