// The whole way: a grpc++ client, a socket, the handlers, a broker in memory.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/grpc_api/durations.h"
#include "broker/grpc_api/grpc_api.h"
#include "broker/service/single_broker.h"
#include "common/thread_executor.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proto/rocketmq/v2/service.grpc.pb.h"

namespace totora::grpc_api {
namespace {

// No call of this test waits longer, whatever goes wrong.
constexpr absl::Duration kPatience = absl::Seconds(20);

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    OnExecutor([this] {
      broker_ = std::make_unique<service::SingleBroker>(&executor_);
      broker_->service()->Start();
    });
    api_ = std::make_unique<GrpcApi>(broker_->service());
    auto listener = Listener::Open({.address = "127.0.0.1:0", .tag = "grpc"});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    ListenerProtocols protocols;
    protocols.grpc = api_->service();
    listener_->Start(&loops_, std::make_shared<NetBudget>(), protocols);
    stub_ = v2::MessagingService::NewStub(
        grpc::CreateChannel(listener_->address(), grpc::InsecureChannelCredentials()));
    CreateTopic();
  }
  ~ListenerTest() override {
    OnExecutor([this] { broker_->service()->Stop(); });
    listener_->Stop();
    loops_.Stop();
    executor_.Stop();
  }

  void OnExecutor(Task work) {
    std::promise<void> done;
    executor_.Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  void CreateTopic() {
    std::promise<absl::Status> done;
    store::TopicConfig config;
    config.name = "t";
    broker_->service()->topics().Put(config, executor_.clock().SteadyNow() + kPatience,
                                     [&](absl::Status status) { done.set_value(status); });
    ASSERT_TRUE(done.get_future().get().ok());
  }

  std::unique_ptr<grpc::ClientContext> Context(absl::Duration timeout = kPatience) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("x-mq-client-id", "client-1");
    context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    return context;
  }
  v2::SendMessageResponse Send(const std::string& id, const std::string& body) {
    v2::SendMessageRequest request;
    v2::Message* message = request.add_messages();
    message->mutable_topic()->set_name("t");
    message->set_body(body);
    message->mutable_system_properties()->set_message_id(id);
    v2::SendMessageResponse reply;
    const grpc::Status status = stub_->SendMessage(Context().get(), request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  }
  std::vector<v2::ReceiveMessageResponse> Receive(absl::Duration timeout = kPatience) {
    v2::ReceiveMessageRequest request;
    request.mutable_group()->set_name("g");
    request.mutable_message_queue()->mutable_topic()->set_name("t");
    request.mutable_message_queue()->set_id(-1);
    request.set_batch_size(32);
    request.set_auto_renew(true);
    const auto context = Context(timeout);
    const auto reader = stub_->ReceiveMessage(context.get(), request);
    std::vector<v2::ReceiveMessageResponse> frames;
    v2::ReceiveMessageResponse frame;
    while (reader->Read(&frame)) frames.push_back(frame);
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return frames;
  }

  ThreadExecutor executor_{"service"};
  EventLoopPool loops_{"net", 1};
  std::unique_ptr<service::SingleBroker> broker_;
  std::unique_ptr<GrpcApi> api_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<v2::MessagingService::Stub> stub_;
};

TEST_F(ListenerTest, AMessageGoesInAndOutAndIsAcked) {
  ASSERT_EQ(Send("ID1", "hello").status().code(), v2::OK);

  const std::vector<v2::ReceiveMessageResponse> frames = Receive();

  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].status().code(), v2::OK);
  EXPECT_EQ(frames[1].message().body(), "hello");
  EXPECT_TRUE(frames[2].has_delivery_timestamp());
  v2::AckMessageRequest ack;
  ack.mutable_group()->set_name("g");
  ack.mutable_topic()->set_name("t");
  ack.add_entries()->set_receipt_handle(frames[1].message().system_properties().receipt_handle());
  v2::AckMessageResponse reply;
  ASSERT_TRUE(stub_->AckMessage(Context().get(), ack, &reply).ok());
  EXPECT_EQ(reply.status().code(), v2::OK);
}

TEST_F(ListenerTest, AnEmptyPollEndsBeforeItsDeadlineWithoutAnError) {
  const std::vector<v2::ReceiveMessageResponse> frames = Receive(absl::Milliseconds(1200));

  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].status().code(), v2::MESSAGE_NOT_FOUND);
}

TEST_F(ListenerTest, AWaitingPollIsWokenByAMessage) {
  std::vector<v2::ReceiveMessageResponse> frames;
  std::thread consumer([&] { frames = Receive(); });
  ASSERT_EQ(Send("ID1", "hello").status().code(), v2::OK);
  consumer.join();

  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[1].message().system_properties().message_id(), "ID1");
}

// What 32 large bodies need does not fit into a stream's buffers at once.
TEST_F(ListenerTest, ManyLargeBodiesArriveWhole) {
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(
        Send(std::to_string(i), std::string(3 << 20, static_cast<char>('a' + i))).status().code(),
        v2::OK);
  }

  const std::vector<v2::ReceiveMessageResponse> frames = Receive();

  ASSERT_EQ(frames.size(), 14u);
  for (size_t i = 1; i < 13; ++i) EXPECT_EQ(frames[i].message().body().size(), 3u << 20);
}

TEST_F(ListenerTest, TelemetrySpeaksFirstAndAnswersSettings) {
  const auto context = Context();
  const auto stream = stub_->Telemetry(context.get());
  stream->WaitForInitialMetadata();  // Returns before anything was written.
  v2::TelemetryCommand command;
  command.mutable_settings()->set_client_type(v2::PRODUCER);
  command.mutable_settings()->mutable_publishing()->add_topics()->set_name("t");
  ASSERT_TRUE(stream->Write(command));

  v2::TelemetryCommand answer;
  ASSERT_TRUE(stream->Read(&answer));

  EXPECT_EQ(answer.status().code(), v2::OK);
  EXPECT_TRUE(answer.settings().has_publishing());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ListenerTest, ACancelledPollLeavesTheMessageToOthers) {
  {
    v2::ReceiveMessageRequest request;
    request.mutable_group()->set_name("g");
    request.mutable_message_queue()->mutable_topic()->set_name("t");
    const auto context = Context();
    const auto reader = stub_->ReceiveMessage(context.get(), request);
    context->TryCancel();
    reader->Finish();
  }
  ASSERT_EQ(Send("ID1", "hello").status().code(), v2::OK);

  EXPECT_EQ(Receive().size(), 3u);
}

}  // namespace
}  // namespace totora::grpc_api
