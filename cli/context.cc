#include "cli/context.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/local_cluster.h"
#include "cli/output.h"
#include "common/status.h"

namespace totora::cli {
namespace {

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void Context::End(const absl::Status& status) {
  if (status.ok()) return;
  std::fflush(stdout);
  std::fputs(ErrorText(status).c_str(), stderr);
  exit_code = ExitCodeOf(status);
}

absl::StatusOr<std::string> Context::PublicEndpoint() const {
  if (!endpoint.empty()) return endpoint;
  if (!dir.empty()) {
    TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster, LocalCluster::Open(dir));
    return AccessPoint(cluster->file());
  }
  const std::string given = Environment("TOTORA_ENDPOINT");
  return given.empty() ? "127.0.0.1:8081" : given;
}

absl::StatusOr<std::vector<std::string>> Context::InternalEndpoints() const {
  if (!endpoint.empty()) return std::vector<std::string>{endpoint};
  if (!dir.empty()) {
    TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster, LocalCluster::Open(dir));
    const std::vector<std::string> addresses = cluster->InternalAddresses();
    if (addresses.empty()) {
      return absl::UnavailableError(absl::StrCat(
          "no broker of ", dir, " runs; start them with: totora local start --dir ", dir));
    }
    return addresses;
  }
  const std::string given = Environment("TOTORA_INTERNAL");
  return std::vector<std::string>{given.empty() ? "127.0.0.1:40911" : given};
}

absl::Status Context::Ask(const std::function<absl::Status(client::AdminClient*)>& ask) const {
  TOTORA_ASSIGN_OR_RETURN(const std::vector<std::string> addresses, InternalEndpoints());
  absl::Status status;
  for (const std::string& address : addresses) {
    client::AdminClient admin(address, timeout());
    status = ask(&admin);
    if (!absl::IsUnavailable(status) && !absl::IsFailedPrecondition(status)) return status;
  }
  return status;
}

absl::StatusOr<absl::Duration> ParseDurationText(const std::string& text) {
  double seconds = 0;
  absl::Duration duration;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no duration; write 10s, 500ms, 1m30s or seconds"));
  }
  if (duration < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is negative"));
  }
  return duration;
}

absl::StatusOr<uint64_t> ParseBytesText(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  const std::string unit =
      digits == std::string::npos ? "" : absl::AsciiStrToLower(text.substr(digits));
  int shift = -1;
  if (unit.empty() || unit == "b") shift = 0;
  if (unit == "k" || unit == "kib") shift = 10;
  if (unit == "m" || unit == "mib") shift = 20;
  if (unit == "g" || unit == "gib") shift = 30;
  uint64_t number = 0;
  if (shift < 0 || !absl::SimpleAtoi(text.substr(0, digits), &number) ||
      number > (UINT64_MAX >> shift)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no size; write 1024, 64KiB, 4MiB or 1GiB"));
  }
  return number << shift;
}

int RunCommandLine(int argc, const char* const* argv) {
  Context context;
  CLI::App app("Totora: a message broker for RocketMQ's clients.", "totora");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "totora 0.1.0");
  app.add_option("--output,-o", context.output, "table (for people) or json (for scripts)")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_option("--dir", context.dir, "folder of a local cluster (see `totora local`)");
  app.add_option("--endpoint", context.endpoint,
                 "HOST:PORT; the public port for send, receive and bench, the internal port for "
                 "everything else");
  app.add_option("--timeout", context.timeout_seconds, "seconds that one call may take")
      ->check(CLI::PositiveNumber);
  AddLocalCommands(&app, &context);
  AddAdminCommands(&app, &context);
  AddMessageCommands(&app, &context);
  AddBenchCommands(&app, &context);
  AddDemoCommand(&app, &context);
  AddProbeCommand(&app, &context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11's own numbers are many; scripts only need to know that it was the usage.
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return context.exit_code;
}

}  // namespace totora::cli
