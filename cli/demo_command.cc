// totora demo: three replicas, 10,000 messages, a killed leader, and a count.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/pacer.h"
#include "cli/context.h"
#include "cli/delivery_ledger.h"
#include "cli/local_cluster.h"
#include "cli/output.h"
#include "client/producer.h"
#include "client/simple_consumer.h"
#include "common/clock.h"
#include "common/status.h"

namespace totora::cli {
namespace {

constexpr char kTopic[] = "demo";
constexpr char kConsumerGroup[] = "demo-consumers";
constexpr int kMessages = 10000;
constexpr size_t kBodyBytes = 1024;
constexpr size_t kOutstanding = 256;
constexpr double kSteadyRate = 500;
constexpr absl::Duration kInvisible = absl::Seconds(30);
constexpr absl::Duration kLeaderTimeout = absl::Seconds(60);
// Leases of the dead replica's deliveries end at the latest after kInvisible.
constexpr absl::Duration kDrainTimeout = absl::Seconds(60);

std::atomic<bool> interrupted{false};

void OnSignal(int) { interrupted = true; }

absl::Duration Now() { return Clock::System()->SteadyNow(); }

// Receives and acknowledges all the time, on a thread of its own, until it goes.
//
// Thread safety: confined; the thread shares only atomics and the ledger.
class Receiver {
 public:
  Receiver(client::SimpleConsumer* consumer, DeliveryLedger* ledger)
      : consumer_(consumer), ledger_(ledger), thread_([this] { Run(); }) {}
  ~Receiver() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void Run() {
    while (!stopping_) {
      const absl::StatusOr<std::vector<client::ReceivedMessage>> messages =
          consumer_->Receive(32, kInvisible);
      if (!messages.ok()) {
        absl::SleepFor(absl::Milliseconds(20));  // As the official Go client waits.
        continue;
      }
      const absl::Duration now = Now();
      for (const client::ReceivedMessage& message : *messages) {
        ledger_->Received(message.message_id, now, kInvisible);
      }
      const std::vector<absl::Status> statuses = consumer_->Ack(*messages);
      for (size_t i = 0; i < statuses.size(); ++i) {
        if (statuses[i].ok()) ledger_->Acknowledged((*messages)[i].message_id);
      }
    }
  }

  client::SimpleConsumer* const consumer_;
  DeliveryLedger* const ledger_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Sends, and remembers when sends succeeded.
//
// Thread safety: monitor.
class Sender {
 public:
  Sender(client::Producer* producer, DeliveryLedger* ledger)
      : producer_(producer), ledger_(ledger), body_(kBodyBytes, 'd') {}

  // Sends `count` messages as fast as kOutstanding allows. Returns how long it took.
  absl::Duration SendMany(int count) {
    const absl::Duration began = Now();
    for (int i = 0; i < count && !interrupted; ++i) SendOne();
    WaitUntilDone();
    return Now() - began;
  }

  // Sends kSteadyRate messages a second until `stop`.
  void SendSteadily(const std::atomic<bool>* stop) {
    bench::Pacer pacer(Now(), kSteadyRate);
    while (!*stop && !interrupted) {
      const absl::Duration wait = pacer.due() - Now();
      if (wait > absl::ZeroDuration()) absl::SleepFor(wait);
      pacer.Take();
      SendOne();
    }
    WaitUntilDone();
  }

  // The longest time between two successes of which the second came after `since`.
  absl::Duration LongestGapSince(absl::Duration since) const {
    MutexLock lock(&mu_);
    absl::Duration longest;
    absl::Duration previous = since;
    for (const absl::Duration at : successes_) {
      if (at < since) continue;
      longest = std::max(longest, at - previous);
      previous = at;
    }
    return longest;
  }
  uint64_t failed() const { return failed_; }
  std::string first_error() const {
    MutexLock lock(&mu_);
    return first_error_;
  }

 private:
  void SendOne() {
    {
      MutexLock lock(&mu_);
      while (in_flight_ >= kOutstanding) changed_.Wait(&mu_);
      ++in_flight_;
    }
    std::vector<client::OutgoingMessage> one;
    one.push_back({.topic = kTopic, .body = body_});
    producer_->SendAsync(std::move(one), [this](std::vector<client::SendReceipt> receipts) {
      const client::SendReceipt& receipt = receipts.front();
      if (receipt.status.ok()) ledger_->Sent(receipt.message_id);
      MutexLock lock(&mu_);
      if (receipt.status.ok()) {
        successes_.push_back(Now());
      } else {
        ++failed_;
        if (first_error_.empty()) first_error_ = receipt.status.ToString();
      }
      --in_flight_;
      changed_.SignalAll();
    });
  }

  void WaitUntilDone() {
    MutexLock lock(&mu_);
    while (in_flight_ > 0) changed_.Wait(&mu_);
  }

  client::Producer* const producer_;
  DeliveryLedger* const ledger_;
  const std::string body_;
  mutable Mutex mu_;
  CondVar changed_;
  size_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<absl::Duration> successes_ ABSL_GUARDED_BY(mu_);
  std::string first_error_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> failed_{0};
};

void SleepUnlessInterrupted(absl::Duration duration) {
  const absl::Duration end = Now() + duration;
  while (!interrupted && Now() < end) absl::SleepFor(absl::Milliseconds(20));
}

absl::Status MakeTopic(LocalCluster* cluster) {
  absl::Status status;
  for (const std::string& address : cluster->InternalAddresses()) {
    client::AdminClient admin(address);
    admin::CreateTopicRequest topic;
    topic.mutable_topic()->set_name(kTopic);
    topic.mutable_topic()->set_type(model::NORMAL);
    topic.mutable_topic()->set_read_queues(8);
    topic.mutable_topic()->set_write_queues(8);
    topic.mutable_topic()->set_permission(6);
    status = admin.CreateTopic(topic).status();
    if (!status.ok()) continue;
    admin::CreateConsumerGroupRequest group;
    group.mutable_consumer_group()->set_name(kConsumerGroup);
    return admin.CreateConsumerGroup(group).status();
  }
  return status;
}

// Kills the leader under a steady stream of sends, and starts it again.
absl::Status FailOver(LocalCluster* cluster, Sender* sender, DeliveryLedger* ledger) {
  std::atomic<bool> stop{false};
  std::thread steady([&] { sender->SendSteadily(&stop); });
  const auto end_steady = [&] {
    stop = true;
    if (steady.joinable()) steady.join();
  };
  SleepUnlessInterrupted(absl::Seconds(2));

  const absl::Status status = [&]() -> absl::Status {
    const uint32_t old_leader = cluster->FindLeader();
    TOTORA_ASSIGN_OR_RETURN(LocalProcess * victim, cluster->Find(absl::StrCat(old_leader)));
    std::printf("sending %.0f messages/s; killing broker %u, the leader, with -9\n", kSteadyRate,
                old_leader);
    ledger->ReplicaDied();
    const absl::Duration killed = Now();
    TOTORA_RETURN_IF_ERROR(cluster->Signal(victim, SIGKILL));
    TOTORA_ASSIGN_OR_RETURN(const uint32_t new_leader,
                            cluster->WaitForLeader(kLeaderTimeout, old_leader));
    const absl::Duration elected = Now() - killed;
    ledger->ReplicaDied();  // What was delivered between the call above and the death.
    SleepUnlessInterrupted(absl::Seconds(3));
    std::printf("broker %u leads (seen %.0f ms after the kill); writes stopped for %.0f ms\n",
                new_leader, absl::ToDoubleMilliseconds(elected),
                absl::ToDoubleMilliseconds(sender->LongestGapSince(killed)));
    TOTORA_RETURN_IF_ERROR(cluster->Restart(victim));
    std::printf("broker %u is started again\n", old_leader);
    SleepUnlessInterrupted(absl::Seconds(3));
    return absl::OkStatus();
  }();
  end_steady();
  return status;
}

absl::Status Scan(LocalCluster* cluster, DeliveryLedger* ledger) {
  const uint32_t leader = cluster->FindLeader();
  for (const LocalBroker& broker : cluster->file().brokers) {
    if (broker.id != leader) continue;
    client::AdminClient admin(broker.internal_address);
    admin::ScanLogRequest request;
    request.set_topic(kTopic);
    return admin.ScanLog(request, [&](const admin::ScannedMessage& message) {
      ledger->Stored(message.message_id());
      return true;
    });
  }
  return absl::UnavailableError("nobody leads at the end");
}

// Everything between start and stop. True if nothing was lost or duplicated.
absl::StatusOr<bool> Measure(LocalCluster* cluster) {
  DeliveryLedger ledger;
  client::ProducerOptions producer_options;
  producer_options.client.access_point = cluster->file().group_address;
  producer_options.topics = {kTopic};
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<client::Producer> producer,
                          client::Producer::Start(producer_options));
  client::SimpleConsumerOptions consumer_options;
  consumer_options.client.access_point = cluster->file().group_address;
  consumer_options.consumer_group = kConsumerGroup;
  consumer_options.topics = {kTopic};
  consumer_options.await = absl::Seconds(2);
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<client::SimpleConsumer> consumer,
                          client::SimpleConsumer::Start(consumer_options));
  Sender sender(producer.get(), &ledger);
  Progress progress;
  std::optional<Receiver> receiver;
  receiver.emplace(consumer.get(), &ledger);

  progress.Show("sending ...");
  const absl::Duration took = sender.SendMany(kMessages);
  const absl::Duration deadline = Now() + kDrainTimeout;
  while (ledger.Missing() > 0 && Now() < deadline && !interrupted) {
    progress.Show(absl::StrFormat("%d messages to receive ...", ledger.Missing()));
    absl::SleepFor(absl::Milliseconds(20));
  }
  progress.Clear();
  const DeliveryLedger::Totals first = ledger.Total();
  std::printf("%d messages of %d bytes sent in %.2f s, %d received\n",
              static_cast<int>(first.sent), static_cast<int>(kBodyBytes),
              absl::ToDoubleSeconds(took), static_cast<int>(first.received));
  if (first.sent == 0) {
    return absl::UnavailableError(absl::StrCat("no send succeeded: ", sender.first_error()));
  }

  if (!interrupted) TOTORA_RETURN_IF_ERROR(FailOver(cluster, &sender, &ledger));
  const absl::Duration drained = Now() + kDrainTimeout;
  while (ledger.Missing() > 0 && Now() < drained && !interrupted) {
    progress.Show(absl::StrFormat("%d messages to receive ...", ledger.Missing()));
    absl::SleepFor(absl::Milliseconds(20));
  }
  progress.Clear();
  receiver.reset();
  TOTORA_RETURN_IF_ERROR(Annotate(Scan(cluster, &ledger), "log scan"));

  const DeliveryLedger::Totals totals = ledger.Total();
  if (sender.failed() > 0) {
    std::printf("%d sends reported an error (the first: %s), %d of their messages arrived\n",
                static_cast<int>(sender.failed()), sender.first_error().c_str(),
                static_cast<int>(totals.unacknowledged));
  }
  for (const std::string& id : ledger.MissingIds(10)) std::printf("lost: %s\n", id.c_str());
  std::printf("broker %u leads; sends tried again: %d; stored twice: %d; redelivered because a "
              "replica died or a lease ended: %d\n",
              cluster->FindLeader(), static_cast<int>(producer->retries()),
              static_cast<int>(totals.stored_twice), static_cast<int>(totals.redelivered));
  std::printf("sent=%d received=%d lost=%d duplicated=%d\n", static_cast<int>(totals.sent),
              static_cast<int>(totals.received), static_cast<int>(totals.lost),
              static_cast<int>(totals.duplicated));
  std::fflush(stdout);
  return totals.lost == 0 && totals.duplicated == 0;
}

void PrintAddresses(const LocalCluster& cluster) {
  const ClusterFile& file = cluster.file();
  std::printf("\nThe cluster stays up until Ctrl-C. Topic: %s\n", kTopic);
  std::printf("  gRPC clients (RocketMQ 5), access point   %s\n", file.group_address.c_str());
  std::printf("  classic clients, nameserver               %s\n", file.namesrv.address.c_str());
  for (const LocalBroker& broker : file.brokers) {
    std::printf("  broker %u                                  public %s, internal %s, metrics %s\n",
                broker.id, broker.public_address.c_str(), broker.internal_address.c_str(),
                broker.metrics_address.c_str());
  }
  std::printf("  e.g.  totora local status --dir %s\n", cluster.dir().c_str());
  std::fflush(stdout);
}

absl::Status RunDemo(Context* context, bool is_oneshot) {
  if (context->dir.empty()) return absl::InvalidArgumentError("name a folder with --dir D");
  LocalOptions options;
  options.prefers_known_ports = true;
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<LocalCluster> cluster,
                          LocalCluster::OpenOrCreate(context->dir, options));
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);

  absl::StatusOr<bool> is_good = [&]() -> absl::StatusOr<bool> {
    TOTORA_RETURN_IF_ERROR(cluster->Start());
    TOTORA_ASSIGN_OR_RETURN(const uint32_t leader, cluster->WaitForLeader(kLeaderTimeout));
    std::printf("nameserver and %d brokers run in %s; broker %u leads\n",
                static_cast<int>(cluster->file().brokers.size()), cluster->dir().c_str(), leader);
    std::fflush(stdout);
    TOTORA_RETURN_IF_ERROR(MakeTopic(cluster.get()));
    return Measure(cluster.get());
  }();
  if (is_good.ok() && !is_oneshot && !interrupted) {
    PrintAddresses(*cluster);
    while (!interrupted) absl::SleepFor(absl::Milliseconds(100));
  }
  const absl::Status stopped = cluster->Stop();
  if (interrupted) context->exit_code = kExitInterrupted;
  if (is_good.ok() && !*is_good) context->exit_code = kExitFailed;
  return is_good.ok() ? stopped : is_good.status();
}

}  // namespace

void AddDemoCommand(CLI::App* app, Context* context) {
  const auto is_oneshot = std::make_shared<bool>(false);
  CLI::App* const command = app->add_subcommand("demo", "what `make demo` runs");
  command->group("");  // Hidden from the help.
  command->fallthrough();
  command->add_flag("--oneshot", *is_oneshot, "stop by itself");
  command->callback([=] {
    context->End(RunDemo(context, *is_oneshot));
    // An unclear end is a failed demo, whatever the kind of error.
    if (context->exit_code != kExitOk && context->exit_code != kExitInterrupted) {
      context->exit_code = kExitFailed;
    }
  });
}

}  // namespace totora::cli
