// totora: the command line.
#include "absl/synchronization/mutex.h"
#include "cli/context.h"

int main(int argc, char** argv) {
  // Debian's abseil looks for deadlock cycles at every lock that gRPC takes.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return totora::cli::RunCommandLine(argc, argv);
}
