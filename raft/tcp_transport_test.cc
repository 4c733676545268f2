#include "raft/tcp_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/coding.h"
#include "common/mutex.h"
#include "net/dialer.h"
#include "net/listener.h"

namespace totora::raft {
namespace {

void AwaitThat(const std::function<bool()>& condition, absl::string_view reason) {
  const absl::Time give_up = absl::Now() + absl::Seconds(20);
  while (!condition()) {
    ASSERT_LT(absl::Now(), give_up) << reason;
    absl::SleepFor(absl::Milliseconds(1));
  }
}

// Thread safety: monitor.
class Heard : public TransportReceiver {
 public:
  void OnMessage(std::shared_ptr<const Hello> from, Channel channel, SharedBytes bytes) override {
    MutexLock lock(&mu_);
    messages_.push_back(
        absl::StrCat(from->replica.value(), "/", static_cast<int>(channel), "/", bytes.view()));
  }
  void OnConnected(ReplicaId peer, Channel channel, const Hello& hello) override {
    MutexLock lock(&mu_);
    events_.push_back(absl::StrCat("up ", peer.value(), "/", static_cast<int>(channel),
                                   hello.is_leader ? " leader" : ""));
  }
  void OnDisconnected(ReplicaId peer, Channel channel, bool is_refused) override {
    MutexLock lock(&mu_);
    events_.push_back(absl::StrCat("down ", peer.value(), "/", static_cast<int>(channel),
                                   is_refused ? " refused" : ""));
  }
  size_t Count(absl::string_view event) {
    MutexLock lock(&mu_);
    return static_cast<size_t>(std::count(events_.begin(), events_.end(), event));
  }
  std::vector<std::string> messages() {
    MutexLock lock(&mu_);
    return messages_;
  }
  size_t total() {
    MutexLock lock(&mu_);
    return messages_.size() + events_.size();
  }

 private:
  Mutex mu_;
  std::vector<std::string> messages_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> events_ ABSL_GUARDED_BY(mu_);
};

Hello HelloOf(uint32_t replica, const std::string& cluster = "c") {
  Hello hello;
  hello.cluster = cluster;
  hello.group = GroupId(1);
  hello.replica = ReplicaId(replica);
  hello.volume = "volume";
  hello.is_leader = replica == 1;
  return hello;
}

// One process: loop, listener, transport.
class Process {
 public:
  explicit Process(uint32_t replica, const std::string& address = "127.0.0.1:0")
      : replica_(replica) {
    absl::StatusOr<std::unique_ptr<Listener>> listener = Listener::Open({.address = address});
    EXPECT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  ~Process() { Stop(); }

  std::string address() const { return listener_->address(); }
  int port() const { return listener_->port(); }

  void Start(std::map<ReplicaId, std::string> peers, const std::string& cluster = "c") {
    transport = service_.MakeTransport({.group = GroupId(1),
                                        .peers = std::move(peers),
                                        .redial_first = redial,
                                        .redial_max = std::max(redial, absl::Milliseconds(500))},
                                       loops_.loop(0));
    transport->Start(HelloOf(replica_, cluster), &heard);
    Serve();
  }
  void Serve() {
    ListenerProtocols protocols;
    protocols.raw = service_.protocol();
    listener_->Start(&loops_, std::make_shared<NetBudget>(), std::move(protocols));
  }
  void Stop() {
    if (transport) transport->Stop();
    listener_->Stop();
    loops_.Stop();
  }

  Heard heard;
  absl::Duration redial = absl::Milliseconds(20);

 private:
  const uint32_t replica_;
  EventLoopPool loops_{"raft-test", 1};
  TcpTransportService service_;

 public:
  std::unique_ptr<Transport> transport;

 private:
  std::unique_ptr<Listener> listener_;
};

WireMessage Message(std::string head, std::vector<std::string> parts = {}) {
  WireMessage message;
  message.head = std::move(head);
  for (std::string& part : parts) message.parts.push_back(SharedBytes(std::move(part)));
  return message;
}

class TcpTransportTest : public testing::Test {
 protected:
  void StartBoth() {
    one_.Start({{ReplicaId(1), one_.address()}, {ReplicaId(2), two_.address()}});
    two_.Start({{ReplicaId(1), one_.address()}, {ReplicaId(2), two_.address()}});
    for (int channel = 0; channel < kChannels; ++channel) {
      AwaitThat([&] { return one_.heard.Count(absl::StrCat("up 2/", channel)) == 1; }, "1 to 2");
      AwaitThat([&] { return two_.heard.Count(absl::StrCat("up 1/", channel, " leader")) == 1; },
                "2 to 1");
    }
  }
  Process one_{1};
  Process two_{2};
};

TEST_F(TcpTransportTest, MessagesOfAChannelArriveWholeAndInOrder) {
  StartBoth();
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    const std::string small(static_cast<size_t>(i % 7), 's');
    const std::string large(static_cast<size_t>(i) * 700, static_cast<char>('a' + i % 26));
    one_.transport->Send(ReplicaId(2), Channel::kAppend,
                         Message(absl::StrCat(i, ":"), {small, large}));
    expected.push_back(absl::StrCat("1/1/", i, ":", small, large));
  }
  AwaitThat([&] { return two_.heard.messages().size() == expected.size(); }, "300 messages");
  EXPECT_TRUE(two_.heard.messages() == expected);
}

TEST_F(TcpTransportTest, AMessageLargerThanEveryBufferArrives) {
  StartBoth();
  const std::string large(20 << 20, 'x');
  one_.transport->Send(ReplicaId(2), Channel::kBulk, Message("big", {large}));
  AwaitThat([&] { return two_.heard.messages().size() == 1; }, "the message");
  EXPECT_TRUE(two_.heard.messages()[0] == "1/2/big" + large);
}

TEST_F(TcpTransportTest, ADeadPeerIsRefusedAndFoundAgain) {
  StartBoth();
  const std::string address = two_.address();
  two_.Stop();
  AwaitThat([&] { return one_.heard.Count("down 2/0 refused") > 0; }, "refusal");
  one_.transport->Send(ReplicaId(2), Channel::kControl, Message("lost"));

  Process again(2, address);
  again.Start({{ReplicaId(1), one_.address()}});
  AwaitThat([&] { return one_.heard.Count("up 2/0") == 2; }, "the new process");
  one_.transport->Send(ReplicaId(2), Channel::kControl, Message("hello"));

  AwaitThat([&] { return again.heard.messages().size() == 1; }, "the message");
  EXPECT_EQ(again.heard.messages()[0], "1/0/hello");
}

TEST_F(TcpTransportTest, APeerThatDialsIsDialledAtOnce) {
  one_.redial = absl::Hours(1);
  const std::string address = two_.address();
  two_.Stop();
  one_.Start({{ReplicaId(1), one_.address()}, {ReplicaId(2), address}});
  AwaitThat([&] { return one_.heard.Count("down 2/0 refused") == 1; }, "the end of the first try");

  Process again(2, address);
  again.Start({{ReplicaId(1), one_.address()}});

  AwaitThat([&] { return one_.heard.Count("up 2/0") == 1; }, "the new process");
}

TEST_F(TcpTransportTest, NothingIsHeardAfterStop) {
  StartBoth();
  two_.transport->Stop();
  const size_t heard = two_.heard.total();
  one_.transport->Send(ReplicaId(2), Channel::kControl, Message("too late"));
  AwaitThat([&] { return one_.heard.Count("down 2/0") > 0; }, "the stream to end");
  EXPECT_EQ(two_.heard.total(), heard);
}

TEST_F(TcpTransportTest, AnotherClusterIsTurnedAway) {
  two_.Start({{ReplicaId(1), one_.address()}}, "other");
  one_.Start({{ReplicaId(2), two_.address()}});
  AwaitThat([&] { return one_.heard.Count("down 2/0") > 0; }, "the end of the stream");
  EXPECT_EQ(one_.heard.Count("up 2/0"), 0u);
}

TEST_F(TcpTransportTest, AnAddressThatAnotherReplicaAnswersIsNotUp) {
  two_.Start({});
  one_.Start({{ReplicaId(3), two_.address()}});
  AwaitThat([&] { return one_.heard.Count("down 3/0") > 0; }, "the end of the stream");
  EXPECT_EQ(one_.heard.Count("up 3/0"), 0u);
}

TEST_F(TcpTransportTest, APeerThatDoesNotReadCostsBoundedMemory) {
  // Accepted by the kernel, answered by nobody: nothing may be queued for it.
  one_.Start({{ReplicaId(2), two_.address()}});
  for (int i = 0; i < 1000; ++i) {
    one_.transport->Send(ReplicaId(2), Channel::kAppend, Message("x", {std::string(1 << 20, 'x')}));
  }
  EXPECT_EQ(one_.heard.Count("up 2/1"), 0u);
}

// Whatever a stranger sends, its connection ends and nobody hears of it.
class Stranger : public RawHandler {
 public:
  explicit Stranger(std::atomic<int>* closed) : closed_(closed) {}
  size_t OnData(absl::string_view bytes) override { return bytes.size(); }
  void OnClosed() override { ++*closed_; }

 private:
  std::atomic<int>* const closed_;
};

TEST_F(TcpTransportTest, StrangersAreCutOff) {
  two_.Start({});
  std::string wrong_version = "TOTORA-RAFT/9\n";
  std::string no_hello = "TOTORA-RAFT/1\n";
  AppendBytes(&no_hello, "\0garbage");
  std::string huge = "TOTORA-RAFT/1\n";
  AppendU32(&huge, 1 << 30);
  std::string other_group = "TOTORA-RAFT/1\n";
  Hello hello = HelloOf(1);
  hello.group = GroupId(9);
  AppendBytes(&other_group, std::string(1, '\0') + EncodeHello(hello));
  std::string no_channel = "TOTORA-RAFT/1\n";
  AppendBytes(&no_channel, "\x07" + EncodeHello(HelloOf(1)));
  std::vector<std::string> attacks = {wrong_version, no_hello,   huge,
                                      other_group,   no_channel, std::string(100, '\0')};
  // Every flip of one byte of a good hello's length, channel and version.
  std::string good = "TOTORA-RAFT/1\n";
  AppendBytes(&good, std::string(1, '\0') + EncodeHello(HelloOf(1)));
  for (size_t at = 0; at < 20; ++at) {
    if (at == 16 || at == 17) continue;  // A longer hello is waited for, 10 s.
    attacks.push_back(good);
    attacks.back()[at] = static_cast<char>(attacks.back()[at] ^ 0x80);
  }

  std::atomic<int> closed{0};
  EventLoop loop("stranger");
  const auto budget = std::make_shared<NetBudget>();
  for (const std::string& attack : attacks) {
    RawProtocol protocol;
    protocol.factory = [&](const RawConnectionPtr& connection) {
      connection->Write(attack);
      return std::make_unique<Stranger>(&closed);
    };
    DialRaw(&loop, budget, {.address = two_.address()}, protocol, [](DialFailure) {});
  }
  AwaitThat([&] { return closed == static_cast<int>(attacks.size()); },
            absl::StrCat(attacks.size(), " connections to end"));
  EXPECT_EQ(two_.heard.total(), 0u);
  loop.Stop();
}

}  // namespace
}  // namespace totora::raft
