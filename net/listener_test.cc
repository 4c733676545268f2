// Listeners, loops, and the protocols that are not gRPC.
#include "net/listener.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "net/raw_connection.h"
#include "net/test_server.h"

namespace totora::net {
namespace {

TEST(EventLoop, RunsTasksInTheirOrder) {
  std::vector<int> order;
  {
    EventLoop loop("net-test");
    for (int i = 0; i < 1000; ++i) loop.Post([&order, i] { order.push_back(i); });
    loop.Stop();
  }
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(EventLoop, DelayedTasksComeInTheOrderOfTheirTimes) {
  EventLoop loop("net-test");
  Inbox<int> inbox;
  loop.PostAfter(absl::Milliseconds(30), [&] { inbox.Put(3); });
  loop.PostAfter(absl::Milliseconds(10), [&] { inbox.Put(1); });
  loop.PostAfter(absl::Milliseconds(20), [&] { inbox.Put(2); });
  inbox.Await(3, "three tasks");
  EXPECT_EQ(inbox.At(0), 1);
  EXPECT_EQ(inbox.At(1), 2);
  EXPECT_EQ(inbox.At(2), 3);
}

TEST(EventLoop, DropsWhatIsPostedAfterItsEnd) {
  EventLoop loop("net-test");
  loop.Stop();
  auto witness = std::make_shared<int>(0);
  loop.Post([witness] { ++*witness; });
  loop.PostAfter(absl::ZeroDuration(), [witness] { ++*witness; });
  EXPECT_EQ(witness.use_count(), 1);
  EXPECT_EQ(*witness, 0);
}

TEST(Listener, RefusesAnAddressItCannotRead) {
  for (const char* bad : {"", "nonsense", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x"}) {
    EXPECT_EQ(Listener::Open({.address = bad}).status().code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
}

TEST(Listener, SharesAPortOnlyWhenToldTo) {
  auto first = Listener::Open({.address = "127.0.0.1:0", .reuse_port = true});
  ASSERT_TRUE(first.ok());
  const std::string address = (*first)->address();
  EXPECT_FALSE(Listener::Open({.address = address}).ok());
  EXPECT_TRUE(Listener::Open({.address = address, .reuse_port = true}).ok());
}

TEST(Listener, ConnectionsWaitFromOpenUntilStart) {
  auto opened = Listener::Open({.address = "127.0.0.1:0"});
  ASSERT_TRUE(opened.ok());
  RawClient early((*opened)->port());
  early.SendPreface();
  early.SendRequest(1, "/test/Echo", "early");

  GrpcService service;
  service.AddRequest("/test/Echo",
                     [](GrpcCallPtr call, std::string request) { call->Reply(request); });
  EventLoopPool loops("net-test", 1);
  (*opened)->Start(&loops, std::make_shared<NetBudget>(), {.grpc = &service});

  EXPECT_EQ(early.ReadUntil(kDataFrame).payload, GrpcMessage("early"));
  (*opened)->Stop();
}

TEST(Listener, StopEndsCallsAndFreesThePort) {
  TestServer server;
  RawClient client(server.port());
  client.SendPreface();
  client.SendRequest(1, "/test/Park", "x");
  server.parked.Await(1, "call arrived");

  server.listener->Stop();

  EXPECT_EQ(server.done.size(), 1u);
  EXPECT_FALSE(server.done.At(0));
  client.AwaitClosed();
  EXPECT_EQ(server.listener->connections(), 0);
  EXPECT_TRUE(Listener::Open({.address = server.target()}).ok());
}

TEST(Listener, ADrainServesWhatIsUnderWayAndThenCloses) {
  TestServer server;
  RawClient client(server.port());
  client.SendPreface();
  client.SendRequest(1, "/test/Park", "x");
  server.parked.Await(1, "call arrived");

  server.listener->Drain();

  // First step: no stream is refused yet, and a PING measures the way.
  const Frame first = client.ReadUntil(kGoAwayFrame);
  EXPECT_EQ(first.payload.substr(0, 4), "\x7f\xff\xff\xff");
  client.SendRequest(3, "/test/Echo", "crossed");
  EXPECT_EQ(client.ReadUntil(kDataFrame).payload, GrpcMessage("crossed"));
  // Second step, here by its timer as this client answers no PING.
  const Frame second = client.ReadUntil(kGoAwayFrame);
  EXPECT_EQ(second.payload.substr(0, 4), std::string("\0\0\0\3", 4));
  server.parked.At(0).call->Reply("finished");
  EXPECT_EQ(client.ReadUntil(kDataFrame).payload, GrpcMessage("finished"));
  client.AwaitClosed();
  AwaitThat([&] { return server.listener->connections() == 0; }, "drained");
  EXPECT_TRUE(server.done.At(0));
}

TEST(Listener, GrpcClientsSeeNoErrorWhenTheServerMovesOn) {
  auto old_server = std::make_unique<TestServer>(NetLimits(), ListenerOptions{.reuse_port = true});
  const auto channel = old_server->NewChannel();
  ASSERT_EQ(Call(channel, "/test/Echo", "a").reply, "a");
  TestServer new_server(NetLimits(),
                        ListenerOptions{.address = old_server->target(), .reuse_port = true});

  old_server->listener->Drain();

  for (int i = 0; i < 200; ++i) {
    const CallResult result = Call(channel, "/test/Echo", absl::StrCat(i));
    ASSERT_EQ(result.code, 0) << i << " " << result.text;
  }
  AwaitThat([&] { return old_server->listener->connections() == 0; }, "old one is empty");
  EXPECT_GT(new_server.budget->counters().calls_started, 0u);
}

TEST(EventLoopStop, EndsTheCallsOfItsConnections) {
  TestServer server;
  RawClient client(server.port());
  client.SendPreface();
  client.SendRequest(1, "/test/Park", "x");
  server.parked.Await(1, "call arrived");
  const GrpcCallPtr call = server.parked.At(0).call;

  server.listener->StopAccepting();
  server.loops.Stop();

  ASSERT_EQ(server.done.size(), 1u);
  EXPECT_FALSE(server.done.At(0));
  call->Reply("nobody");  // Harmless.
}

class Http : public testing::Test {
 protected:
  Http() : opened_(Listener::Open({.address = "127.0.0.1:0"})) {
    ListenerProtocols protocols;
    protocols.http = [](absl::string_view target) {
      HttpResponse response;
      if (target == "/large") {
        response.body = std::string(1'000'000, 'x');
      } else if (target != "/healthz") {
        response.status = 404;
      } else {
        response.body = "ok\n";
      }
      return response;
    };
    (*opened_)->Start(&loops_, budget_, std::move(protocols));
  }
  ~Http() override { (*opened_)->Stop(); }

  std::string Ask(absl::string_view request) {
    RawClient client((*opened_)->port());
    client.Send(request);
    std::string answer, more;
    while (!(more = client.Read()).empty()) answer += more;
    return answer;
  }

  EventLoopPool loops_{"net-test", 1};
  std::shared_ptr<NetBudget> budget_ = std::make_shared<NetBudget>();
  absl::StatusOr<std::unique_ptr<Listener>> opened_;
};

TEST_F(Http, GetIsAnswered) {
  const std::string answer = Ask("GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nok\n")) << answer;
}

TEST_F(Http, HeadHasNoBody) {
  const std::string answer = Ask("HEAD /healthz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(absl::StrContains(answer, "Content-Length: 3\r\n")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n")) << answer;
}

TEST_F(Http, AConnectionServesOneRequestAfterTheOther) {
  const std::string answer =
      Ask("GET /healthz HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(absl::StrContains(answer, "200 OK")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "404 Not Found")) << answer;
}

TEST_F(Http, ALargeAnswerArrivesWhole) {
  EXPECT_GT(Ask("GET /large HTTP/1.0\r\n\r\n").size(), 1'000'000u);
}

TEST_F(Http, WhatIsNotServedIsNamed) {
  EXPECT_TRUE(absl::StrContains(Ask("POST /x HTTP/1.1\r\n\r\n"), " 405 "));
  EXPECT_TRUE(absl::StrContains(Ask("GET /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), " 413 "));
  EXPECT_TRUE(absl::StrContains(Ask("GET x\r\n\r\n"), " 400 "));
  EXPECT_TRUE(absl::StrContains(Ask("GET /x HTTP/1.1\r\nbad\r\n\r\n"), " 400 "));
  EXPECT_TRUE(absl::StrContains(Ask("GET /" + std::string(9000, 'x')), " 431 "));
}

// Frames of a u32 length and a body, echoed.
class EchoFrames : public RawHandler {
 public:
  EchoFrames(RawConnectionPtr connection, Inbox<std::string>* events)
      : connection_(std::move(connection)), events_(events) {}

  size_t OnData(absl::string_view bytes) override {
    size_t used = 0;
    while (bytes.size() - used >= 4) {
      Reader reader(bytes.substr(used));
      const absl::string_view body = reader.Prefixed();
      if (!reader.ok()) break;
      std::string head;
      AppendU32(&head, static_cast<uint32_t>(body.size()));
      connection_->Write({SharedBytes(head), SharedBytes(std::string(body))});
      used += 4 + body.size();
    }
    return used;
  }
  void OnWritable() override { events_->Put("writable"); }
  void OnDrain() override {
    events_->Put("drain");
    connection_->Close();
  }
  void OnClosed() override { events_->Put("closed"); }

 private:
  const RawConnectionPtr connection_;
  Inbox<std::string>* const events_;
};

class Raw : public testing::Test {
 protected:
  void Serve(NetLimits limits = NetLimits(), size_t unconsumed_bytes_max = 1 << 20) {
    budget_ = std::make_shared<NetBudget>(limits);
    listener_ = *Listener::Open({.address = "127.0.0.1:0", .tag = "classic"});
    ListenerProtocols protocols;
    protocols.raw.unconsumed_bytes_max = unconsumed_bytes_max;
    protocols.raw.factory = [this](RawConnectionPtr connection) {
      connections_.Put(connection);
      return std::make_unique<EchoFrames>(std::move(connection), &events_);
    };
    listener_->Start(&loops_, budget_, std::move(protocols));
  }
  ~Raw() override {
    if (listener_) listener_->Stop();
  }
  static std::string Framed(absl::string_view body) {
    std::string out;
    AppendBytes(&out, body);
    return out;
  }

  Inbox<std::string> events_;
  Inbox<RawConnectionPtr> connections_;
  EventLoopPool loops_{"net-test", 1};
  std::shared_ptr<NetBudget> budget_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(Raw, FramesComeThroughHoweverTheyAreCut) {
  Serve();
  RawClient client(listener_->port());
  std::string sent;
  for (int i = 0; i < 50; ++i) sent += Framed(std::string(static_cast<size_t>(i * i * 5), 'x'));
  for (size_t at = 0; at < sent.size(); at += 997) {
    ASSERT_TRUE(client.Send(absl::string_view(sent).substr(at, 997)));
  }
  std::string received;
  while (received.size() < sent.size()) {
    const std::string more = client.Read();
    ASSERT_FALSE(more.empty());
    received += more;
  }
  EXPECT_TRUE(received == sent);
  EXPECT_EQ(connections_.At(0)->info().listener_tag, "classic");
}

TEST_F(Raw, AnotherThreadMayWriteAndClose) {
  Serve();
  RawClient client(listener_->port());
  client.Send(Framed("hello"));
  connections_.Await(1, "connection");
  std::string expected = Framed("hello");
  ASSERT_EQ(client.Read(), expected);

  connections_.At(0)->Write(std::string("pushed"));
  connections_.At(0)->Close();

  std::string received, more;
  while (!(more = client.Read()).empty()) received += more;
  EXPECT_EQ(received, "pushed");
  events_.Await(1, "OnClosed");
  EXPECT_EQ(events_.At(0), "closed");
  connections_.At(0)->Write(std::string("nobody"));  // Harmless.
}

// The server's end of a client's connection: both are in this process.
int OtherEnd(int client) {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  getsockname(client, reinterpret_cast<sockaddr*>(&own), &size);
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    size = sizeof peer;
    if (fd != client && getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
        size == sizeof peer && peer.sin_family == AF_INET && peer.sin_port == own.sin_port) {
      return fd;
    }
  }
  return -1;
}

// Java clients up to 4.9 do not fail their pending calls when a connection
// merely ends: parked pulls of a killed broker's consumers stood still for 30 s.
TEST_F(Raw, ADyingProcessResetsAndALivingOneClosesInOrder) {
  Serve();
  RawClient client(listener_->port());
  client.Send(Framed("hello"));
  ASSERT_EQ(client.Read(), Framed("hello"));
  linger option{};
  socklen_t size = sizeof option;

  ASSERT_EQ(getsockopt(OtherEnd(client.fd()), SOL_SOCKET, SO_LINGER, &option, &size), 0);
  EXPECT_EQ(option.l_onoff, 1);
  EXPECT_EQ(option.l_linger, 0);

  listener_->Stop();
  char byte;
  EXPECT_EQ(recv(client.fd(), &byte, 1, 0), 0);
}

TEST_F(Raw, AFrameThatNeverEndsIsCut) {
  Serve(NetLimits(), 100'000);
  RawClient client(listener_->port());
  client.Send(std::string("\0\xff\xff\xff", 4));
  for (int i = 0; i < 100; ++i) {
    if (!client.Send(std::string(10'000, 'x'))) break;
  }
  client.AwaitClosed();
  events_.Await(1, "OnClosed");
  EXPECT_EQ(budget_->counters().refused(NetRefusal::kRequestBytesHeld), 1u);
  EXPECT_EQ(budget_->counters().request_bytes_held, 0);
}

TEST_F(Raw, APeerThatDoesNotReadIsBounded) {
  NetLimits limits;
  limits.connection_response_bytes_held_max = 8 << 20;
  Serve(limits);
  RawClient client(listener_->port(), 4096);
  client.Send(Framed("hello"));
  connections_.Await(1, "connection");
  const RawConnectionPtr connection = connections_.At(0);

  bool go_on = true;
  for (int i = 0; i < 30 && budget_->counters().refused(NetRefusal::kResponseBytesHeld) == 0; ++i) {
    go_on = connection->Write(std::string(1 << 20, 'x'));
  }

  EXPECT_FALSE(go_on);
  events_.Await(1, "OnClosed");
  EXPECT_EQ(budget_->counters().refused(NetRefusal::kResponseBytesHeld), 1u);
}

TEST_F(Raw, WritableFollowsAWriteThatSaidWait) {
  Serve();
  RawClient client(listener_->port());
  client.Send(Framed("hello"));
  connections_.Await(1, "connection");
  size_t expected = Framed("hello").size();
  bool go_on = true;
  while (go_on) {
    go_on = connections_.At(0)->Write(std::string(500'000, 'x'));
    expected += 500'000;
  }
  size_t received = 0;
  while (received < expected) received += client.Read().size();
  events_.Await(1, "OnWritable");
  EXPECT_EQ(events_.At(0), "writable");
}

TEST_F(Raw, ADrainAsksTheHandler) {
  Serve();
  RawClient client(listener_->port());
  client.Send(Framed("hello"));
  connections_.Await(1, "connection");
  listener_->Drain();
  events_.Await(2, "drain and end");
  EXPECT_EQ(events_.At(0), "drain");
  EXPECT_EQ(events_.At(1), "closed");
}

}  // namespace
}  // namespace totora::net
