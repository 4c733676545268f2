// totora probe: what a health check runs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/context.h"
#include "cli/http_probe.h"
#include "common/status.h"

namespace totora::cli {
namespace {

struct ProbeArguments {
  std::string address = "127.0.0.1:5557";
  std::string path = "/readyz";
};

absl::Status Probe(const Context& context, const ProbeArguments& arguments) {
  TOTORA_ASSIGN_OR_RETURN(const HttpAnswer answer,
                          HttpGet(arguments.address, arguments.path, context.timeout()));
  if (answer.status != 200) {
    return absl::UnavailableError(absl::StrCat(arguments.address, arguments.path, ": ",
                                               answer.status, ", ",
                                               absl::StripAsciiWhitespace(answer.body)));
  }
  std::fwrite(answer.body.data(), 1, answer.body.size(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddProbeCommand(CLI::App* app, Context* context) {
  auto arguments = std::make_shared<ProbeArguments>();
  CLI::App* const probe =
      app->add_subcommand("probe", "ask a daemon over HTTP how it is; for health checks");
  probe->add_option("address", arguments->address,
                    "a broker's metrics.listen (default 127.0.0.1:5557) or a nameserver's listen");
  probe->add_option("--path", arguments->path, "/readyz (default), /healthz or /metrics");
  probe->callback([=] { context->End(Probe(*context, *arguments)); });
}

}  // namespace totora::cli
