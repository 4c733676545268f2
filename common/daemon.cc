#include "common/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <thread>

#include "common/file.h"
#include "common/log.h"

namespace totora {
namespace {

void PrintUsage(const DaemonProgram& program) {
  std::printf(
      "%s: %s\n\n"
      "  --config FILE         read settings from FILE (key = value lines)\n"
      "  --check-config        check the file and end\n"
      "  --describe-settings   print every setting as Markdown\n"
      "  --version\n",
      program.name, program.summary);
}

int Fail(const DaemonProgram& program, int status, const std::string& text) {
  std::fprintf(stderr, "%s: %s\n", program.name, text.c_str());
  return status;
}

}  // namespace

const char* Version() { return TOTORA_VERSION; }

void EndProcess(int status) {
  std::thread([status] {
    sleep(1);
    _exit(status);
  }).detach();
}

int RunDaemon(const DaemonProgram& program, int argc, char** argv) {
  std::string path;
  bool is_check = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--help" || flag == "-h") {
      PrintUsage(program);
      return 0;
    }
    if (flag == "--version") {
      std::printf("%s %s\n", program.name, Version());
      return 0;
    }
    if (flag == "--describe-settings") {
      std::fputs(DescribeSettings(program.rows).c_str(), stdout);
      return 0;
    }
    if (flag == "--check-config") {
      is_check = true;
    } else if ((flag == "--config" || flag == "-c") && i + 1 < argc) {
      path = argv[++i];
    } else {
      return Fail(program, 2, "unknown flag '" + flag + "'; try --help");
    }
  }
  std::string text;
  if (!path.empty()) {
    absl::StatusOr<std::string> read = ReadWholeFile(FileSystem::Posix(), path, 1 << 20);
    if (!read.ok()) return Fail(program, 1, std::string(read.status().message()));
    text = *std::move(read);
  }
  const absl::StatusOr<Configuration> configuration =
      Configuration::Parse(path.empty() ? "(no file)" : path, text, program.rows, program.ignored);
  if (!configuration.ok()) return Fail(program, 1, std::string(configuration.status().message()));
  if (is_check) {
    for (const std::string& warning : configuration->warnings()) std::puts(warning.c_str());
    std::puts("configuration is fine");
    return 0;
  }
  absl::Status logging = SetLogFile(configuration->Text("log.file"));
  if (logging.ok()) logging = SetLogLevels(configuration->Text("log.levels"));
  if (!logging.ok()) return Fail(program, 1, std::string(logging.message()));
  for (const std::string& warning : configuration->warnings()) {
    TOTORA_LOG(kWarn, "main") << warning;
  }
  // Blocked before any thread exists, so that only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  absl::StatusOr<std::unique_ptr<Daemon>> daemon = program.start(*configuration);
  if (!daemon.ok()) {
    TOTORA_LOG(kError, "main") << "cannot start: " << daemon.status();
    return Fail(program, 1, std::string(daemon.status().message()));
  }
  int received = 0;
  sigwait(&signals, &received);
  TOTORA_LOG(kInfo, "main") << Field("signal", strsignal(received)) << "stopping";
  (*daemon)->Stop();
  return 0;
}

}  // namespace totora
