#include "bench/client_bench.h"

#include <unistd.h>

#include <memory>
#include <random>
#include <utility>

#include "client/echo_client.h"
#include "client/producer.h"
#include "client/simple_consumer.h"
#include "common/status.h"

namespace totora::bench {

std::vector<WatchedProcess> WithSelf(const ClientBenchOptions& options) {
  std::vector<WatchedProcess> processes = {{"client", getpid()}};
  processes.insert(processes.end(), options.processes.begin(), options.processes.end());
  return processes;
}

LoadOptions LoadOf(const ClientBenchOptions& options, size_t messages_per_request) {
  LoadOptions load = options.load;
  load.outstanding = options.clients * options.outstanding;
  load.messages_per_request = messages_per_request;
  return load;
}

std::string RandomBody(size_t size) {
  std::mt19937_64 random(size);
  std::string body(size, '\0');
  for (char& c : body) c = static_cast<char>('!' + random() % 90);
  return body;
}

absl::StatusOr<Report> BenchSend(const ClientBenchOptions& options) {
  client::Runtime runtime;
  TOTORA_ASSIGN_OR_RETURN(
      const client::SendTemplate message,
      client::SendTemplate::Make({.topic = options.topic, .body = RandomBody(options.size)},
                                 options.batch));
  std::vector<std::unique_ptr<client::Producer>> producers;
  for (size_t i = 0; i < options.clients; ++i) {
    TOTORA_ASSIGN_OR_RETURN(
        std::unique_ptr<client::Producer> producer,
        client::Producer::Start({.client = {.access_point = options.endpoint, .runtime = &runtime},
                                 .topics = {options.topic},
                                 .outstanding_max = options.outstanding + 1}));
    producers.push_back(std::move(producer));
  }

  Report report;
  report.name = "send";
  const CpuMeter meter(WithSelf(options));
  LoadLoop loop(LoadOf(options, options.batch), [&](size_t slot, LoadLoop::Done done) {
    producers[slot % producers.size()]->SendTemplated(
        message, [done = std::move(done)](const client::Producer::Counts& counts) mutable {
          done({.messages = counts.stored,
                .errors = counts.failed,
                .first_error = counts.first_error});
        });
  });
  loop.Run(&report);
  report.cpu = meter.Read();
  for (const auto& producer : producers) report.retries += producer->retries();
  return report;
}

absl::StatusOr<Report> BenchReceive(const ClientBenchOptions& options) {
  client::Runtime runtime;
  std::vector<std::unique_ptr<client::SimpleConsumer>> consumers;
  for (size_t i = 0; i < options.clients; ++i) {
    TOTORA_ASSIGN_OR_RETURN(
        std::unique_ptr<client::SimpleConsumer> consumer,
        client::SimpleConsumer::Start(
            {.client = {.access_point = options.endpoint, .runtime = &runtime},
             .consumer_group = options.consumer_group,
             .topics = {options.topic},
             .await = options.await}));
    consumers.push_back(std::move(consumer));
  }

  Report report;
  report.name = "receive";
  uint64_t redelivered = 0;  // Written on the runtime's one thread.
  const CpuMeter meter(WithSelf(options));
  LoadLoop loop(LoadOf(options, options.batch), [&](size_t slot, LoadLoop::Done done) {
    client::SimpleConsumer* const consumer = consumers[slot % consumers.size()].get();
    consumer->ReceiveAsync(
        static_cast<int>(options.batch), options.invisible,
        [&, consumer, done = std::move(done)](
            absl::StatusOr<std::vector<client::ReceivedMessage>> messages) mutable {
          if (!messages.ok()) {
            done({.errors = 1, .first_error = messages.status()});
            return;
          }
          if (messages->empty()) {
            done({.is_last = options.until_empty});
            return;
          }
          for (const client::ReceivedMessage& message : *messages) {
            redelivered += message.delivery_attempt > 1 ? 1 : 0;
          }
          consumer->AckAsync(*messages, [done = std::move(done)](
                                            std::vector<absl::Status> statuses) mutable {
            LoadLoop::Outcome outcome;
            for (const absl::Status& status : statuses) {
              ++(status.ok() ? outcome.messages : outcome.errors);
              if (outcome.first_error.ok()) outcome.first_error = status;
            }
            done(outcome);
          });
        });
  });
  loop.Run(&report);
  report.cpu = meter.Read();
  report.extra["redelivered"] = static_cast<double>(redelivered);
  return report;
}

absl::StatusOr<Report> BenchEcho(const ClientBenchOptions& options) {
  client::Runtime runtime;
  const std::string bytes = RandomBody(options.size);
  std::vector<std::unique_ptr<client::EchoClient>> clients;
  for (size_t i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<client::EchoClient>(options.endpoint, &runtime));
  }
  Report report;
  report.name = "echo";
  const CpuMeter meter(WithSelf(options));
  LoadLoop loop(LoadOf(options, 1), [&](size_t slot, LoadLoop::Done done) {
    clients[slot % clients.size()]->CallAsync(
        bytes, absl::Seconds(3), [done = std::move(done)](absl::Status status) mutable {
          done({.messages = status.ok() ? 1u : 0u,
                .errors = status.ok() ? 0u : 1u,
                .first_error = status});
        });
  });
  loop.Run(&report);
  report.cpu = meter.Read();
  return report;
}

}  // namespace totora::bench
