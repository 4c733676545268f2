// kill -9 of real brokers under load, judged against every acknowledgement.
//
//   totora_integration_kill_test --totora build/dev/bin/totora --kills 50 --all-kills 10 --acks 200000
//
// Prints its seed and takes it back. Ends with status 0 only if every kill of
// the plan was made, enough was acknowledged, and ledger.h finds every promise
// kept. With --measured it kills leaders only and --json gets, for each kill,
// how long everything stood still (tools/report reads that).
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status.h"
#include "tests/integration/kill_plan.h"
#include "tests/integration/kill_probe.h"
#include "tests/integration/ledger.h"
#include "tests/integration/load.h"
#include "tests/integration/local_cluster.h"

namespace totora::integration {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kWholeTimeout = absl::Seconds(60);
constexpr absl::Duration kWatchTimeout = absl::Seconds(10);
constexpr absl::Duration kStallTimeout = absl::Seconds(60);
constexpr int kQueues = 8;

struct Options {
  std::string totora;
  std::string directory;
  std::string json;
  int kills = 50;
  int all_kills = 10;
  uint64_t acks = 200'000;
  int producers = 32;
  int pace_us = 5000;
  uint64_t seed = 0;
  bool is_measured = false;
  bool is_direct = false;
  bool keep = false;
};

struct Kill {
  KillStep step;
  std::vector<int> victims;
  KillTimes times;
};

double Milliseconds(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? -1 : absl::ToDoubleMilliseconds(duration);
}

class KillTest {
 public:
  explicit KillTest(const Options& options) : options_(options) {}

  absl::Status Run() {
    TOTORA_ASSIGN_OR_RETURN(
        cluster_, LocalCluster::Start({.totora = options_.totora,
                                       .directory = options_.directory,
                                       .has_group_address = !options_.is_direct}));
    TOTORA_RETURN_IF_ERROR(cluster_->WaitUntilWhole(kWholeTimeout));
    TOTORA_RETURN_IF_ERROR(cluster_->CreateTopic(topic_, kQueues));
    TOTORA_RETURN_IF_ERROR(Annotate(Introduce(Consuming()), "the consumer's first receive"));
    if (!options_.json.empty()) {
      // Other clients may join now.
      WriteJson({{"state", "ready"}, {"access_point", cluster_->access_point()}});
    }
    TOTORA_ASSIGN_OR_RETURN(load_, Load::Start({.access_point = cluster_->access_point(),
                                                .topic = topic_,
                                                .producers = options_.producers,
                                                .seed = options_.seed,
                                                .pace = absl::Microseconds(options_.pace_us)}));
    TOTORA_RETURN_IF_ERROR(MakeKills());
    TOTORA_RETURN_IF_ERROR(WaitForAcknowledgements(options_.acks));
    load_->Stop();
    return Check();
  }

 private:
  ConsumeOptions Consuming() const {
    return {.access_point = cluster_->access_point(),
            .topic = topic_,
            .consumer_group = "kill-test"};
  }

  absl::Status MakeKills() {
    const std::vector<KillStep> plan = MakeKillPlan({.seed = options_.seed,
                                                     .kills = options_.kills,
                                                     .all_kills = options_.all_kills,
                                                     .is_measured = options_.is_measured});
    for (const KillStep& step : plan) {
      TOTORA_RETURN_IF_ERROR(Annotate(cluster_->WaitUntilWhole(kWholeTimeout),
                                      absl::StrCat("before kill ", kills_.size() + 1)));
      const uint64_t before = load_->acknowledged();
      TOTORA_RETURN_IF_ERROR(WaitForAcknowledgements(before + options_.producers));
      absl::SleepFor(step.load_before);
      TOTORA_RETURN_IF_ERROR(MakeKill(step));
    }
    return Annotate(cluster_->WaitUntilWhole(kWholeTimeout), "after the last kill");
  }

  absl::Status MakeKill(const KillStep& step) {
    const std::optional<int> leader = cluster_->Leader();
    if (!leader.has_value()) return absl::UnavailableError("nobody leads, and nobody was killed");
    Kill kill{.step = step, .victims = {}, .times = {}};
    for (const BrokerProcess& broker : cluster_->brokers()) {
      const bool is_victim = step.victim == Victim::kAll ||
                             (step.victim == Victim::kLeader) == (broker.id == *leader);
      if (is_victim) kill.victims.push_back(broker.id);
    }
    if (step.victim == Victim::kFollower) {
      kill.victims = {kill.victims[step.choice % kill.victims.size()]};
    }
    // Only a measured kill waits for the election: the others restart at any moment.
    TOTORA_ASSIGN_OR_RETURN(
        kill.times, KillAndWatch(cluster_.get(), kill.victims, /*with_reset=*/options_.is_measured,
                                 /*with_election=*/options_.is_measured,
                                 kWatchTimeout));
    const absl::Duration spent = Clock::System()->SteadyNow() - kill.times.steady;
    absl::SleepFor(std::max(absl::ZeroDuration(), step.down - spent));
    kills_.push_back(kill);
    std::printf("kill %zu of %d: %s (%s), %llu acknowledged", kills_.size(), options_.kills,
                NameOf(step.victim), NamesOf(kill.victims).c_str(),
                static_cast<unsigned long long>(load_->acknowledged()));
    if (options_.is_measured) {
      std::printf(", reset after %.1f ms, new leader after %.1f ms", Milliseconds(kill.times.reset),
                  Milliseconds(kill.times.elected));
    }
    std::printf("\n");
    std::fflush(stdout);
    return cluster_->Restart(kill.victims);
  }

  static std::string NamesOf(const std::vector<int>& ids) {
    std::string names;
    for (const int id : ids) absl::StrAppend(&names, names.empty() ? "" : " ", id);
    return names;
  }

  // Errors: DeadlineExceeded if nothing is acknowledged for a minute.
  absl::Status WaitForAcknowledgements(uint64_t count) const {
    uint64_t last = load_->acknowledged();
    absl::Time progress = absl::Now();
    while (load_->acknowledged() < count) {
      absl::SleepFor(absl::Milliseconds(5));
      if (load_->acknowledged() != last) {
        last = load_->acknowledged();
        progress = absl::Now();
      } else if (absl::Now() - progress > kStallTimeout) {
        return absl::DeadlineExceededError(absl::StrCat("no acknowledgement for a minute, at ",
                                                        last));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Check() {
    Ledger ledger(options_.seed, LoadOptions().body_size_max);
    load_->WriteTo(&ledger);
    TOTORA_RETURN_IF_ERROR(cluster_->WaitUntilWhole(kWholeTimeout));
    std::map<std::string, std::vector<StoredMessage>> logs;
    for (const BrokerProcess& broker : cluster_->brokers()) {
      TOTORA_ASSIGN_OR_RETURN(logs[absl::StrCat("broker ", broker.id)],
                              cluster_->Scan(broker.id, topic_));
    }
    const absl::Time began = absl::Now();
    TOTORA_ASSIGN_OR_RETURN(
        const std::vector<ReceivedBody> received,
        ConsumeAll(Consuming(), ledger.acknowledged(),
                   [&ledger](const std::string& id) { return ledger.IsAcknowledged(id); }));
    const Verdict verdict = ledger.Judge(logs, &received);
    std::printf("%zu kills, %d of them of all; %s\n", kills_.size(), options_.all_kills,
                verdict.Describe().c_str());
    std::printf("%llu sends failed after all attempts, %llu attempts were repeated; consumed in "
                "%.1f s\n",
                static_cast<unsigned long long>(load_->failures()),
                static_cast<unsigned long long>(load_->retries()),
                absl::ToDoubleSeconds(absl::Now() - began));
    for (const std::string& text : load_->failure_examples()) {
      std::printf("  a failed send: %s\n", text.c_str());
    }
    if (!options_.json.empty()) WriteReport(verdict);
    if (!verdict.Kept()) return absl::DataLossError("a promise was broken, see above");
    return absl::OkStatus();
  }

  void WriteReport(const Verdict& verdict) const {
    Json kills = Json::array();
    for (const Kill& kill : kills_) {
      std::vector<absl::Duration> gaps =
          load_->Gaps(kill.times.steady, kill.times.steady + kill.step.down);
      std::sort(gaps.begin(), gaps.end());
      kills.push_back({{"victim", NameOf(kill.step.victim)},
                       {"wall_ms", absl::ToDoubleMilliseconds(kill.times.wall - absl::UnixEpoch())},
                       {"down_ms", Milliseconds(kill.step.down)},
                       {"reset_ms", Milliseconds(kill.times.reset)},
                       {"elected_ms", Milliseconds(kill.times.elected)},
                       {"gap_median_ms", Milliseconds(gaps[gaps.size() / 2])},
                       {"gap_max_ms", Milliseconds(gaps.back())}});
    }
    WriteJson({{"state", "done"},
               {"seed", options_.seed},
               {"kills", kills},
               {"acknowledged", verdict.acknowledged},
               {"lost", verdict.lost},
               {"stored_twice", verdict.stored_twice},
               {"out_of_order", verdict.out_of_order},
               {"kept", verdict.Kept()},
               {"failed_sends", load_->failures()},
               {"verdict", verdict.Describe()}});
  }

  // Whole or not at all: somebody waits for it.
  void WriteJson(const Json& json) const {
    const std::string draft = options_.json + ".tmp";
    std::ofstream(draft) << json.dump(1) << "\n";
    std::filesystem::rename(draft, options_.json);
  }

  const Options options_;
  const std::string topic_ = "kill-test";
  std::unique_ptr<LocalCluster> cluster_;  // Outlives the load.
  std::unique_ptr<Load> load_;
  std::vector<Kill> kills_;
};

int Main(int argc, char** argv) {
  Options options;
  options.seed = std::random_device()();
  CLI::App app("kill -9 of real brokers under load");
  app.add_option("--totora", options.totora, "the program")->required();
  app.add_option("--dir", options.directory, "of the cluster; default: a new one in /tmp");
  app.add_option("--kills", options.kills, "how many kills");
  app.add_option("--all-kills", options.all_kills, "how many of them kill all brokers at once");
  app.add_option("--acks", options.acks, "acknowledgements to wait for, at least");
  app.add_option("--producers", options.producers, "each with one outstanding send");
  app.add_option("--pace-us", options.pace_us, "between two sends of a producer, at least");
  app.add_option("--seed", options.seed, "of kills and bodies");
  app.add_option("--json", options.json, "where the measurements go");
  app.add_flag("--measured", options.is_measured, "kill leaders only, measure each kill");
  app.add_flag("--direct", options.is_direct, "no group address: routes name the leader's own");
  app.add_flag("--keep", options.keep, "leave the cluster's directory behind");
  CLI11_PARSE(app, argc, argv);

  bool is_own_directory = options.directory.empty();
  if (is_own_directory) {
    std::string name = (std::filesystem::temp_directory_path() / "totora-kill-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      std::perror("mkdtemp");
      return 1;
    }
    options.directory = name;
  }
  std::printf("seed %llu, cluster in %s\n", static_cast<unsigned long long>(options.seed),
              options.directory.c_str());
  std::fflush(stdout);
  absl::Status status;
  {
    KillTest test(options);
    status = test.Run();
    if (!status.ok()) std::printf("FAILED: %s\n", status.ToString().c_str());
  }
  // What a failure left behind is the evidence.
  if (is_own_directory && status.ok() && !options.keep) {
    std::filesystem::remove_all(options.directory);
  }
  std::printf("%s\n", status.ok() ? "PASSED" : "FAILED");
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace totora::integration

int main(int argc, char** argv) { return totora::integration::Main(argc, argv); }
