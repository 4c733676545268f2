#include "remoting/server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/manual_executor.h"
#include "common/mutex.h"
#include "common/thread_executor.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "remoting/test_peer.h"

namespace totora::remoting {
namespace {

constexpr int32_t kEcho = static_cast<int32_t>(RequestCode::kSendMessage);
constexpr int32_t kPark = static_cast<int32_t>(RequestCode::kPullMessage);

// A server with two codes: 10 echoes fields and body, 11 parks the request.
class Remoting : public ::testing::Test {
 protected:
  explicit Remoting(RemotingLimits limits = RemotingLimits()) {
    service.Add(RequestCode::kSendMessage, [this](RemotingRequestPtr request) {
      ++echoes;
      Content content;
      content.remark = std::string(request->command().remark);
      content.fields.AddAll(request->command().fields);
      if (request->command().body.size() > 0) content.body.push_back(request->command().body);
      request->Reply(ResponseCode::kSuccess, content);
    });
    service.Add(RequestCode::kPullMessage,
                [this](RemotingRequestPtr request) { parked.push_back(std::move(request)); });
    service.SetOnClosed([this](const RemotingConnectionPtr&) { ++closed; });
    service.SetOnDrain([this](const RemotingConnectionPtr&) { ++drained; });
    server = std::make_unique<RemotingServer>(&service, &executor, limits);
  }
  ~Remoting() override { parked.clear(); }

  const RemotingCounters& counters() const { return server->counters(); }

  ManualExecutor executor;
  RemotingService service;
  std::vector<RemotingRequestPtr> parked;
  int echoes = 0;
  int closed = 0;
  int drained = 0;
  std::unique_ptr<RemotingServer> server;
};

TEST_F(Remoting, TheAnswerUsesTheSerializerAndTheOpaqueOfTheQuestion) {
  TestPeer peer(*server, &executor);
  FieldBuffer fields;
  fields.Add("topic", "T");
  for (const Serializer serializer : {Serializer::kJson, Serializer::kCompact}) {
    peer.Send({.code = kEcho, .opaque = -7, .serializer = serializer, .remark = "r"}, fields,
              "body");
    const std::vector<Command> answers = peer.Received();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].serializer, serializer);
    EXPECT_EQ(answers[0].opaque, -7);
    EXPECT_EQ(answers[0].flag, kFlagResponse);
    EXPECT_EQ(answers[0].code, 0);
    EXPECT_EQ(answers[0].version, 479);
    EXPECT_EQ(answers[0].language, Language::kCpp);
    EXPECT_EQ(answers[0].fields.Find("topic"), "T");
    EXPECT_EQ(answers[0].body.view(), "body");
  }
}

TEST_F(Remoting, FramesAreFoundHoweverTheStreamIsCut) {
  std::string stream;
  for (int i = 0; i < 3; ++i) {
    const std::string body(static_cast<size_t>(i) * 7, 'x');
    ASSERT_TRUE(AppendFrameHead({.code = kEcho, .opaque = i}, {}, body.size(), &stream).ok());
    stream += body;
  }
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    TestPeer peer(*server, &executor);
    for (size_t at = 0; at < stream.size(); at += piece) peer.Send(stream.substr(at, piece));
    const std::vector<Command> answers = peer.Received();
    ASSERT_EQ(answers.size(), 3u) << piece;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(answers[static_cast<size_t>(i)].opaque, i);
  }
}

TEST_F(Remoting, AnUnknownCodeIsRefusedInJavasWordsAndTheConnectionStays) {
  TestPeer peer(*server, &executor);
  peer.Send({.code = 200050, .opaque = 1});
  peer.Send({.code = kEcho, .opaque = 2});
  const std::vector<Command> answers = peer.Received();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].code, static_cast<int32_t>(ResponseCode::kRequestCodeNotSupported));
  EXPECT_EQ(answers[0].remark, " request type 200050 not supported");
  EXPECT_FALSE(peer.raw->is_closed);
  EXPECT_EQ(counters().not_supported.load(), 1u);
}

TEST_F(Remoting, AOneWayRequestIsHandedOutAndNeverAnswered) {
  TestPeer peer(*server, &executor);
  peer.Send({.code = kEcho, .flag = kFlagOneway});
  peer.Send({.code = 999, .flag = kFlagOneway});
  peer.Send({.code = kPark, .flag = kFlagOneway});
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_FALSE(parked[0]->wants_answer());
  parked.clear();
  EXPECT_EQ(echoes, 1);
  EXPECT_TRUE(peer.Received().empty());
  EXPECT_EQ(counters().requests_held.load(), 0);
}

TEST_F(Remoting, AnswersLeaveInTheOrderInWhichTheyAreGiven) {
  TestPeer peer(*server, &executor);
  for (int i = 0; i < 3; ++i) peer.Send({.code = kPark, .opaque = i});
  peer.Send({.code = kEcho, .opaque = 3});
  parked[2]->Reply(ResponseCode::kPullNotFound);
  parked[0]->Reply(ResponseCode::kPullNotFound);
  parked[0]->Reply(ResponseCode::kSuccess);  // Only the first counts.
  std::vector<int> order;
  for (const Command& answer : peer.Received()) order.push_back(answer.opaque);
  EXPECT_EQ(order, (std::vector<int>{3, 2, 0}));
}

TEST_F(Remoting, ARequestThatAHandlerLosesIsAnsweredWithAnError) {
  TestPeer peer(*server, &executor);
  peer.Send({.code = kPark, .opaque = 5});
  parked.clear();
  const std::vector<Command> answers = peer.Received();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].code, static_cast<int32_t>(ResponseCode::kSystemError));
  EXPECT_EQ(counters().unanswered.load(), 1u);
}

TEST_F(Remoting, LargeBodiesAreNotCopiedTogether) {
  TestPeer peer(*server, &executor);
  const std::string body(100'000, 'b');
  peer.Send({.code = kEcho}, {}, body);
  const std::vector<Command> answers = peer.Received();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].body.view(), body);
}

TEST_F(Remoting, AnAnswerThatFitsIntoNoFrameBecomesAnError) {
  TestPeer peer(*server, &executor);
  peer.Send({.code = kPark, .opaque = 9});
  Content content;
  content.AddBody(std::string(kFrameBytesMax, 'x'));
  parked[0]->Reply(ResponseCode::kSuccess, content);
  const std::vector<Command> answers = peer.Received();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].code, static_cast<int32_t>(ResponseCode::kSystemError));
  EXPECT_EQ(answers[0].opaque, 9);
  EXPECT_EQ(counters().too_large.load(), 1u);
}

TEST_F(Remoting, ALyingLengthCutsTheConnectionBeforeItsBytesArrive) {
  for (const std::string& start :
       {std::string("\xff\xff\xff\xff", 4), std::string("\x01\x00\x00\x00", 4),
        std::string("\x00\x00\x00\x01", 4), std::string("\x00\x00\x00\x10\x02\x00\x00\x04", 8),
        std::string("\x00\x00\x00\x10\x00\x00\x00\x7f", 8)}) {
    TestPeer peer(*server, &executor);
    peer.Send({.code = kEcho});
    peer.Send(start);
    EXPECT_TRUE(peer.raw->is_closed);
    EXPECT_EQ(peer.Received().size(), 1u) << "what was asked before is answered";
    const int before = echoes;
    peer.Send({.code = kEcho});
    EXPECT_EQ(echoes, before) << "what comes later is not looked at";
  }
  EXPECT_EQ(counters().malformed.load(), 5u);
}

TEST_F(Remoting, AHeaderThatCannotBeReadCutsTheConnection) {
  TestPeer peer(*server, &executor);
  std::string frame;
  AppendU32(&frame, 4 + 3);
  AppendU32(&frame, 3);
  peer.Send(frame + "{x}");
  EXPECT_TRUE(peer.raw->is_closed);
}

class RemotingWithFewRequests : public Remoting {
 protected:
  static RemotingLimits Few() {
    RemotingLimits limits;
    limits.connection_requests_max = 3;
    limits.connection_request_bytes_max = 1000;
    limits.requests_max = 5;
    limits.connection_calls_max = 2;
    return limits;
  }
  RemotingWithFewRequests() : Remoting(Few()) {}
};

TEST_F(RemotingWithFewRequests, BeyondTheCountTheAnswerIsSystemBusy) {
  TestPeer peer(*server, &executor);
  for (int i = 0; i < 4; ++i) peer.Send({.code = kPark, .opaque = i});
  std::vector<Command> answers = peer.Received();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].opaque, 3);
  EXPECT_EQ(answers[0].code, static_cast<int32_t>(ResponseCode::kSystemBusy));

  peer.Send({.code = kPark, .opaque = 4, .flag = kFlagOneway});  // Dropped.
  EXPECT_TRUE(peer.Received().empty());
  EXPECT_EQ(parked.size(), 3u);
  EXPECT_EQ(counters().busy.load(), 2u);

  parked.clear();
  EXPECT_EQ(peer.Received().size(), 3u);
  peer.Send({.code = kEcho, .opaque = 5});
  EXPECT_EQ(peer.Received()[0].code, 0);
  EXPECT_EQ(counters().requests_held.load(), 0);
  EXPECT_EQ(counters().request_bytes_held.load(), 0);
}

TEST_F(RemotingWithFewRequests, BeyondTheBytesTheAnswerIsSystemBusy) {
  TestPeer peer(*server, &executor);
  peer.Send({.code = kPark, .opaque = 0}, {}, std::string(600, 'x'));
  peer.Send({.code = kPark, .opaque = 1}, {}, std::string(600, 'x'));
  const std::vector<Command> answers = peer.Received();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].opaque, 1);
  EXPECT_EQ(answers[0].code, static_cast<int32_t>(ResponseCode::kSystemBusy));
}

TEST_F(RemotingWithFewRequests, TheWholeProcessHasABoundToo) {
  TestPeer first(*server, &executor);
  TestPeer second(*server, &executor);
  for (int i = 0; i < 3; ++i) first.Send({.code = kPark, .opaque = i});
  for (int i = 0; i < 3; ++i) second.Send({.code = kPark, .opaque = i});
  EXPECT_EQ(parked.size(), 5u);
  EXPECT_EQ(second.Received().size(), 1u);
}

TEST_F(Remoting, WhoDoesNotReadItsAnswersIsNotRead) {
  TestPeer peer(*server, &executor);
  peer.raw->is_writable = false;
  peer.Send({.code = kEcho});
  executor.Run();
  EXPECT_TRUE(peer.raw->is_paused);
  peer.handler->OnWritable();
  EXPECT_FALSE(peer.raw->is_paused);
}

// A pause ordered from another thread may reach the loop after the output has
// drained; nobody would end it then.
TEST_F(Remoting, APauseThatComesTooLateIsNotMade) {
  TestPeer peer(*server, &executor);
  peer.raw->is_writable = false;
  peer.Send({.code = kEcho});
  peer.handler->OnWritable();
  executor.Run();
  EXPECT_FALSE(peer.raw->is_paused);
}

TEST_F(Remoting, ASilentConnectionIsClosedAfterTwoMinutes) {
  TestPeer silent(*server, &executor);
  TestPeer alive(*server, &executor);
  TestPeer dribbling(*server, &executor);
  for (int i = 0; i < 5; ++i) {
    executor.Advance(absl::Seconds(30));
    alive.Send({.code = kEcho, .flag = kFlagOneway});  // No answer that would count as well.
    dribbling.Send(std::string(1, '\0'));              // Never a whole frame.
  }
  EXPECT_TRUE(silent.raw->is_closed);
  EXPECT_TRUE(dribbling.raw->is_closed);
  EXPECT_FALSE(alive.raw->is_closed);
  EXPECT_EQ(counters().idle.load(), 2u);
}

TEST_F(Remoting, TheHandlerLearnsThatAConnectionIsGone) {
  TestPeer peer(*server, &executor);
  peer.Send({.code = kPark, .version = 317});
  const RemotingConnectionPtr connection = parked[0]->connection();
  EXPECT_EQ(connection->version(), 317);
  EXPECT_TRUE(connection->is_open());
  EXPECT_EQ(counters().connections.load(), 1);
  peer.Disconnect();
  EXPECT_EQ(closed, 1);
  EXPECT_FALSE(connection->is_open());
  EXPECT_EQ(counters().connections.load(), 0);
  parked[0]->Reply(ResponseCode::kSuccess);  // Harmless.
  EXPECT_FALSE(connection->Notify(RequestCode::kNotifyConsumerIdsChanged, {}).ok());
}

class RemotingCalls : public RemotingWithFewRequests {
 protected:
  RemotingConnectionPtr Connection(TestPeer* peer, Serializer serializer = Serializer::kJson) {
    peer->Send({.code = kPark, .serializer = serializer});
    RemotingConnectionPtr connection = parked.back()->connection();
    parked.clear();
    peer->Received();
    return connection;
  }
  RemotingConnection::CallDone Done() {
    return [this](absl::StatusOr<Command> answer) {
      answers.push_back(answer.ok() ? absl::StrCat("code ", answer->code)
                                    : absl::StatusCodeToString(answer.status().code()));
    };
  }
  std::vector<std::string> answers;
};

TEST_F(RemotingCalls, AClientsAnswerFindsItsQuestion) {
  TestPeer peer(*server, &executor);
  const RemotingConnectionPtr connection = Connection(&peer, Serializer::kCompact);
  Content content;
  content.fields.Add("consumerGroup", "G");
  connection->Call(RequestCode::kGetConsumerRunningInfo, content, absl::Seconds(10), Done());
  connection->Call(RequestCode::kConsumeMessageDirectly, content, absl::Seconds(10), Done());
  const std::vector<Command> asked = peer.Received();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].code, 307);
  EXPECT_EQ(asked[0].flag, 0);
  EXPECT_EQ(asked[0].serializer, Serializer::kCompact) << "that of the client's last request";
  EXPECT_EQ(asked[0].fields.Find("consumerGroup"), "G");
  EXPECT_NE(asked[0].opaque, asked[1].opaque);

  // In the other order, and one that nobody asked for.
  peer.Send({.code = 1, .opaque = asked[1].opaque, .flag = kFlagResponse});
  peer.Send({.code = 0, .opaque = 12345, .flag = kFlagResponse});
  peer.Send({.code = 0, .opaque = asked[0].opaque, .flag = kFlagResponse});
  peer.Send({.code = 0, .opaque = asked[0].opaque, .flag = kFlagResponse});
  EXPECT_EQ(answers, (std::vector<std::string>{"code 1", "code 0"}));
  EXPECT_EQ(counters().stray_answers.load(), 2u);
}

TEST_F(RemotingCalls, ACallEndsAtItsTimeoutOrWithTheConnection) {
  TestPeer peer(*server, &executor);
  const RemotingConnectionPtr connection = Connection(&peer);
  connection->Call(RequestCode::kGetConsumerRunningInfo, {}, absl::Seconds(5), Done());
  connection->Call(RequestCode::kGetConsumerRunningInfo, {}, absl::Seconds(60), Done());
  executor.Advance(absl::Seconds(4));
  EXPECT_TRUE(answers.empty());
  executor.Advance(absl::Seconds(2));
  EXPECT_EQ(answers, (std::vector<std::string>{"DEADLINE_EXCEEDED"}));
  peer.Disconnect();
  EXPECT_EQ(answers, (std::vector<std::string>{"DEADLINE_EXCEEDED", "UNAVAILABLE"}));
  connection->Call(RequestCode::kGetConsumerRunningInfo, {}, absl::Seconds(60), Done());
  executor.Run();
  EXPECT_EQ(answers.back(), "UNAVAILABLE");
}

TEST_F(RemotingCalls, AreBoundedAndNeverFailInsideTheCall) {
  TestPeer peer(*server, &executor);
  const RemotingConnectionPtr connection = Connection(&peer);
  for (int i = 0; i < 3; ++i) {
    connection->Call(RequestCode::kGetConsumerRunningInfo, {}, absl::Seconds(5), Done());
  }
  EXPECT_TRUE(answers.empty());
  executor.Run();
  EXPECT_EQ(answers, (std::vector<std::string>{"RESOURCE_EXHAUSTED"}));
  Content huge;
  huge.AddBody(std::string(kFrameBytesMax, 'x'));
  executor.Advance(absl::Seconds(7));
  connection->Call(RequestCode::kConsumeMessageDirectly, huge, absl::Seconds(5), Done());
  executor.Run();
  EXPECT_EQ(answers.back(), "RESOURCE_EXHAUSTED");
}

TEST_F(RemotingCalls, ANotificationIsOneWay) {
  TestPeer peer(*server, &executor);
  const RemotingConnectionPtr connection = Connection(&peer);
  ASSERT_TRUE(connection->Notify(RequestCode::kNotifyConsumerIdsChanged, {}).ok());
  const std::vector<Command> sent = peer.Received();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].code, 40);
  EXPECT_TRUE(sent[0].is_oneway());
}

TEST_F(Remoting, DrainingWaitsForWhatIsUnderWayAndStartsNothing) {
  TestPeer busy(*server, &executor);
  TestPeer idle(*server, &executor);
  busy.Send({.code = kPark, .opaque = 1});
  idle.Send({.code = kEcho, .opaque = 1});
  idle.handler->OnDrain();
  busy.handler->OnDrain();
  EXPECT_EQ(drained, 2);
  EXPECT_TRUE(idle.raw->is_closed);
  EXPECT_FALSE(busy.raw->is_closed);

  busy.Send({.code = kEcho, .opaque = 2, .version = 317});
  EXPECT_TRUE(busy.Received().empty()) << "old clients try again when the connection closes";
  busy.Send({.code = kEcho, .opaque = 3, .version = 479});
  const std::vector<Command> answers = busy.Received();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].code, static_cast<int32_t>(ResponseCode::kGoAway));
  busy.Send({.code = kEcho, .opaque = 4, .flag = kFlagOneway});
  EXPECT_EQ(echoes, 2) << "a one-way request would be lost";

  parked[0]->Reply(ResponseCode::kPullNotFound);
  EXPECT_FALSE(busy.raw->is_closed) << "the handler still holds the request";
  parked.clear();
  EXPECT_TRUE(busy.raw->is_closed);
  EXPECT_EQ(busy.Received().size(), 1u);
}

TEST_F(Remoting, RandomStreamsCutTheConnectionOrAreAnswered) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::string sample;
  FieldBuffer fields;
  fields.Add("topic", "T");
  ASSERT_TRUE(AppendFrameHead({.code = kEcho}, fields, 0, &sample).ok());
  ASSERT_TRUE(
      AppendFrameHead({.code = kPark, .serializer = Serializer::kCompact}, fields, 0, &sample)
          .ok());
  for (int i = 0; i < 3000; ++i) {
    TestPeer peer(*server, &executor);
    std::string stream = sample + sample;
    for (uint32_t flips = random() % 4; flips > 0; --flips) {
      stream[random() % stream.size()] = static_cast<char>(random());
    }
    for (size_t at = 0; at < stream.size();) {
      const size_t piece = 1 + random() % 50;
      peer.Send(stream.substr(at, piece));
      at += piece;
    }
    parked.clear();
  }
  EXPECT_EQ(counters().requests_held.load(), 0);
  EXPECT_EQ(counters().connections.load(), 0);
}

// The same with sockets and threads.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  void Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // The next frame; an error at the end of the connection.
  absl::StatusOr<Command> Read() {
    while (true) {
      absl::StatusOr<size_t> size = FrameSize(kept_);
      if (!size.ok()) return size.status();
      if (*size > 0 && kept_.size() >= *size) {
        absl::StatusOr<Command> frame = DecodeFrame(absl::string_view(kept_).substr(0, *size));
        kept_.erase(0, *size);
        return frame;
      }
      char buffer[65536];
      const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) return absl::UnavailableError("the connection ended");
      kept_.append(buffer, static_cast<size_t>(n));
    }
  }

 private:
  const int fd_;
  std::string kept_;
};

class RemotingOnSockets : public ::testing::Test {
 protected:
  RemotingOnSockets() {
    service.Add(RequestCode::kSendMessage, [this](RemotingRequestPtr request) {
      worker.Post([request = std::move(request)] {
        Content content;
        content.body.push_back(request->command().body);
        request->Reply(ResponseCode::kSuccess, content);
      });
    });
    service.Add(RequestCode::kHeartbeat, [](RemotingRequestPtr request) {
      // The question goes back to the asker, and its answer is our answer.
      request->connection()->Call(RequestCode::kGetConsumerRunningInfo, {}, absl::Seconds(10),
                                  [request](absl::StatusOr<Command> answer) {
                                    Content content;
                                    if (answer.ok()) content.body.push_back(answer->body);
                                    request->Reply(ResponseCode::kSuccess, content);
                                  });
    });
    server = std::make_unique<RemotingServer>(&service, loops.loop(0));
    auto opened = Listener::Open({.address = "127.0.0.1:0", .tag = "classic"});
    EXPECT_TRUE(opened.ok()) << opened.status();
    listener = *std::move(opened);
    listener->Start(&loops, std::make_shared<NetBudget>(), {.raw = server->protocol()});
  }
  ~RemotingOnSockets() override {
    listener->Stop();
    worker.Stop();
    loops.Stop();
  }

  RemotingService service;
  ThreadExecutor worker{"remoting-test"};
  EventLoopPool loops{"remoting", 2};
  std::unique_ptr<RemotingServer> server;
  std::unique_ptr<Listener> listener;
};

TEST_F(RemotingOnSockets, PipelinedRequestsAreAnsweredByAnotherThread) {
  Client client(listener->port());
  std::string stream;
  for (int i = 0; i < 200; ++i) {
    const std::string body(static_cast<size_t>(i) * 100, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(AppendFrameHead({.code = kEcho, .opaque = i}, {}, body.size(), &stream).ok());
    stream += body;
  }
  client.Send(stream);
  for (int i = 0; i < 200; ++i) {
    const absl::StatusOr<Command> answer = client.Read();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->opaque, i);
    EXPECT_EQ(answer->body.size(), static_cast<size_t>(i) * 100);
  }
}

TEST_F(RemotingOnSockets, TheServerAsksBackOnTheSameConnection) {
  Client client(listener->port());
  std::string stream;
  ASSERT_TRUE(AppendFrameHead({.code = 34, .opaque = 77}, {}, 0, &stream).ok());
  client.Send(stream);
  const absl::StatusOr<Command> question = client.Read();
  ASSERT_TRUE(question.ok()) << question.status();
  EXPECT_EQ(question->code, 307);
  std::string reply;
  ASSERT_TRUE(
      AppendFrameHead({.opaque = question->opaque, .flag = kFlagResponse}, {}, 4, &reply).ok());
  client.Send(reply + "info");
  const absl::StatusOr<Command> answer = client.Read();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->opaque, 77);
  EXPECT_EQ(answer->body.view(), "info");
}

TEST_F(RemotingOnSockets, AMalformedFrameEndsTheConnectionAndNoOther) {
  Client good(listener->port());
  Client bad(listener->port());
  bad.Send(absl::string_view("\0\0\0\1\0\0\0\0", 8));
  EXPECT_FALSE(bad.Read().ok());
  std::string stream;
  ASSERT_TRUE(AppendFrameHead({.code = kEcho}, {}, 0, &stream).ok());
  good.Send(stream);
  EXPECT_TRUE(good.Read().ok());
}

TEST_F(RemotingOnSockets, ADrainedListenerClosesIdleConnections) {
  Client client(listener->port());
  std::string stream;
  ASSERT_TRUE(AppendFrameHead({.code = kEcho}, {}, 0, &stream).ok());
  client.Send(stream);
  EXPECT_TRUE(client.Read().ok());
  listener->Drain();
  EXPECT_FALSE(client.Read().ok());
}

}  // namespace
}  // namespace totora::remoting
