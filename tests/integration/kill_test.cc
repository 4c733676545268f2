// kill -9 of real brokers under load, judged against every acknowledgement.
//
//   totora_integration_kill_test --totora build/dev/bin/totora --kills 50 --all-kills 10
//
// Prints its seed and takes it back. Ends with status 0 only if every kill of
// the plan was made, enough was acknowledged, and ledger.h finds every promise
// kept. With --measured it kills leaders only, and --json gets how long
// everything stood still after each kill (tools/report reads that).
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/integration/crash_run.h"
#include "tests/integration/local_cluster.h"
#include "tests/integration/manual_cluster.h"

namespace totora::integration {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kWatchTimeout = absl::Seconds(10);

double Milliseconds(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? -1 : absl::ToDoubleMilliseconds(duration);
}

// Whole or not at all: somebody may be waiting for it.
void WriteJson(const std::string& path, const Json& json) {
  if (path.empty()) return;
  std::ofstream(path + ".tmp") << json.dump(1) << "\n";
  std::filesystem::rename(path + ".tmp", path);
}

Json ReportOf(const CrashRun& run, uint64_t seed) {
  Json kills = Json::array();
  for (const Blow& blow : run.blows()) {
    std::vector<absl::Duration> gaps =
        run.load().Gaps(blow.times.steady, blow.times.steady + blow.step.down);
    std::sort(gaps.begin(), gaps.end());
    kills.push_back({{"victim", NameOf(blow.step.victim)},
                     {"wall_ms", absl::ToDoubleMilliseconds(blow.times.wall - absl::UnixEpoch())},
                     {"down_ms", Milliseconds(blow.step.down)},
                     {"reset_ms", Milliseconds(blow.times.reset)},
                     {"elected_ms", Milliseconds(blow.times.elected)},
                     {"gap_median_ms", Milliseconds(gaps[gaps.size() / 2])},
                     {"gap_max_ms", Milliseconds(gaps.back())}});
  }
  const Verdict& verdict = run.verdict();
  return {{"state", "done"},
          {"seed", seed},
          {"kills", kills},
          {"acknowledged", verdict.acknowledged},
          {"lost", verdict.lost},
          {"stored_twice", verdict.stored_twice},
          {"out_of_order", verdict.out_of_order},
          {"kept", verdict.Kept()},
          {"failed_sends", run.load().failures()},
          {"verdict", verdict.Describe()}};
}

// Waits until the file `path` is there: whoever measures along has started.
void WaitForFile(const std::string& path) {
  while (!path.empty() && !std::filesystem::exists(path)) absl::SleepFor(absl::Milliseconds(50));
}

int Main(int argc, char** argv) {
  CrashOptions options;
  options.plan.seed = std::random_device()();
  std::string json;
  std::string go_file;
  int pace_us = 5000;
  bool is_direct = false;
  bool is_manual = false;
  CLI::App app("kill -9 of real brokers under load");
  app.add_option("--totora", options.cluster.totora, "the program")->required();
  app.add_option("--dir", options.cluster.directory, "of the cluster; default: a new one");
  app.add_option("--kills", options.plan.kills, "how many kills");
  app.add_option("--all-kills", options.plan.all_kills, "how many of them kill all at once");
  app.add_option("--acks", options.acknowledgements, "to wait for, at least");
  app.add_option("--producers", options.producers, "each with one outstanding send");
  app.add_option("--pace-us", pace_us, "between two sends of a producer, at least");
  app.add_option("--seed", options.plan.seed, "of kills and bodies");
  app.add_option("--json", json, "gets the access point first, the measurements at the end");
  app.add_option("--wait-for", go_file, "a file whose appearance starts the load");
  app.add_flag("--measured", options.plan.is_measured, "kill leaders only, measure each kill");
  app.add_flag("--direct", is_direct, "no group address: routes name the leader's; implies --manual");
  app.add_flag("--manual", is_manual, "start the processes by hand, not by `totora local`");
  CLI11_PARSE(app, argc, argv);
  options.start = is_manual || is_direct ? ManualCluster::Start : LocalCluster::Start;
  options.pace = absl::Microseconds(pace_us);
  options.cluster.has_group_address = !is_direct;

  const bool is_own_directory = options.cluster.directory.empty();
  if (is_own_directory) {
    const absl::StatusOr<std::string> made = MakeTemporaryDirectory("totora-kill");
    if (!made.ok()) {
      std::printf("FAILED: %s\n", made.status().ToString().c_str());
      return 1;
    }
    options.cluster.directory = *made;
  }
  std::printf("seed %llu, cluster in %s\n", static_cast<unsigned long long>(options.plan.seed),
              options.cluster.directory.c_str());
  std::fflush(stdout);

  const bool is_measured = options.plan.is_measured;
  absl::Status status;
  {
    CrashRun run(
        options,
        [is_measured](Cluster* cluster, const std::vector<int>& victims) {
          // Only a measured kill waits for the election: the others restart at any moment.
          return KillAndWatch(cluster, victims, /*with_reset=*/is_measured,
                              /*with_election=*/is_measured, kWatchTimeout);
        },
        [](Cluster* cluster, const std::vector<int>& victims) {
          return cluster->Restart(victims);
        });
    status = run.Prepare();
    if (status.ok()) {
      WriteJson(json, {{"state", "ready"}, {"access_point", run.cluster()->access_point()}});
      WaitForFile(go_file);
      status = run.Run();
    }
    if (status.ok() || absl::IsDataLoss(status)) WriteJson(json, ReportOf(run, options.plan.seed));
  }
  if (!status.ok()) {
    std::printf("FAILED: %s\nThe cluster's files are in %s\n", status.ToString().c_str(),
                options.cluster.directory.c_str());
    return 1;
  }
  if (is_own_directory) std::filesystem::remove_all(options.cluster.directory);
  std::printf("PASSED\n");
  return 0;
}

}  // namespace
}  // namespace totora::integration

int main(int argc, char** argv) { return totora::integration::Main(argc, argv); }
