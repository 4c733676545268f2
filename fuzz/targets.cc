#include "fuzz/targets.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/coding.h"
#include "common/log.h"
#include "message/codec.h"
#include "message/message.h"
#include "message/override.h"
#include "message/properties.h"
#include "remoting/bodies/batch.h"
#include "remoting/bodies/client.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/queues.h"
#include "remoting/bodies/route.h"
#include "remoting/bodies/stats.h"
#include "remoting/fields.h"
#include "remoting/frame.h"
#include "remoting/header/client.h"
#include "remoting/header/pull.h"
#include "remoting/header/send.h"
#include "remoting/properties_text.h"
#include "remoting/server.h"

namespace totora::fuzz {
namespace {

using namespace remoting;  // NOLINT: a file of claims about that one namespace.

std::map<std::string, std::string> AsMap(const FieldList& fields) {
  std::map<std::string, std::string> map;
  for (const FieldList::Field& field : fields) {
    const bool fresh = map.emplace(std::string(field.name), std::string(field.value)).second;
    TOTORA_CHECK(fresh) << "a field twice: " << field.name;
  }
  return map;
}

void CheckInside(absl::string_view part, const Command& command) {
  const absl::string_view frame = command.frame.view();
  if (part.empty()) return;
  TOTORA_CHECK(part.data() >= frame.data() &&
               part.data() + part.size() <= frame.data() + frame.size());
}

// What was read can be sent again, and is then read as the same.
void CheckCommand(const Command& command) {
  CheckInside(command.remark, command);
  CheckInside(command.body.view(), command);
  FieldBuffer fields;
  std::map<std::string, std::string> sent = AsMap(command.fields);
  for (const auto& [name, value] : sent) {
    CheckInside(*command.fields.Find(name), command);
    fields.Add(name, value);
  }
  sent.erase("");  // No serializer of ours sends a field without a name.
  ReadSendMessage(command).status().IgnoreError();
  ReadFields<PullMessageRequest>(command.fields).status().IgnoreError();
  ReadFields<EndTransactionRequest>(command.fields).status().IgnoreError();

  for (const Serializer serializer : {Serializer::kJson, Serializer::kCompact}) {
    const Head head{.code = command.code,
                    .opaque = command.opaque,
                    .flag = command.flag,
                    .serializer = serializer,
                    .language = command.language,
                    .version = command.version,
                    .remark = command.remark};
    std::string frame;
    const absl::Status made = AppendFrameHead(head, fields, command.body.size(), &frame);
    if (!made.ok()) continue;  // Escapes may make a header too long.
    frame.append(command.body.view().data(), command.body.size());
    const absl::StatusOr<Command> again = DecodeFrame(frame);
    TOTORA_CHECK(again.ok()) << again.status();
    TOTORA_CHECK(again->code == command.code && again->opaque == command.opaque &&
                 again->flag == command.flag && again->version == command.version);
    TOTORA_CHECK(again->remark == command.remark);
    TOTORA_CHECK(again->body.view() == command.body.view());
    std::map<std::string, std::string> expected = sent;
    if (again->serializer == Serializer::kCompact) {
      std::erase_if(expected, [](const auto& field) { return field.second.empty(); });
    }
    std::erase_if(expected, [](const auto& field) {
      return field.first.size() > FieldBuffer::kNameBytesMax;
    });
    TOTORA_CHECK(AsMap(again->fields) == expected);
  }
}

// A stream of frames.
void FuzzFrame(absl::string_view input) {
  while (true) {
    const absl::StatusOr<size_t> size = FrameSize(input);
    if (!size.ok()) return;
    TOTORA_CHECK(*size == 0 || *size >= kFramePrefixBytes);
    TOTORA_CHECK(*size <= kFrameBytesMax);
    if (*size == 0 || *size > input.size()) return;
    const absl::StatusOr<Command> command = DecodeFrame(input.substr(0, *size));
    if (command.ok()) CheckCommand(*command);
    input.remove_prefix(*size);
  }
}

void FuzzHeader(Serializer serializer, absl::string_view header) {
  std::string frame;
  AppendU32(&frame, static_cast<uint32_t>(4 + header.size()));
  AppendU32(&frame, static_cast<uint32_t>(serializer) << 24 | static_cast<uint32_t>(header.size()));
  frame.append(header.data(), header.size());
  const absl::StatusOr<Command> command = DecodeFrame(frame);
  if (command.ok()) CheckCommand(*command);
}
void FuzzJsonHeader(absl::string_view input) { FuzzHeader(Serializer::kJson, input); }
void FuzzCompactHeader(absl::string_view input) { FuzzHeader(Serializer::kCompact, input); }

// What is read can be written, and what is written is read as the same.
template <typename Body>
void FuzzBody(absl::string_view input) {
  const absl::StatusOr<Body> body = DecodeBody<Body>(input);
  if (!body.ok()) return;
  const std::string text = EncodeBody(*body);
  const absl::StatusOr<Body> again = DecodeBody<Body>(text);
  // Defaults that were absent may make a text too long.
  if (!again.ok() && text.size() > input.size()) return;
  TOTORA_CHECK(again.ok()) << again.status() << text;
  TOTORA_CHECK(EncodeBody(*again) == text) << text;
}

// A packed string of properties: reading never fails, and what a change has made
// is what is read afterwards.
void FuzzProperties(absl::string_view input) {
  std::map<std::string, std::string> last;
  message::ForEachProperty(input, [&last](absl::string_view name, absl::string_view value) {
    last[std::string(name)] = std::string(value);
    return last.size() < 64;
  });
  message::IsValidUtf8(input);
  const bool is_short = message::CheckProperties(input).ok();
  for (const auto& [name, value] : last) {
    TOTORA_CHECK(message::FindProperty(input, name).has_value()) << name;
    std::string changed(input);
    const absl::Status set = message::SetProperty(&changed, name, "v");
    TOTORA_CHECK(set.ok() ? message::PropertyOr(changed, name) == "v" : changed == input) << name;
    TOTORA_CHECK(!set.ok() || !is_short || message::CheckProperties(changed).ok());
    changed = std::string(input);
    message::RemoveProperty(&changed, name);
    TOTORA_CHECK(!message::FindProperty(changed, name).has_value()) << name;
  }
}

// The body of a batch. The length of each item is what its parts add up to.
void FuzzBatch(absl::string_view input) {
  const absl::StatusOr<std::vector<BatchItem>> items = ReadBatch(input, 64);
  if (!items.ok()) return;
  TOTORA_CHECK(!items->empty() && items->size() <= 64);
  size_t size = 0;
  for (const BatchItem& item : *items) {
    size += 4 + 4 + 4 + 4 + 4 + item.body.size() + 2 + item.properties.size();
    FuzzProperties(item.properties.substr(0, 512));
  }
  TOTORA_CHECK(size == input.size());
}

// A stored message, from a disk or a peer. What can be read can be stored again
// and is then the same, and every place can lay something over it.
void FuzzStoredMessage(absl::string_view input) {
  const absl::StatusOr<message::StoredMessageView> view = message::StoredMessageView::Parse(input);
  if (!view.ok()) return;
  TOTORA_CHECK(view->size() <= input.size());
  view->CheckBody().IgnoreError();
  view->Property(message::kTagsProperty);
  const message::Message read = view->ToMessage();
  read.born_host.ToString();
  std::string stored;
  if (!message::EncodeMessage(read, &stored).ok()) return;  // Broker made topics are longer.
  TOTORA_CHECK(stored.size() == message::StoredSize(read));
  const absl::StatusOr<message::StoredMessageView> again =
      message::StoredMessageView::Parse(stored);
  TOTORA_CHECK(again.ok()) << again.status();
  TOTORA_CHECK(again->CheckBody().ok());
  TOTORA_CHECK(again->topic() == view->topic() && again->body() == view->body() &&
               again->properties() == view->properties());
  std::string twice;
  TOTORA_CHECK(message::EncodeMessage(again->ToMessage(), &twice).ok() && twice == stored);

  message::Override record;
  record.reconsume_times = 3;
  record.position = BytePosition(7);
  record.Change(message::PropertyChange::Kind::kSet, "a", "b");
  record.Change(message::PropertyChange::Kind::kUnset, message::kDelayLevelProperty);
  record.Change(message::PropertyChange::Kind::kCopyIfAbsent, "c", message::kTagsProperty);
  std::string laid;
  const absl::Status status = message::AppendAsRead(
      view->bytes(), {"%RETRY%group", 1, totora::QueueOffset(5), BytePosition(9), 11}, &record, &laid);
  if (!status.ok()) return;
  const absl::StatusOr<message::StoredMessageView> over = message::StoredMessageView::Parse(laid);
  TOTORA_CHECK(over.ok()) << over.status();
  TOTORA_CHECK(over->topic() == "%RETRY%group" && over->reconsume_times() == 3 &&
               over->body() == view->body() && over->body_crc() == view->body_crc());
}

// What an index entry lays over a message.
void FuzzOverride(absl::string_view input) {
  const absl::StatusOr<message::Override> record = message::Override::Decode(input);
  if (!record.ok() || !record->Check().ok()) return;
  const absl::StatusOr<message::Override> again = message::Override::Decode(record->Encode());
  TOTORA_CHECK(again.ok() && *again == *record);
}

class QueueExecutor : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void PostAfter(absl::Duration, Task) override {}
  const Clock& clock() const override { return *Clock::System(); }
  void Run() {
    for (size_t i = 0; i < tasks_.size(); ++i) {
      Task task = std::move(tasks_[i]);
      task();
    }
    tasks_.clear();
  }

 private:
  std::vector<Task> tasks_;
};

class CountingConnection : public RawConnection {
 public:
  explicit CountingConnection(Executor* executor) : executor_(executor) {}
  const ConnectionInfo& info() const override { return info_; }
  Executor* executor() override { return executor_; }
  bool Write(std::string bytes) override { return CheckFrame(bytes); }
  bool Write(std::vector<SharedBytes> pieces) override {
    std::string bytes;
    for (const SharedBytes& piece : pieces) bytes.append(piece.view().data(), piece.size());
    return CheckFrame(bytes);
  }
  void Close() override {}
  void PauseReading() override {}
  void ResumeReading() override {}

 private:
  bool CheckFrame(absl::string_view bytes) {
    TOTORA_CHECK(FrameSize(bytes).ok() && *FrameSize(bytes) == bytes.size());
    TOTORA_CHECK(DecodeFrame(bytes).ok());
    return ++writes_ % 3 != 0;  // Now and then the peer is slow.
  }

  Executor* const executor_;
  const ConnectionInfo info_{1, "10.0.0.9:5555", "10.0.0.1:10911", "fuzz"};
  int writes_ = 0;
};

// A connection whose stream arrives in pieces: the first byte says how long.
void FuzzSession(absl::string_view input) {
  if (input.empty()) return;
  const size_t piece = 1 + static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  QueueExecutor executor;
  std::vector<RemotingRequestPtr> parked;
  RemotingService service;
  service.Add(RequestCode::kSendMessage, [](RemotingRequestPtr request) {
    Content content;
    content.fields.AddAll(request->command().fields);
    content.body.push_back(request->command().body);
    request->Reply(ResponseCode::kSuccess, content);
  });
  service.Add(RequestCode::kPullMessage,
              [&parked](RemotingRequestPtr request) { parked.push_back(std::move(request)); });
  service.Add(RequestCode::kHeartbeat, [](RemotingRequestPtr request) {
    request->connection()->Call(
        RequestCode::kGetConsumerRunningInfo, {}, absl::Seconds(1),
        [request](absl::StatusOr<Command>) { request->Reply(ResponseCode::kSuccess); });
  });
  RemotingLimits limits;
  limits.connection_requests_max = 4;
  limits.connection_calls_max = 2;
  const RemotingServer server(&service, &executor, limits);
  auto raw = std::make_shared<CountingConnection>(&executor);
  const std::unique_ptr<RawHandler> handler = server.protocol().factory(raw);
  std::string kept;
  while (!input.empty()) {
    kept.append(input.data(), std::min(piece, input.size()));
    input.remove_prefix(std::min(piece, input.size()));
    const size_t consumed = handler->OnData(kept);
    TOTORA_CHECK(consumed <= kept.size());
    kept.erase(0, consumed);
    executor.Run();
    if (parked.size() > 2) parked.clear();
  }
  handler->OnDrain();
  parked.clear();
  handler->OnClosed();
  executor.Run();
  TOTORA_CHECK(server.counters().requests_held.load() == 0);
  TOTORA_CHECK(server.counters().request_bytes_held.load() == 0);
}

// Settings as text.
void FuzzPropertiesText(absl::string_view input) {
  const auto properties = ParseProperties(input);
  if (!properties.ok()) return;
  size_t bytes = 0;
  for (const auto& [key, value] : *properties) bytes += key.size() + value.size();
  TOTORA_CHECK(bytes <= input.size());  // Escapes only shrink.
}

constexpr Target kTargets[] = {
    {"frame", FuzzFrame},
    {"json_header", FuzzJsonHeader},
    {"compact_header", FuzzCompactHeader},
    {"session", FuzzSession},
    {"batch", FuzzBatch},
    {"stored_message", FuzzStoredMessage},
    {"properties", FuzzProperties},
    {"override", FuzzOverride},
    {"heartbeat", FuzzBody<HeartbeatData>},
    {"check_client", FuzzBody<CheckClientRequestBody>},
    {"lock_batch", FuzzBody<LockBatchRequestBody>},
    {"query_assignment", FuzzBody<QueryAssignmentRequestBody>},
    {"consumer_status", FuzzBody<GetConsumerStatusBody>},
    {"consume_stats", FuzzBody<ConsumeStats>},
    {"topic_list_request", FuzzBody<CreateTopicListRequestBody>},
    {"subscription_group", FuzzBody<SubscriptionGroupConfig>},
    {"subscription_group_list", FuzzBody<SubscriptionGroupList>},
    {"request_mode", FuzzBody<SetMessageRequestModeBody>},
    {"topic_route", FuzzBody<TopicRouteData>},
    {"cluster_info", FuzzBody<ClusterInfo>},
    {"kv_table", FuzzBody<KvTable>},
    {"properties_text", FuzzPropertiesText},
};

}  // namespace

absl::Span<const Target> Targets() { return kTargets; }

const Target* FindTarget(absl::string_view name) {
  for (const Target& target : kTargets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace totora::fuzz
