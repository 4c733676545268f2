#include "broker/service/sessions.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/service/direct_log.h"
#include "broker/service/refusal.h"
#include "common/manual_executor.h"

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

ClientSession Classic(const std::string& id, const std::string& topic = "t") {
  ClientSession session;
  session.client_id = id;
  session.language = "GO";
  session.consumer_groups = {"g"};
  session.producer_groups = {"pg"};
  session.memberships = {{"g",
                          MessageModel::kClustering,
                          ConsumeType::kPush,
                          ConsumeFrom::kTimestamp,
                          {{topic, "a || b", false, 1'700'000'000'000'000'000}}}};
  session.address = "10.0.0.9:5555";
  session.version = 317;
  session.fingerprint = -5;
  return session;
}

// Two replicas: what one tells its peers the other one hears.
class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() {
    here_log_.SetPeers({ReplicaId(2)});
    here_log_.on_send_to_peer = [this](ReplicaId, std::string bytes) {
      if (is_connected_) there_.PeerMessage(ReplicaId(2), bytes);
    };
    // Both call themselves 1; what comes back is of the other one.
    there_log_.SetPeers({ReplicaId(2)});
    there_log_.on_send_to_peer = [this](ReplicaId, std::string bytes) {
      if (is_connected_) here_.PeerMessage(ReplicaId(2), bytes);
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
  Sessions here_{&here_log_, &executor_,
                 [this](const std::string& group) { changed_here_.push_back(group); }};
  Sessions there_{&there_log_, &executor_,
                  [this](const std::string& group) { changed_there_.push_back(group); }};
  std::vector<std::string> changed_here_;
  std::vector<std::string> changed_there_;
  bool is_connected_ = true;
};

TEST_F(SessionsTest, ASessionComesBackAsItWentOut) {
  const absl::StatusOr<ClientSession> session = DecodeSession(EncodeSession(Consumer("c")));

  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(*session, Consumer("c"));
  EXPECT_EQ(*DecodeSession(EncodeSession(Classic("c"))), Classic("c"));
}

TEST_F(SessionsTest, EveryShorterSessionIsRefused) {
  for (const std::string& bytes : {EncodeSession(Consumer("c")), EncodeSession(Classic("c"))}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(DecodeSession(absl::string_view(bytes).substr(0, size)).ok()) << size;
    }
  }
}

// --- Classic clients: connections and memberships -----------------------------------

using Groups = std::vector<std::string>;

TEST_F(SessionsTest, MembersChangeWithClientsAndTheirTopicsOnly) {
  ASSERT_TRUE(here_.Put(Classic("c")).ok());
  EXPECT_EQ(std::exchange(changed_here_, {}), Groups{"g"});
  EXPECT_EQ(std::exchange(changed_there_, {}), Groups{"g"});

  ClientSession other_expression = Classic("c");
  other_expression.memberships[0].subscriptions[0].expression = "*";
  ASSERT_TRUE(here_.Put(other_expression).ok());
  ASSERT_TRUE(here_.Put(other_expression).ok());
  EXPECT_EQ(changed_here_, Groups());

  ASSERT_TRUE(here_.Put(Classic("c", "u")).ok());
  EXPECT_EQ(std::exchange(changed_there_, {}), Groups{"g"});
  here_.Remove("c");
  EXPECT_EQ(std::exchange(changed_there_, {}), Groups{"g"});
  EXPECT_EQ(there_.MembersOf("g"), Groups());
}

// The client that was connected to a replica that went speaks again in 30 s, and
// to whomever it connects meanwhile: a replica that has just started is told of it.
TEST_F(SessionsTest, AReplicaThatComesBackHearsOfClientsThatAreConnectedNowhere) {
  ASSERT_TRUE(there_.Put(Classic("c")).ok());
  is_connected_ = false;
  here_.PeerDown(ReplicaId(2));
  Pass(absl::Seconds(10));
  DirectLog started_log{nullptr, &executor_};
  started_log.SetPeers({ReplicaId(2)});
  Sessions started{&started_log, &executor_};
  here_log_.on_send_to_peer = [&started](ReplicaId, std::string bytes) {
    started.PeerMessage(ReplicaId(2), bytes);
  };
  EXPECT_FALSE(started.HasHeardAll());

  here_.PeerUp(ReplicaId(3));

  EXPECT_TRUE(started.HasHeardAll());
  EXPECT_EQ(started.MembersOf("g"), Groups{"c"});
  // No longer than it is kept where it was known.
  executor_.Advance(absl::Seconds(29));
  started.Tick(executor_.now());
  EXPECT_EQ(started.MembersOf("g"), Groups{"c"});
  executor_.Advance(absl::Seconds(6));
  started.Tick(executor_.now());
  EXPECT_EQ(started.MembersOf("g"), Groups());
}

TEST_F(SessionsTest, WhoeverKnowsAClientsConnectionIsBelievedMoreThanWhoeverRemembersIt) {
  ASSERT_TRUE(there_.Put(Classic("c")).ok());
  is_connected_ = false;
  here_.PeerDown(ReplicaId(2));
  DirectLog other_log{nullptr, &executor_};
  Sessions other{&other_log, &executor_};
  ASSERT_TRUE(other.Put(Classic("c")).ok());
  other.SetConnections("c", 1);
  here_log_.on_send_to_peer = [&other](ReplicaId, std::string bytes) {
    other.PeerMessage(ReplicaId(2), bytes);
  };

  here_.PeerUp(ReplicaId(3));
  executor_.Advance(absl::Seconds(60));
  other.Tick(executor_.now());

  EXPECT_EQ(other.MembersOf("g"), Groups{"c"});
}

// It told one of them of its new client, then it died.
TEST_F(SessionsTest, ReplicasThatLoseAThirdTellEachOtherOfItsClients) {
  const ReplicaId vanished(2), survivor(3);
  DirectLog other_log{nullptr, &executor_};
  Sessions other{&other_log, &executor_};
  std::vector<ReplicaId> told;
  here_log_.SetPeers({vanished, survivor});
  here_log_.on_send_to_peer = [&](ReplicaId to, std::string bytes) {
    told.push_back(to);
    if (to == survivor) other.PeerMessage(ReplicaId(1), bytes);
  };
  ASSERT_TRUE(there_.Put(Classic("c")).ok());
  ASSERT_TRUE(here_.Put(Classic("of here")).ok());
  other_log.on_send_to_peer = [this, survivor](ReplicaId, std::string bytes) {
    here_.PeerMessage(survivor, bytes);
  };
  other_log.SetPeers({ReplicaId(1)});
  ASSERT_TRUE(other.Put(Classic("of the survivor")).ok());
  ASSERT_EQ(other.MembersOf("g"), (Groups{"of here", "of the survivor"}));
  told.clear();

  here_.PeerDown(vanished);

  EXPECT_EQ(other.MembersOf("g"), (Groups{"c", "of here", "of the survivor"}));
  EXPECT_EQ(told, std::vector<ReplicaId>{survivor});  // Of one client, and not whom it concerns.
  executor_.Advance(Sessions::kVanishedGrace + Sessions::kShareInterval);
  other.Tick(executor_.now());
  EXPECT_EQ(other.MembersOf("g"), (Groups{"of here", "of the survivor"}));
}

// A goodbye was lost with the stream that carried it.
TEST_F(SessionsTest, WhatAPeerDoesNotSayAgainIsKeptAsOfAPeerThatVanished) {
  ASSERT_TRUE(there_.Put(Classic("c")).ok());
  ASSERT_TRUE(there_.Put(Classic("d")).ok());
  is_connected_ = false;
  there_.Remove("c");
  is_connected_ = true;

  there_.PeerUp(ReplicaId(2));

  EXPECT_EQ(here_.MembersOf("g"), (Groups{"c", "d"}));
  Pass(Sessions::kVanishedGrace + Sessions::kShareInterval);
  EXPECT_EQ(here_.MembersOf("g"), Groups{"d"});
}

TEST_F(SessionsTest, NobodyIsToldOfThoseWhoBroadcast) {
  ClientSession broadcaster = Classic("c");
  broadcaster.memberships[0].model = MessageModel::kBroadcasting;
  ASSERT_TRUE(here_.Put(broadcaster).ok());
  here_.Remove("c");
  EXPECT_EQ(changed_here_, Groups());
}

TEST_F(SessionsTest, MembersAreClassicClientsInOrder) {
  for (const char* id : {"c", "a", "b"}) ASSERT_TRUE(here_.Put(Classic(id)).ok());
  ASSERT_TRUE(here_.Put(Consumer("v2")).ok());

  EXPECT_EQ(there_.MembersOf("g"), (Groups{"a", "b", "c"}));
  EXPECT_EQ(there_.OfConsumerGroup("g").size(), 4u);
  EXPECT_EQ(there_.MembersOf("h"), Groups());
}

TEST_F(SessionsTest, AClosedConnectionEndsTheSessionWhereverItIsKnown) {
  ASSERT_TRUE(here_.Put(Classic("c")).ok());
  here_.SetConnections("c", 2);

  here_.SetConnections("c", 1);
  EXPECT_NE(there_.Find("c"), nullptr);
  here_.SetConnections("c", 0);

  EXPECT_EQ(here_.Find("c"), nullptr);
  EXPECT_EQ(there_.Find("c"), nullptr);
  EXPECT_EQ(changed_there_, (Groups{"g", "g"}));
}

TEST_F(SessionsTest, AClientThatIsConnectedElsewhereStaysAMember) {
  ASSERT_TRUE(there_.Put(Classic("c")).ok());
  there_.SetConnections("c", 1);
  ASSERT_TRUE(here_.Put(Classic("c")).ok());
  here_.SetConnections("c", 1);
  changed_there_.clear();

  here_.SetConnections("c", 0);
  Pass(absl::Seconds(60));

  EXPECT_EQ(there_.MembersOf("g"), Groups{"c"});
  EXPECT_EQ(changed_there_, Groups());
}

TEST_F(SessionsTest, WhomAReplicaSendsAwayStaysForAWhile) {
  ASSERT_TRUE(here_.Put(Classic("c")).ok());
  here_.SetConnections("c", 1);
  here_.SetConnections("c", 0, Sessions::ClosedBy::kReplica);

  Pass(Sessions::kVanishedGrace - absl::Seconds(2));
  EXPECT_EQ(here_.MembersOf("g"), Groups{"c"});
  EXPECT_EQ(there_.MembersOf("g"), Groups{"c"});
  Pass(absl::Seconds(10));
  EXPECT_EQ(here_.MembersOf("g"), Groups());
  EXPECT_EQ(there_.MembersOf("g"), Groups());
}

TEST_F(SessionsTest, AnOpenConnectionIsASignOfLife) {
  ASSERT_TRUE(here_.Put(Classic("c")).ok());
  here_.SetConnections("c", 1);
  Pass(Sessions::kSilence * 3);
  EXPECT_NE(here_.Find("c"), nullptr);
  EXPECT_NE(there_.Find("c"), nullptr);
}

TEST_F(SessionsTest, LeavingTheLastGroupEndsTheSession) {
  ASSERT_TRUE(here_.Put(Classic("c")).ok());
  here_.Leave("c", "", "g");
  EXPECT_EQ(there_.MembersOf("g"), Groups());
  ASSERT_NE(there_.Find("c"), nullptr);
  EXPECT_EQ(there_.Find("c")->producer_groups, Groups{"pg"});

  here_.Leave("c", "pg", "");
  EXPECT_EQ(there_.Find("c"), nullptr);
}

TEST_F(SessionsTest, AClientsOwnSubscriptionCountsThenTheNewest) {
  ASSERT_TRUE(here_.Put(Classic("old")).ok());
  ClientSession changed = Classic("new");
  changed.memberships[0].subscriptions[0].expression = "c";
  changed.memberships[0].subscriptions[0].version += 1;
  ASSERT_TRUE(here_.Put(changed).ok());

  EXPECT_EQ(here_.FindSubscription("g", "t", {"x", "old"})->expression, "a || b");
  EXPECT_EQ(here_.FindSubscription("g", "t", {})->expression, "c");
  EXPECT_EQ(there_.FindSubscription("g", "t", {"x"})->expression, "c");
  EXPECT_EQ(here_.FindSubscription("g", "u", {"old"}), nullptr);
  EXPECT_EQ(here_.FindSubscription("h", "t", {"old"}), nullptr);
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
  there_.PeerDown(ReplicaId(2));

  Pass(Sessions::kVanishedGrace - absl::Seconds(2));
  EXPECT_NE(there_.Find("c"), nullptr);
  Pass(absl::Seconds(10));
  EXPECT_EQ(there_.Find("c"), nullptr);
}

TEST_F(SessionsTest, AClientThatCameOverStays) {
  ASSERT_TRUE(here_.Put(Consumer("c")).ok());
  is_connected_ = false;
  there_.PeerDown(ReplicaId(2));

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

  for (const char* bytes : {"", "\2", "\2\1", "\2\1garbage", "\2\2\xff\xff\xff\xff", "\2\3\0\0",
                            "\3\2", "\1\2", "\2\7", "\2\4\xff"}) {
    there_.PeerMessage(ReplicaId(2), bytes);
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
