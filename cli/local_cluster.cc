#include "cli/local_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/ports.h"
#include "client/admin_client.h"
#include "common/file.h"
#include "common/status.h"

namespace totora::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kAskTimeout = absl::Milliseconds(500);
constexpr absl::Duration kStopTimeout = absl::Seconds(15);
constexpr int kBrokersMax = 9;

std::string Loopback(uint16_t port) { return absl::StrCat("127.0.0.1:", port); }

absl::StatusOr<ClusterFile> MakeClusterFile(const std::string& dir, const LocalOptions& options) {
  if (options.brokers < 1 || options.brokers > kBrokersMax) {
    return absl::InvalidArgumentError(absl::StrCat("--brokers must be 1 to ", kBrokersMax));
  }
  const PortRegistry default_registry(PortRegistry::DefaultFolder());
  PortPicker picker(default_registry.Taken());
  std::vector<uint16_t> ports;
  absl::Status failed;
  const auto take = [&](uint16_t given, uint16_t wanted = 0) {
    uint16_t port = given;
    if (port == 0) {
      const absl::StatusOr<uint16_t> picked = picker.Pick(wanted);
      if (!picked.ok()) failed = picked.status();
      port = picked.value_or(0);
    }
    ports.push_back(port);
    return Loopback(port);
  };
  ClusterFile cluster;
  cluster.segment_bytes = options.segment_bytes;
  cluster.log_levels = options.log_levels;
  cluster.broker_settings = options.broker_settings;
  cluster.namesrv.name = "namesrv";
  cluster.namesrv.address = take(options.namesrv_port, options.prefers_known_ports ? 9876 : 0);
  if (options.has_group_address) {
    cluster.group_address = take(options.group_port, options.prefers_known_ports ? 8081 : 0);
  }
  for (int i = 0; i < options.brokers; ++i) {
    LocalBroker broker;
    broker.id = static_cast<uint32_t>(i + 1);
    broker.name = absl::StrCat("broker-", broker.id);
    broker.public_address = take(
        options.public_port == 0 ? 0 : static_cast<uint16_t>(options.public_port + i));
    broker.internal_address = take(0);
    broker.metrics_address = take(0);
    cluster.brokers.push_back(broker);
  }
  TOTORA_RETURN_IF_ERROR(failed);
  PortRegistry registry(PortRegistry::DefaultFolder());
  TOTORA_RETURN_IF_ERROR(registry.Claim(dir, ports));
  return cluster;
}

}  // namespace

LocalCluster::LocalCluster(std::string dir, ClusterFile file)
    : dir_(std::move(dir)), file_(std::move(file)) {}

LocalCluster::~LocalCluster() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Open(const std::string& dir) {
  const std::string absolute = fs::absolute(dir).lexically_normal().string();
  const absl::StatusOr<std::string> text =
      ReadWholeFile(FileSystem::Posix(), absl::StrCat(absolute, "/cluster.json"));
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("no local cluster in ", absolute,
                                            "; make one with: totora local start --dir ", dir));
  }
  TOTORA_RETURN_IF_ERROR(text.status());
  TOTORA_ASSIGN_OR_RETURN(ClusterFile file, ParseClusterFile(*text));
  return std::unique_ptr<LocalCluster>(new LocalCluster(absolute, std::move(file)));
}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::OpenOrCreate(
    const std::string& dir, const LocalOptions& options) {
  absl::StatusOr<std::unique_ptr<LocalCluster>> existing = Open(dir);
  if (!absl::IsNotFound(existing.status())) return existing;
  const std::string absolute = fs::absolute(dir).lexically_normal().string();
  TOTORA_RETURN_IF_ERROR(FileSystem::Posix()->CreateDirectory(absolute));
  TOTORA_ASSIGN_OR_RETURN(ClusterFile file, MakeClusterFile(absolute, options));
  auto cluster = std::unique_ptr<LocalCluster>(new LocalCluster(absolute, std::move(file)));
  TOTORA_RETURN_IF_ERROR(cluster->Save());
  return cluster;
}

absl::Status LocalCluster::Lock() {
  if (lock_fd_ >= 0) return absl::OkStatus();
  const std::string path = absl::StrCat(dir_, "/lock");
  lock_fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  if (flock(lock_fd_, LOCK_EX) != 0) return ErrnoStatus(errno, absl::StrCat("lock ", path));
  // Somebody may have changed the cluster while we waited.
  TOTORA_ASSIGN_OR_RETURN(const std::string text,
                          ReadWholeFile(FileSystem::Posix(), absl::StrCat(dir_, "/cluster.json")));
  TOTORA_ASSIGN_OR_RETURN(const ClusterFile now, ParseClusterFile(text));
  // In place: callers hold pointers to the processes.
  file_.namesrv.process = now.namesrv.process;
  for (size_t i = 0; i < std::min(file_.brokers.size(), now.brokers.size()); ++i) {
    file_.brokers[i].process = now.brokers[i].process;
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::Save() const {
  return WriteFileAtomically(FileSystem::Posix(), absl::StrCat(dir_, "/cluster.json"),
                             ClusterFileText(file_));
}

std::vector<LocalProcess*> LocalCluster::Processes() {
  std::vector<LocalProcess*> processes = {&file_.namesrv};
  for (LocalBroker& broker : file_.brokers) processes.push_back(&broker);
  return processes;
}

bool LocalCluster::HasRunningProcess() const {
  bool running = StateOf(file_.namesrv.process) != ProcessState::kGone;
  for (const LocalBroker& broker : file_.brokers) {
    running = running || StateOf(broker.process) != ProcessState::kGone;
  }
  return running;
}

absl::Status LocalCluster::StartProcess(LocalProcess* process) {
  FileSystem* const files = FileSystem::Posix();
  const std::string config = absl::StrCat(dir_, "/", process->name, ".conf");
  std::string program = "totora-namesrv";
  std::string text = NamesrvConfig(file_, dir_);
  for (const LocalBroker& broker : file_.brokers) {
    if (&broker != process) continue;
    program = "totora-broker";
    text = BrokerConfig(file_, broker, dir_);
    TOTORA_RETURN_IF_ERROR(files->CreateDirectory(absl::StrCat(dir_, "/", broker.name)));
  }
  TOTORA_RETURN_IF_ERROR(WriteFileAtomically(files, config, text));
  const std::string path = absl::StrCat(OwnBinaryFolder(), "/", program);
  if (!files->Exists(path)) {
    return absl::NotFoundError(absl::StrCat(path, " is missing; `totora local` starts the programs "
                                                  "that stand beside `totora` itself"));
  }
  TOTORA_ASSIGN_OR_RETURN(process->process,
                          StartDetached({path, "--config", config},
                                        absl::StrCat(dir_, "/", process->name, ".out")));
  return Save();
}

absl::Status LocalCluster::Start() {
  TOTORA_RETURN_IF_ERROR(Lock());
  for (LocalProcess* process : Processes()) {
    if (StateOf(process->process) == ProcessState::kGone) {
      TOTORA_RETURN_IF_ERROR(StartProcess(process));
    }
  }
  return absl::OkStatus();
}

uint32_t LocalCluster::FindLeader() const {
  // Side by side: one that is paused answers nothing and costs the whole timeout.
  struct Answer {
    uint32_t id = 0;
    uint64_t term = 0;
  };
  std::vector<std::future<Answer>> answers;
  for (const LocalBroker& broker : file_.brokers) {
    if (StateOf(broker.process) != ProcessState::kRunning) continue;
    answers.push_back(std::async(std::launch::async, [&broker] {
      client::AdminClient admin(broker.internal_address, kAskTimeout);
      const auto reply = admin.RaftStatus("");
      Answer answer;
      if (!reply.ok()) return answer;
      for (const admin::ReplicaStatus& replica : reply->replicas()) {
        if (replica.role() == model::LEADER) {
          answer = {.id = replica.replica_id(), .term = replica.term()};
        }
      }
      return answer;
    }));
  }
  Answer best;
  for (std::future<Answer>& future : answers) {
    const Answer answer = future.get();
    if (answer.id != 0 && answer.term >= best.term) best = answer;
  }
  return best.id;
}

std::string LocalCluster::LogTail(const LocalProcess& process) const {
  std::string tail;
  for (const char* kind : {".log", ".out"}) {
    std::ifstream file(absl::StrCat(dir_, "/", process.name, kind));
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line);
      if (lines.size() > 5) lines.erase(lines.begin());
    }
    if (!lines.empty()) absl::StrAppend(&tail, "\n  ", absl::StrJoin(lines, "\n  "));
  }
  return tail;
}

absl::StatusOr<uint32_t> LocalCluster::WaitForLeader(absl::Duration timeout, uint32_t other_than) {
  // What runs now must go on running: a replica that was killed is no news.
  std::vector<LocalProcess*> expected;
  for (LocalProcess* process : Processes()) {
    if (StateOf(process->process) != ProcessState::kGone) expected.push_back(process);
  }
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    const uint32_t leader = FindLeader();
    if (leader != 0 && leader != other_than) return leader;
    for (LocalProcess* process : expected) {
      if (StateOf(process->process) == ProcessState::kGone) {
        return absl::UnavailableError(
            absl::StrCat(process->name, " ended; its last words:", LogTail(*process)));
      }
    }
    if (absl::Now() >= deadline) {
      return absl::UnavailableError(absl::StrCat("no leader within ", absl::FormatDuration(timeout),
                                                 "; see the logs in ", dir_));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

absl::StatusOr<LocalProcess*> LocalCluster::Find(const std::string& target) {
  if (target == "namesrv") return &file_.namesrv;
  uint32_t id = 0;
  if (target == "leader") {
    id = FindLeader();
    if (id == 0) return absl::UnavailableError("no replica leads now; name one by its number");
  }
  for (LocalBroker& broker : file_.brokers) {
    if (broker.name == target || absl::StrCat(broker.id) == target || (id != 0 && broker.id == id)) {
      return &broker;
    }
  }
  return absl::NotFoundError(absl::StrCat("no replica ", target, "; there are 1 to ",
                                          file_.brokers.size(), ", leader, and namesrv"));
}

absl::Status LocalCluster::Signal(LocalProcess* process, int signal) {
  TOTORA_RETURN_IF_ERROR(Annotate(SendSignal(process->process, signal), process->name));
  if (signal == SIGKILL) WaitUntilGone(process->process, kStopTimeout);
  return absl::OkStatus();
}

absl::Status LocalCluster::End(LocalProcess* process) {
  if (StateOf(process->process) == ProcessState::kGone) return absl::OkStatus();
  (void)SendSignal(process->process, SIGTERM);
  (void)SendSignal(process->process, SIGCONT);  // A paused one must wake up to hear it.
  if (WaitUntilGone(process->process, kStopTimeout)) return absl::OkStatus();
  (void)SendSignal(process->process, SIGKILL);
  if (WaitUntilGone(process->process, kStopTimeout)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(process->name, " (", process->process.pid,
                                          ") survives SIGKILL; its disk may hang"));
}

absl::Status LocalCluster::Restart(LocalProcess* process) {
  TOTORA_RETURN_IF_ERROR(Lock());
  TOTORA_RETURN_IF_ERROR(End(process));
  return StartProcess(process);
}

absl::Status LocalCluster::Stop() {
  TOTORA_RETURN_IF_ERROR(Lock());
  // All are told before any is waited for: a leader that hands over would
  // otherwise hand over to the next one to stop.
  for (const LocalBroker& broker : file_.brokers) {
    (void)SendSignal(broker.process, SIGTERM);
    (void)SendSignal(broker.process, SIGCONT);
  }
  absl::Status status;
  for (LocalBroker& broker : file_.brokers) status.Update(End(&broker));
  status.Update(End(&file_.namesrv));
  return status;
}

std::vector<std::string> LocalCluster::InternalAddresses() const {
  std::vector<std::string> addresses;
  for (const LocalBroker& broker : file_.brokers) {
    if (StateOf(broker.process) == ProcessState::kRunning) {
      addresses.push_back(broker.internal_address);
    }
  }
  return addresses;
}

std::string LocalCluster::StatusJson(uint32_t leader) const {
  nlohmann::ordered_json json;
  json["dir"] = dir_;
  json["namesrv"] = file_.namesrv.address;
  json["namesrv_pid"] = file_.namesrv.process.pid;
  json["namesrv_state"] = std::string(ProcessStateName(StateOf(file_.namesrv.process)));
  json["group_address"] = file_.group_address;
  json["leader"] = leader;
  json["brokers"] = nlohmann::ordered_json::array();
  for (const LocalBroker& broker : file_.brokers) {
    json["brokers"].push_back(
        {{"id", broker.id},
         {"pid", broker.process.pid},
         {"state", std::string(ProcessStateName(StateOf(broker.process)))},
         {"public", broker.public_address},
         {"internal", broker.internal_address},
         {"metrics", broker.metrics_address}});
  }
  return json.dump();
}

}  // namespace totora::cli
