#include "broker/remoting_api/offset_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "remoting/bodies/queues.h"
#include "remoting/header/client.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSuccess = 0;
constexpr int kSystemError = 1;
constexpr int kNoPermission = 16;
constexpr int kTopicNotExist = 17;
constexpr int kPullOffsetMoved = 21;
constexpr int kGroupNotExist = 26;
constexpr int kInvalidParameter = 29;

// Topic t has 4 queues, the first with 5 messages; c1 is a consumer of group g.
class OffsetAdminTest : public RemotingApiTest {
 protected:
  OffsetAdminTest() {
    for (int i = 0; i < 5; ++i) {
      Produce("t", absl::StrCat("m", i));
      executor_.Advance(absl::Seconds(1));
    }
    EXPECT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  }

  static remoting::ResetOffsetRequest ResetHeader(int64_t timestamp) {
    remoting::ResetOffsetRequest header;
    header.topic = "t";
    header.group = "g";
    header.timestamp = timestamp;
    return header;
  }
  static remoting::ResetOffsetRequest ResetTo(int64_t offset) {
    remoting::ResetOffsetRequest header = ResetHeader(0);
    header.queue_id = 0;
    header.offset = offset;
    return header;
  }
  Command Reset(const remoting::ResetOffsetRequest& header) {
    return Ask(local(), RequestCode::kInvokeBrokerToResetOffset, header);
  }
  // By queue.
  static std::map<int, int64_t> OffsetsOf(const Command& answer) {
    std::map<int, int64_t> offsets;
    const auto body = remoting::DecodeBody<remoting::ResetOffsetBody>(answer.body.view());
    EXPECT_TRUE(body.ok()) << answer.remark;
    for (const auto& [queue, offset] : body->offset_table) {
      EXPECT_EQ(queue.topic, "t");
      EXPECT_EQ(queue.broker_name, "broker-a");
      offsets[queue.queue_id] = offset;
    }
    return offsets;
  }

  // As a consumer does, one-way.
  void Report(int64_t offset) {
    remoting::FieldBuffer fields;
    remoting::WriteFields(remoting::UpdateConsumerOffsetRequest{"g", "t", 0, offset, ""}, &fields);
    Start(peer(), RequestCode::kUpdateConsumerOffset, fields, "", remoting::kFlagOneway);
  }
  int64_t Committed() {
    const Command answer = Ask(peer(), RequestCode::kQueryConsumerOffset,
                               remoting::QueryConsumerOffsetRequest{"g", "t", 0, false, ""});
    return answer.code == kSuccess ? std::stoll(Field(answer, "offset")) : -answer.code;
  }
  // A tool's, which waits for the answer.
  Command SetByTool(Peer* from, int64_t offset,
                    remoting::Language language = remoting::Language::kJava) {
    remoting::FieldBuffer fields;
    remoting::WriteFields(remoting::UpdateConsumerOffsetRequest{"g", "t", 0, offset, ""}, &fields);
    from->Send({.code = static_cast<int32_t>(RequestCode::kUpdateConsumerOffset),
                .opaque = ++opaque_,
                .language = language},
               fields, "");
    executor_.Run();
    return AnswerAt(from);
  }
};

// --- Where to --------------------------------------------------------------------------

TEST_F(OffsetAdminTest, AResetByTimeGoesToTheFirstMessageOfThatTime) {
  const auto entries = broker_.state()->Entries("t", 0, QueueOffset(0), 5);
  const Command answer = Reset(ResetHeader((*entries)[3].store_time_ms));

  ASSERT_EQ(answer.code, kSuccess) << answer.remark;
  EXPECT_EQ(OffsetsOf(answer), (std::map<int, int64_t>{{0, 3}, {1, 0}, {2, 0}, {3, 0}}));
  EXPECT_EQ(Committed(), 3);
}

TEST_F(OffsetAdminTest, MinusOneIsTheEnd) {
  EXPECT_EQ(OffsetsOf(Reset(ResetHeader(-1)))[0], 5);
  EXPECT_EQ(Committed(), 5);
}

TEST_F(OffsetAdminTest, OneQueueGoesToAnOffset) {
  EXPECT_EQ(OffsetsOf(Reset(ResetTo(2))), (std::map<int, int64_t>{{0, 2}}));
  EXPECT_EQ(Committed(), 2);
  EXPECT_EQ(OffsetsOf(Reset(ResetTo(6))), (std::map<int, int64_t>{{0, 5}}));  // One behind it.
  EXPECT_EQ(OffsetsOf(Reset(ResetTo(0))), (std::map<int, int64_t>{{0, 0}}));
}

TEST_F(OffsetAdminTest, WhatIsNotThereIsSaid) {
  remoting::ResetOffsetRequest header = ResetHeader(0);
  header.topic = "nowhere";
  EXPECT_EQ(Reset(header).code, kTopicNotExist);
  header = ResetHeader(0);
  header.group = "nobody";
  EXPECT_EQ(Reset(header).code, kGroupNotExist);
  EXPECT_EQ(Reset(ResetTo(7)).remark, "Target offset 7 not in consume queue range [0-5]");
  EXPECT_EQ(Reset(ResetTo(7)).code, kSystemError);
  EXPECT_EQ(Reset(ResetTo(-2)).code, kSystemError);
  header = ResetTo(0);
  header.queue_id = 4;
  EXPECT_EQ(Reset(header).code, kInvalidParameter);
  header.queue_id = INT32_MAX;
  EXPECT_EQ(Reset(header).code, kInvalidParameter);
  EXPECT_EQ(Ask(local(), RequestCode::kInvokeBrokerToResetOffset).code, kSystemError);
  EXPECT_EQ(Committed(), -22);
}

TEST_F(OffsetAdminTest, FromAfarNothingIsReset) {
  const Command answer = Ask(peer(), RequestCode::kInvokeBrokerToResetOffset, ResetHeader(-1));
  EXPECT_EQ(answer.code, kNoPermission);
  EXPECT_THAT(answer.remark, HasSubstr("admin.remote"));
  EXPECT_EQ(Committed(), -22);
}

// --- Consumers at work ---------------------------------------------------------------------

// Java and Go drop the queue when they are told, go on reporting where they were
// for 10 s, report the new offset, and ask again where to begin.
TEST_F(OffsetAdminTest, AConsumerAtWorkIsSentBackAndItsOldReportsCountForNothing) {
  Report(5);
  ASSERT_EQ(Committed(), 5);
  const int32_t parked = StartPull(peer(), PullHeader(5));
  ASSERT_EQ(AnswerAt(peer()).code, -1);

  ASSERT_EQ(Reset(ResetTo(1)).code, kSuccess);

  const Command told = AnswerAt(peer());
  EXPECT_EQ(told.opaque, parked);
  EXPECT_EQ(told.code, kPullOffsetMoved);
  EXPECT_EQ(Field(told, "nextBeginOffset"), "1");
  Report(5);
  EXPECT_EQ(Committed(), 1);
  Report(1);
  EXPECT_EQ(Committed(), 1);

  const Command answer = Pull(peer(), PullHeader(1));

  EXPECT_EQ(answer.code, kSuccess);
  EXPECT_THAT(BodiesOf(answer), ElementsAre("m1", "m2", "m3", "m4"));
  Report(3);
  EXPECT_EQ(Committed(), 3);
}

TEST_F(OffsetAdminTest, AConsumerThatLagsIsSentForward) {
  ASSERT_EQ(Reset(ResetHeader(-1)).code, kSuccess);
  const Command told = Pull(peer(), PullHeader(2));
  EXPECT_EQ(told.code, kPullOffsetMoved);
  EXPECT_EQ(Field(told, "nextBeginOffset"), "5");
  Report(3);  // From before.
  EXPECT_EQ(Committed(), 5);
  EXPECT_EQ(Field(Pull(peer(), PullHeader(4)), "nextBeginOffset"), "5");
  StartPull(peer(), PullHeader(5));
  Produce("t", "m5");
  EXPECT_THAT(BodiesOf(AnswerAt(peer())), ElementsAre("m5"));
}

TEST_F(OffsetAdminTest, OnlyTheGroupAndQueueThatWereResetAreTouched) {
  ASSERT_EQ(Reset(ResetTo(1)).code, kSuccess);
  remoting::PullMessageRequest other = PullHeader(3);
  Peer* const second = Connect();
  ASSERT_EQ(Heartbeat(second, "c2", "h").code, kSuccess);
  other.consumer_group = "h";
  EXPECT_EQ(Pull(second, other).code, kSuccess);
}

TEST_F(OffsetAdminTest, WhoBroadcastsHasOffsetsOfItsOwn) {
  Peer* const second = Connect();
  std::string body = HeartbeatBody("c2");
  body.replace(body.find("CLUSTERING"), 10, "BROADCASTING");
  ASSERT_EQ(Ask(second, RequestCode::kHeartbeat, remoting::FieldBuffer(), body).code, kSuccess);
  ASSERT_EQ(Reset(ResetTo(1)).code, kSuccess);
  EXPECT_THAT(BodiesOf(Pull(second, PullHeader(3))), ElementsAre("m3", "m4"));
}

TEST_F(OffsetAdminTest, AClientThatNeverGoesWhereItIsSentHasItsWayInTheEnd) {
  ASSERT_EQ(Reset(ResetTo(1)).code, kSuccess);
  EXPECT_EQ(Pull(peer(), PullHeader(3)).code, kPullOffsetMoved);
  executor_.Advance(absl::Minutes(1));
  ASSERT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  ASSERT_EQ(Ask(local(), RequestCode::kGetBrokerConfig).code, kSuccess);  // Not silent for 2 min.
  EXPECT_EQ(Pull(peer(), PullHeader(3)).code, kPullOffsetMoved);
  executor_.Advance(absl::Seconds(61));
  ASSERT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  EXPECT_EQ(Pull(peer(), PullHeader(3)).code, kSuccess);
  Report(5);
  EXPECT_EQ(Committed(), 5);

  ASSERT_EQ(Reset(ResetTo(1)).code, kSuccess);  // And is sent again by another reset.
  EXPECT_EQ(Pull(peer(), PullHeader(3)).code, kPullOffsetMoved);
}

// --- Offsets that tools write --------------------------------------------------------------

TEST_F(OffsetAdminTest, AToolOnThisMachineMayGoBackWithoutAReset) {
  Report(5);
  EXPECT_EQ(SetByTool(local(), 2).code, kSuccess);
  EXPECT_EQ(Committed(), 2);
  Report(3);
  EXPECT_EQ(Committed(), 3);
}

TEST_F(OffsetAdminTest, NobodyElseGoesBackByReporting) {
  Report(5);
  EXPECT_EQ(SetByTool(peer(), 2).code, kSuccess);  // From afar: as any report.
  EXPECT_EQ(Committed(), 5);
  // Go waits for no answer, and never says so.
  EXPECT_EQ(SetByTool(local(), 2, remoting::Language::kGo).code, kSuccess);
  EXPECT_EQ(Committed(), 5);
}

TEST_F(OffsetAdminTest, OffsetsAreCopiedToAnotherGroup) {
  Report(4);
  ASSERT_EQ(Heartbeat(Connect(), "c2", "h").code, kSuccess);
  remoting::CloneGroupOffsetRequest header;
  header.source_group = "g";
  header.target_group = "h";
  EXPECT_EQ(Ask(peer(), RequestCode::kCloneGroupOffset, header).code, kNoPermission);
  EXPECT_EQ(Ask(local(), RequestCode::kCloneGroupOffset, header).code, kSuccess);
  EXPECT_EQ(broker_.state()->ConsumerOffset("h", "t", 0), QueueOffset(4));
  header.topic = "nowhere";
  EXPECT_EQ(Ask(local(), RequestCode::kCloneGroupOffset, header).code, kTopicNotExist);
  header.topic = "t";
  header.target_group = "nobody";
  EXPECT_EQ(Ask(local(), RequestCode::kCloneGroupOffset, header).code, kGroupNotExist);
}

TEST_F(OffsetAdminTest, AllOffsetsAreListedByTopicAndGroup) {
  Report(4);
  const Command answer = Ask(peer(), RequestCode::kGetAllConsumerOffset);
  EXPECT_EQ(answer.code, kSuccess);
  EXPECT_THAT(std::string(answer.body.view()), HasSubstr(R"("offsetTable":{"t@g":{"0":4}})"));
}

// --- What consumers say themselves -----------------------------------------------------------

TEST_F(OffsetAdminTest, ConsumersAreAskedWhereTheyBelieveToBe) {
  remoting::GetConsumerStatusRequest header;
  header.topic = "t";
  header.group = "g";
  remoting::FieldBuffer fields;
  remoting::WriteFields(header, &fields);
  Start(local(), RequestCode::kInvokeBrokerToGetConsumerStatus, fields);
  const std::vector<Command> questions = peer()->Received();
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_EQ(questions[0].code, 221);
  EXPECT_EQ(Field(questions[0], "group"), "g");

  peer()->Send({.code = 0, .opaque = questions[0].opaque, .flag = remoting::kFlagResponse},
               remoting::FieldBuffer(),
               R"({"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:3}})");
  executor_.Run();

  const Command answer = AnswerAt(local());
  EXPECT_EQ(answer.code, kSuccess);
  EXPECT_EQ(answer.body.view(),
            R"({"consumerTable":{"c1":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:3}},)"
            R"("messageQueueTable":{}})");
}

// One of each: here, and known because another replica told of it.
TEST_F(OffsetAdminTest, ConsumersOfOtherReplicasAreAskedThere) {
  broker_.log()->SetPeers({ReplicaId(2)});
  service::DirectLog there_log(nullptr, &executor_);
  service::Sessions there(&there_log, &executor_);
  service::PeerCalls there_calls(&there_log, &executor_);
  there_log.SetPeers({ReplicaId(1)});
  there_log.on_send_to_peer = [this](ReplicaId, std::string bytes) {
    broker_.service()->OnPeerMessage(ReplicaId(2), Incarnation(1), bytes);
  };
  broker_.log()->on_send_to_peer = [&](ReplicaId, std::string bytes) {
    if (service::PeerCalls::IsPeerMessage(bytes)) there_calls.PeerMessage(ReplicaId(1), bytes);
  };
  int asked = 0;
  there_calls.SetHandler([&asked](const std::string& question, service::PeerCalls::Reply reply) {
    ++asked;
    EXPECT_NE(question.find("c9"), std::string::npos);
    // An answer as its replica encodes it: OK, code 0, no remark, no fields, a body.
    const std::string body =
        R"({"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:4}})";
    reply(std::string(4 + 4 + 4 + 4 + 4 + 3, '\0') + static_cast<char>(body.size()) + body);
  });
  service::ClientSession session;
  session.client_id = "c9";
  session.version = 479;
  session.consumer_groups = {"g"};
  session.memberships = {{"g", {}, {}, {}, {}}};
  ASSERT_TRUE(there.Put(session).ok());
  peer()->Received();
  remoting::GetConsumerStatusRequest header;
  header.topic = "t";
  header.group = "g";
  remoting::FieldBuffer fields;
  remoting::WriteFields(header, &fields);

  Start(local(), RequestCode::kInvokeBrokerToGetConsumerStatus, fields);
  int32_t opaque = -1;  // Of the question, among notices of the members' change.
  for (const Command& command : peer()->Received()) {
    if (command.code == 221) opaque = command.opaque;
  }
  ASSERT_GE(opaque, 0);
  EXPECT_EQ(AnswerAt(local()).code, -1) << "one has not answered yet";
  peer()->Send({.code = 0, .opaque = opaque, .flag = remoting::kFlagResponse}, {},
               R"({"messageQueueTable":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:3}})");
  executor_.Run();

  EXPECT_EQ(asked, 1);
  EXPECT_EQ(AnswerAt(local()).body.view(),
            R"({"consumerTable":{"c1":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:3},)"
            R"("c9":{{"brokerName":"broker-a","queueId":0,"topic":"t"}:4}},)"
            R"("messageQueueTable":{}})");
}

TEST_F(OffsetAdminTest, AConsumerThatSaysNothingOrNonsenseIsLeftOut) {
  remoting::GetConsumerStatusRequest header;
  header.topic = "t";
  header.group = "g";
  remoting::FieldBuffer fields;
  remoting::WriteFields(header, &fields);
  for (const bool answers : {true, false}) {
    Start(local(), RequestCode::kInvokeBrokerToGetConsumerStatus, fields);
    const std::vector<Command> questions = peer()->Received();
    ASSERT_EQ(questions.size(), 1u);
    if (answers) {
      peer()->Send({.code = 0, .opaque = questions[0].opaque, .flag = remoting::kFlagResponse},
                   remoting::FieldBuffer(), "{{{");
    }
    executor_.Advance(absl::Seconds(answers ? 0 : 10));
    EXPECT_EQ(AnswerAt(local()).body.view(), R"({"consumerTable":{},"messageQueueTable":{}})");
  }
  header.group = "nobody";
  EXPECT_EQ(Ask(local(), RequestCode::kInvokeBrokerToGetConsumerStatus, header).code, kSystemError);
}

}  // namespace
}  // namespace totora::remoting_api
