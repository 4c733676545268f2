#include "tests/integration/crash_run.h"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status.h"

namespace totora::integration {
namespace {

constexpr absl::Duration kWholeTimeout = absl::Seconds(60);
constexpr absl::Duration kStallTimeout = absl::Seconds(60);
constexpr int kQueues = 8;
// For other clients that send meanwhile (tools/report): their messages are in
// nobody's books here.
constexpr char kBystanderTopic[] = "bystander";

double Milliseconds(absl::Duration duration) {
  return duration == absl::InfiniteDuration() ? -1 : absl::ToDoubleMilliseconds(duration);
}

}  // namespace

absl::StatusOr<std::string> MakeTemporaryDirectory(const std::string& prefix) {
  std::string name = (std::filesystem::temp_directory_path() / (prefix + "-XXXXXX")).string();
  if (mkdtemp(name.data()) == nullptr) return ErrnoStatus(errno, name);
  return name;
}

ConsumeOptions CrashRun::Consuming() const {
  ConsumeOptions options;
  options.access_point = cluster_->access_point();
  options.topic = topic_;
  options.consumer_group = "crash-test";
  return options;
}

absl::Status CrashRun::Prepare() {
  TOTORA_ASSIGN_OR_RETURN(cluster_, options_.start(options_.cluster));
  TOTORA_RETURN_IF_ERROR(cluster_->WaitUntilWhole(kWholeTimeout));
  TOTORA_RETURN_IF_ERROR(cluster_->CreateTopic(topic_, kQueues));
  TOTORA_RETURN_IF_ERROR(cluster_->CreateTopic(kBystanderTopic, kQueues));
  if (!options_.consumes) return absl::OkStatus();
  return Annotate(Introduce(Consuming()), "the consumer's first receive");
}

absl::Status CrashRun::Run() {
  LoadOptions loading;
  loading.access_point = cluster_->access_point();
  loading.topic = topic_;
  loading.producers = options_.producers;
  loading.seed = options_.plan.seed;
  loading.pace = options_.pace;
  loading.patience = options_.patience;
  TOTORA_ASSIGN_OR_RETURN(load_, Load::Start(loading));
  TOTORA_RETURN_IF_ERROR(MakeBlows());
  TOTORA_RETURN_IF_ERROR(WaitForAcknowledgements(options_.acknowledgements));
  return Check();
}

absl::Status CrashRun::MakeBlows() {
  for (const KillStep& step : MakeKillPlan(options_.plan)) {
    TOTORA_RETURN_IF_ERROR(Annotate(cluster_->WaitUntilWhole(options_.recovery),
                                    absl::StrCat("before kill ", blows_.size() + 1)));
    TOTORA_RETURN_IF_ERROR(WaitForAcknowledgements(load_->acknowledged() + options_.producers));
    absl::SleepFor(step.load_before);
    TOTORA_RETURN_IF_ERROR(MakeBlow(step));
  }
  return Annotate(cluster_->WaitUntilWhole(options_.recovery), "after the last kill");
}

std::vector<int> CrashRun::VictimsOf(const KillStep& step, int leader) const {
  if (step.victim == Victim::kLeader) return {leader};
  std::vector<int> victims;
  for (const BrokerProcess& broker : cluster_->brokers()) {
    if (step.victim == Victim::kAll || broker.id != leader) victims.push_back(broker.id);
  }
  if (step.victim == Victim::kFollower) return {victims[step.choice % victims.size()]};
  return victims;
}

absl::Status CrashRun::MakeBlow(const KillStep& step) {
  std::optional<int> leader = cluster_->Leader();
  // Whom we ask may be slow to answer on a busy machine.
  const absl::Time give_up = absl::Now() + options_.recovery;
  while (!leader.has_value() && absl::Now() < give_up) leader = cluster_->Leader();
  if (!leader.has_value()) return absl::UnavailableError("nobody leads, and nobody was killed");
  Blow blow{.step = step, .victims = VictimsOf(step, *leader), .times = {}};
  TOTORA_ASSIGN_OR_RETURN(blow.times, strike_(cluster_.get(), blow.victims));
  const absl::Duration spent = Clock::System()->SteadyNow() - blow.times.steady;
  absl::SleepFor(std::max(absl::ZeroDuration(), step.down - spent));
  blows_.push_back(blow);
  std::printf("kill %zu of %d: %s (%s), %llu acknowledged", blows_.size(), options_.plan.kills,
              NameOf(step.victim), absl::StrJoin(blow.victims, " ").c_str(),
              static_cast<unsigned long long>(load_->acknowledged()));
  if (options_.plan.is_measured) {
    std::printf(", reset after %.1f ms, new leader after %.1f ms", Milliseconds(blow.times.reset),
                Milliseconds(blow.times.elected));
  }
  std::printf("\n");
  std::fflush(stdout);
  return revive_(cluster_.get(), blow.victims);
}

// Errors: DeadlineExceeded if nothing is acknowledged for a minute.
absl::Status CrashRun::WaitForAcknowledgements(uint64_t count) const {
  uint64_t last = load_->acknowledged();
  absl::Time progress = absl::Now();
  while (load_->acknowledged() < count) {
    absl::SleepFor(absl::Milliseconds(5));
    if (load_->acknowledged() != last) {
      last = load_->acknowledged();
      progress = absl::Now();
    } else if (absl::Now() - progress > kStallTimeout) {
      return absl::DeadlineExceededError(
          absl::StrCat("no acknowledgement for a minute, at ", last));
    }
  }
  return absl::OkStatus();
}

absl::Status CrashRun::Check() {
  load_->Stop();
  Ledger ledger(options_.plan.seed, LoadOptions().body_size_max);
  load_->WriteTo(&ledger);
  TOTORA_RETURN_IF_ERROR(cluster_->WaitUntilWhole(kWholeTimeout));
  std::map<std::string, std::vector<StoredMessage>> logs;
  for (const BrokerProcess& broker : cluster_->brokers()) {
    TOTORA_ASSIGN_OR_RETURN(logs[absl::StrCat("broker ", broker.id)],
                            cluster_->Scan(broker.id, topic_));
  }
  const absl::Time began = absl::Now();
  std::vector<ReceivedBody> received;
  if (options_.consumes) {
    TOTORA_ASSIGN_OR_RETURN(
        received, ConsumeAll(Consuming(), ledger.acknowledged(), [&ledger](const std::string& id) {
          return ledger.IsAcknowledged(id);
        }));
  }
  verdict_ = ledger.Judge(logs, options_.consumes ? &received : nullptr);
  std::printf("%zu kills, %d of them of all; %s\n", blows_.size(), options_.plan.all_kills,
              verdict_.Describe().c_str());
  std::printf("%llu sends failed after all attempts of the client, %llu attempts were repeated",
              static_cast<unsigned long long>(load_->failures()),
              static_cast<unsigned long long>(load_->retries()));
  if (options_.consumes) {
    std::printf("; consumed in %.1f s", absl::ToDoubleSeconds(absl::Now() - began));
  }
  std::printf("\n");
  for (const std::string& text : load_->failure_examples()) {
    std::printf("  a failed send: %s\n", text.c_str());
  }
  if (!verdict_.Kept()) return absl::DataLossError("a promise was broken, see above");
  return absl::OkStatus();
}

}  // namespace totora::integration
