#include "tests/integration/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/status.h"

namespace totora::integration {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(2);

std::string ReadAll(int fd) {
  std::string text;
  char buffer[16384];
  off_t at = 0;
  ssize_t n = 0;
  while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
    text.append(buffer, static_cast<size_t>(n));
    at += n;
  }
  return text;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> result;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string entry(*at);
    if (!extra.contains(entry.substr(0, entry.find('=')))) result.push_back(entry);
  }
  for (const auto& [name, value] : extra) result.push_back(absl::StrCat(name, "=", value));
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& text : *strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<CommandResult> RunCommand(const std::vector<std::string>& argv,
                                         absl::Duration timeout,
                                         const std::map<std::string, std::string>& extra) {
  // Files and not pipes: a daemon that inherits them cannot hold us up.
  const int out = memfd_create("out", MFD_CLOEXEC);
  const int err = memfd_create("err", MFD_CLOEXEC);
  std::vector<std::string> arguments = argv;
  std::vector<std::string> variables = Environment(extra);
  const std::vector<char*> argument_pointers = Pointers(&arguments);
  const std::vector<char*> variable_pointers = Pointers(&variables);

  const pid_t pid = fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid == 0) {
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execvpe(argument_pointers[0], argument_pointers.data(), variable_pointers.data());
    _exit(127);
  }

  const absl::Time deadline = absl::Now() + timeout;
  int wait_status = 0;
  bool is_late = false;
  while (waitpid(pid, &wait_status, WNOHANG) == 0) {
    if (!is_late && absl::Now() > deadline) {
      is_late = true;
      kill(pid, SIGKILL);
    }
    absl::SleepFor(kLook);
  }
  CommandResult result;
  result.status =
      WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  result.out = ReadAll(out);
  result.err = ReadAll(err);
  close(out);
  close(err);
  if (is_late) {
    return absl::DeadlineExceededError(absl::StrCat("`", absl::StrJoin(argv, " "),
                                                    "` did not end within ",
                                                    absl::FormatDuration(timeout), ": ",
                                                    result.out, result.err));
  }
  if (result.status == 127) {
    return absl::NotFoundError(absl::StrCat("cannot start `", argv[0], "`: ", result.err));
  }
  return result;
}

absl::StatusOr<std::string> RunAndExpectSuccess(
    const std::vector<std::string>& argv, absl::Duration timeout,
    const std::map<std::string, std::string>& extra_environment) {
  TOTORA_ASSIGN_OR_RETURN(CommandResult result, RunCommand(argv, timeout, extra_environment));
  if (result.status != 0) {
    return absl::InternalError(absl::StrCat("`", absl::StrJoin(argv, " "), "` ended with status ",
                                            result.status, ": ", result.err, result.out));
  }
  return std::move(result.out);
}

bool IsRunning(pid_t pid) {
  // "pid (name) state …"; the name may hold anything, even ')'.
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::stringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  const size_t end = stat.rfind(')');
  if (end == std::string::npos || end + 2 >= stat.size()) return false;
  return stat[end + 2] != 'Z' && stat[end + 2] != 'X';
}

absl::Status WaitForEnd(pid_t pid, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (IsRunning(pid)) {
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("process ", pid, " still runs after ",
                                                      absl::FormatDuration(timeout)));
    }
    absl::SleepFor(kLook);
  }
  return absl::OkStatus();
}

}  // namespace totora::integration
