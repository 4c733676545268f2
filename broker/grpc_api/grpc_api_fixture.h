// The v2 protocol over a broker in memory, driven call by call without sockets,
// in time that the test moves.
#ifndef TOTORA_BROKER_GRPC_API_GRPC_API_FIXTURE_H_
#define TOTORA_BROKER_GRPC_API_GRPC_API_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/durations.h"
#include "broker/grpc_api/fake_call.h"
#include "broker/grpc_api/grpc_api.h"
#include "broker/service/single_broker.h"
#include "common/manual_executor.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {

class GrpcApiTest : public ::testing::Test {
 protected:
  using Call = std::shared_ptr<FakeCall>;
  using Headers = std::map<std::string, std::string>;

  GrpcApiTest() {
    broker_.service()->Start();
    CreateTopic("t", 4);
  }
  ~GrpcApiTest() override {
    broker_.service()->Stop();
    // Every call ends at last: until then it keeps itself by its callbacks.
    for (const std::weak_ptr<FakeCall>& started : started_) {
      if (const Call call = started.lock()) call->Cancel();
    }
    executor_.Run();
  }

  void CreateTopic(const std::string& name, uint32_t queues,
                   store::TopicType type = store::TopicType::kNormal) {
    store::TopicConfig config;
    config.name = name;
    config.type = type;
    config.read_queues = config.write_queues = queues;
    broker_.service()->topics().Put(config, executor_.now() + absl::Seconds(1),
                                    [](absl::Status status) { EXPECT_TRUE(status.ok()); });
    executor_.Run();
  }

  // --- Calls --------------------------------------------------------------------

  static Headers ClientHeaders(const std::string& client_id = "client-1") {
    return {{"x-mq-client-id", client_id}, {"x-mq-language", "JAVA"}};
  }

  Call StartBytes(const std::string& method, std::string bytes, const Headers& headers,
                  absl::Duration timeout = absl::Seconds(3)) {
    const std::string path = absl::StrCat(kServicePath, method);
    const GrpcService::Method* found = api_.service()->Find(path);
    EXPECT_NE(found, nullptr) << path;
    auto call = std::make_shared<FakeCall>(&executor_, path, headers, timeout);
    started_.push_back(call);
    if (found->on_stream) {
      found->on_stream(call);
    } else {
      found->on_request(call, std::move(bytes));
    }
    executor_.Run();
    return call;
  }
  template <typename Request>
  Call Start(const std::string& method, const Request& request,
             absl::Duration timeout = absl::Seconds(3), const Headers& headers = ClientHeaders()) {
    return StartBytes(method, request.SerializeAsString(), headers, timeout);
  }

  template <typename Reply>
  static Reply Parse(const std::string& bytes) {
    Reply reply;
    EXPECT_TRUE(reply.ParseFromString(bytes));
    return reply;
  }
  // The one reply of a call that must be over without a gRPC error.
  template <typename Reply>
  static Reply ReplyOf(const Call& call) {
    EXPECT_TRUE(call->is_finished());
    if (!call->is_finished() || call->written().size() != 1) return Reply();
    EXPECT_EQ(call->code(), GrpcCode::kOk);
    return Parse<Reply>(call->written()[0]);
  }

  // --- Messages -------------------------------------------------------------------

  static v2::Message MakeMessage(const std::string& topic, const std::string& id,
                                 const std::string& body = "body") {
    v2::Message message;
    message.mutable_topic()->set_name(topic);
    message.set_body(body);
    v2::SystemProperties* system = message.mutable_system_properties();
    system->set_message_id(id);
    system->set_message_type(v2::NORMAL);
    system->set_body_encoding(v2::IDENTITY);
    system->set_born_host("producer-host");
    SetMillis(1'699'999'999'123, system->mutable_born_timestamp());
    return message;
  }
  Call StartSend(const v2::Message& message, absl::Duration timeout = absl::Seconds(3)) {
    v2::SendMessageRequest request;
    *request.add_messages() = message;
    return Start("SendMessage", request, timeout);
  }
  v2::SendMessageResponse Send(const v2::Message& message) {
    return ReplyOf<v2::SendMessageResponse>(StartSend(message));
  }

  static v2::ReceiveMessageRequest MakeReceive(const std::string& topic = "t", int batch = 32) {
    v2::ReceiveMessageRequest request;
    request.mutable_group()->set_name("g");
    request.mutable_message_queue()->mutable_topic()->set_name(topic);
    request.mutable_message_queue()->set_id(-1);
    request.mutable_filter_expression()->set_type(v2::TAG);
    request.mutable_filter_expression()->set_expression("*");
    request.set_batch_size(batch);
    request.set_auto_renew(true);
    return request;
  }
  Call StartReceive(const v2::ReceiveMessageRequest& request,
                    absl::Duration timeout = absl::Seconds(23),
                    const std::string& client_id = "client-1") {
    return Start("ReceiveMessage", request, timeout, ClientHeaders(client_id));
  }

  struct Received {
    v2::Code code = v2::CODE_UNSPECIFIED;
    std::vector<v2::Message> messages;
    bool has_delivery_timestamp = false;
  };
  // Checks the order of the frames on the way.
  static Received FramesOf(const Call& call) {
    Received received;
    for (size_t i = 0; i < call->written().size(); ++i) {
      const auto frame = Parse<v2::ReceiveMessageResponse>(call->written()[i]);
      switch (frame.content_case()) {
        case v2::ReceiveMessageResponse::kStatus:
          EXPECT_EQ(i, 0u) << "the status comes first, once";
          received.code = frame.status().code();
          break;
        case v2::ReceiveMessageResponse::kMessage:
          EXPECT_GT(i, 0u);
          received.messages.push_back(frame.message());
          break;
        case v2::ReceiveMessageResponse::kDeliveryTimestamp:
          EXPECT_EQ(i + 1, call->written().size()) << "the time comes last";
          received.has_delivery_timestamp = true;
          break;
        default:
          ADD_FAILURE() << "an empty frame";
      }
    }
    return received;
  }
  Received Receive(const v2::ReceiveMessageRequest& request) {
    const Call call = StartReceive(request);
    if (!call->is_finished()) executor_.Advance(absl::Seconds(25));
    EXPECT_TRUE(call->is_finished());
    EXPECT_EQ(call->code(), GrpcCode::kOk);
    return FramesOf(call);
  }

  v2::AckMessageResponse Ack(const std::vector<std::string>& handles) {
    v2::AckMessageRequest request;
    request.mutable_group()->set_name("g");
    request.mutable_topic()->set_name("t");
    for (const std::string& handle : handles) {
      v2::AckMessageEntry* entry = request.add_entries();
      entry->set_receipt_handle(handle);
      entry->set_message_id(absl::StrCat("id of ", handle));
    }
    return ReplyOf<v2::AckMessageResponse>(Start("AckMessage", request));
  }

  ManualExecutor executor_;
  std::vector<std::weak_ptr<FakeCall>> started_;
  service::SingleBroker broker_{&executor_};
  GrpcApi api_{broker_.service()};
};

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_GRPC_API_FIXTURE_H_
