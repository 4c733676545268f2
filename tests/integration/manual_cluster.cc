#include "tests/integration/manual_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/ports.h"
#include "common/status.h"
#include "tests/integration/command.h"

namespace totora::integration {
namespace {

constexpr int kReplicas = 3;
constexpr absl::Duration kEndTimeout = absl::Seconds(20);

// What the process of a configuration file says before it has a log.
std::string WordsOf(const std::string& config) { return config + ".out"; }

void WriteLines(const std::string& path, const std::map<std::string, std::string>& settings) {
  std::ofstream file(path);
  for (const auto& [name, value] : settings) {
    if (!value.empty()) file << name << " = " << value << "\n";
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FreeAddresses(int count) {
  cli::PortPicker picker(/*taken=*/{});  // Held until all are chosen.
  std::vector<std::string> addresses;
  for (int i = 0; i < count; ++i) {
    TOTORA_ASSIGN_OR_RETURN(const uint16_t port, picker.Pick());
    addresses.push_back(absl::StrCat("127.0.0.1:", port));
  }
  return addresses;
}

std::string ManualCluster::DataDirectory(const std::string& cluster_directory, int id) {
  return absl::StrCat(cluster_directory, "/broker-", id, "/data");
}
std::string ManualCluster::ConfigFile(const std::string& cluster_directory, int id) {
  return absl::StrCat(cluster_directory, "/broker-", id, "/broker.conf");
}
std::string ManualCluster::LogFile(const std::string& cluster_directory, int id) {
  return absl::StrCat(cluster_directory, "/broker-", id, "/broker.log");
}

absl::StatusOr<std::unique_ptr<Cluster>> ManualCluster::Start(const ClusterOptions& options) {
  std::unique_ptr<ManualCluster> cluster(new ManualCluster(options));
  TOTORA_RETURN_IF_ERROR(cluster->WriteConfigs());
  const std::string bin = std::filesystem::path(options.totora).parent_path().string();
  TOTORA_ASSIGN_OR_RETURN(cluster->namesrv_, cluster->Spawn(bin + "/totora-namesrv",
                                                            options.directory + "/namesrv.conf"));
  std::vector<int> all;
  for (int id = 1; id <= kReplicas; ++id) all.push_back(id);
  TOTORA_RETURN_IF_ERROR(cluster->Restart(all));
  return cluster;
}

ManualCluster::~ManualCluster() {
  for (const auto& [id, process] : processes_) {
    if (process.pid > 0) kill(process.pid, SIGKILL);
  }
  if (namesrv_ > 0) kill(namesrv_, SIGKILL);
  for (const auto& [id, process] : processes_) {
    if (process.pid > 0) waitpid(process.pid, nullptr, 0);
  }
  if (namesrv_ > 0) waitpid(namesrv_, nullptr, 0);
}

absl::Status ManualCluster::WriteConfigs() {
  TOTORA_ASSIGN_OR_RETURN(const std::vector<std::string> free, FreeAddresses(2 + 3 * kReplicas));
  if (options_.has_group_address) group_address_ = free[1];
  std::string peers;
  for (int id = 1; id <= kReplicas; ++id) {
    BrokerProcess& process = processes_[id];
    process.id = id;
    process.address = free[3 * id - 1];
    process.internal = free[3 * id];
    process.metrics = free[3 * id + 1];
    process.written = {WordsOf(ConfigFile(options_.directory, id)),
                       LogFile(options_.directory, id)};
    absl::StrAppend(&peers, id == 1 ? "" : ",", id, "@", process.internal);
  }
  std::filesystem::create_directories(options_.directory);
  std::map<std::string, std::string> of_namesrv = {
      {"listen", free[0]}, {"log.file", options_.directory + "/namesrv.log"}};
  for (const auto& [name, value] : options_.namesrv_settings) of_namesrv[name] = value;
  WriteLines(options_.directory + "/namesrv.conf", of_namesrv);
  for (const auto& [id, process] : processes_) {
    const std::string data = DataDirectory(options_.directory, id);
    std::filesystem::create_directories(data);
    std::map<std::string, std::string> settings = {
        {"cluster.name", "integration"},
        {"broker.name", "group-a"},
        {"replica.id", absl::StrCat(id)},
        {"replica.peers", peers},
        {"data.dir", data},
        {"public.listen", process.address},
        {"group.address", group_address_},
        {"group.listen", group_address_},
        {"internal.listen", process.internal},
        {"metrics.listen", process.metrics},
        {"namesrv.addresses", free[0]},
        {"log.file", LogFile(options_.directory, id)},
        {"log.levels", "info,raft=debug"}};
    for (const auto& [name, value] : options_.settings) settings[name] = value;
    WriteLines(ConfigFile(options_.directory, id), settings);
  }
  return absl::OkStatus();
}

absl::StatusOr<pid_t> ManualCluster::Spawn(const std::string& program,
                                           const std::string& config) const {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid > 0) return pid;
  // Nothing may outlive the test, however it ends.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  for (const auto& [name, value] : options_.environment) setenv(name.c_str(), value.c_str(), 1);
  const int out = open(WordsOf(config).c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
  _exit(127);
}

absl::Status ManualCluster::Restart(const std::vector<int>& ids) {
  const std::string bin = std::filesystem::path(options_.totora).parent_path().string();
  for (const int id : ids) {
    BrokerProcess& process = processes_[id];
    if (process.pid > 0) {
      TOTORA_RETURN_IF_ERROR(WaitForEnd(process.pid, kEndTimeout));
      waitpid(process.pid, nullptr, 0);
    }
    TOTORA_ASSIGN_OR_RETURN(process.pid, Spawn(bin + "/totora-broker",
                                               ConfigFile(options_.directory, id)));
  }
  std::vector<BrokerProcess> brokers;
  for (const auto& [id, process] : processes_) brokers.push_back(process);
  SetBrokers(std::move(brokers), group_address_);
  return absl::OkStatus();
}

}  // namespace totora::integration
