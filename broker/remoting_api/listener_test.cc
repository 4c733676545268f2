// The whole way: a socket, the handlers on a loop of their own, a broker in
// memory on another thread.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/remoting_api/remoting_api.h"
#include "broker/service/single_broker.h"
#include "common/thread_executor.h"
#include "message/codec.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "remoting/bodies/client.h"
#include "remoting/frame.h"
#include "remoting/header/client.h"
#include "remoting/header/pull.h"
#include "remoting/header/send.h"
#include "remoting/server.h"

namespace totora::remoting_api {
namespace {

using remoting::Command;
using remoting::FieldBuffer;

constexpr absl::Duration kPatience = absl::Seconds(20);

// A client that blocks.
class Client {
 public:
  explicit Client(int port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_GE(fd_, 0);
    const timeval patience = absl::ToTimeval(kPatience);
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(RequestCode code, int32_t opaque, const FieldBuffer& fields, absl::string_view body) {
    std::string frame;
    ASSERT_TRUE(remoting::AppendFrameHead({.code = static_cast<int32_t>(code), .opaque = opaque},
                                          fields, body.size(), &frame)
                    .ok());
    frame.append(body.data(), body.size());
    size_t sent = 0;
    while (sent < frame.size()) {
      const ssize_t n = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      sent += static_cast<size_t>(n);
    }
  }

  // The next frame; code -1 if none comes, or the server closes.
  Command Receive() {
    while (true) {
      const absl::StatusOr<size_t> size = remoting::FrameSize(received_);
      EXPECT_TRUE(size.ok());
      if (size.ok() && *size > 0 && received_.size() >= *size) {
        absl::StatusOr<Command> command =
            remoting::DecodeFrame(absl::string_view(received_).substr(0, *size));
        EXPECT_TRUE(command.ok()) << command.status();
        received_.erase(0, *size);
        return *std::move(command);
      }
      char buffer[65536];
      const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      received_.append(buffer, static_cast<size_t>(n));
    }
    Command none;
    none.code = -1;
    return none;
  }

  template <typename Header>
  Command Ask(RequestCode code, const Header& header, absl::string_view body = "") {
    FieldBuffer fields;
    remoting::WriteFields(header, &fields);
    Send(code, 1, fields, body);
    return Receive();
  }

 private:
  int fd_ = -1;
  std::string received_;
};

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    OnExecutor([this] {
      service::BrokerServiceOptions options = service::SingleBroker::Defaults();
      options.creates_topics_on_send = true;
      broker_ = std::make_unique<service::SingleBroker>(&executor_, options);
      broker_->service()->Start();
    });
    api_ = std::make_unique<RemotingApi>(broker_->service());
    server_ = std::make_unique<remoting::RemotingServer>(api_->service(), &executor_);
    auto listener = Listener::Open({.address = "127.0.0.1:0", .tag = "default"});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    ListenerProtocols protocols;
    protocols.raw = server_->protocol();
    listener_->Start(&loops_, std::make_shared<NetBudget>(), protocols);
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

  void WaitUntilParked() {
    const absl::Time deadline = absl::Now() + kPatience;
    size_t parked = 0;
    while (parked == 0 && absl::Now() < deadline) {
      OnExecutor([&] { parked = broker_->service()->puller().parked(); });
    }
    ASSERT_GT(parked, 0u) << "no pull was parked";
  }

  static Command SendOne(Client* client, const std::string& body) {
    remoting::SendMessageRequest header;
    header.producer_group = "pg";
    header.topic = "t";
    header.default_topic = "TBW102";
    header.default_topic_queue_nums = 4;
    header.properties = "TAGS\x01tag\x02";
    return client->Ask(RequestCode::kSendMessage, header, body);
  }
  static Command Register(Client* client, const std::string& client_id) {
    remoting::HeartbeatData heartbeat;
    heartbeat.client_id = client_id;
    remoting::ConsumerData& consumer = heartbeat.consumers.emplace_back();
    consumer.group_name = "g";
    consumer.message_model = remoting::MessageModel::kClustering;
    consumer.subscriptions.emplace_back().topic = "t";
    client->Send(RequestCode::kHeartbeat, 1, FieldBuffer(), remoting::EncodeBody(heartbeat));
    return client->Receive();
  }
  static remoting::PullMessageRequest PullAt(int64_t offset) {
    remoting::PullMessageRequest header;
    header.consumer_group = "g";
    header.topic = "t";
    header.queue_offset = offset;
    header.max_message_nums = 32;
    header.sys_flag = remoting::kPullSuspend | remoting::kPullSubscription;
    header.suspend_timeout_millis = 15'000;
    header.subscription = "*";
    return header;
  }

  ThreadExecutor executor_{"service"};
  EventLoopPool loops_{"net", 1};
  std::unique_ptr<service::SingleBroker> broker_;
  std::unique_ptr<RemotingApi> api_;
  std::unique_ptr<remoting::RemotingServer> server_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, AWaitingPullIsWokenByAMessage) {
  Client producer(listener_->port());
  ASSERT_EQ(SendOne(&producer, "first").code, 0);
  Client consumer(listener_->port());
  ASSERT_EQ(consumer.Ask(RequestCode::kPullMessage, PullAt(0)).code, 0);

  FieldBuffer fields;
  remoting::WriteFields(PullAt(1), &fields);
  consumer.Send(RequestCode::kPullMessage, 7, fields, "");
  ASSERT_EQ(SendOne(&producer, "second").code, 0);
  const Command answer = consumer.Receive();

  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.opaque, 7);
  const auto view = message::StoredMessageView::Parse(answer.body.view());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->body(), "second");
  EXPECT_EQ(view->queue_offset(), QueueOffset(1));
}

// What 32 large bodies need does not fit into a connection's buffers at once.
TEST_F(ListenerTest, ManyLargeBodiesArriveWhole) {
  Client client(listener_->port());
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(SendOne(&client, std::string(3 << 20, static_cast<char>('a' + i))).code, 0);
  }
  int64_t offset = 0;
  while (offset < 8) {
    const Command answer = client.Ask(RequestCode::kPullMessage, PullAt(offset));
    ASSERT_EQ(answer.code, 0) << answer.remark;
    const auto view = message::StoredMessageView::Parse(answer.body.view());
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->body(), std::string(3 << 20, static_cast<char>('a' + offset)));
    ++offset;
  }
}

TEST_F(ListenerTest, AMemberHearsThatAnotherOneLeft) {
  Client stays(listener_->port());
  ASSERT_EQ(Register(&stays, "stays").code, 0);
  EXPECT_EQ(stays.Receive().code, 40);  // Of itself.
  {
    Client leaves(listener_->port());
    ASSERT_EQ(Register(&leaves, "leaves").code, 0);
    EXPECT_EQ(stays.Receive().code, 40);
  }
  const Command notice = stays.Receive();

  EXPECT_EQ(notice.code, 40);
  EXPECT_EQ(notice.fields.Find("consumerGroup"), "g");
  const Command list =
      stays.Ask(RequestCode::kGetConsumerListByGroup, remoting::ConsumerGroupRequest{"g"});
  EXPECT_EQ(list.body.view(), R"({"consumerIdList":["stays"]})");
}

TEST_F(ListenerTest, AClientThatIsSentAwayGetsItsAnswerFirst) {
  Client client(listener_->port());
  ASSERT_EQ(SendOne(&client, "first").code, 0);
  FieldBuffer fields;
  remoting::WriteFields(PullAt(1), &fields);
  client.Send(RequestCode::kPullMessage, 7, fields, "");
  WaitUntilParked();

  listener_->Drain();

  EXPECT_EQ(client.Receive().code, 20);
  EXPECT_EQ(client.Receive().code, -1);
}

// Many connections at once, for the checkers of threads.
TEST_F(ListenerTest, ManyClientsAtOnce) {
  constexpr int kClients = 8;
  constexpr int kSends = 50;
  std::vector<std::thread> threads;
  std::atomic<int> sent{0};
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([this, i, &sent] {
      Client client(listener_->port());
      Register(&client, absl::StrCat("c", i));
      for (int n = 0; n < kSends; ++n) {
        remoting::SendMessageRequest header;
        header.producer_group = "pg";
        header.topic = "t";
        header.default_topic = "TBW102";
        header.default_topic_queue_nums = 4;
        FieldBuffer fields;
        remoting::WriteFields(header, &fields);
        client.Send(RequestCode::kSendMessage, 100 + n, fields, absl::StrCat(i, "-", n));
        Command answer = client.Receive();
        while (answer.code == 40) answer = client.Receive();  // Others come and go.
        if (answer.code == 0 && answer.opaque == 100 + n) ++sent;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sent.load(), kClients * kSends);
  EXPECT_EQ(broker_->log()->CountApplied(store::CommandKind::kSend),
            static_cast<size_t>(kClients * kSends));
}

}  // namespace
}  // namespace totora::remoting_api
