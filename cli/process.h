// Background processes of this machine: start, look at, signal.
#ifndef TOTORA_CLI_PROCESS_H_
#define TOTORA_CLI_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace totora::cli {

enum class ProcessState { kGone, kRunning, kPaused };

absl::string_view ProcessStateName(ProcessState state);

// A process and the moment of its start, which together are never reused:
// a pid alone may come to belong to a stranger.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // Field 22 of /proc/PID/stat.
};

// Runs `arguments[0]` in a session of its own, with standard input from
// /dev/null, standard output and error appended to `output_file`. It outlives
// this process. Errors: those of exec, by name.
absl::StatusOr<ProcessId> StartDetached(const std::vector<std::string>& arguments,
                                        const std::string& output_file);

// A zombie counts as gone: nobody may be there to reap it.
ProcessState StateOf(const ProcessId& process);

// Errors: NotFound if it is gone.
absl::Status SendSignal(const ProcessId& process, int signal);

// False if it still runs after `timeout`.
bool WaitUntilGone(const ProcessId& process, absl::Duration timeout);

// "KILL", "SIGKILL", "9". Errors: InvalidArgument.
absl::StatusOr<int> ParseSignal(absl::string_view text);

// The folder of the running program.
std::string OwnBinaryFolder();

}  // namespace totora::cli

#endif  // TOTORA_CLI_PROCESS_H_
