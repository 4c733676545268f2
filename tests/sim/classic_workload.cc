#include "tests/sim/classic_workload.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace totora::sim {
namespace {

constexpr int kProducers = 2;
constexpr int kConsumers = 3;
constexpr int kLockers = 2;
constexpr char kPassersbyGroup[] = "classic-passersby";

}  // namespace

void ClassicCounts::Add(const ClassicCounts& other) {
  sent += other.sent;
  send_retries += other.send_retries;
  deliberate += other.deliberate;
  late_repeats += other.late_repeats;
  delayed += other.delayed;
  steps += other.steps;
  retries_over_steps += other.retries_over_steps;
  pulls += other.pulls;
  pulled += other.pulled;
  waits += other.waits;
  corrections += other.corrections;
  filtered += other.filtered;
  offsets_stored += other.offsets_stored;
  offset_queries += other.offset_queries;
  takeovers += other.takeovers;
  sent_back += other.sent_back;
  dead_letters += other.dead_letters;
  locks += other.locks;
  heartbeats += other.heartbeats;
  member_checks += other.member_checks;
  departures += other.departures;
  links_broken += other.links_broken;
}

std::string ClassicCounts::ToText() const {
  return absl::StrCat(
      "sent ", sent,
      " send retries ", send_retries,
      " deliberate ", deliberate,
      " late repeats ", late_repeats,
      " delayed ", delayed,
      " steps of log time ", steps,
      " retries over them ", retries_over_steps,
      " pulls ", pulls,
      " pulled ", pulled,
      " waits ", waits,
      " corrections ", corrections,
      " filtered ", filtered,
      " offsets stored ", offsets_stored,
      " offset queries ", offset_queries,
      " takeovers ", takeovers,
      " sent back ", sent_back,
      " dead letters ", dead_letters,
      " locks ", locks,
      " heartbeats ", heartbeats,
      " member checks ", member_checks,
      " departures ", departures,
      " links broken ", links_broken);
}

ClassicWorkload::ClassicWorkload(Scheduler* scheduler, SimNetwork* network,
                                 std::function<Process*(ReplicaId)> reach,
                                 std::vector<ReplicaId> all,
                                 std::function<void(const std::string&)> violation)
    : records_(violation),
      membership_(scheduler, network, reach, all, violation),
      world_{.scheduler = scheduler,
             .reach = reach,
             .all = all,
             .violation = violation,
             .records = &records_,
             .membership = &membership_} {}

void ClassicWorkload::Start(double break_chance) {
  world_.break_chance = break_chance;
  for (int i = 0; i < kProducers; ++i) {
    auto producer = std::make_unique<ClassicProducer>(&world_, absl::StrCat("cp", i));
    producer->Start();
    producer->Produce();
    clients_.push_back(std::move(producer));
  }
  for (int i = 0; i < kConsumers; ++i) {
    clients_.push_back(
        std::make_unique<ClassicConsumer>(&world_, absl::StrCat("cc", i), kClassicGroup));
    clients_.back()->Start();
  }
  for (int i = 0; i < kLockers; ++i) {
    clients_.push_back(
        std::make_unique<ClassicLocker>(&world_, absl::StrCat("cl", i), "classic-lockers"));
    clients_.back()->Start();
  }
  clients_.push_back(
      std::make_unique<ClassicMember>(&world_, "resident", kPassersbyGroup));
  clients_.back()->Start();
  auto reader = std::make_unique<ClassicReader>(&world_, "cr");
  reader->Start();
  reader->Read();
  clients_.push_back(std::move(reader));
  PassBy();
  Look();
}

void ClassicWorkload::PassBy() {
  if (!world_.is_producing) return;
  const absl::Duration stay = world_.random().Between(absl::Seconds(1), absl::Seconds(8));
  clients_.push_back(std::make_unique<ClassicPasserby>(
      &world_, absl::StrCat("passerby", ++passersby_), kPassersbyGroup, stay));
  clients_.back()->Start();
  world_.scheduler->At(world_.scheduler->now() + absl::Seconds(4), nullptr, [this] { PassBy(); });
}

void ClassicWorkload::Look() {
  if (world_.is_over) return;
  membership_.Look();
  world_.scheduler->At(world_.scheduler->now() + Membership::kLook, nullptr, [this] { Look(); });
}

void ClassicWorkload::CheckEnd(Process* process) { dead_letters_ = records_.Check(process); }

ClassicCounts ClassicWorkload::counts() const {
  ClassicCounts counts = world_.counts;
  counts.departures = membership_.departures_checked();
  counts.dead_letters = dead_letters_;
  counts.steps = records_.steps();
  return counts;
}

}  // namespace totora::sim
