// What applying costs: ns a message and replica, in RAM, checkpoints included
// only where the name says so. A change of store/ is judged by running this
// before and after it.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/executor.h"
#include "message/codec.h"
#include "message/properties.h"
#include "raft/command.h"
#include "raft/log/frame.h"
#include "store/checkpoint_store.h"
#include "store/commands.h"
#include "store/state_machine.h"

namespace totora::store {
namespace {

constexpr size_t kMessagesPerCommand = 64;
constexpr size_t kEntries = 512;

// Runs what it is given at once.
class InlineExecutor : public Executor {
 public:
  void Post(Task task) override { task(); }
  void PostAfter(absl::Duration, Task task) override { task(); }
  const Clock& clock() const override { return *Clock::System(); }
};

struct Shape {
  size_t body_bytes = 100;
  bool has_id = false;          // In the window of message ids.
  bool has_properties = false;  // What a gRPC producer's message carries.
  size_t keys = 0;
};

std::string MakeMessage(const Shape& shape, size_t number) {
  std::string properties;
  const auto add = [&](const char* name, const std::string& value) {
    TOTORA_CHECK(message::AppendProperty(&properties, name, value).ok());
  };
  if (shape.has_properties) {
    add(message::kTagsProperty, "TagA");
    add(message::kBornHostProperty, "10.1.2.3");
    add(message::kTraceContextProperty, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    add(message::kClusterProperty, "DefaultCluster");
  }
  if (shape.keys > 0) {
    add(message::kUniqueKeyProperty, absl::StrCat("01", absl::Hex(number, absl::kZeroPad16),
                                                  "0123456789ABCDEF"));
  }
  if (shape.keys > 1) {
    std::string keys;
    for (size_t i = 1; i < shape.keys; ++i) absl::StrAppend(&keys, "order-", number, "-", i, " ");
    add(message::kKeysProperty, keys);
  }
  message::Message message;
  message.topic = "bench";
  const std::string body(shape.body_bytes, 'b');
  message.body = body;
  message.properties = properties;
  std::string stored;
  TOTORA_CHECK(message::EncodeMessage(message, &stored).ok());
  return stored;
}

class BenchLog {
 public:
  void Append(CommandKind kind, const std::string& payload) {
    std::string body;
    raft::Command command;
    command.id = {ReplicaId(1), Incarnation(1), ++sequence_};
    command.low_watermark = sequence_ > 100 ? sequence_ - 100 : 0;
    command.kind = static_cast<uint16_t>(kind);
    command.payload = payload;
    raft::AppendCommand(command, &body);
    raft::Frame frame;
    frame.header.index = LogIndex(frames_.size() + 1);
    frame.header.term = Term(1);
    frame.header.start = end_;
    frame.header.timestamp_ms = 1'700'000'000'000 + static_cast<int64_t>(frames_.size());
    frame.header.body_bytes = static_cast<uint32_t>(body.size());
    frame.body = SharedBytes(std::move(body));
    end_ = frame.header.end();
    frames_.push_back(std::move(frame));
  }
  const std::vector<raft::Frame>& frames() const { return frames_; }

 private:
  std::vector<raft::Frame> frames_;
  BytePosition end_;
  uint64_t sequence_ = 0;
};

BenchLog MakeLog(const Shape& shape) {
  BenchLog log;
  TopicConfig topic;
  topic.name = "bench";
  log.Append(CommandKind::kPutTopic, topic.Encode());
  size_t number = 0;
  for (size_t entry = 0; entry < kEntries; ++entry) {
    SendCommand send;
    send.topic = "bench";
    std::vector<std::string> stored;
    stored.reserve(kMessagesPerCommand);
    for (size_t i = 0; i < kMessagesPerCommand; ++i, ++number) {
      stored.push_back(MakeMessage(shape, number));
      SendItem& item = send.items.emplace_back();
      if (shape.has_id) {
        item.id_hash = absl::StrCat(absl::Hex(number * 0x9e3779b97f4a7c15u, absl::kZeroPad16));
      }
      item.queue_id = static_cast<uint32_t>(entry % 8);
      item.message = stored.back();
    }
    log.Append(CommandKind::kSend, send.Encode());
  }
  return log;
}

void ApplySends(benchmark::State& run, const Shape& shape, bool writes_checkpoint) {
  const BenchLog log = MakeLog(shape);
  InlineExecutor background;
  for (auto _ : run) {
    run.PauseTiming();
    auto durable = std::make_shared<std::map<std::string, std::string>>();
    auto checkpoints = MakeMemoryCheckpoints(durable);
    auto machine = StateMachine::Open(StoreOptions(), checkpoints.get(), &background);
    TOTORA_CHECK(machine.ok());
    run.ResumeTiming();
    for (const raft::Frame& frame : log.frames()) (*machine)->Apply(frame);
    if (writes_checkpoint) {
      (*machine)->Checkpoint(nullptr);
      (*machine)->LogSynced((*machine)->applied());
    }
    run.PauseTiming();
    machine->reset();
    durable->clear();
    run.ResumeTiming();
  }
  run.SetItemsProcessed(static_cast<int64_t>(run.iterations() * kEntries * kMessagesPerCommand));
}

BENCHMARK_CAPTURE(ApplySends, plain, Shape{}, false);
BENCHMARK_CAPTURE(ApplySends, plain_with_checkpoint, Shape{}, true);
BENCHMARK_CAPTURE(ApplySends, properties, (Shape{100, false, true, 0}), false);
BENCHMARK_CAPTURE(ApplySends, properties_id, (Shape{100, true, true, 0}), false);
BENCHMARK_CAPTURE(ApplySends, unique_key, (Shape{100, true, true, 1}), false);
BENCHMARK_CAPTURE(ApplySends, unique_key_with_checkpoint, (Shape{100, true, true, 1}), true);
BENCHMARK_CAPTURE(ApplySends, four_keys, (Shape{100, true, true, 4}), false);

}  // namespace
}  // namespace totora::store

BENCHMARK_MAIN();
