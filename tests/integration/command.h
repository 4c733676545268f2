// Runs a program to its end and keeps what it said.
#ifndef TOTORA_TESTS_INTEGRATION_COMMAND_H_
#define TOTORA_TESTS_INTEGRATION_COMMAND_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace totora::integration {

struct CommandResult {
  int status = -1;  // Of exit; 128 + n after signal n.
  std::string out;
  std::string err;
};

// Starts `argv` with `extra_environment` laid over ours, and waits for its end.
// Processes that it leaves behind may keep its output open: only the program
// itself is waited for.
// Errors: NotFound (cannot be started), DeadlineExceeded (it was killed).
absl::StatusOr<CommandResult> RunCommand(
    const std::vector<std::string>& argv, absl::Duration timeout,
    const std::map<std::string, std::string>& extra_environment = {});

// The same, and anything but exit status 0 is an error that quotes its words.
absl::StatusOr<std::string> RunAndExpectSuccess(
    const std::vector<std::string>& argv, absl::Duration timeout,
    const std::map<std::string, std::string>& extra_environment = {});

// True while `pid` runs. A zombie does not.
bool IsRunning(pid_t pid);

// Waits until `pid` no longer runs. Errors: DeadlineExceeded.
absl::Status WaitForEnd(pid_t pid, absl::Duration timeout);

}  // namespace totora::integration

#endif  // TOTORA_TESTS_INTEGRATION_COMMAND_H_
