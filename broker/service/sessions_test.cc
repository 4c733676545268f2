#include "broker/service/sessions.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "broker/service/direct_log.h"
#include "broker/service/manual_executor.h"
#include "broker/service/refusal.h"

namespace totora::service {
namespace {

ClientSession Consumer(const std::string& id) {
  ClientSession session;
  session.client_id = id;
  session.kind = ClientKind::kPushConsumer;
  session.language = "JAVA";
  session.consumer_groups = {"g"};
  session.published_topics = {"p"};
  session.subscriptions = {{"t", "a || b", false}};
  session.settings = std::string("\0\1", 2);
  return session;
}

// Two replicas: what one tells its peers the other one hears.
class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() {
    here_log_.SetPeers({ReplicaId(2)});
    here_log_.on_send_to_peer = [this](ReplicaId, std::string bytes) {
      if (is_connected_) there_.PeerMessage(ReplicaId(1), bytes);
    };
  }
  void Pass(absl::Duration time) {
    for (absl::Duration at = absl::ZeroDuration(); at < time; at += absl::Seconds(1)) {
      executor_.Advance(absl::Seconds(1));
      here_.Tick(executor_.now());
      there_.Tick(executor_.now());
    }
  }

  ManualExecutor executor_;
  DirectLog here_log_{nullptr, &executor_};
  DirectLog there_log_{nullptr, &executor_};
  Sessions here_{&here_log_, &executor_};
  Sessions there_{&there_log_, &executor_};
  bool is_connected_ = true;
};

TEST_F(SessionsTest, ASessionComesBackAsItWentOut) {
  const absl::StatusOr<ClientSession> session = DecodeSession(EncodeSession(Consumer("c")));

  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(*session, Consumer("c"));
}

TEST_F(SessionsTest, EveryShorterSessionIsRefused) {
  const std::string bytes = EncodeSession(Consumer("c"));

  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeSession(absl::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

TEST_F(SessionsTest, APeerKnowsAClientAtOnceAndAsLongAsItLives) {
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());
  ASSERT_NE(there_.Find("c"), nullptr);
  EXPECT_EQ(*there_.Find("c"), Consumer("c"));

  for (int i = 0; i < 30; ++i) {
    Pass(absl::Seconds(10));
    here_.Touch("c", ClientKind::kUnknown, "");
  }

  EXPECT_NE(there_.Find("c"), nullptr);
  EXPECT_TRUE(there_.WasSeenSince("c", executor_.now() - absl::Seconds(20)));
}

TEST_F(SessionsTest, ASilentClientIsForgottenUnlessItsStreamIsOpen) {
  ASSERT_TRUE(here_.Put(Consumer("silent")).ok());
  ASSERT_TRUE(here_.Put(Consumer("streaming")).ok());
  here_.StreamOpened("streaming");

  Pass(Sessions::kSilence + absl::Seconds(10));
  EXPECT_EQ(here_.Find("silent"), nullptr);
  EXPECT_NE(here_.Find("streaming"), nullptr);
  EXPECT_NE(there_.Find("streaming"), nullptr);

  here_.StreamClosed("streaming");
  Pass(Sessions::kSilence + absl::Seconds(10));
  EXPECT_EQ(here_.Find("streaming"), nullptr);
}

TEST_F(SessionsTest, AGoodbyeIsHeardEverywhereAtOnce) {
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());

  here_.Remove("c");

  EXPECT_EQ(there_.Find("c"), nullptr);
}

TEST_F(SessionsTest, ClientsOfAVanishedReplicaStayForAWhile) {
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());
  is_connected_ = false;
  there_.PeerDown(ReplicaId(1));

  Pass(Sessions::kVanishedGrace - absl::Seconds(2));
  EXPECT_NE(there_.Find("c"), nullptr);
  Pass(absl::Seconds(10));
  EXPECT_EQ(there_.Find("c"), nullptr);
}

TEST_F(SessionsTest, AClientThatCameOverStays) {
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());
  is_connected_ = false;
  there_.PeerDown(ReplicaId(1));

  there_.Touch("c", ClientKind::kUnknown, "");
  Pass(Sessions::kVanishedGrace + absl::Seconds(10));

  ASSERT_NE(there_.Find("c"), nullptr);
  EXPECT_EQ(*there_.Find("c"), Consumer("c"));  // It did not say again who it is.
}

TEST_F(SessionsTest, AReplicaThatConnectsHearsOfEverybody) {
  is_connected_ = false;
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());
  ASSERT_EQ(there_.Find("c"), nullptr);

  is_connected_ = true;
  here_.PeerUp(ReplicaId(2));

  EXPECT_NE(there_.Find("c"), nullptr);
}

TEST_F(SessionsTest, GarbageFromAPeerChangesNothing) {
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());

  for (const char* bytes :
       {"", "\1", "\1\1", "\1\1garbage", "\1\2\xff\xff\xff\xff", "\1\3\0\0", "\2\2", "\1\7"}) {
    there_.PeerMessage(ReplicaId(1), bytes);
  }

  EXPECT_EQ(there_.size(), 1u);
}

TEST_F(SessionsTest, AnUnknownClientGetsAThinSession) {
  here_.Touch("new", ClientKind::kProducer, "g");

  ASSERT_NE(here_.Find("new"), nullptr);
  EXPECT_EQ(here_.Find("new")->kind, ClientKind::kProducer);
  EXPECT_EQ(here_.OfConsumerGroup("g").size(), 1u);
}

TEST_F(SessionsTest, HugeSettingsAreRefused) {
  ClientSession session = Consumer("c");
  session.settings.resize(Sessions::kSessionBytesMax + 1);

  EXPECT_TRUE(absl::IsInvalidArgument(here_.Put(session)));
  EXPECT_EQ(here_.Find("c"), nullptr);
}

}  // namespace
}  // namespace totora::service
