#include "cli/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/status.h"

namespace totora::cli {
namespace {

// Fields of /proc/PID/stat behind the name, which is field 2.
struct Stat {
  char state = 0;
  uint64_t start_ticks = 0;
};

bool ReadStat(pid_t pid, Stat* stat) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return false;
  const std::vector<std::string> fields = absl::StrSplit(text.substr(name_end + 2), ' ');
  if (fields.size() < 20 || fields[0].empty()) return false;
  stat->state = fields[0][0];
  return absl::SimpleAtoi(fields[22 - 3], &stat->start_ticks);
}

struct Report {
  pid_t pid;
  int error;
};

// Everything here runs between fork and exec of a process that may have other
// threads: system calls only, nothing that allocates.
[[noreturn]] void Become(char* const* arguments, const char* output_file, int report_fd,
                         int go_fd) {
  setsid();
  // A second fork: the process is nobody's child, so nobody need reap it.
  const pid_t pid = fork();
  if (pid < 0) {
    const Report report = {.pid = 0, .error = errno};
    (void)!write(report_fd, &report, sizeof(report));
    _exit(1);
  }
  if (pid > 0) _exit(0);
  Report report = {.pid = getpid(), .error = 0};
  const int in = open("/dev/null", O_RDONLY);
  const int out = open(output_file, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) {
    report.error = errno;
    (void)!write(report_fd, &report, sizeof(report));
    _exit(1);
  }
  syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  (void)!write(report_fd, &report, sizeof(report));
  // Not before our start time was read: a short life could be over by then.
  char go;
  (void)!read(go_fd, &go, 1);
  execv(arguments[0], arguments);
  report.error = errno;
  (void)!write(report_fd, &report, sizeof(report));
  _exit(127);
}

}  // namespace

absl::string_view ProcessStateName(ProcessState state) {
  switch (state) {
    case ProcessState::kGone:
      return "gone";
    case ProcessState::kRunning:
      return "running";
    case ProcessState::kPaused:
      return "paused";
  }
  return "?";
}

absl::StatusOr<ProcessId> StartDetached(const std::vector<std::string>& arguments,
                                        const std::string& output_file) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int fds[2];
  int go[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  if (pipe2(go, O_CLOEXEC) != 0) {
    const absl::Status status = ErrnoStatus(errno, "pipe");
    close(fds[0]);
    close(fds[1]);
    return status;
  }
  const pid_t child = fork();
  if (child < 0) {
    const absl::Status status = ErrnoStatus(errno, "fork");
    for (const int fd : {fds[0], fds[1], go[0], go[1]}) close(fd);
    return status;
  }
  if (child == 0) {
    close(go[1]);
    Become(argv.data(), output_file.c_str(), fds[1], go[0]);
  }
  close(fds[1]);
  close(go[0]);
  waitpid(child, nullptr, 0);
  // The first report names the process; a second one says why exec failed.
  ProcessId process;
  int error = 0;
  Report report;
  bool has_stat = false;
  if (read(fds[0], &report, sizeof(report)) == static_cast<ssize_t>(sizeof(report))) {
    process.pid = report.pid;
    error = report.error;
    Stat stat;
    has_stat = report.pid > 0 && ReadStat(report.pid, &stat);
    process.start_ticks = stat.start_ticks;
  }
  close(go[1]);  // Go.
  while (read(fds[0], &report, sizeof(report)) == static_cast<ssize_t>(sizeof(report))) {
    process.pid = report.pid;
    error = report.error;
  }
  close(fds[0]);
  if (error != 0) return ErrnoStatus(error, absl::StrCat("start ", arguments[0]));
  if (!has_stat) {
    return absl::InternalError(absl::StrCat(arguments[0], " could not be started"));
  }
  return process;
}

ProcessState StateOf(const ProcessId& process) {
  Stat stat;
  if (process.pid <= 0 || !ReadStat(process.pid, &stat)) return ProcessState::kGone;
  if (stat.start_ticks != process.start_ticks) return ProcessState::kGone;
  if (stat.state == 'Z' || stat.state == 'X') return ProcessState::kGone;
  return stat.state == 'T' ? ProcessState::kPaused : ProcessState::kRunning;
}

absl::Status SendSignal(const ProcessId& process, int signal) {
  if (StateOf(process) == ProcessState::kGone) {
    return absl::NotFoundError(absl::StrCat("process ", process.pid, " does not run"));
  }
  if (kill(process.pid, signal) != 0) {
    return ErrnoStatus(errno, absl::StrCat("signal process ", process.pid));
  }
  return absl::OkStatus();
}

bool WaitUntilGone(const ProcessId& process, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (StateOf(process) != ProcessState::kGone) {
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number) && number > 0 && number < NSIG) return number;
  const std::string name(absl::StripPrefix(absl::AsciiStrToUpper(text), "SIG"));
  for (int signal = 1; signal < 32; ++signal) {
    const char* const known = sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown signal ", text, "; use a name such as KILL, TERM, STOP or a number"));
}

std::string OwnBinaryFolder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace totora::cli
