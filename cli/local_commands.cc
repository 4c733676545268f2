// totora local start|status|kill|pause|resume|restart|stop
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cli/context.h"
#include "cli/local_cluster.h"
#include "cli/output.h"
#include "common/status.h"

namespace totora::cli {
namespace {

// Options of all these commands; one is run per process.
struct LocalArguments {
  LocalOptions start;
  std::string segment_bytes;
  std::vector<std::string> settings;
  std::string wait = "60s";
  std::string target;
  std::string signal = "KILL";
};

void PrintStatus(const Context& context, const LocalCluster& cluster, uint32_t leader) {
  const std::string json = cluster.StatusJson(leader);
  if (context.json()) {
    std::printf("%s\n", json.c_str());
    return;
  }
  const ClusterFile& file = cluster.file();
  Table table({"PROCESS", "ROLE", "PID", "STATE", "PUBLIC", "INTERNAL", "METRICS"});
  table.Add({"namesrv", "-", absl::StrCat(file.namesrv.process.pid),
             std::string(ProcessStateName(StateOf(file.namesrv.process))), file.namesrv.address,
             "-", "-"});
  for (const LocalBroker& broker : file.brokers) {
    const ProcessState state = StateOf(broker.process);
    const char* const role = broker.id == leader              ? "leader"
                             : state == ProcessState::kRunning ? "follower"
                                                               : "-";
    table.Add({broker.name, role, absl::StrCat(broker.process.pid),
               std::string(ProcessStateName(state)), broker.public_address,
               broker.internal_address, broker.metrics_address});
  }
  std::printf("%sclients connect to %s\n", table.Text().c_str(), AccessPoint(file).c_str());
}

absl::Status Start(const Context& context, LocalArguments arguments) {
  if (!arguments.segment_bytes.empty()) {
    TOTORA_ASSIGN_OR_RETURN(arguments.start.segment_bytes,
                            ParseBytesText(arguments.segment_bytes));
  }
  TOTORA_ASSIGN_OR_RETURN(const absl::Duration wait, ParseDurationText(arguments.wait));
  for (const std::string& line : arguments.settings) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos || line.find('\n') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--set takes KEY=VALUE, not ", line));
    }
    arguments.start.broker_settings.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                          LocalCluster::OpenOrCreate(context.dir, arguments.start));
  Progress progress;
  progress.Show("starting the processes ...");
  TOTORA_RETURN_IF_ERROR(cluster->Start());
  progress.Show("waiting for a leader ...");
  TOTORA_ASSIGN_OR_RETURN(const uint32_t leader, cluster->WaitForLeader(wait));
  progress.Clear();
  PrintStatus(context, *cluster, leader);
  return absl::OkStatus();
}

absl::Status OnTarget(const Context& context, const std::string& target,
                      const std::function<absl::Status(LocalCluster*, LocalProcess*)>& deed) {
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                          LocalCluster::Open(context.dir));
  TOTORA_ASSIGN_OR_RETURN(LocalProcess * process, cluster->Find(target));
  TOTORA_RETURN_IF_ERROR(deed(cluster.get(), process));
  if (context.json()) {
    nlohmann::ordered_json json = {{"name", process->name},
                                   {"pid", process->process.pid},
                                   {"state", std::string(ProcessStateName(
                                                 StateOf(process->process)))}};
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("%s (%d) is %s\n", process->name.c_str(), process->process.pid,
                std::string(ProcessStateName(StateOf(process->process))).c_str());
  }
  return absl::OkStatus();
}

absl::Status RequireDir(const Context& context) {
  if (!context.dir.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("which cluster? Name its folder with --dir D");
}

void AddTarget(CLI::App* command, LocalArguments* arguments) {
  command->add_option("target", arguments->target, "replica number, leader, or namesrv")
      ->required();
}

}  // namespace

void AddLocalCommands(CLI::App* app, Context* context) {
  auto arguments = std::make_shared<LocalArguments>();
  LocalArguments* const a = arguments.get();
  CLI::App* const local = app->add_subcommand(
      "local", "a nameserver and brokers as real processes of this machine");
  local->require_subcommand(1);
  local->fallthrough();
  const auto add = [&](const char* name, const char* help, std::function<absl::Status()> run) {
    CLI::App* const command = local->add_subcommand(name, help);
    command->fallthrough();
    // `arguments` is kept alive by the callback.
    command->callback([context, arguments, run = std::move(run)] {
      absl::Status status = RequireDir(*context);
      if (status.ok()) status = run();
      context->End(status);
    });
    return command;
  };

  CLI::App* command = add("start", "start (again) and return when a leader serves",
                          [=] { return Start(*context, *a); });
  command->add_option("--brokers", a->start.brokers, "replicas of the group (new clusters)");
  command->add_option("--namesrv-port", a->start.namesrv_port, "default: a free one");
  command->add_option("--group-port", a->start.group_port, "shared by all; default: a free one");
  command->add_flag("!--no-group-address", a->start.has_group_address,
                    "clients learn the leader's own address instead");
  command->add_option("--public-port", a->start.public_port,
                      "of broker 1, the next ones follow; default: free ones");
  command->add_option("--segment-bytes", a->segment_bytes, "size of a log segment, e.g. 64MiB");
  command->add_option("--log-levels", a->start.log_levels, "such as info,raft=debug");
  command->add_option("--set", a->settings, "KEY=VALUE, a further line of the brokers' configuration")
      ->allow_extra_args(false);
  command->add_option("--wait", a->wait, "how long a leader may take");

  add("status", "processes, addresses, who leads", [=]() -> absl::Status {
    TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                            LocalCluster::Open(context->dir));
    PrintStatus(*context, *cluster, cluster->FindLeader());
    return absl::OkStatus();
  });

  command = add("kill", "send a signal (KILL unless said otherwise)", [=]() -> absl::Status {
    TOTORA_ASSIGN_OR_RETURN(const int signal, ParseSignal(a->signal));
    return OnTarget(*context, a->target, [signal](LocalCluster* cluster, LocalProcess* process) {
      return cluster->Signal(process, signal);
    });
  });
  AddTarget(command, a);
  command->add_option("--signal,-s", a->signal, "name or number");

  const auto signal_command = [=](int signal) {
    return [=] {
      return OnTarget(*context, a->target, [signal](LocalCluster* cluster, LocalProcess* process) {
        return cluster->Signal(process, signal);
      });
    };
  };
  AddTarget(add("pause", "freeze a process (SIGSTOP)", signal_command(SIGSTOP)), a);
  AddTarget(add("resume", "let a frozen process go on (SIGCONT)", signal_command(SIGCONT)), a);
  AddTarget(add("restart", "end a process if it runs, and start it again",
                [=] {
                  return OnTarget(*context, a->target,
                                  [](LocalCluster* cluster, LocalProcess* process) {
                                    return cluster->Restart(process);
                                  });
                }),
            a);

  add("stop", "end all processes; data and configuration stay", [=]() -> absl::Status {
    TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                            LocalCluster::Open(context->dir));
    Progress progress;
    progress.Show("stopping ...");
    return cluster->Stop();
  });
}

}  // namespace totora::cli
