#include "broker/remoting_api/clients.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "remoting/bodies/client.h"
#include "remoting/bodies/route.h"
#include "remoting/header/client.h"
#include "remoting/header/nameserver.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

using Ids = std::vector<std::string>;

class ClientsTest : public RemotingApiTest {
 protected:
  Ids Members(Peer* from, const std::string& group = "g") {
    const Command answer =
        Ask(from, RequestCode::kGetConsumerListByGroup, remoting::ConsumerGroupRequest{group});
    if (answer.code != 0) return {std::to_string(answer.code)};
    const auto body = remoting::DecodeBody<remoting::ConsumerListBody>(answer.body.view());
    EXPECT_TRUE(body.ok()) << body.status();
    return body->consumer_ids;
  }

  // Consumer groups that a client was told to look at.
  Ids Notices(Peer* at) {
    executor_.Advance(absl::Milliseconds(50));
    Ids groups;
    for (const Command& command : at->Received()) {
      EXPECT_EQ(command.code, 40);
      EXPECT_TRUE(command.is_oneway());
      groups.push_back(Field(command, "consumerGroup"));
    }
    return groups;
  }
};

TEST_F(ClientsTest, AHeartbeatMakesAMemberItsGroupAndItsRetryTopic) {
  const Command answer = Heartbeat(peer(), "c1");

  EXPECT_EQ(answer.code, 0) << answer.remark;
  EXPECT_EQ(Field(answer, "IS_SUPPORT_HEART_BEAT_V2"), "true");
  EXPECT_EQ(Field(answer, "IS_SUB_CHANGE"), "false");
  EXPECT_EQ(answer.version, 479);
  EXPECT_TRUE(broker_.state()->FindConsumerGroup("g").has_value());
  const auto retry = broker_.state()->FindTopic("%RETRY%g");
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->read_queues, 1u);
  EXPECT_EQ(retry->permission, 6u);
  EXPECT_EQ(Members(peer()), Ids{"c1"});
}

// As Go writes it: codes as text, null sets, no members that Java 5 added.
TEST_F(ClientsTest, AHeartbeatOfGoIsUnderstood) {
  const Command answer =
      Ask(peer(), RequestCode::kHeartbeat, remoting::FieldBuffer(),
          R"({"clientID":"10.0.0.9@7","producerDataSet":[{"groupName":"pg"}],)"
          R"("consumerDataSet":[{"groupName":"g","consumeType":"CONSUME_PASSIVELY",)"
          R"("messageModel":"CLUSTERING","consumeFromWhere":"UNKNOWN",)"
          R"("subscriptionDataSet":[{"classFilterMode":false,"topic":"t",)"
          R"("subString":"*","tagsSet":null,"codeSet":["2598919"],)"
          R"("subVersion":1763746500123456789,"expressionType":"TAG"}],)"
          R"("unitMode":false}]})");

  EXPECT_EQ(answer.code, 0) << answer.remark;
  const auto* session = broker_.service()->sessions().Find("10.0.0.9@7");
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->producer_groups, Ids{"pg"});
  ASSERT_EQ(session->memberships.size(), 1u);
  EXPECT_EQ(session->memberships[0].model, service::MessageModel::kClustering);
  EXPECT_EQ(session->memberships[0].subscriptions[0].version, 1'763'746'500'123'456'789);
  EXPECT_EQ(session->address, "10.0.0.9:5555");
}

TEST_F(ClientsTest, OthersAreToldOfComingAndGoing) {
  Heartbeat(peer(), "c1");
  EXPECT_EQ(Notices(peer()), Ids{"g"});
  Peer* const second = Connect();
  Heartbeat(second, "c2");
  EXPECT_EQ(Notices(peer()), Ids{"g"});
  EXPECT_EQ(Members(peer()), (Ids{"c1", "c2"}));
  Heartbeat(second, "c2");
  EXPECT_EQ(Notices(peer()), Ids());

  second->Disconnect();
  EXPECT_EQ(Notices(peer()), Ids{"g"});
  EXPECT_EQ(Members(peer()), Ids{"c1"});
}

TEST_F(ClientsTest, UnregisterTakesEffectAtOnce) {
  Heartbeat(peer(), "c1");
  Peer* const second = Connect();
  Heartbeat(second, "c2");
  Notices(peer());

  remoting::UnregisterClientRequest header;
  header.client_id = "c2";
  header.consumer_group = "g";
  EXPECT_EQ(Ask(second, RequestCode::kUnregisterClient, header).code, 0);

  EXPECT_EQ(Notices(peer()), Ids{"g"});
  EXPECT_EQ(Members(peer()), Ids{"c1"});
}

// Whoever takes its queues over asks for the offsets at once, at any replica.
TEST_F(ClientsTest, WhoLeavesIsGoneOnlyWhenItsOffsetsAreStored) {
  Heartbeat(peer(), "c1");
  Peer* const second = Connect();
  Heartbeat(second, "c2");
  Notices(peer());
  broker_.log()->SetLeader(false);
  for (int32_t queue_id = 0; queue_id < 4; ++queue_id) {
    remoting::FieldBuffer fields;
    remoting::WriteFields(remoting::UpdateConsumerOffsetRequest{"g", "t", queue_id, 7}, &fields);
    Start(second, RequestCode::kUpdateConsumerOffset, fields, "", remoting::kFlagOneway);
  }
  second->Disconnect();
  EXPECT_EQ(Notices(peer()), Ids());

  broker_.log()->SetLeader(true);
  EXPECT_EQ(Notices(peer()), Ids{"g"});
  EXPECT_EQ(broker_.state()->ConsumerOffset("g", "t", 3), QueueOffset(7));
}

// Go drops its queues on any answer that does not name it.
TEST_F(ClientsTest, AfterAStartAnEmptyListWaitsForTheFirstHeartbeat) {
  Start(peer(), RequestCode::kGetConsumerListByGroup, [] {
    remoting::FieldBuffer fields;
    fields.Add("consumerGroup", "g");
    return fields;
  }());
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(AnswerAt(peer()).code, -1);

  Heartbeat(Connect(), "c1");
  executor_.Advance(absl::Milliseconds(300));

  EXPECT_EQ(AnswerAt(peer()).code, 0);
}

TEST_F(ClientsTest, LaterAnEmptyListIsToldAtOnce) {
  executor_.Advance(absl::Seconds(41));
  EXPECT_EQ(Members(peer()), Ids{"1"});
}

TEST_F(ClientsTest, WhomThisReplicaSendsAwayIsStillAMember) {
  Heartbeat(peer(), "c1");
  Peer* const second = Connect();
  Heartbeat(second, "c2");
  Notices(peer());

  second->handler->OnDrain();
  second->Disconnect();
  executor_.Run();

  EXPECT_EQ(Notices(peer()), Ids());
  EXPECT_EQ(Members(peer()), (Ids{"c1", "c2"}));
}

// --- Members that come back without a word ---------------------------------------------

// Go heartbeats again after half a minute at the soonest.
TEST_F(ClientsTest, AMemberThatComesBackIsRecognizedByItsPull) {
  Heartbeat(peer(), "c1");
  Peer* const lost = Connect();
  Heartbeat(lost, "c2");
  lost->Disconnect();
  ASSERT_EQ(Members(peer()), Ids{"c1"});
  Notices(peer());

  Peer* const back = Connect();
  StartPull(back, PullHeader(0));

  EXPECT_EQ(Notices(peer()), Ids{"g"});
  EXPECT_EQ(Members(peer()), (Ids{"c1", "c2"}));
  EXPECT_EQ(AnswerAt(back).code, -1);  // The pull waits: the subscription is known again.

  back->Disconnect();
  EXPECT_EQ(Members(peer()), Ids{"c1"});
}

TEST_F(ClientsTest, AMemberThatComesBackIsInTheListThatItAsksFor) {
  Heartbeat(peer(), "c1");
  peer()->Disconnect();
  EXPECT_EQ(Members(Connect()), Ids{"c1"});
}

TEST_F(ClientsTest, AMemberWhoseReplicaVanishedIsCountedWhereItPulls) {
  service::ClientSession session;
  session.client_id = "c1";
  const remoting::Head head;  // As peers write it.
  session.language = std::string(remoting::LanguageName(head.language));
  session.version = head.version;
  session.address = "10.0.0.9:1";
  session.consumer_groups = {"g"};
  session.memberships = {{"g",
                          service::MessageModel::kClustering,
                          service::ConsumeType::kPush,
                          service::ConsumeFrom::kFirstOffset,
                          {{"t", "*", false, 1}}}};
  service::Sessions& sessions = broker_.service()->sessions();
  sessions.PeerMessage(ReplicaId(2), std::string("\2\1", 2) + service::EncodeSession(session));
  sessions.PeerDown(ReplicaId(2));

  StartPull(peer(), PullHeader(0));
  executor_.Advance(2 * service::Sessions::kVanishedGrace);

  EXPECT_NE(sessions.Find("c1"), nullptr);
  peer()->Disconnect();
  executor_.Run();
  EXPECT_EQ(sessions.Find("c1"), nullptr);
}

TEST_F(ClientsTest, NobodyIsTakenForOneOfTwoOrForSomebodyOfLongAgo) {
  Peer* const first = Connect();
  Peer* const second = Connect();
  Heartbeat(first, "c1");
  Heartbeat(second, "c2");
  first->Disconnect();
  second->Disconnect();
  Pull(Connect(), PullHeader(0));
  EXPECT_EQ(broker_.service()->sessions().size(), 0u);

  Peer* const third = Connect();
  Heartbeat(third, "c3");
  third->Disconnect();
  executor_.Advance(service::Sessions::kVanishedGrace + absl::Seconds(1));
  Pull(Connect(), PullHeader(0));
  EXPECT_EQ(broker_.service()->sessions().size(), 0u);
}

TEST_F(ClientsTest, WhoSaidGoodbyeDoesNotComeBack) {
  Heartbeat(peer(), "c1");
  remoting::UnregisterClientRequest header;
  header.client_id = "c1";
  header.consumer_group = "g";
  Ask(peer(), RequestCode::kUnregisterClient, header);
  peer()->Disconnect();

  Pull(Connect(), PullHeader(0));

  EXPECT_EQ(broker_.service()->sessions().size(), 0u);
}

TEST_F(ClientsTest, AHeartbeatEndsAMistake) {
  Heartbeat(peer(), "dead");
  peer()->Disconnect();
  Peer* const other = Connect();
  ASSERT_EQ(Members(other), Ids{"dead"});

  Heartbeat(other, "c1");

  EXPECT_EQ(Members(other), Ids{"c1"});
}

TEST_F(ClientsTest, AHeartbeatWithoutSubscriptionsRefreshesOrAsksForAll) {
  const std::string refresh = R"({"clientID":"c1","heartbeatFingerprint":5,"withoutSub":true})";
  const auto ask = [&] {
    return Field(Ask(peer(), RequestCode::kHeartbeat, remoting::FieldBuffer(), refresh),
                 "IS_SUB_CHANGE");
  };
  EXPECT_EQ(ask(), "true");

  remoting::HeartbeatData whole;
  whole.client_id = "c1";
  whole.heartbeat_fingerprint = 5;
  whole.producers = {{"pg"}};
  Ask(peer(), RequestCode::kHeartbeat, remoting::FieldBuffer(), remoting::EncodeBody(whole));
  EXPECT_EQ(ask(), "false");
  whole.heartbeat_fingerprint = 6;
  Ask(peer(), RequestCode::kHeartbeat, remoting::FieldBuffer(), remoting::EncodeBody(whole));
  EXPECT_EQ(ask(), "true");
}

TEST_F(ClientsTest, HostileHeartbeatsAreRefused) {
  for (const std::string& body :
       {std::string(""), std::string("{"), std::string("[]"), std::string("{}"),
        std::string(R"({"clientID":""})"),
        absl::StrCat(R"({"clientID":")", std::string(256, 'x'), R"("})")}) {
    EXPECT_NE(Ask(peer(), RequestCode::kHeartbeat, remoting::FieldBuffer(), body).code, 0) << body;
  }
  for (int i = 0; i < 256; ++i) {
    ASSERT_EQ(Heartbeat(peer(), absl::StrCat("c", i)).code, 0);
  }
  EXPECT_EQ(Heartbeat(peer(), "one too many").code, 2);
}

TEST_F(ClientsTest, AHeartbeatIsAnsweredWithoutALeaderToo) {
  broker_.log()->SetLeader(false);
  Start(peer(), RequestCode::kHeartbeat, {}, HeartbeatBody("c1"));
  executor_.Advance(absl::Milliseconds(2500));
  EXPECT_EQ(AnswerAt(peer()).code, 0);
  EXPECT_EQ(Members(peer()), Ids{"c1"});
}

// --- Routes -------------------------------------------------------------------------

TEST_F(ClientsTest, ARouteNamesTheGroupAsIdZeroInCompactJson) {
  const Command answer =
      Ask(peer(), RequestCode::kGetRouteInfoByTopic, remoting::GetRouteInfoRequest{"t"});

  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.body.view(),
            R"({"brokerDatas":[{"brokerAddrs":{"0":"127.0.0.1:8081"},"brokerName":"broker-a",)"
            R"("cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},)"
            R"("queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,)"
            R"("topicSysFlag":0,"writeQueueNums":4}]})");
}

TEST_F(ClientsTest, AnUnknownTopicHasNoRoute) {
  EXPECT_EQ(Ask(peer(), RequestCode::kGetRouteInfoByTopic, remoting::GetRouteInfoRequest{"x"}).code,
            17);
}

TEST_F(ClientsTest, CodesOfLaterReleasesAreRefused) {
  const Command answer = Ask(peer(), static_cast<RequestCode>(4711));
  EXPECT_EQ(answer.code, 3);
  EXPECT_FALSE(answer.remark.empty());
}

}  // namespace
}  // namespace totora::remoting_api
