#include "net/dialer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "net/listener.h"
#include "net/test_server.h"

namespace totora::net {
namespace {

// Collects what comes, consumes everything.
class Collector : public RawHandler {
 public:
  Collector(RawConnectionPtr connection, Inbox<std::string>* received, Inbox<bool>* closed)
      : connection_(std::move(connection)), received_(received), closed_(closed) {}
  size_t OnData(absl::string_view bytes) override {
    if (!bytes.empty()) received_->Put(std::string(bytes));
    return bytes.size();
  }
  void OnClosed() override { closed_->Put(true); }

 private:
  const RawConnectionPtr connection_;
  Inbox<std::string>* const received_;
  Inbox<bool>* const closed_;
};

class Dialler : public testing::Test {
 protected:
  RawProtocol Collecting() {
    RawProtocol protocol;
    protocol.factory = [this](RawConnectionPtr connection) {
      connections_.Put(connection);
      return std::make_unique<Collector>(std::move(connection), &received_, &closed_);
    };
    return protocol;
  }
  void Dial(const std::string& address, absl::Duration timeout = absl::Seconds(20)) {
    DialRaw(loops_.loop(0), budget_, {.address = address, .timeout = timeout}, Collecting(),
            [this](DialFailure failure) { failures_.Put(std::move(failure)); });
  }

  Inbox<RawConnectionPtr> connections_;
  Inbox<std::string> received_;
  Inbox<bool> closed_;
  Inbox<DialFailure> failures_;
  std::shared_ptr<NetBudget> budget_ = std::make_shared<NetBudget>();
  EventLoopPool loops_{"net-test", 1};
};

// The far end of what a Dialler opened: echoes.
class Echo : public RawHandler {
 public:
  explicit Echo(RawConnectionPtr connection) : connection_(std::move(connection)) {}
  size_t OnData(absl::string_view bytes) override {
    connection_->Write(std::string(bytes));
    return bytes.size();
  }

 private:
  const RawConnectionPtr connection_;
};

std::unique_ptr<Listener> EchoListener(EventLoopPool* loops) {
  auto listener = *Listener::Open({.address = "127.0.0.1:0", .tag = "echo"});
  ListenerProtocols protocols;
  protocols.raw.factory = [](RawConnectionPtr connection) {
    return std::make_unique<Echo>(std::move(connection));
  };
  listener->Start(loops, std::make_shared<NetBudget>(), std::move(protocols));
  return listener;
}

TEST_F(Dialler, SpeaksWithAListenerByNumberAndByName) {
  const std::unique_ptr<Listener> listener = EchoListener(&loops_);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const size_t before = connections_.size();
    const size_t heard = received_.size();
    Dial(absl::StrCat(host, ":", listener->port()));
    connections_.Await(before + 1, "connection");

    connections_.At(before)->Write(absl::StrCat("hello ", host));

    received_.Await(heard + 1, "echo");
    EXPECT_EQ(received_.At(heard), absl::StrCat("hello ", host));
  }
  EXPECT_EQ(failures_.size(), 0u);
  EXPECT_EQ(budget_->counters().connections, 2);
  listener->Stop();
  closed_.Await(2, "both ends to close");
  EXPECT_EQ(budget_->counters().connections, 0);
}

TEST_F(Dialler, APortWhereNobodyListensIsRefused) {
  int port;
  {
    const std::unique_ptr<Listener> gone = *Listener::Open({.address = "127.0.0.1:0"});
    port = gone->port();
  }
  Dial(absl::StrCat("127.0.0.1:", port));
  failures_.Await(1, "failure");
  EXPECT_TRUE(failures_.At(0).is_refused);
  EXPECT_EQ(failures_.At(0).status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(connections_.size(), 0u);
}

TEST_F(Dialler, ANameThatDoesNotExistIsNoRefusal) {
  Dial("no-such-host.invalid:1");
  failures_.Await(1, "failure");
  EXPECT_FALSE(failures_.At(0).is_refused);
}

TEST_F(Dialler, AnAddressThatIsNoneIsNamed) {
  Dial("nonsense");
  failures_.Await(1, "failure");
  EXPECT_EQ(failures_.At(0).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Dialler, GivesUpWhenNobodyAnswersInTime) {
  // A listener with a full queue: the kernel drops further handshakes.
  const std::unique_ptr<Listener> listener =
      *Listener::Open({.address = "127.0.0.1:0", .backlog = 0});
  for (int i = 0; i < 8; ++i) {
    Dial(absl::StrCat("127.0.0.1:", listener->port()), absl::Milliseconds(200));
  }
  failures_.Await(1, "a dial that was not answered");
  EXPECT_FALSE(failures_.At(0).is_refused);
}

TEST_F(Dialler, ALoopThatEndsTakesAPendingDialAlong) {
  const std::unique_ptr<Listener> listener =
      *Listener::Open({.address = "127.0.0.1:0", .backlog = 0});
  auto witness = std::make_shared<int>(0);
  RawProtocol refusing;  // Whoever keeps a connection keeps its loop and all that is pending there.
  refusing.factory = [](RawConnectionPtr) { return nullptr; };
  {
    EventLoop loop("net-test");
    for (int i = 0; i < 8; ++i) {
      DialRaw(&loop, budget_, {.address = listener->address()}, refusing,
              [witness](DialFailure) {});
    }
    loop.Stop();
  }
  EXPECT_EQ(witness.use_count(), 1);
}

}  // namespace
}  // namespace totora::net
