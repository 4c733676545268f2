#include "tests/sim/workload.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/coding.h"
#include "message/codec.h"
#include "message/properties.h"

namespace totora::sim {
namespace {

constexpr absl::Duration kGiveUp = absl::Seconds(3);
// A client stops waiting for a process that died with its call.
constexpr absl::Duration kClientTimeout = absl::Milliseconds(3300);

std::string MakeMessage(const char* topic, const std::string& id, uint32_t queue) {
  std::string properties;
  TOTORA_CHECK(message::AppendProperty(&properties, message::kUniqueKeyProperty, id).ok());
  message::Message message;
  message.topic = topic;
  message.body = id;
  message.properties = properties;
  message.queue_id = queue;
  std::string bytes;
  TOTORA_CHECK(message::EncodeMessage(message, &bytes).ok());
  return bytes;
}

// FNV twice: distinct for the few ids of a simulation.
std::string HashOf(const std::string& id) {
  uint64_t a = 1469598103934665603ull;
  uint64_t b = 0x9e3779b97f4a7c15ull;
  for (const char c : id) {
    a = (a ^ static_cast<uint8_t>(c)) * 1099511628211ull;
    b = (b ^ a) * 0xff51afd7ed558ccdull;
  }
  std::string hash;
  AppendU64(&hash, a);
  AppendU64(&hash, b);
  return hash;
}

}  // namespace

bool Workload::Submit(store::CommandKind kind, const std::string& payload,
                      raft::SubmitCallback done) {
  Process* const process = reach_(all_[scheduler_->random().Below(all_.size())]);
  if (process == nullptr) return false;
  SubmitTo(process, kind, payload, std::move(done));
  return true;
}

void Workload::SubmitTo(Process* process, store::CommandKind kind, const std::string& payload,
                        raft::SubmitCallback done) {
  auto calls = std::make_shared<int>(0);
  submitted_.push_back({process->life(), calls});
  process->replica()->Submit(
      static_cast<uint16_t>(kind), payload, scheduler_->now() + kGiveUp,
      [this, calls, done = std::move(done)](absl::StatusOr<absl::string_view> result) mutable {
        if (++*calls != 1) violation_("a command was answered twice");
        done(std::move(result));
      });
}

size_t Workload::Unanswered() const {
  size_t count = 0;
  for (const Submitted& submitted : submitted_) {
    if (submitted.life->is_alive && *submitted.calls == 0) ++count;
  }
  return count;
}

void Workload::Start(int producers, int consumers) {
  producer_count_ = producers;
  consumer_count_ = consumers;
  Setup();
}

void Workload::Setup() {
  if (is_set_up_) return;
  store::TopicConfig topic;
  topic.name = kSimTopic;
  topic.read_queues = topic.write_queues = kSimQueues;
  store::ConsumerGroupConfig group;
  group.name = kSimConsumerGroup;
  Submit(store::CommandKind::kPutConsumerGroup, group.Encode(),
         [this](absl::StatusOr<absl::string_view> result) {
           if (result.ok()) has_group_ = true;
         });
  store::TopicConfig delayed;
  delayed.name = kSimDelayedTopic;
  delayed.read_queues = delayed.write_queues = 1;
  Submit(store::CommandKind::kPutTopic, delayed.Encode(),
         [this](absl::StatusOr<absl::string_view> result) {
           if (result.ok()) has_delayed_topic_ = true;
         });
  Submit(store::CommandKind::kPutTopic, topic.Encode(),
         [this](absl::StatusOr<absl::string_view> result) {
           if (!result.ok() || !has_group_ || !has_delayed_topic_) return;
           if (std::exchange(is_set_up_, true)) return;
           for (int i = 0; i < producer_count_; ++i) {
             auto producer = std::make_unique<Producer>();
             producer->name = absl::StrCat("p", i);
             producers_.push_back(std::move(producer));
             SendNext(producers_.back().get());
           }
           consumer_rounds_.resize(static_cast<size_t>(consumer_count_));
           for (int i = 0; i < consumer_count_; ++i) Consume(i);
         });
  scheduler_->At(scheduler_->now() + absl::Seconds(1), nullptr, [this] { Setup(); });
}

void Workload::SendNext(Producer* producer) {
  if (!is_producing_) return;
  ++producer->sequence;
  producer->queue = static_cast<uint32_t>(scheduler_->random().Below(kSimQueues));
  producer->delay_ms = 0;
  if (scheduler_->random().Chance(0.1)) {
    producer->queue = 0;
    producer->delay_ms = 1 + static_cast<int64_t>(scheduler_->random().Below(4000));
  }
  Send(producer);
}

void Workload::Send(Producer* producer) {
  const std::string id = absl::StrCat(producer->name, "-", producer->sequence);
  const uint64_t attempt = ++producer->attempt;
  store::SendCommand command;
  command.topic = producer->delay_ms > 0 ? kSimDelayedTopic : kSimTopic;
  const std::string bytes = MakeMessage(command.topic.c_str(), id, producer->queue);
  store::SendItem item;
  item.id_hash = HashOf(id);
  item.queue_id = producer->queue;
  item.delay_ms = producer->delay_ms;
  item.message = bytes;
  command.items.push_back(item);
  producer->is_waiting = true;
  const bool is_taken = Submit(store::CommandKind::kSend, command.Encode(),
                               [this, producer, attempt](absl::StatusOr<absl::string_view> result) {
                                 if (producer->attempt == attempt && producer->is_waiting)
                                   Sent(producer, result);
                               });
  const absl::Duration patience = is_taken ? kClientTimeout : absl::Milliseconds(50);
  scheduler_->At(scheduler_->now() + patience, nullptr, [this, producer, attempt] {
    if (producer->attempt != attempt || !producer->is_waiting) return;
    ++retries_;
    Send(producer);
  });
}

void Workload::Sent(Producer* producer, const absl::StatusOr<absl::string_view>& bytes) {
  producer->is_waiting = false;
  const std::string id = absl::StrCat(producer->name, "-", producer->sequence);
  absl::StatusOr<store::SendResult> result =
      bytes.ok() ? store::SendResult::Decode(*bytes) : bytes.status();
  if (!result.ok() || !result->status.ok() || result->items.size() != 1) {
    ++retries_;
    scheduler_->At(scheduler_->now() + absl::Milliseconds(50), nullptr,
                   [this, producer] { Send(producer); });
    return;
  }
  const Place place{result->items[0].queue_id, result->items[0].offset};
  if (producer->delay_ms > 0) {
    if (result->items[0].due_ms <= 0) violation_(absl::StrCat(id, " does not wait"));
    delayed_.emplace(id, result->items[0].due_ms);
  } else {
    const auto [it, is_new] = acknowledged_.emplace(id, place);
    if (!is_new && !(it->second == place)) violation_(absl::StrCat(id, " got two places"));
  }
  scheduler_->Trace(place.offset.value());
  scheduler_->At(scheduler_->now() +
                     scheduler_->random().Between(absl::Milliseconds(5), absl::Milliseconds(80)),
                 nullptr, [this, producer] { SendNext(producer); });
}

void Workload::Consume(int number) {
  if (!is_consuming_) return;
  const uint64_t round = ++consumer_rounds_[static_cast<size_t>(number)];
  store::ReceiveCommand command;
  command.consumer_group = kSimConsumerGroup;
  command.topic = kSimTopic;
  command.max_messages = 16;
  command.invisible_ms = 1500;
  command.client_id = absl::StrCat("c", number);
  command.first_queue = static_cast<uint32_t>(scheduler_->random().Below(kSimQueues));
  const ReplicaId at = all_[scheduler_->random().Below(all_.size())];
  Process* const process = reach_(at);
  if (process == nullptr) {
    // Refused at once: the client goes elsewhere.
    scheduler_->At(scheduler_->now() + absl::Milliseconds(40), nullptr, [this, number, round] {
      if (consumer_rounds_[static_cast<size_t>(number)] == round) Consume(number);
    });
    return;
  }
  SubmitTo(process, store::CommandKind::kReceive, command.Encode(),
           [this, number, round, process](absl::StatusOr<absl::string_view> result) {
             if (consumer_rounds_[static_cast<size_t>(number)] == round) {
               Received(number, result, process);
             }
           });
  scheduler_->At(scheduler_->now() + kClientTimeout, nullptr, [this, number, round] {
    if (consumer_rounds_[static_cast<size_t>(number)] == round) Consume(number);
  });
}

void Workload::Received(int number, const absl::StatusOr<absl::string_view>& bytes,
                        Process* process) {
  const auto again = [this, number] {
    ++consumer_rounds_[static_cast<size_t>(number)];
    scheduler_->At(scheduler_->now() + absl::Milliseconds(40), nullptr,
                   [this, number] { Consume(number); });
  };
  absl::StatusOr<store::ReceiveResult> result =
      bytes.ok() ? store::ReceiveResult::Decode(*bytes) : bytes.status();
  if (!result.ok() || !result->status.ok()) return again();
  store::AckCommand ack;
  ack.consumer_group = kSimConsumerGroup;
  for (const store::DeliveredMessage& delivered : result->messages) {
    const auto stored = process->replica()->Read(delivered.position, delivered.size);
    if (!stored.ok()) {
      violation_(absl::StrCat("a delivered message cannot be read: ", stored.status().ToString()));
      continue;
    }
    const auto view = message::StoredMessageView::Parse(*stored);
    if (!view.ok()) {
      violation_("a delivered message is garbled");
      continue;
    }
    ++received_;
    received_ids_.insert(std::string(view->Property(message::kUniqueKeyProperty)));
    if (scheduler_->random().Chance(0.03)) SendBack(delivered);
    if (scheduler_->random().Chance(0.1)) continue;  // Comes back.
    ack.receipts.push_back(
        {kSimTopic, delivered.queue_id, delivered.offset, delivered.delivery_id});
  }
  if (!ack.receipts.empty()) {
    Submit(store::CommandKind::kAck, ack.Encode(), [](absl::StatusOr<absl::string_view>) {});
  }
  again();
}

void Workload::SendBack(const store::DeliveredMessage& delivered) {
  store::SendBackCommand command;
  command.consumer_group = kSimConsumerGroup;
  command.position = delivered.position;
  command.size = delivered.size;
  command.tag_hash = ++send_backs_;
  command.delay_ms = static_cast<int64_t>(scheduler_->random().Below(2) * 700);
  Submit(store::CommandKind::kSendBack, command.Encode(),
         [this, tag = command.tag_hash](absl::StatusOr<absl::string_view> bytes) {
           const auto result =
               bytes.ok() ? store::SendBackResult::Decode(*bytes) : bytes.status();
           if (result.ok() && result->status.ok()) sent_back_.insert(tag);
         });
}

std::vector<std::string> Workload::NeverReceived() const {
  std::vector<std::string> missing;
  for (const auto& [id, place] : acknowledged_) {
    if (received_ids_.count(id) == 0) missing.push_back(id);
  }
  return missing;
}

}  // namespace totora::sim
