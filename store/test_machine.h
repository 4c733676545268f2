// A state machine with everything around it that a test wants to hold: the log
// it was given, the store below it, the background that writes checkpoints.
#ifndef TOTORA_STORE_TEST_MACHINE_H_
#define TOTORA_STORE_TEST_MACHINE_H_

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/executor.h"
#include "message/codec.h"
#include "message/override.h"
#include "raft/command.h"
#include "raft/log/frame.h"
#include "store/checkpoint_store.h"
#include "store/commands.h"
#include "store/state_machine.h"

namespace totora::store {

// Runs nothing by itself.
class ManualExecutor : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void PostAfter(absl::Duration, Task task) override { tasks_.push_back(std::move(task)); }
  const Clock& clock() const override { return *Clock::System(); }

  void RunAll() {
    while (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  size_t size() const { return tasks_.size(); }

 private:
  std::deque<Task> tasks_;
};

inline std::string StoredMessage(absl::string_view topic, absl::string_view body,
                                 absl::string_view properties = "") {
  message::Message message;
  message.topic = topic;
  message.body = body;
  message.properties = properties;
  std::string stored;
  const absl::Status encoded = message::EncodeMessage(message, &stored);
  EXPECT_TRUE(encoded.ok()) << encoded;
  return stored;
}

// A log that nobody disputes: frames in order, as a leader would make them.
class TestLog {
 public:
  struct Item {
    CommandKind kind;
    std::string payload;
    raft::CommandId id;
    uint64_t low_watermark = 0;
  };

  // One entry of these commands at log time `time_ms`; of that, all but `stepped_ms`
  // has passed. `stamper` may be null.
  const raft::Frame& Append(const std::vector<Item>& items, int64_t time_ms,
                            const StateMachine* stamper) {
    std::string body;
    raft::Frame frame;
    frame.header.index = LogIndex(frames_.size() + 1);
    frame.header.term = Term(1);
    frame.header.start = end_;
    frame.header.timestamp_ms = time_ms;
    frame.header.passed_ms = time_ms - stepped_ms;
    for (const Item& item : items) {
      raft::Command command;
      command.id = item.id;
      command.low_watermark = item.low_watermark;
      command.kind = static_cast<uint16_t>(item.kind);
      command.payload = item.payload;
      const size_t at = body.size();
      raft::AppendCommand(command, &body);
      if (stamper != nullptr) {
        stamper->Stamp(command.kind, &body[at + raft::kCommandHeaderBytes], item.payload.size(),
                       frame.header.body_position().Next(at + raft::kCommandHeaderBytes), time_ms);
      }
    }
    frame.header.body_bytes = static_cast<uint32_t>(body.size());
    frame.body = SharedBytes(std::move(body));
    end_ = frame.header.end();
    frames_.push_back(std::move(frame));
    return frames_.back();
  }

  int64_t stepped_ms = 0;

  const std::deque<raft::Frame>& frames() const { return frames_; }
  // The bytes at a position, as a reader of segments would get them.
  std::string Read(BytePosition at, size_t size) const {
    for (const raft::Frame& frame : frames_) {
      if (at < frame.header.body_position() || at >= frame.header.end()) continue;
      return std::string(
          frame.body.view().substr(at.value() - frame.header.body_position().value(), size));
    }
    return "";
  }

 private:
  std::deque<raft::Frame> frames_;
  BytePosition end_;
};

// Keeps what the state machine said.
class Recorder : public ApplyObserver {
 public:
  void CommandApplied(const raft::CommandId& id, absl::string_view result) override {
    results.emplace_back(id, std::string(result));
  }
  void QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset end) override {
    events.push_back(absl::StrCat("grew ", topic, "/", queue_id, " ", end.value()));
  }
  void LeasesReleased(absl::string_view topic, absl::string_view group,
                      uint32_t queue_id) override {
    events.push_back(absl::StrCat("released ", topic, "/", queue_id, " ", group));
  }
  void OffsetReset(absl::string_view topic, absl::string_view group, uint32_t queue_id) override {
    events.push_back(absl::StrCat("reset ", topic, "/", queue_id, " ", group));
  }
  void TopicChanged(absl::string_view topic, const std::optional<TopicConfig>& config) override {
    events.push_back(absl::StrCat("topic ", topic, config.has_value() ? " changed" : " gone"));
  }
  std::vector<std::string> TakeEvents() { return std::exchange(events, {}); }

  std::vector<std::pair<raft::CommandId, std::string>> results;
  std::vector<std::string> events;
};

// One replica's state machine over a store in memory, and the verbs of clients.
class TestMachine {
 public:
  explicit TestMachine(StoreOptions options = StoreOptions()) : options_(options) { Open(); }

  // Forgets RAM; what was committed to the store stays. The log is not replayed.
  void Open() {
    machine_ = nullptr;
    background_ = std::make_unique<ManualExecutor>();
    store_ = MakeMemoryCheckpoints(durable_);
    auto machine = StateMachine::Open(options_, store_.get(), background_.get());
    ASSERT_TRUE(machine.ok()) << machine.status();
    machine_ = *std::move(machine);
    machine_->SetObserver(&recorder);
  }
  void Replay() {
    for (const raft::Frame& frame : log.frames()) {
      if (frame.header.index > machine_->applied()) machine_->Apply(frame);
    }
  }
  // Freezes, writes and frees a checkpoint.
  void Checkpoint() {
    machine_->Checkpoint(nullptr);
    machine_->LogSynced(machine_->applied());
    background_->RunAll();
    machine_->LogSynced(machine_->applied());
  }

  StateMachine& operator*() { return *machine_; }
  StateMachine* operator->() { return machine_.get(); }
  ManualExecutor& background() { return *background_; }
  std::map<std::string, std::string>& durable() { return *durable_; }

  // Log time is `ms` later, and nothing has passed.
  void Step(int64_t ms) {
    now_ms += ms;
    log.stepped_ms += ms;
  }

  // Applies one command as the next one of `replica` and returns its result.
  std::string Do(CommandKind kind, std::string payload) {
    raft::CommandId id{replica, incarnation, ++sequence};
    machine_->Apply(log.Append({{kind, std::move(payload), id, low_watermark}}, now_ms,
                               machine_.get()));
    if (recorder.results.empty()) return "";
    return recorder.results.back().second;
  }
  template <typename Result, typename Command>
  Result Ask(CommandKind kind, const Command& command) {
    absl::StatusOr<Result> result = Result::Decode(Do(kind, command.Encode()));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : Result();
  }
  template <typename Command>
  absl::StatusCode Run(CommandKind kind, const Command& command) {
    return Ask<PlainResult>(kind, command).status.code;
  }

  absl::StatusCode PutTopic(const std::string& name, uint32_t queues = 1) {
    TopicConfig config;
    config.name = name;
    config.read_queues = config.write_queues = queues;
    return Run(CommandKind::kPutTopic, config);
  }
  absl::StatusCode PutGroup(const std::string& name, bool is_fifo = false,
                            uint32_t max_attempts = 17) {
    ConsumerGroupConfig config;
    config.name = name;
    config.is_fifo = is_fifo;
    config.max_attempts = max_attempts;
    return Run(CommandKind::kPutConsumerGroup, config);
  }
  struct Out {
    std::string body = "body";
    std::string id = "";
    uint32_t tag = 0;
    uint32_t queue = 0;
    bool is_deliberate = false;
    int64_t delay_ms = 0;
    int64_t deliver_at_ms = 0;
    std::string properties = "";
    uint32_t retry_window_ms = 0;
  };
  SendResult Send(const std::string& topic, const std::vector<Out>& messages) {
    SendCommand command;
    command.topic = topic;
    std::deque<std::string> stored;
    for (const Out& out : messages) {
      SendItem& item = command.items.emplace_back();
      if (!out.id.empty()) item.id_hash = (out.id + std::string(16, '.')).substr(0, 16);
      item.is_deliberate = out.is_deliberate;
      item.tag_hash = out.tag;
      item.queue_id = out.queue;
      item.delay_ms = out.delay_ms;
      item.deliver_at_ms = out.deliver_at_ms;
      item.retry_window_ms = out.retry_window_ms;
      stored.push_back(StoredMessage(topic, out.body, out.properties));
      item.message = stored.back();
    }
    return Ask<SendResult>(CommandKind::kSend, command);
  }
  SendResult SendMany(const std::string& topic, size_t count, uint32_t queue = 0) {
    return Send(topic, std::vector<Out>(count, Out{.queue = queue}));
  }
  ReceiveCommand Receiving(const std::string& group, const std::string& topic, uint32_t max = 32) {
    ReceiveCommand command;
    command.consumer_group = group;
    command.topic = topic;
    command.max_messages = max;
    command.client_id = "client";
    return command;
  }
  ReceiveResult Receive(const ReceiveCommand& command) {
    return Ask<ReceiveResult>(CommandKind::kReceive, command);
  }
  ReceiveResult Receive(const std::string& group, const std::string& topic, uint32_t max = 32) {
    return Receive(Receiving(group, topic, max));
  }
  absl::StatusCode Ack(const std::string& group, const std::string& topic,
                       const DeliveredMessage& message) {
    AckCommand command;
    command.consumer_group = group;
    command.receipts = {{topic, message.queue_id, message.offset, message.delivery_id}};
    const AckResult result = Ask<AckResult>(CommandKind::kAck, command);
    if (!result.status.ok()) return result.status.code;
    return result.codes.at(0);
  }
  absl::StatusCode Change(const std::string& group, const std::string& topic,
                          const DeliveredMessage& message, int64_t invisible_ms) {
    ChangeInvisibleCommand command;
    command.consumer_group = group;
    command.receipt = {topic, message.queue_id, message.offset, message.delivery_id};
    command.invisible_ms = invisible_ms;
    return Ask<ChangeInvisibleResult>(CommandKind::kChangeInvisible, command).status.code;
  }
  void Report(const std::string& group, const std::string& topic, const DeliveredMessage& message,
              bool was_written) {
    DeliveredCommand command;
    command.items.push_back(
        {group, {topic, message.queue_id, message.offset, message.delivery_id}, was_written});
    EXPECT_EQ(Run(CommandKind::kDelivered, command), absl::StatusCode::kOk);
  }
  // A message of a queue as a consumer reads it.
  std::string ReadAt(const std::string& topic, uint64_t offset, uint32_t queue = 0) {
    const auto entries = machine_->Entries(topic, queue, QueueOffset(offset), 1);
    EXPECT_TRUE(entries.ok()) << entries.status();
    if (!entries.ok() || entries->empty()) return "";
    const QueueEntry& entry = entries->front();
    std::string read;
    const absl::Status laid =
        message::AppendAsRead(log.Read(entry.position, entry.size),
                              {topic, queue, entry.offset, entry.position, entry.store_time_ms},
                              entry.override_record.get(), &read);
    EXPECT_TRUE(laid.ok()) << laid;
    return read;
  }
  uint64_t Length(const std::string& topic, uint32_t queue = 0) {
    const auto bounds = machine_->Bounds(topic, queue);
    return bounds.ok() ? bounds->end.value() : 0;
  }
  void Expire(uint32_t limit = 10000) { Run(CommandKind::kExpire, ExpireCommand{limit}); }
  void Alive(const std::string& client) {
    Run(CommandKind::kClientsAlive, ClientsAliveCommand{{client}});
  }

  TestLog log;
  Recorder recorder;
  int64_t now_ms = 1'000'000;
  ReplicaId replica{1};
  Incarnation incarnation{1};
  uint64_t sequence = 0;
  uint64_t low_watermark = 0;

 private:
  const StoreOptions options_;
  const std::shared_ptr<std::map<std::string, std::string>> durable_ =
      std::make_shared<std::map<std::string, std::string>>();
  std::unique_ptr<ManualExecutor> background_;
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<StateMachine> machine_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_TEST_MACHINE_H_
