// Power cuts under load: each replica's data is on an ext4 of its own, whose
// power is cut before the process dies.
//
//   totora_integration_power_cut_test --totora build/dev/bin/totora --kills 20 --all-kills 5
//
// With --without-sync PATH, a library that makes every sync a lie is preloaded
// into the brokers, the power of all three is cut, and the test ends with
// status 0 only if it then finds acknowledged messages missing: a proof that it
// would notice. Status 77: this machine lets us mount nothing; nothing was tested.
#include <CLI/CLI.hpp>
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status.h"
#include "tests/integration/command.h"
#include "tests/integration/crash_run.h"
#include "tests/integration/loop_volume.h"
#include "tests/integration/manual_cluster.h"

namespace totora::integration {
namespace {

constexpr int kSkipped = 77;
constexpr int kReplicas = 3;
// Runs without sync until one loses something: a cut that comes right after
// the kernel wrote everything back loses nothing.
constexpr int kTriesWithoutSync = 3;

struct Options {
  CrashOptions crash;
  uint64_t volume_mib = 2048;
  std::string no_sync_library;
};

// True if every thread of `pid` is stopped, or waits inside the kernel and will
// stop before it runs a single instruction of its own.
bool IsFrozen(pid_t pid) {
  for (const auto& thread :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"))) {
    std::ifstream file(thread.path() / "stat");
    const std::string stat((std::istreambuf_iterator<char>(file)), {});
    const size_t name_end = stat.rfind(") ");
    if (name_end == std::string::npos) continue;  // Gone.
    const char state = stat[name_end + 2];
    if (state != 'T' && state != 'D' && state != 'Z') return false;
  }
  return true;
}

absl::Status Freeze(pid_t pid) {
  if (kill(pid, SIGSTOP) != 0) return ErrnoStatus(errno, absl::StrCat("stopping ", pid));
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (!IsFrozen(pid)) {
    if (absl::Now() > give_up) {
      return absl::DeadlineExceededError(absl::StrCat("process ", pid, " does not stop"));
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  return absl::OkStatus();
}

class PowerCutTest {
 public:
  explicit PowerCutTest(Options options) : options_(std::move(options)) {}

  // Errors: Unavailable if nothing can be mounted here.
  absl::Status MountVolumes() {
    const std::string& directory = options_.crash.cluster.directory;
    for (int id = 1; id <= kReplicas; ++id) {
      TOTORA_ASSIGN_OR_RETURN(
          volumes_[id],
          LoopVolume::Create(absl::StrCat(directory, "/volume-", id, ".ext4"),
                             ManualCluster::DataDirectory(directory + "/cluster", id),
                             options_.volume_mib << 20));
    }
    return absl::OkStatus();
  }

  // REQUIRES: MountVolumes was OK.
  absl::Status Run() {
    options_.crash.cluster.directory += "/cluster";
    run_ = std::make_unique<CrashRun>(
        options_.crash,
        [this](Cluster* cluster, const std::vector<int>& victims) {
          return Cut(cluster, victims);
        },
        [this](Cluster* cluster, const std::vector<int>& victims) {
          return Boot(cluster, victims);
        });
    TOTORA_RETURN_IF_ERROR(run_->Prepare());
    return run_->Run();
  }

  const Verdict& verdict() const { return run_->verdict(); }
  bool HasCut() const { return run_ != nullptr && !run_->blows().empty(); }

 private:
  absl::StatusOr<KillTimes> Cut(Cluster* cluster, const std::vector<int>& victims) {
    // Without power nobody speaks any more. A process that ran on for a moment
    // could: when the file system is shut down while it grows a file, Linux's
    // fdatasync may return 0 for what is not on disk (seen with 6.18, ext4, in
    // 3 of 25 shutdowns under a plain loop of pwrite and fdatasync).
    for (const int id : victims) TOTORA_RETURN_IF_ERROR(Freeze(cluster->broker(id).pid));
    KillTimes times;
    times.wall = absl::Now();
    times.steady = Clock::System()->SteadyNow();
    // Power before the processes: one that dies of a signal has what it wrote
    // written back by the kernel.
    for (const int id : victims) TOTORA_RETURN_IF_ERROR(volumes_[id]->Cut());
    cluster->Kill(victims);
    return times;
  }

  absl::Status Boot(Cluster* cluster, const std::vector<int>& victims) {
    for (const int id : victims) {
      TOTORA_RETURN_IF_ERROR(WaitForEnd(cluster->broker(id).pid, absl::Seconds(20)));
      TOTORA_RETURN_IF_ERROR(volumes_[id]->MountAgain());
    }
    return cluster->Restart(victims);
  }

  Options options_;
  std::map<int, std::unique_ptr<LoopVolume>> volumes_;  // Outlive the processes.
  std::unique_ptr<CrashRun> run_;
};

int SayAndSkip(const absl::Status& status) {
  std::printf("SKIPPED, nothing was tested: %s\n", status.ToString().c_str());
  return kSkipped;
}

int WithSync(const Options& options) {
  PowerCutTest test(options);
  const absl::Status mounted = test.MountVolumes();
  if (absl::IsUnavailable(mounted)) return SayAndSkip(mounted);
  const absl::Status status = mounted.ok() ? test.Run() : mounted;
  if (!status.ok()) {
    std::printf("FAILED: %s\nThe brokers' logs are in %s\n", status.ToString().c_str(),
                options.crash.cluster.directory.c_str());
    return 1;
  }
  std::printf("PASSED\n");
  return 0;
}

int WithoutSync(Options options) {
  const std::string directory = options.crash.cluster.directory;
  options.crash.cluster.environment["LD_PRELOAD"] = options.no_sync_library;
  options.crash.plan.kills = options.crash.plan.all_kills = 1;
  // Long enough for the journal's own commits (5 s), so that not everything
  // is gone and it takes a look at the messages to see what is.
  options.crash.plan.load_at_least = absl::Seconds(8);
  options.crash.acknowledgements = 0;
  options.crash.patience = absl::Seconds(2);
  // What comes back at all does so in a moment.
  options.crash.recovery = absl::Seconds(15);
  options.crash.consumes = false;
  int refusals = 0;
  for (int attempt = 1; attempt <= kTriesWithoutSync; ++attempt) {
    options.crash.cluster.directory = absl::StrCat(directory, "/try-", attempt);
    std::filesystem::create_directories(options.crash.cluster.directory);
    PowerCutTest test(options);
    const absl::Status mounted = test.MountVolumes();
    if (absl::IsUnavailable(mounted)) return SayAndSkip(mounted);
    const absl::Status status = mounted.ok() ? test.Run() : mounted;
    std::printf("without sync, try %d: %s\n", attempt, status.ToString().c_str());
    if (mounted.ok() && test.verdict().lost > 0) {
      std::printf("PASSED: the loss was noticed\n");
      return 0;
    }
    if (test.HasCut() && !status.ok()) refusals += 1;
  }
  if (refusals == kTriesWithoutSync) {
    std::printf("PASSED: no cluster came back\n");
    return 0;
  }
  std::printf("FAILED: syncs were lies and nothing was found missing\n");
  return 1;
}

int Main(int argc, char** argv) {
  Options options;
  CrashOptions& crash = options.crash;
  crash.start = ManualCluster::Start;
  crash.plan.seed = std::random_device()();
  crash.plan.kills = 20;
  crash.plan.all_kills = 5;
  crash.acknowledgements = 20'000;
  CLI::App app("power cuts under load");
  app.add_option("--totora", crash.cluster.totora, "the program")->required();
  app.add_option("--kills", crash.plan.kills, "how many cuts");
  app.add_option("--all-kills", crash.plan.all_kills, "how many of them cut all three at once");
  app.add_option("--acks", crash.acknowledgements, "to wait for, at least");
  app.add_option("--producers", crash.producers, "each with one outstanding send");
  app.add_option("--seed", crash.plan.seed, "of cuts and bodies");
  app.add_option("--volume-mib", options.volume_mib, "size of each file system (sparse)");
  app.add_option("--without-sync", options.no_sync_library, "library whose syncs are lies");
  CLI11_PARSE(app, argc, argv);

  const absl::Status mounts = EnterPrivateMounts();
  if (!mounts.ok()) return SayAndSkip(mounts);
  const absl::StatusOr<std::string> directory = MakeTemporaryDirectory("totora-power");
  if (!directory.ok()) {
    std::printf("FAILED: %s\n", directory.status().ToString().c_str());
    return 1;
  }
  crash.cluster.directory = *directory;
  std::printf("seed %llu, cluster in %s\n", static_cast<unsigned long long>(crash.plan.seed),
              directory->c_str());
  std::fflush(stdout);
  const int result = options.no_sync_library.empty() ? WithSync(options) : WithoutSync(options);
  // What a failure left behind is the evidence.
  if (result != 1) std::filesystem::remove_all(*directory);
  return result;
}

}  // namespace
}  // namespace totora::integration

int main(int argc, char** argv) { return totora::integration::Main(argc, argv); }
