// What every command shares: the global options, and how it ends.
#ifndef TOTORA_CLI_CONTEXT_H_
#define TOTORA_CLI_CONTEXT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/admin_client.h"

namespace CLI {
class App;
}

namespace totora::cli {

// Filled in by the parser before a command runs.
//
// Thread safety: confined to the main thread.
struct Context {
  std::string output = "table";
  std::string dir;       // Of a local cluster; empty if not given.
  std::string endpoint;  // As given; what it means depends on the command.
  double timeout_seconds = 5;

  int exit_code = 0;

  bool json() const { return output == "json"; }
  absl::Duration timeout() const { return absl::Seconds(timeout_seconds); }

  // Takes the outcome of a command: prints an error, sets the exit code.
  void End(const absl::Status& status);

  // Where clients connect: --endpoint, the group address of --dir,
  // $TOTORA_ENDPOINT, 127.0.0.1:8081.
  absl::StatusOr<std::string> PublicEndpoint() const;

  // Internal ports to ask: --endpoint, those of --dir that run,
  // $TOTORA_INTERNAL, 127.0.0.1:40911.
  absl::StatusOr<std::vector<std::string>> InternalEndpoints() const;

  // Asks one after the other until one answers something else than "not
  // here", "not leader" or nothing at all.
  absl::Status Ask(const std::function<absl::Status(client::AdminClient*)>& ask) const;
};

// "10s", "500ms", "1m30s", or a plain number of seconds.
absl::StatusOr<absl::Duration> ParseDurationText(const std::string& text);
// "1024", "64KiB", "4MiB", "1GiB" (also K, M, G).
absl::StatusOr<uint64_t> ParseBytesText(const std::string& text);

// Each adds its commands to `app`. `context` and `app` outlive the parsing.
void AddLocalCommands(CLI::App* app, Context* context);
void AddAdminCommands(CLI::App* app, Context* context);
void AddMessageCommands(CLI::App* app, Context* context);
void AddBenchCommands(CLI::App* app, Context* context);
void AddDemoCommand(CLI::App* app, Context* context);
void AddProbeCommand(CLI::App* app, Context* context);

// The whole command line. Returns the exit code.
int RunCommandLine(int argc, const char* const* argv);

}  // namespace totora::cli

#endif  // TOTORA_CLI_CONTEXT_H_
