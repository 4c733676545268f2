#include "tests/integration/load.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/message_id.h"
#include "client/simple_consumer.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/status.h"

namespace totora::integration {
namespace {

constexpr absl::Duration kRetryPause = absl::Milliseconds(20);
constexpr size_t kExamplesMax = 3;
constexpr int kReceiveBatch = 32;
constexpr absl::Duration kInvisible = absl::Seconds(60);

absl::Duration SteadyNow() { return Clock::System()->SteadyNow(); }

client::SimpleConsumerOptions ConsumerOptionsOf(const ConsumeOptions& options) {
  client::SimpleConsumerOptions result;
  result.client.access_point = options.access_point;
  result.consumer_group = options.consumer_group;
  result.topics = {options.topic};
  result.await = absl::Seconds(2);
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Load>> Load::Start(const LoadOptions& options) {
  std::unique_ptr<Load> load(new Load(options));
  for (int i = 0; i < options.producers; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->number = static_cast<uint32_t>(i);
    client::ProducerOptions producing;
    producing.client.access_point = options.access_point;
    producing.topics = {options.topic};
    TOTORA_ASSIGN_OR_RETURN(worker->producer, client::Producer::Start(producing));
    load->workers_.push_back(std::move(worker));
  }
  for (const std::unique_ptr<Worker>& worker : load->workers_) {
    worker->thread = std::thread([load = load.get(), raw = worker.get()] { load->Run(raw); });
  }
  return load;
}

Load::~Load() { Stop(); }

void Load::Run(Worker* worker) {
  uint64_t sequence = 0;
  absl::Duration next = SteadyNow();
  while (!is_stopping_.load(std::memory_order_acquire)) {
    Ledger::Send send{.message_id = client::MessageIdGenerator::OfProcess()->Next(),
                      .sequence = ++sequence};
    const std::string body = MakeBody(
        options_.seed, {.producer = worker->number, .sequence = sequence}, options_.body_size_max);
    while (true) {
      client::OutgoingMessage message;
      message.topic = options_.topic;
      message.body = body;
      message.message_id = send.message_id;
      const client::SendReceipt receipt = worker->producer->Send(std::move(message));
      if (receipt.status.ok()) {
        send.is_acknowledged = true;
        send.queue_offset = receipt.queue_offset;
        worker->acknowledged_at.push_back(SteadyNow());
        acknowledged_.fetch_add(1, std::memory_order_relaxed);
        break;
      }
      ++worker->failures;
      if (worker->examples.size() < kExamplesMax) {
        worker->examples.push_back(receipt.status.ToString());
      }
      if (is_stopping_.load(std::memory_order_acquire) &&
          SteadyNow() > absl::Nanoseconds(give_up_at_.load())) {
        break;
      }
      absl::SleepFor(kRetryPause);
    }
    worker->sends.push_back(std::move(send));
    next = std::max(next + options_.pace, SteadyNow());
    const absl::Duration pause = next - SteadyNow();
    if (pause > absl::ZeroDuration()) absl::SleepFor(pause);
  }
}

void Load::Stop() {
  if (is_stopped_) return;
  is_stopped_ = true;
  give_up_at_ = absl::ToInt64Nanoseconds(SteadyNow() + options_.patience);
  is_stopping_.store(true, std::memory_order_release);
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

void Load::WriteTo(Ledger* ledger) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    ledger->Add(worker->number, std::move(worker->sends));
  }
}

std::vector<absl::Duration> Load::Gaps(absl::Duration from, absl::Duration to) const {
  std::vector<absl::Duration> gaps;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    const std::vector<absl::Duration>& times = worker->acknowledged_at;
    auto after = std::lower_bound(times.begin(), times.end(), from);
    if (after == times.begin() && after != times.end()) ++after;
    absl::Duration longest;
    for (; after != times.end() && *(after - 1) <= to; ++after) {
      longest = std::max(longest, *after - *(after - 1));
    }
    // No acknowledgement any more: the gap never ended.
    if (times.empty() || times.back() < from) longest = absl::InfiniteDuration();
    gaps.push_back(longest);
  }
  return gaps;
}

uint64_t Load::failures() const {
  uint64_t sum = 0;
  for (const std::unique_ptr<Worker>& worker : workers_) sum += worker->failures;
  return sum;
}

std::vector<std::string> Load::failure_examples() const {
  std::vector<std::string> all;
  for (const std::unique_ptr<Worker>& worker : workers_) {
    for (const std::string& text : worker->examples) {
      if (all.size() < kExamplesMax) all.push_back(text);
    }
  }
  return all;
}

uint64_t Load::retries() const {
  uint64_t sum = failures();
  for (const std::unique_ptr<Worker>& worker : workers_) sum += worker->producer->retries();
  return sum;
}

absl::Status Introduce(const ConsumeOptions& options) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<client::SimpleConsumer> consumer,
                          client::SimpleConsumer::Start(ConsumerOptionsOf(options)));
  return consumer->Receive(1, kInvisible).status();
}

absl::StatusOr<std::vector<ReceivedBody>> ConsumeAll(
    const ConsumeOptions& options, size_t wanted,
    const std::function<bool(const std::string&)>& is_wanted) {
  Mutex mu;
  std::vector<ReceivedBody> received;
  absl::flat_hash_set<std::string> seen;
  absl::Status problem;
  absl::Duration last_new = SteadyNow();
  std::atomic<bool> is_done{wanted == 0};

  const auto take = [&](const std::vector<client::ReceivedMessage>& messages) {
    MutexLock lock(&mu);
    for (const client::ReceivedMessage& message : messages) {
      received.push_back({message.message_id, message.body});
      if (!is_wanted(message.message_id) || !seen.insert(message.message_id).second) continue;
      last_new = SteadyNow();
      if (seen.size() == wanted) is_done = true;
    }
  };
  const auto consume = [&] {
    absl::StatusOr<std::unique_ptr<client::SimpleConsumer>> consumer =
        client::SimpleConsumer::Start(ConsumerOptionsOf(options));
    while (!is_done) {
      absl::StatusOr<std::vector<client::ReceivedMessage>> messages =
          consumer.ok() ? (*consumer)->Receive(kReceiveBatch, kInvisible) : consumer.status();
      if (messages.ok() && !messages->empty()) {
        take(*messages);
        (void)(*consumer)->Ack(*messages);  // A failed one shows as a second delivery.
      }
      MutexLock lock(&mu);
      if (!messages.ok()) problem = messages.status();
      if (SteadyNow() - last_new > options.silence) is_done = true;
      if (!consumer.ok()) return;
    }
  };

  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) threads.emplace_back(consume);
  for (std::thread& thread : threads) thread.join();
  if (received.empty() && wanted > 0 && !problem.ok()) return problem;
  return received;
}

}  // namespace totora::integration
