// What the main() of every daemon does: flags, configuration, signals.
#ifndef TOTORA_COMMON_DAEMON_H_
#define TOTORA_COMMON_DAEMON_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/configuration.h"

namespace totora {

// A program that runs until it is told to stop.
class Daemon {
 public:
  virtual ~Daemon() = default;
  // Graceful; returns when all is over.
  virtual void Stop() = 0;
};

struct DaemonProgram {
  const char* name;     // "totora-broker".
  const char* summary;  // One line of --help.
  absl::Span<const SettingRow> rows;
  absl::Span<const IgnoredKey> ignored;
  std::function<absl::StatusOr<std::unique_ptr<Daemon>>(const Configuration&)> start;
};

// --config FILE, --check-config, --describe-settings, --version, --help. Reads
// the file, sets up the log (settings log.file, log.levels), starts the daemon
// and waits for SIGTERM or SIGINT (or EndProcess). Returns main's status: 0
// after a graceful stop, 1 if it could not start, 2 for wrong usage.
int RunDaemon(const DaemonProgram& program, int argc, char** argv);

// Ends the process with `status` after a second at most, from any thread:
// for failures after which nothing may be acknowledged any more.
void EndProcess(int status);

// "0.1.0", as the build knows it.
const char* Version();

}  // namespace totora

#endif  // TOTORA_COMMON_DAEMON_H_
