// Clients that lie, flood, stall or vanish. Whatever one of them does, the
// others are served: every test ends with calls of a client that was connected
// before the attack and of one that came after it.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/test_server.h"

namespace totora::net {
namespace {

using testing::HasSubstr;

class Hostile : public testing::Test {
 protected:
  void StartServer(NetLimits limits = NetLimits(), ListenerOptions options = {}) {
    server_ = std::make_unique<TestServer>(limits, options);
    bystander_ = server_->NewChannel();
    ASSERT_EQ(Call(bystander_, "/test/Echo", "before").reply, "before");
  }

  void TearDown() override {
    ASSERT_EQ(Call(bystander_, "/test/Echo", "still").reply, "still");
    ASSERT_EQ(Call(server_->NewChannel(), "/test/Echo", "new").reply, "new");
    // The bystander's connection was never cut.
    EXPECT_LE(server_->budget->counters().connections_accepted, accepted_max_ + 2);
    bystander_.reset();
    NetCounters& counters = server_->budget->counters();
    AwaitThat([&] { return counters.connections == 0; }, "connections closed");
    EXPECT_EQ(counters.streams, 0);
    EXPECT_EQ(counters.request_bytes_held, 0);
    EXPECT_EQ(counters.response_bytes_held, 0);
  }

  uint64_t refused(NetRefusal reason) { return server_->refused(reason); }
  void AwaitRefusal(NetRefusal reason) {
    AwaitThat([&] { return refused(reason) > 0; }, NetRefusalName(reason));
  }

  std::unique_ptr<TestServer> server_;
  std::shared_ptr<grpc::Channel> bystander_;
  uint64_t accepted_max_ = 1;  // Connections that the attack needs.
};

TEST_F(Hostile, APrefaceThatLiesIsClosed) {
  StartServer();
  RawClient client(server_->port());
  client.Send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
  client.AwaitClosed();
  EXPECT_EQ(refused(NetRefusal::kHttp2Malformed), 1u);
}

TEST_F(Hostile, UnknownFirstBytesAreClosed) {
  StartServer();
  RawClient client(server_->port());
  client.Send(std::string("\0\0\1\0classic?", 12));
  client.AwaitClosed();
  EXPECT_EQ(refused(NetRefusal::kProtocolUnknown), 1u);
}

TEST_F(Hostile, TlsIsRefusedByName) {
  StartServer();
  RawClient client(server_->port());
  client.Send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  client.AwaitClosed();
  EXPECT_EQ(refused(NetRefusal::kTlsNotServed), 1u);
}

TEST_F(Hostile, SilenceIsClosedAfterItsDeadline) {
  NetLimits limits;
  limits.first_bytes_timeout = absl::Milliseconds(50);
  StartServer(limits);
  RawClient silent(server_->port());
  RawClient half(server_->port());
  accepted_max_ = 2;
  half.Send("PRI * HT");
  silent.AwaitClosed();
  half.AwaitClosed();
  EXPECT_EQ(refused(NetRefusal::kFirstBytesLate), 2u);
}

TEST_F(Hostile, GarbageAfterThePrefaceIsCut) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  client.Send(std::string(1000, '\xee'));
  EXPECT_EQ(client.AwaitGoAway(), 6);  // FRAME_SIZE_ERROR: nghttp2 says what it saw.
}

TEST_F(Hostile, AHeaderOfAClaimedGigabyteIsRefusedAtItsClaim) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kHeadersFrame, 0, 1,
               RequestBlock("/test/Echo") + std::string("\0\1x\x7f\xff\xff\xff\xff\3", 9)});
  EXPECT_EQ(client.AwaitGoAway(), 9);  // COMPRESSION_ERROR
  EXPECT_EQ(refused(NetRefusal::kHttp2Malformed), 1u);
}

// gRPC's own server burns a core for as long as this goes on.
TEST_F(Hostile, AHeaderBombIsCutAtItsBound) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  // A value of 60,127 bytes.
  client.Send(
      {kHeadersFrame, 0, 1, RequestBlock("/test/Echo") + std::string("\0\1x\x7f\xe0\xd4\3", 7)});
  for (int i = 0; i < 100; ++i) {
    if (!client.Send({kContinuationFrame, 0, 1, std::string(10'000, 'x')})) break;
  }
  EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm);
  EXPECT_EQ(refused(NetRefusal::kHeaderBlockTooLarge), 1u);
}

TEST_F(Hostile, AContinuationFloodIsCut) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kHeadersFrame, 0, 1, RequestBlock("/test/Echo")});
  for (int i = 0; i < 10'000; ++i) {
    if (!client.Send({kContinuationFrame, 0, 1, ""})) break;
  }
  EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm);
  EXPECT_EQ(refused(NetRefusal::kHeaderBlockTooLarge), 1u);
}

TEST_F(Hostile, AHeaderBlockThatNeverEndsIsCut) {
  NetLimits limits;
  limits.first_bytes_timeout = absl::Milliseconds(50);
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kHeadersFrame, 0, 1, RequestBlock("/test/Echo")});
  client.AwaitClosed();
  EXPECT_EQ(refused(NetRefusal::kHeaderBlockTooLarge), 1u);
}

// A long value is put into the dynamic table once and named by one byte each
// time: 16 KiB on the wire become megabytes.
TEST_F(Hostile, HeadersThatUnpackBeyondTheBoundAreRefused) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  std::string block = RequestBlock("/test/Echo");
  block += std::string("\x40\x01x\x7f\xa1\x16", 6) + std::string(3000, 'v');  // Indexed as 62.
  block += std::string(8000, '\xbe');
  client.Send({kHeadersFrame, kEndHeaders, 1, block});

  EXPECT_THAT(client.ReadHeaders(), HasSubstr("grpc-status: 8\n"));
  EXPECT_EQ(refused(NetRefusal::kHeaderBlockTooLarge), 1u);
}

TEST_F(Hostile, RapidResetIsCutAfterTheBurst) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  for (uint32_t i = 0; i < 20'000; ++i) {
    const uint32_t stream = 2 * i + 1;
    if (!client.Send(Encode({kHeadersFrame, kEndHeaders, stream, RequestBlock("/test/Park")}) +
                     Encode({kResetFrame, 0, stream, std::string("\0\0\0\x8", 4)}))) {
      break;
    }
  }
  EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm);
  EXPECT_EQ(refused(NetRefusal::kResetFlood), 1u);
  EXPECT_LT(server_->budget->counters().calls_started, 2000u);
}

// The client makes the server reset (CVE-2025-8671): a request without
// :authority is a stream error.
TEST_F(Hostile, ResetsThatTheClientProvokesAreCutToo) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  for (uint32_t i = 0; i < 20'000; ++i) {
    if (!client.Send({kHeadersFrame, kEndHeaders, 2 * i + 1, Literal(":method", "POST")})) break;
  }
  EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm);
  EXPECT_EQ(refused(NetRefusal::kResetFlood), 1u);
}

// 3000 calls whose deadlines pass together are no attack.
TEST_F(Hostile, ManyResetsOfOldStreamsAreNoFlood) {
  NetLimits limits;
  limits.reset_free_age = absl::Milliseconds(20);
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  constexpr uint32_t kCalls = 3000;
  for (uint32_t i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(client.SendRequest(2 * i + 1, "/test/Park", "x"));
  }
  server_->parked.Await(kCalls, "calls arrived");
  const absl::Duration seen = Clock::System()->SteadyNow();
  AwaitThat([&] { return Clock::System()->SteadyNow() > seen + absl::Milliseconds(40); }, "age");
  for (uint32_t i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(client.Send({kResetFrame, 0, 2 * i + 1, std::string("\0\0\0\x8", 4)}));
  }
  server_->done.Await(kCalls, "calls ended");
  EXPECT_EQ(refused(NetRefusal::kResetFlood), 0u);
}

TEST_F(Hostile, APingFloodIsCut) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  for (int i = 0; i < 10'000; ++i) {
    if (!client.Send({kPingFrame, 0, 0, "12345678"})) break;
  }
  EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm);
  EXPECT_EQ(refused(NetRefusal::kControlFlood), 1u);
}

TEST_F(Hostile, ASettingsFloodIsCut) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  for (int i = 0; i < 10'000; ++i) {
    if (!client.Send({kSettingsFrame, 0, 0, ""})) break;
  }
  EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm);
  EXPECT_EQ(refused(NetRefusal::kControlFlood), 1u);
}

TEST_F(Hostile, PriorityWindowAndUnknownFramesAreBounded) {
  StartServer();
  accepted_max_ = 3;
  const std::vector<Frame> frames = {{kPriorityFrame, 0, 1, std::string("\0\0\0\3\1", 5)},
                                     {kWindowFrame, 0, 0, std::string("\0\0\0\1", 4)},
                                     {0x77, 0, 0, "what?"}};
  for (const Frame& frame : frames) {
    RawClient client(server_->port());
    client.SendPreface();
    for (int i = 0; i < 20'000; ++i) {
      if (!client.Send(frame)) break;
    }
    EXPECT_EQ(client.AwaitGoAway(), kEnhanceYourCalm) << int{frame.type};
  }
  EXPECT_EQ(refused(NetRefusal::kControlFlood), 3u);
}

TEST_F(Hostile, DataBeyondTheWindowIsAnError) {
  NetLimits limits;
  limits.stream_window_bytes = 65'535;
  limits.connection_window_bytes = 65'535;
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kHeadersFrame, kEndHeaders, 1, RequestBlock("/test/Echo")});
  std::string bytes = Encode({kDataFrame, 0, 1, std::string("\0\0\xff\0\0", 5)});
  for (int i = 0; i < 400; ++i) bytes += Encode({kDataFrame, 0, 1, std::string(16'000, 'x')});
  client.Send(bytes);
  EXPECT_EQ(client.AwaitGoAway(), kHttp2FlowControlError);
}

// Within its windows a client may send more than it is good to hold.
TEST_F(Hostile, DataWithinTheWindowIsHeldToTheBound) {
  NetLimits limits;
  limits.connection_request_bytes_held_max = 1 << 20;
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kSettingsFrame, kAck, 0, ""});  // Its windows are 64 KiB before.
  client.Send({kHeadersFrame, kEndHeaders, 1, RequestBlock("/test/Echo")});
  std::string bytes = Encode({kDataFrame, 0, 1, std::string("\0\0\xff\0\0", 5)});
  for (int i = 0; i < 400; ++i) bytes += Encode({kDataFrame, 0, 1, std::string(16'000, 'x')});
  client.Send(bytes);

  EXPECT_THAT(client.ReadHeaders(), HasSubstr("grpc-status: 8\n"));
  EXPECT_EQ(refused(NetRefusal::kRequestBytesHeld), 1u);
  client.SendRequest(3, "/test/Echo", "next");
  EXPECT_EQ(client.ReadUntil(kDataFrame).payload, GrpcMessage("next"));
}

TEST_F(Hostile, AWindowThatOverflowsIsAnError) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  for (int i = 0; i < 2; ++i) client.Send({kWindowFrame, 0, 0, std::string("\x7f\xff\xff\xff", 4)});
  EXPECT_EQ(client.AwaitGoAway(), kHttp2FlowControlError);
}

TEST_F(Hostile, HalfAMessageAndGoneLeavesNothing) {
  StartServer();
  {
    RawClient client(server_->port());
    client.SendPreface();
    client.Send({kHeadersFrame, kEndHeaders, 1, RequestBlock("/test/Echo")});
    client.Send({kDataFrame, 0, 1, GrpcMessage(std::string(5000, 'x')).substr(0, 3000)});
    AwaitThat([&] { return server_->budget->counters().request_bytes_held > 0; }, "half arrived");
  }
  AwaitThat([&] { return server_->budget->counters().request_bytes_held == 0; }, "half dropped");
  EXPECT_EQ(server_->budget->counters().streams, 0);
}

TEST_F(Hostile, HalfAMessageIsNotWaitedForForEver) {
  NetLimits limits;
  limits.request_timeout = absl::Milliseconds(50);
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kHeadersFrame, kEndHeaders, 1, RequestBlock("/test/Echo")});
  client.Send({kDataFrame, 0, 1, GrpcMessage("hello").substr(0, 7)});

  EXPECT_THAT(client.ReadHeaders(), HasSubstr("grpc-status: 4\n"));
  EXPECT_EQ(refused(NetRefusal::kRequestLate), 1u);
}

TEST_F(Hostile, ARequestThatEndsWithinAMessageIsRefused) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  client.Send({kHeadersFrame, kEndHeaders, 1, RequestBlock("/test/Echo")});
  client.Send({kDataFrame, kEndStream, 1, GrpcMessage("hello").substr(0, 7)});
  EXPECT_THAT(client.ReadHeaders(), HasSubstr("grpc-message: request ends within a message"));
}

TEST_F(Hostile, WhatIsNoGrpcGetsAnHttpStatus) {
  StartServer();
  RawClient client(server_->port());
  client.SendPreface();
  const std::string head =
      Literal(":scheme", "http") + Literal(":path", "/test/Echo") + Literal(":authority", "test");
  client.Send({kHeadersFrame, kEndHeaders | kEndStream, 1,
               Literal(":method", "POST") + head + Literal("content-type", "text/plain")});
  EXPECT_EQ(client.ReadHeaders(), ":status: 415\nend");
  client.Send({kHeadersFrame, kEndHeaders | kEndStream, 3, Literal(":method", "PUT") + head});
  EXPECT_EQ(client.ReadHeaders(), ":status: 405\nend");
  EXPECT_EQ(refused(NetRefusal::kNotGrpc), 2u);
}

TEST_F(Hostile, ASlowReaderIsHeldBackAndThenCut) {
  NetLimits limits;
  limits.write_stall_timeout = absl::Milliseconds(200);
  limits.connection_read_pause_bytes = 1 << 20;
  StartServer(limits);
  RawClient client(server_->port(), 4096);
  client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  // Its HTTP/2 windows are wide open, only its socket is not read.
  client.Send({kSettingsFrame, 0, 0, std::string("\0\4\x7f\xff\xff\xff", 6)});
  client.Send({kWindowFrame, 0, 0, std::string("\x7f\0\0\0", 4)});
  const uint64_t before = server_->budget->counters().calls_started;
  client.SendRequest(1, "/test/Many", "16 1000000");
  AwaitThat([&] { return server_->budget->counters().calls_started > before; }, "call arrived");
  client.SendRequest(3, "/test/Many", "16 1000000");

  AwaitRefusal(NetRefusal::kWriteStalled);
  // The second request was never read: the server holds enough for this client.
  EXPECT_EQ(server_->budget->counters().calls_started, before + 1);
  server_->done.Await(1, "the call ended");
  EXPECT_FALSE(server_->done.At(0));
}

TEST_F(Hostile, AClientThatOpensNoWindowHoldsABoundedAmount) {
  NetLimits limits;
  limits.connection_response_bytes_held_max = 4 << 20;
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  for (uint32_t i = 0; i < 10; ++i) client.SendRequest(2 * i + 1, "/test/Many", "1 1000000");

  AwaitRefusal(NetRefusal::kResponseBytesHeld);
  EXPECT_LE(server_->budget->counters().response_bytes_held, 5 << 20);
}

TEST_F(Hostile, RequestBytesOfAllConnectionsAreBounded) {
  NetLimits limits;
  limits.request_bytes_held_max = 1 << 20;
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  // 20 requests of 100 KB that never end.
  const std::string part = GrpcMessage(std::string(200'000, 'x'));
  for (uint32_t i = 0; i < 20; ++i) {
    const uint32_t stream = 2 * i + 1;
    client.Send({kHeadersFrame, kEndHeaders, stream, RequestBlock("/test/Echo")});
    for (size_t at = 0; at < 100'000; at += 10'000) {
      client.Send({kDataFrame, 0, stream, part.substr(at, 10'000)});
    }
  }
  AwaitRefusal(NetRefusal::kRequestBytesHeld);
  EXPECT_LE(server_->budget->counters().request_bytes_held, 1 << 20);
}

TEST_F(Hostile, StreamsOfAllConnectionsAreBounded) {
  NetLimits limits;
  limits.streams_max = 100;
  StartServer(limits);
  {
    RawClient client(server_->port());
    client.SendPreface();
    for (uint32_t i = 0; i < 101; ++i) client.SendRequest(2 * i + 1, "/test/Park", "x");
    const Frame reset = client.ReadUntil(kResetFrame);
    EXPECT_EQ(reset.payload, std::string("\0\0\0\7", 4));  // REFUSED_STREAM: try again.
    EXPECT_EQ(refused(NetRefusal::kStreamsMax), 1u);
  }
  AwaitThat([&] { return server_->budget->counters().streams == 0; }, "streams closed");
}

TEST_F(Hostile, AVanishedClientIsFoundByKeepalive) {
  NetLimits limits;
  limits.keepalive_interval = absl::Milliseconds(40);
  limits.keepalive_timeout = absl::Milliseconds(200);
  StartServer(limits);
  RawClient client(server_->port());
  client.SendPreface();
  client.SendRequest(1, "/test/Park", "x");
  // It never answers the PING: as good as unplugged. The bystander's library
  // answers only while it has calls.
  AwaitThat(
      [&] {
        return Call(bystander_, "/test/Echo", "x").code == 0 &&
               refused(NetRefusal::kKeepaliveLost) > 0;
      },
      "keepalive lost");
  client.AwaitClosed();
  EXPECT_EQ(refused(NetRefusal::kKeepaliveLost), 1u);
  server_->done.Await(1, "OnDone");
}

TEST_F(Hostile, ConnectionsAboveTheBoundAreClosedAndLaterOnesServed) {
  ListenerOptions options;
  options.connections_max = 20;
  StartServer(NetLimits(), options);
  {
    std::vector<std::unique_ptr<RawClient>> crowd;
    for (int i = 0; i < 19; ++i) crowd.push_back(std::make_unique<RawClient>(server_->port()));
    AwaitThat([&] { return server_->listener->connections() == 20; }, "the crowd is in");
    RawClient(server_->port()).AwaitClosed();
    EXPECT_EQ(refused(NetRefusal::kConnectionsMax), 1u);
    EXPECT_EQ(Call(bystander_, "/test/Echo", "in").reply, "in");
  }
  AwaitThat([&] { return server_->listener->connections() == 1; }, "the crowd is gone");
  accepted_max_ = 19;
}

// gRPC's own server never serves again after this.
TEST_F(Hostile, ServiceResumesAfterDescriptorsRanOut) {
  StartServer();
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<RawClient>(server_->port()));
    AwaitThat([&] { return server_->listener->connections() == 21; }, "connected");
    // Client and server share this process's descriptors: the clients' are
    // taken before there are no more.
    std::vector<std::unique_ptr<RawClient>> more;
    for (int i = 0; i < 8; ++i) more.push_back(std::make_unique<RawClient>());
    const int first_free = dup(0);
    close(first_free);
    const rlimit tight{static_cast<rlim_t>(first_free), old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (const auto& client : more) client->Connect(server_->port());
    AwaitRefusal(NetRefusal::kDescriptorsExhausted);
    EXPECT_EQ(Call(bystander_, "/test/Echo", "in").reply, "in");
    setrlimit(RLIMIT_NOFILE, &old);
    accepted_max_ = 40;
  }
}

}  // namespace
}  // namespace totora::net
