// The benchmarks against a broker made of a few handlers, over real sockets.
#include "bench/classic_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "message/codec.h"
#include "message/properties.h"
#include "net/listener.h"
#include "remoting/bodies/route.h"
#include "remoting/fields.h"
#include "remoting/header/nameserver.h"
#include "remoting/header/pull.h"
#include "remoting/header/send.h"
#include "remoting/server.h"

namespace totora::bench {
namespace {

using remoting::Content;
using remoting::RemotingRequestPtr;
using remoting::RequestCode;
using remoting::ResponseCode;

constexpr char kTopic[] = "t";
constexpr int kQueues = 3;

// A broker and its own nameserver. Messages are only counted, by their ids.
class FakeBroker {
 public:
  FakeBroker() {
    service_.Add(RequestCode::kGetRouteInfoByTopic,
                 [this](const RemotingRequestPtr& request) { Route(request); });
    service_.Add(RequestCode::kSendMessageV2,
                 [this](const RemotingRequestPtr& request) { Send(request); });
    service_.Add(RequestCode::kSendBatchMessage,
                 [this](const RemotingRequestPtr& request) { Send(request); });
    service_.Add(RequestCode::kPullMessage,
                 [this](const RemotingRequestPtr& request) { Pull(request); });
    server_ = std::make_unique<remoting::RemotingServer>(&service_, loops_.loop(0));
    listener_ = *Listener::Open({.address = "127.0.0.1:0", .tag = "default"});
    ListenerProtocols protocols;
    protocols.raw = server_->protocol();
    listener_->Start(&loops_, std::make_shared<NetBudget>(), protocols);
  }
  ~FakeBroker() {
    listener_->Stop();
    loops_.Stop();
  }

  const std::string& address() const { return listener_->address(); }
  size_t ids() {
    MutexLock lock(&mu_);
    return ids_.size();
  }

  int stored = 0;                        // Messages that each queue holds, for pulls.
  std::atomic<int> sends_to_refuse{0};   // The next ones.
  std::atomic<int> sends_until_cut{-1};  // Then the connection goes, once.
  std::atomic<int> routes{0};

 private:
  void Route(const RemotingRequestPtr& request) {
    ++routes;
    const auto header =
        remoting::ReadFields<remoting::GetRouteInfoRequest>(request->command().fields);
    if (!header.ok() || header->topic != kTopic) {
      return request->Reply(ResponseCode::kTopicNotExist, "no route");
    }
    remoting::TopicRouteData route;
    route.brokers.push_back({.addresses = {{0, address()}}, .broker_name = "b", .cluster = "c"});
    route.queues.push_back(
        {.broker_name = "b", .perm = 6, .read_queue_nums = kQueues, .write_queue_nums = kQueues});
    Content content;
    content.AddBody(remoting::EncodeBody(route));
    request->Reply(ResponseCode::kSuccess, content);
  }

  void Send(const RemotingRequestPtr& request) {
    if (sends_until_cut.fetch_sub(1) == 0) return request->connection()->Close();
    if (sends_to_refuse.fetch_sub(1) > 0) {
      return request->Reply(ResponseCode::kServiceNotAvailable, "nobody leads");
    }
    const auto header = remoting::ReadSendMessage(request->command());
    if (!header.ok()) return request->Reply(ResponseCode::kSystemError, "no header");
    MutexLock lock(&mu_);
    ids_.insert(std::string(message::PropertyOr(header->properties, "UNIQ_KEY")));
    request->Reply(ResponseCode::kSuccess, "");
  }

  void Pull(const RemotingRequestPtr& request) {
    const auto header =
        remoting::ReadFields<remoting::PullMessageRequest>(request->command().fields);
    if (!header.ok()) return request->Reply(ResponseCode::kSystemError, "no header");
    // Retention has taken the first two.
    remoting::PullMessageReply reply{.next_begin_offset = header->queue_offset, .min_offset = 2};
    ResponseCode code = ResponseCode::kSuccess;
    std::string body;
    if (header->queue_offset < 2) {
      code = ResponseCode::kPullOffsetMoved;
      reply.next_begin_offset = 2;
    } else if (header->queue_offset == 2 + stored) {
      code = ResponseCode::kPullNotFound;
    } else {
      reply.next_begin_offset = std::min<int64_t>(header->queue_offset + header->max_message_nums,
                                                  2 + stored);
      message::Message message;
      message.topic = kTopic;
      message.body = "x";
      for (int64_t at = header->queue_offset; at < reply.next_begin_offset; ++at) {
        EXPECT_TRUE(message::EncodeMessage(message, &body).ok());
      }
    }
    Content content;
    remoting::WriteFields(reply, &content.fields);
    content.AddBody(std::move(body));
    request->Reply(static_cast<int32_t>(code), content);
  }

  Mutex mu_;
  std::set<std::string> ids_ ABSL_GUARDED_BY(mu_);
  EventLoopPool loops_{"fake-broker", 1};
  remoting::RemotingService service_;
  std::unique_ptr<remoting::RemotingServer> server_;
  std::unique_ptr<Listener> listener_;
};

ClientBenchOptions Options(const FakeBroker& broker, uint64_t messages) {
  ClientBenchOptions options;
  options.endpoint = broker.address();
  options.topic = kTopic;
  options.size = 10;
  options.outstanding = 4;
  options.clients = 2;
  options.load.duration = absl::Seconds(20);
  options.load.messages_max = messages;
  return options;
}

TEST(ClassicBench, CountsWhatTheBrokerStored) {
  FakeBroker broker;
  for (const bool has_json_headers : {false, true}) {
    ClientBenchOptions options = Options(broker, 1000);
    options.has_json_headers = has_json_headers;

    const auto report = BenchClassicSend(options);

    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->messages, 1000u);
    EXPECT_EQ(report->errors, 0u);
    EXPECT_EQ(report->latency.count(), 1000u);
  }
  EXPECT_EQ(broker.ids(), 2000u);
}

TEST(ClassicBench, CountsTheMessagesOfABatch) {
  FakeBroker broker;
  ClientBenchOptions options = Options(broker, 320);
  options.batch = 32;

  const auto report = BenchClassicSend(options);

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->messages, 320u);
  EXPECT_EQ(broker.ids(), 10u);
}

TEST(ClassicBench, ARefusedSendIsAnErrorAndMakesItAskForTheRouteAgain) {
  FakeBroker broker;
  broker.sends_to_refuse = 5;

  const auto report = BenchClassicSend(Options(broker, 100));

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->messages, 95u);
  EXPECT_EQ(report->errors, 5u);
  EXPECT_EQ(report->first_error, "UNAVAILABLE: code 14: nobody leads");
  EXPECT_GT(broker.routes, 1);
}

TEST(ClassicBench, ALostConnectionIsDialledAgain) {
  FakeBroker broker;
  broker.sends_until_cut = 50;
  ClientBenchOptions options = Options(broker, 0);
  options.clients = 1;
  options.load.messages_max = 1000;

  const auto report = BenchClassicSend(options);

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GE(report->errors, 1u);
  EXPECT_EQ(report->messages + report->errors, 1000u);
  EXPECT_GT(report->messages, 50u);
}

TEST(ClassicBench, PullsEachQueueFromItsBeginningToItsEnd) {
  FakeBroker broker;
  broker.stored = 1000;
  ClientBenchOptions options = Options(broker, 0);
  options.consumer_group = "g";
  options.batch = 32;
  options.until_empty = true;

  const auto report = BenchClassicReceive(options);

  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->messages, 3000u);
  EXPECT_EQ(report->errors, 0u);
}

TEST(ClassicBench, ATopicWithoutARouteIsNotFound) {
  FakeBroker broker;
  ClientBenchOptions options = Options(broker, 1);
  options.topic = "other";
  EXPECT_EQ(BenchClassicSend(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(ClassicBench, ANameserverThatIsNotThereIsUnavailable) {
  std::string address;
  {
    FakeBroker gone;
    address = gone.address();
  }
  FakeBroker broker;
  ClientBenchOptions options = Options(broker, 1);
  options.endpoint = address;
  EXPECT_EQ(BenchClassicSend(options).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace totora::bench
