// totora bench send | receive | echo | floor
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "bench/classic_bench.h"
#include "bench/client_bench.h"
#include "bench/floor_bench.h"
#include "cli/context.h"
#include "cli/local_cluster.h"
#include "cli/output.h"
#include "common/status.h"

namespace totora::cli {
namespace {

struct BenchArguments {
  bench::ClientBenchOptions options;
  std::string size = "1024";
  std::string duration = "10s";
  std::string invisible = "60s";
  std::string await = "5s";
  std::string pids;
  std::string floor_dir = ".";
  std::string protocol = "v2";
  std::string serializer = "rocketmq";

  bool is_classic() const { return protocol == "classic"; }
};

// "123,broker=456": processes to measure besides this one.
absl::StatusOr<std::vector<bench::WatchedProcess>> Watched(const Context& context,
                                                           const std::string& pids) {
  std::vector<bench::WatchedProcess> processes;
  for (const absl::string_view part : absl::StrSplit(pids, ',', absl::SkipEmpty())) {
    const std::vector<std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    bench::WatchedProcess process;
    if (!absl::SimpleAtoi(pair.back(), &process.pid) || process.pid <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("--pids: ", part, " is no process id"));
    }
    process.name = pair.size() == 2 ? pair[0] : absl::StrCat("pid-", process.pid);
    processes.push_back(process);
  }
  if (pids.empty() && !context.dir.empty()) {
    TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                            LocalCluster::Open(context.dir));
    const ClusterFile& file = cluster->file();
    processes.push_back({.name = "namesrv", .pid = file.namesrv.process.pid});
    for (const LocalBroker& broker : file.brokers) {
      if (StateOf(broker.process) == ProcessState::kGone) continue;
      processes.push_back({.name = broker.name, .pid = broker.process.pid});
    }
  }
  return processes;
}

void PrintReport(const Context& context, const bench::Report& report) {
  if (context.json()) {
    std::printf("%s\n", bench::ReportJson(report).c_str());
  } else {
    std::printf("%s", bench::ReportText(report).c_str());
  }
}

std::function<void(absl::Duration, uint64_t)> ShowOn(Progress* progress) {
  return [progress](absl::Duration elapsed, uint64_t messages) {
    progress->Show(absl::StrFormat("%.0f s, %d messages", absl::ToDoubleSeconds(elapsed), messages));
  };
}

absl::Status FinishReport(const Context& context, const absl::StatusOr<bench::Report>& report) {
  TOTORA_RETURN_IF_ERROR(report.status());
  PrintReport(context, *report);
  // Some errors are a result (a failover was measured); no message at all is none.
  if (report->messages == 0 && report->errors > 0) {
    return absl::UnavailableError(absl::StrCat("every request failed: ", report->first_error));
  }
  return absl::OkStatus();
}

using Bench = absl::StatusOr<bench::Report> (*)(const bench::ClientBenchOptions&);

absl::Status RunClientBench(const Context& context, BenchArguments a, Bench run) {
  TOTORA_ASSIGN_OR_RETURN(a.options.endpoint, context.PublicEndpoint());
  TOTORA_ASSIGN_OR_RETURN(a.options.size, ParseBytesText(a.size));
  TOTORA_ASSIGN_OR_RETURN(a.options.load.duration, ParseDurationText(a.duration));
  TOTORA_ASSIGN_OR_RETURN(a.options.invisible, ParseDurationText(a.invisible));
  TOTORA_ASSIGN_OR_RETURN(a.options.await, ParseDurationText(a.await));
  TOTORA_ASSIGN_OR_RETURN(a.options.processes, Watched(context, a.pids));
  a.options.has_json_headers = a.serializer == "json";
  if (a.options.size == 0) return absl::InvalidArgumentError("--size must be at least 1");
  absl::StatusOr<bench::Report> report;
  {
    Progress progress;
    a.options.load.progress = ShowOn(&progress);
    report = run(a.options);
  }
  return FinishReport(context, report);
}

absl::Status RunFloor(const Context& context, const BenchArguments& a) {
  bench::FloorOptions options;
  options.directory = a.floor_dir;
  options.messages_max = a.options.load.messages_max;
  TOTORA_ASSIGN_OR_RETURN(options.size, ParseBytesText(a.size));
  TOTORA_ASSIGN_OR_RETURN(options.duration, ParseDurationText(a.duration));
  absl::StatusOr<bench::Report> report;
  {
    Progress progress;
    options.progress = ShowOn(&progress);
    report = bench::BenchFloor(options);
  }
  return FinishReport(context, report);
}

}  // namespace

void AddBenchCommands(CLI::App* app, Context* context) {
  const auto a = std::make_shared<BenchArguments>();
  CLI::App* const parent = app->add_subcommand("bench", "measure");
  parent->require_subcommand(1);
  parent->fallthrough();
  const auto add = [&](const char* name, const char* help) {
    CLI::App* const command = parent->add_subcommand(name, help);
    command->fallthrough();
    command->add_option("--duration", a->duration, "such as 10s");
    command->add_option("--count", a->options.load.messages_max, "stop after so many messages");
    return command;
  };
  const auto add_load = [&](CLI::App* command, const char* clients) {
    command->add_option(clients, a->options.clients, "clients, each with its own connection")
        ->check(CLI::Range(1, 1000));
    command->add_option("--outstanding", a->options.outstanding, "requests in flight, per client")
        ->check(CLI::Range(1, 10000));
    command->add_option("--pids", a->pids,
                        "processes whose CPU is measured, [NAME=]PID,...; default: those of --dir");
  };
  const auto add_protocol = [&](CLI::App* command) {
    command->add_option("--protocol", a->protocol, "v2 (gRPC) or classic (remoting)")
        ->check(CLI::IsMember({"v2", "classic"}));
    command->add_option("--serializer", a->serializer, "classic: headers, rocketmq or json")
        ->check(CLI::IsMember({"rocketmq", "json"}));
    command->add_flag("--direct", a->options.is_direct,
                      "classic: to --endpoint itself, wherever the route leads");
  };

  CLI::App* command = add("send", "send equal messages");
  add_load(command, "--producers,--clients");
  command->add_option("--topic,-t", a->options.topic)->required();
  command->add_option("--size", a->size, "of a body");
  command->add_option("--batch", a->options.batch, "messages in a request")
      ->check(CLI::Range(1, 4096));
  command->add_option("--rate", a->options.load.rate, "messages per second: an open loop")
      ->check(CLI::NonNegativeNumber);
  add_protocol(command);
  command->callback([=] {
    context->End(RunClientBench(*context, *a,
                                a->is_classic() ? bench::BenchClassicSend : bench::BenchSend));
  });

  command = add("receive", "receive and acknowledge; classic: pull");
  add_load(command, "--consumers,--clients");
  command->add_option("--topic,-t", a->options.topic)->required();
  command->add_option("--consumer-group,-g", a->options.consumer_group)->required();
  command->add_option("--batch", a->options.batch, "messages in an answer, at most")
      ->check(CLI::Range(1, 32));
  command->add_option("--invisible", a->invisible, "lease of a message");
  command->add_option("--wait", a->await, "of a receive that finds nothing");
  command->add_flag("--until-empty", a->options.until_empty, "end when nothing more comes");
  add_protocol(command);
  command->callback([=] {
    context->End(RunClientBench(
        *context, *a, a->is_classic() ? bench::BenchClassicReceive : bench::BenchReceive));
  });

  command = add("echo", "unary calls that touch no log");
  add_load(command, "--clients");
  command->add_option("--size", a->size, "bytes there and back");
  command->add_option("--rate", a->options.load.rate, "calls per second: an open loop")
      ->check(CLI::NonNegativeNumber);
  command->callback([=] { context->End(RunClientBench(*context, *a, bench::BenchEcho)); });

  command = add("floor", "TCP and fdatasync of a majority, without a broker");
  command->add_option("--size", a->size, "bytes of a write");
  command->add_option("--data-dir", a->floor_dir, "where the three files go");
  command->callback([=] { context->End(RunFloor(*context, *a)); });
}

}  // namespace totora::cli
