#include "broker/remoting_api/topic_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "remoting/bodies/config.h"
#include "remoting/header/admin.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

constexpr int kSuccess = 0;
constexpr int kSystemError = 1;
constexpr int kNoPermission = 16;
constexpr int kInvalidParameter = 29;

class TopicAdminTest : public RemotingApiTest {
 protected:
  explicit TopicAdminTest(const RemotingApiOptions& options = {})
      : RemotingApiTest(Options(), options) {}

  static remoting::CreateTopicRequest TopicHeader(absl::string_view topic) {
    remoting::CreateTopicRequest header;
    header.topic = topic;
    header.default_topic = "TBW102";
    header.read_queue_nums = 3;
    header.write_queue_nums = 2;
    header.perm = 6;
    header.topic_filter_type = "SINGLE_TAG";
    return header;
  }
  Command Put(const remoting::CreateTopicRequest& header) {
    return Ask(peer(), RequestCode::kUpdateAndCreateTopic, header);
  }
  Command PutAttributes(absl::string_view topic, absl::string_view attributes) {
    remoting::CreateTopicRequest header = TopicHeader(topic);
    header.attributes = attributes;
    return Put(header);
  }
  remoting::TopicConfigWrapper All() {
    const Command answer = Ask(peer(), RequestCode::kGetAllTopicConfig);
    EXPECT_EQ(answer.code, kSuccess) << answer.remark;
    const auto body =
        remoting::DecodeBody<remoting::TopicConfigWrapper>(answer.body.view());
    EXPECT_TRUE(body.ok()) << body.status();
    return *body;
  }
  size_t PutCommands() {
    return broker_.log()->CountApplied(store::CommandKind::kPutTopic);
  }
};

TEST_F(TopicAdminTest, ATopicIsCreatedAndChangedAndComesBackAsItWasWritten) {
  remoting::CreateTopicRequest header = TopicHeader("orders");
  header.order = true;
  header.attributes = "+message.type=FIFO";
  ASSERT_EQ(Put(header).code, kSuccess);
  remoting::TopicConfig config = All().topics["orders"];
  EXPECT_EQ(config.topic_name, "orders");
  EXPECT_EQ(config.read_queue_nums, 3);
  EXPECT_EQ(config.write_queue_nums, 2);
  EXPECT_EQ(config.perm, 6);
  EXPECT_TRUE(config.order);
  EXPECT_EQ(config.attributes["message.type"], "FIFO");

  header = TopicHeader("orders");
  header.perm = 4;
  header.read_queue_nums = 8;
  ASSERT_EQ(Put(header).code, kSuccess);

  config = All().topics["orders"];
  EXPECT_EQ(config.read_queue_nums, 8);
  EXPECT_EQ(config.perm, 4);
  EXPECT_FALSE(config.order);
  EXPECT_EQ(config.attributes["message.type"], "FIFO");  // Stays: nobody said otherwise.
}

TEST_F(TopicAdminTest, SayingTheSameAgainIsNoCommand) {
  ASSERT_EQ(Put(TopicHeader("orders")).code, kSuccess);
  const size_t before = PutCommands();
  EXPECT_EQ(Put(TopicHeader("orders")).code, kSuccess);
  EXPECT_EQ(PutCommands(), before);
}

TEST_F(TopicAdminTest, WhatRocketMqRefusesIsRefused) {
  for (const char* name : {"bad name", "", "%RETRY%"}) {
    EXPECT_EQ(Put(TopicHeader(name)).code, kInvalidParameter) << name;
  }
  for (const char* name : {"TBW102", "SCHEDULE_TOPIC_XXXX", "rmq_sys_wheel_timer", "BenchmarkTest",
                           "DefaultCluster", "broker-a", "DefaultCluster_REPLY_TOPIC"}) {
    const Command answer = Put(TopicHeader(name));
    EXPECT_EQ(answer.code, kInvalidParameter) << name;
    EXPECT_THAT(answer.remark, HasSubstr("is conflict with system topic"));
  }
  remoting::CreateTopicRequest header = TopicHeader("t2");
  header.topic_filter_type = "ANY";
  EXPECT_EQ(Put(header).code, kSystemError);
  EXPECT_THAT(All().topics, Not(Contains(Key("t2"))));
  EXPECT_EQ(Ask(peer(), RequestCode::kUpdateAndCreateTopic).code, kSystemError);  // No fields.
}

TEST_F(TopicAdminTest, ImpossibleQueueNumbersAndPermissionsAreRefused) {
  for (const int32_t queues : {-1, 0, 1025, INT32_MAX}) {
    remoting::CreateTopicRequest header = TopicHeader("t2");
    header.read_queue_nums = queues;
    EXPECT_EQ(Put(header).code, kInvalidParameter) << queues;
    header = TopicHeader("t2");
    header.write_queue_nums = queues;
    EXPECT_EQ(Put(header).code, kInvalidParameter) << queues;
  }
  for (const int32_t perm : {-1, 8, INT32_MAX}) {
    remoting::CreateTopicRequest header = TopicHeader("t2");
    header.perm = perm;
    EXPECT_EQ(Put(header).code, kInvalidParameter) << perm;
  }
  EXPECT_THAT(All().topics, Not(Contains(Key("t2"))));
}

TEST_F(TopicAdminTest, AttributesFollowRocketMqsRules) {
  EXPECT_EQ(PutAttributes("a", "+message.type=DELAY,+cleanup.policy=DELETE").code, kSuccess);
  EXPECT_EQ(All().topics["a"].attributes["message.type"], "DELAY");
  EXPECT_EQ(PutAttributes("a", "-message.type").code, kSuccess);
  EXPECT_TRUE(All().topics["a"].attributes.empty());

  EXPECT_EQ(PutAttributes("a", "-message.type").remark,
            "attempt to delete a nonexistent key: message.type");
  EXPECT_EQ(PutAttributes("a", "+queue.type=SimpleCQ").remark,
            "attempt to update an unchangeable attribute. key: queue.type");
  EXPECT_EQ(PutAttributes("a", "+colour=red").remark, "unsupported key: colour");
  EXPECT_THAT(PutAttributes("a", "+message.type=BIG").remark, HasSubstr("value is not in set"));
  EXPECT_THAT(PutAttributes("a", "message.type=FIFO").remark, HasSubstr("format is wrong"));
  EXPECT_THAT(PutAttributes("a", "+message.type=FIFO,+message.type=DELAY").remark,
              HasSubstr("duplication"));
  EXPECT_THAT(PutAttributes("a", "+=1").remark, HasSubstr("format wrong"));
  EXPECT_EQ(PutAttributes("b", "-message.type").remark,
            "only add attribute is supported while creating topic. key: message.type");
  EXPECT_EQ(PutAttributes("b", "+cleanup.policy=COMPACTION").remark,
            "attribute cleanup.policy is always DELETE here");
  EXPECT_EQ(PutAttributes("b", "+cleanup.policy=COMPACTION").code, kSystemError);
  EXPECT_THAT(All().topics, Not(Contains(Key("b"))));
}

TEST_F(TopicAdminTest, AListIsChangedAsAWholeOrNotAtAll) {
  remoting::CreateTopicListRequestBody body;
  body.topics.resize(3);
  body.topics[0].topic_name = "a";
  body.topics[0].attributes["+message.type"] = "FIFO";
  body.topics[1].topic_name = "t";  // Changes: 16 queues.
  body.topics[2].topic_name = "TBW102";
  const auto put = [&] {
    return Ask(peer(), RequestCode::kUpdateAndCreateTopicList, remoting::FieldBuffer(),
               remoting::EncodeBody(body));
  };

  EXPECT_EQ(put().code, kInvalidParameter);
  EXPECT_THAT(All().topics, Not(Contains(Key("a"))));
  body.topics[2].topic_name = "bad name";
  EXPECT_EQ(put().code, kInvalidParameter);
  EXPECT_THAT(All().topics, Not(Contains(Key("a"))));
  body.topics[2].topic_name = "b";
  EXPECT_EQ(put().code, kSuccess);

  EXPECT_EQ(All().topics["a"].attributes["message.type"], "FIFO");
  EXPECT_EQ(All().topics["t"].read_queue_nums, 16);
  EXPECT_EQ(All().topics["b"].write_queue_nums, 16);
  body.topics.resize(5001);
  EXPECT_EQ(put().code, kInvalidParameter);
  EXPECT_EQ(Ask(peer(), RequestCode::kUpdateAndCreateTopicList, remoting::FieldBuffer(), "{").code,
            kSystemError);
}

TEST_F(TopicAdminTest, ADeletedTopicTakesItsQueuesAndOffsetsWithIt) {
  Produce("t", "one");
  ASSERT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  ASSERT_EQ(Ask(peer(), RequestCode::kUpdateConsumerOffset,
                remoting::UpdateConsumerOffsetRequest{"g", "t", 0, 1, ""})
                .code,
            kSuccess);
  ASSERT_EQ(broker_.state()->TopicsOf("g").size(), 1u);

  EXPECT_EQ(Ask(local(), RequestCode::kDeleteTopicInBroker, remoting::TopicRequest{"t"}).code,
            kSuccess);

  EXPECT_THAT(All().topics, Not(Contains(Key("t"))));
  EXPECT_TRUE(broker_.state()->TopicsOf("g").empty());
  CreateTopic("t", 4);
  EXPECT_EQ(StoredIn("t", 0).size(), 0u);
  EXPECT_TRUE(All().topics.contains("%RETRY%g"));  // Belongs to the group.
  EXPECT_EQ(
      Ask(local(), RequestCode::kDeleteTopicInBroker, remoting::TopicRequest{"%RETRY%g"}).code,
      kSuccess);
  EXPECT_FALSE(All().topics.contains("%RETRY%g"));
}

TEST_F(TopicAdminTest, DeletionAnswersAsRocketMqDoes) {
  const auto remove = [this](absl::string_view topic) {
    return Ask(local(), RequestCode::kDeleteTopicInBroker, remoting::TopicRequest{topic});
  };
  EXPECT_EQ(remove("nowhere").code, kSuccess);  // Tools ask every broker.
  EXPECT_EQ(remove("  ").code, kInvalidParameter);
  EXPECT_EQ(remove("TBW102").code, kInvalidParameter);
  EXPECT_EQ(remove("broker-a").code, kInvalidParameter);
}

TEST_F(TopicAdminTest, SystemTopicsAreListedByName) {
  const Command answer = Ask(peer(), RequestCode::kGetSystemTopicListFromBroker);
  const auto body = remoting::DecodeBody<remoting::TopicList>(answer.body.view());
  ASSERT_TRUE(body.ok());
  EXPECT_THAT(body->topics, Contains("TBW102"));
  EXPECT_THAT(body->topics, Contains("DefaultCluster"));
  EXPECT_THAT(body->topics, Not(Contains("t")));
}

// A replica that is behind must not say that a topic has no attributes, nor list too few.
TEST_F(TopicAdminTest, AnswersWaitUntilTheReplicaIsCurrent) {
  broker_.log()->SetLeader(false);
  EXPECT_EQ(Ask(peer(), RequestCode::kGetAllTopicConfig).code, -1);
  executor_.Advance(absl::Seconds(3));
  EXPECT_EQ(AnswerAt(peer()).code, 14);  // SERVICE_NOT_AVAILABLE.
  EXPECT_EQ(Put(TopicHeader("x")).code, -1);
  executor_.Advance(absl::Seconds(3));
  EXPECT_EQ(AnswerAt(peer()).code, 14);
}

TEST_F(TopicAdminTest, ClientsAreToldBeforeTheAnswer) {
  std::vector<absl::AnyInvocable<void()>> told;
  broker_.service()->topics().SetWhenTold(
      [&](absl::AnyInvocable<void()> done) { told.push_back(std::move(done)); });

  EXPECT_EQ(Put(TopicHeader("x")).code, -1);
  ASSERT_EQ(told.size(), 1u);
  told[0]();
  EXPECT_EQ(AnswerAt(peer()).code, kSuccess);
  EXPECT_EQ(Ask(local(), RequestCode::kDeleteTopicInBroker, remoting::TopicRequest{"x"}).code, -1);
  ASSERT_EQ(told.size(), 2u);
  told[1]();
  EXPECT_EQ(AnswerAt(local()).code, kSuccess);
}

// --- Who may -------------------------------------------------------------------------

class NobodyFromAfarTest : public TopicAdminTest {
 protected:
  NobodyFromAfarTest() : TopicAdminTest(RemoteAdminIs(remoting::RemoteAdmin::kNone)) {}
};
class EverybodyFromAfarTest : public TopicAdminTest {
 protected:
  EverybodyFromAfarTest() : TopicAdminTest(RemoteAdminIs(remoting::RemoteAdmin::kAll)) {}
};

TEST_F(TopicAdminTest, FromAfarTopicsMayBeMadeButNotDeleted) {
  EXPECT_EQ(Put(TopicHeader("x")).code, kSuccess);
  const Command answer =
      Ask(peer(), RequestCode::kDeleteTopicInBroker, remoting::TopicRequest{"x"});
  EXPECT_EQ(answer.code, kNoPermission);
  EXPECT_THAT(answer.remark, HasSubstr("admin.remote"));
  EXPECT_TRUE(All().topics.contains("x"));
}

TEST_F(NobodyFromAfarTest, NotEvenTopicsMayBeMade) {
  EXPECT_EQ(Put(TopicHeader("x")).code, kNoPermission);
  EXPECT_EQ(Ask(peer(), RequestCode::kUpdateAndCreateTopicList, remoting::FieldBuffer(), "{}").code,
            kNoPermission);
  EXPECT_FALSE(All().topics.contains("x"));
  EXPECT_EQ(Ask(local(), RequestCode::kUpdateAndCreateTopic, TopicHeader("x")).code, kSuccess);
}

TEST_F(EverybodyFromAfarTest, TopicsMayBeDeletedToo) {
  EXPECT_EQ(Ask(peer(), RequestCode::kDeleteTopicInBroker, remoting::TopicRequest{"t"}).code,
            kSuccess);
  EXPECT_FALSE(All().topics.contains("t"));
}

}  // namespace
}  // namespace totora::remoting_api
