// The classic protocol over a broker in memory, driven frame by frame without
// sockets, in time that the test moves.
#ifndef TOTORA_BROKER_REMOTING_API_REMOTING_API_FIXTURE_H_
#define TOTORA_BROKER_REMOTING_API_REMOTING_API_FIXTURE_H_

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/remoting_api.h"
#include "broker/service/single_broker.h"
#include "common/manual_executor.h"
#include "message/codec.h"
#include "message/properties.h"
#include "remoting/bodies/client.h"
#include "remoting/header/pull.h"
#include "remoting/header/send.h"
#include "remoting/server.h"
#include "remoting/test_peer.h"

namespace totora::remoting_api {

class RemotingApiTest : public ::testing::Test {
 protected:
  using Command = remoting::Command;
  using Peer = remoting::TestPeer;

  static service::BrokerServiceOptions Options() {
    service::BrokerServiceOptions options = service::SingleBroker::Defaults();
    options.creates_topics_on_send = true;
    options.store_host = *message::Host::Parse("127.0.0.1", 0);
    return options;
  }

  static RemotingApiOptions RemoteAdminIs(remoting::RemoteAdmin setting) {
    RemotingApiOptions options;
    options.remote_admin = setting;
    return options;
  }

  explicit RemotingApiTest(const service::BrokerServiceOptions& options = Options(),
                           const RemotingApiOptions& api_options = {})
      : broker_(&executor_, options), api_(broker_.service(), api_options) {
    broker_.service()->Start();
    CreateTopic("t", 4);
  }
  ~RemotingApiTest() override {
    peers_.clear();
    executor_.Run();
    broker_.service()->Stop();
  }

  void CreateTopic(const std::string& name, uint32_t queues, uint32_t permission = 6) {
    store::TopicConfig config;
    config.name = name;
    config.read_queues = config.write_queues = queues;
    config.permission = permission;
    broker_.service()->topics().Put(config, executor_.now() + absl::Seconds(1),
                                    [](absl::Status status) { EXPECT_TRUE(status.ok()); });
    executor_.Run();
  }

  // --- Connections ------------------------------------------------------------

  Peer* Connect() {
    // The first is peer()'s.
    if (peers_.empty()) peers_.push_back(std::make_unique<Peer>(server_, &executor_));
    peers_.push_back(std::make_unique<Peer>(server_, &executor_));
    return peers_.back().get();
  }
  // A tool on the broker's own machine.
  Peer* local() {
    if (local_ == nullptr) {
      Connect();
      peers_.push_back(std::make_unique<Peer>(server_, &executor_, "127.0.0.1:40000"));
      local_ = peers_.back().get();
    }
    return local_;
  }
  // The one that tests use which need no other.
  Peer* peer() {
    if (peers_.empty()) peers_.push_back(std::make_unique<Peer>(server_, &executor_));
    return peers_.front().get();
  }

  Peer* producer() {
    if (producer_ == nullptr) producer_ = Connect();
    return producer_;
  }

  // --- Requests ---------------------------------------------------------------

  // Sends and returns the opaque.
  int32_t Start(Peer* from, RequestCode code, const remoting::FieldBuffer& fields = {},
                absl::string_view body = "", int32_t flag = 0) {
    const int32_t opaque = ++opaque_;
    from->Send({.code = static_cast<int32_t>(code), .opaque = opaque, .flag = flag}, fields, body);
    executor_.Run();
    return opaque;
  }
  // The only answer that has come; code -1 if there is none.
  static Command AnswerAt(Peer* at) {
    std::vector<Command> answers;
    for (Command& command : at->Received()) {
      if (command.is_response()) answers.push_back(std::move(command));
    }
    EXPECT_LE(answers.size(), 1u);
    if (!answers.empty()) return answers.front();
    Command none;
    none.code = -1;
    return none;
  }
  Command Ask(Peer* from, RequestCode code, const remoting::FieldBuffer& fields = {},
              absl::string_view body = "") {
    const int32_t opaque = Start(from, code, fields, body);
    Command answer = AnswerAt(from);
    if (answer.code >= 0) {
      EXPECT_EQ(answer.opaque, opaque);
    }
    return answer;
  }
  template <typename Header>
  Command Ask(Peer* from, RequestCode code, const Header& header, absl::string_view body = "") {
    remoting::FieldBuffer fields;
    remoting::WriteFields(header, &fields);
    return Ask(from, code, fields, body);
  }

  static std::string Field(const Command& command, absl::string_view name) {
    return std::string(command.fields.Find(name).value_or("(none)"));
  }

  // --- Clients ------------------------------------------------------------------

  static std::string HeartbeatBody(const std::string& client_id, const std::string& group = "g",
                                   const std::string& topic = "t",
                                   const std::string& expression = "*", int64_t version = 1) {
    remoting::HeartbeatData heartbeat;
    heartbeat.client_id = client_id;
    remoting::ConsumerData& consumer = heartbeat.consumers.emplace_back();
    consumer.group_name = group;
    consumer.consume_type = remoting::ConsumeType::kPassively;
    consumer.message_model = remoting::MessageModel::kClustering;
    consumer.consume_from_where = remoting::ConsumeFromWhere::kFirstOffset;
    remoting::SubscriptionData& subscription = consumer.subscriptions.emplace_back();
    subscription.topic = topic;
    subscription.expression = expression;
    subscription.version = version;
    return remoting::EncodeBody(heartbeat);
  }
  Command Heartbeat(Peer* from, const std::string& client_id, const std::string& group = "g",
                    const std::string& topic = "t", const std::string& expression = "*",
                    int64_t version = 1) {
    return Ask(from, RequestCode::kHeartbeat, remoting::FieldBuffer(),
               HeartbeatBody(client_id, group, topic, expression, version));
  }

  // --- Messages -----------------------------------------------------------------

  static std::string Packed(
      std::initializer_list<std::pair<absl::string_view, absl::string_view>> properties) {
    std::string packed;
    for (const auto& [name, value] : properties) {
      EXPECT_TRUE(message::AppendProperty(&packed, name, value).ok());
    }
    return packed;
  }

  static remoting::SendMessageRequest SendHeader(absl::string_view topic,
                                                 absl::string_view properties = "") {
    remoting::SendMessageRequest header;
    header.producer_group = "pg";
    header.topic = topic;
    header.default_topic = "TBW102";
    header.default_topic_queue_nums = 4;
    header.queue_id = 0;
    header.born_timestamp = 1'699'999'999'123;
    header.flag = 7;
    header.properties = properties;
    return header;
  }
  static remoting::FieldBuffer Fields(const remoting::SendMessageRequest& header,
                                      RequestCode code) {
    remoting::FieldBuffer fields;
    remoting::WriteSendMessage(header, remoting::SendFieldNamesOf(static_cast<int32_t>(code)),
                               &fields);
    return fields;
  }
  Command Send(Peer* from, const remoting::SendMessageRequest& header,
               absl::string_view body = "body", RequestCode code = RequestCode::kSendMessageV2) {
    return Ask(from, code, Fields(header, code), body);
  }

  // Sends to queue 0.
  void Produce(const std::string& topic, const std::string& body, const std::string& tag = "") {
    std::string properties = Packed({{"UNIQ_KEY", absl::StrCat("P", ++produced_)}});
    if (!tag.empty()) properties += Packed({{"TAGS", tag}});
    ASSERT_EQ(Send(producer(), SendHeader(topic, properties), body).code, 0);
  }

  // --- Pulls ----------------------------------------------------------------------

  static remoting::PullMessageRequest PullHeader(int64_t offset, absl::string_view topic = "t") {
    remoting::PullMessageRequest header;
    header.consumer_group = "g";
    header.topic = topic;
    header.queue_offset = offset;
    header.max_message_nums = 32;
    header.sys_flag = remoting::kPullSuspend;
    header.suspend_timeout_millis = 15'000;
    return header;
  }
  int32_t StartPull(Peer* from, const remoting::PullMessageRequest& header) {
    remoting::FieldBuffer fields;
    remoting::WriteFields(header, &fields);
    return Start(from, RequestCode::kPullMessage, fields);
  }
  Command Pull(Peer* from, const remoting::PullMessageRequest& header) {
    return Ask(from, RequestCode::kPullMessage, header);
  }
  // Messages of an answer. Bodies of the answer must outlive it.
  static std::vector<message::StoredMessageView> MessagesOf(const Command& answer) {
    std::vector<message::StoredMessageView> messages;
    absl::string_view rest = answer.body.view();
    while (!rest.empty()) {
      const auto view = message::StoredMessageView::Parse(rest);
      EXPECT_TRUE(view.ok()) << view.status();
      if (!view.ok()) break;
      messages.push_back(*view);
      rest.remove_prefix(view->size());
    }
    return messages;
  }
  static std::vector<std::string> BodiesOf(const Command& answer) {
    std::vector<std::string> bodies;
    for (const auto& message : MessagesOf(answer)) bodies.emplace_back(message.body());
    return bodies;
  }

  // All messages of a queue, as stored.
  std::vector<std::string> StoredIn(const std::string& topic, uint32_t queue_id) {
    std::vector<std::string> messages;
    const auto bounds = broker_.state()->Bounds(topic, queue_id);
    if (!bounds.ok()) return messages;
    const auto entries = broker_.state()->Entries(topic, queue_id, bounds->begin,
                                                  bounds->end.value() - bounds->begin.value());
    EXPECT_TRUE(entries.ok()) << entries.status();
    for (const store::QueueEntry& entry : *entries) {
      const auto bytes = broker_.log()->ReadMessage(entry.position, entry.size);
      EXPECT_TRUE(bytes.ok()) << bytes.status();
      messages.push_back(*bytes);
    }
    return messages;
  }

  ManualExecutor executor_;
  service::SingleBroker broker_;
  RemotingApi api_;
  remoting::RemotingServer server_{api_.service(), &executor_};
  int32_t opaque_ = 0;
  int produced_ = 0;
  Peer* producer_ = nullptr;
  Peer* local_ = nullptr;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_REMOTING_API_FIXTURE_H_
