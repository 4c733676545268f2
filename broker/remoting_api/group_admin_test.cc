#include "broker/remoting_api/group_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "remoting/bodies/config.h"
#include "remoting/header/admin.h"

namespace totora::remoting_api {
namespace {

using ::testing::HasSubstr;

constexpr int kSuccess = 0;
constexpr int kSystemError = 1;
constexpr int kNotSupported = 3;
constexpr int kNoPermission = 16;
constexpr int kInvalidParameter = 29;

class GroupAdminTest : public RemotingApiTest {
 protected:
  explicit GroupAdminTest(const RemotingApiOptions& options = {})
      : RemotingApiTest(Options(), options) {}

  static remoting::SubscriptionGroupConfig Config(const std::string& name) {
    remoting::SubscriptionGroupConfig config;
    config.group_name = name;
    return config;
  }
  Command Put(const remoting::SubscriptionGroupConfig& config) {
    return Ask(peer(), RequestCode::kUpdateAndCreateSubscriptionGroup, remoting::FieldBuffer(),
               remoting::EncodeBody(config));
  }
  std::map<std::string, remoting::SubscriptionGroupConfig> All() {
    const Command answer = Ask(peer(), RequestCode::kGetAllSubscriptionGroupConfig);
    EXPECT_EQ(answer.code, kSuccess) << answer.remark;
    const auto body =
        remoting::DecodeBody<remoting::SubscriptionGroupWrapper>(answer.body.view());
    EXPECT_TRUE(body.ok()) << body.status();
    return body->groups;
  }
};

TEST_F(GroupAdminTest, WhatIsStoredComesBackAndTheRestIsRocketMqsDefault) {
  remoting::SubscriptionGroupConfig config = Config("g");
  config.consume_enable = false;
  config.consume_broadcast_enable = false;
  config.consume_message_orderly = true;
  config.notify_consumer_ids_changed_enable = false;
  config.retry_max_times = 3;
  config.retry_queue_nums = 2;
  config.broker_id = 7;  // Means nothing here.
  config.which_broker_when_consume_slowly = 9;
  ASSERT_EQ(Put(config).code, kSuccess);

  remoting::SubscriptionGroupConfig expected = config;
  expected.broker_id = 0;
  expected.which_broker_when_consume_slowly = 1;
  EXPECT_EQ(remoting::EncodeBody(All()["g"]), remoting::EncodeBody(expected));
  EXPECT_EQ(broker_.state()->FindConsumerGroup("g")->max_attempts, 4u);

  ASSERT_EQ(Put(Config("g")).code, kSuccess);
  EXPECT_EQ(remoting::EncodeBody(All()["g"]), remoting::EncodeBody(Config("g")));
}

// As 4.9 writes it: nine members.
TEST_F(GroupAdminTest, TheBodyOfOldToolsIsUnderstood) {
  EXPECT_EQ(Ask(peer(), RequestCode::kUpdateAndCreateSubscriptionGroup, remoting::FieldBuffer(),
                R"({"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,)"
                R"("consumeFromMinEnable":true,"groupName":"old",)"
                R"("notifyConsumerIdsChangedEnable":true,"retryMaxTimes":5,"retryQueueNums":1,)"
                R"("whichBrokerWhenConsumeSlowly":1})")
                .code,
            kSuccess);
  EXPECT_EQ(All()["old"].retry_max_times, 5);
}

TEST_F(GroupAdminTest, WhatCannotBeMeantIsRefusedByName) {
  EXPECT_EQ(Put(Config("bad name")).code, kInvalidParameter);
  EXPECT_EQ(Put(Config("")).code, kInvalidParameter);
  remoting::SubscriptionGroupConfig config = Config("x");
  config.retry_max_times = -1;
  EXPECT_THAT(Put(config).remark, HasSubstr("retryMaxTimes"));
  config.retry_max_times = INT32_MAX;
  EXPECT_EQ(Put(config).code, kInvalidParameter);
  config = Config("x");
  config.retry_queue_nums = 0;
  EXPECT_THAT(Put(config).remark, HasSubstr("retryQueueNums"));
  config.retry_queue_nums = INT32_MAX;
  EXPECT_EQ(Put(config).code, kInvalidParameter);
  config = Config("x");
  config.attributes["+colour"] = "red";
  EXPECT_THAT(Put(config).remark, HasSubstr("unsupported key"));
  EXPECT_EQ(Ask(peer(), RequestCode::kUpdateAndCreateSubscriptionGroup).code, kSystemError);
  EXPECT_FALSE(All().contains("x"));
}

TEST_F(GroupAdminTest, AListIsTakenAsAWholeOrNotAtAll) {
  remoting::SubscriptionGroupList body;
  body.groups = {Config("a"), Config("b"), Config("bad name")};
  const auto put = [&] {
    return Ask(peer(), RequestCode::kUpdateAndCreateSubscriptionGroupList, remoting::FieldBuffer(),
               remoting::EncodeBody(body));
  };
  EXPECT_EQ(put().code, kInvalidParameter);
  EXPECT_TRUE(All().empty());
  body.groups.pop_back();
  EXPECT_EQ(put().code, kSuccess);
  EXPECT_EQ(All().size(), 2u);
  body.groups.resize(5001);
  EXPECT_EQ(put().code, kInvalidParameter);
  body.groups.clear();
  EXPECT_EQ(put().code, kSuccess);
}

TEST_F(GroupAdminTest, ADisabledGroupMayNotPullAndCanBeEnabledAgain) {
  ASSERT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  remoting::SubscriptionGroupConfig config = Config("g");
  config.consume_enable = false;
  ASSERT_EQ(Put(config).code, kSuccess);
  EXPECT_EQ(Pull(peer(), PullHeader(0)).code, kNoPermission);

  ASSERT_EQ(Put(Config("g")).code, kSuccess);
  Produce("t", "one");
  EXPECT_EQ(Pull(peer(), PullHeader(0)).code, kSuccess);
}

TEST_F(GroupAdminTest, WhoMayNotBroadcastMayNotPull) {
  std::string body = HeartbeatBody("c1");
  body.replace(body.find("CLUSTERING"), 10, "BROADCASTING");
  ASSERT_EQ(Ask(peer(), RequestCode::kHeartbeat, remoting::FieldBuffer(), body).code, kSuccess);
  Produce("t", "one");
  EXPECT_EQ(Pull(peer(), PullHeader(0)).code, kSuccess);

  remoting::SubscriptionGroupConfig config = Config("g");
  config.consume_broadcast_enable = false;
  ASSERT_EQ(Put(config).code, kSuccess);

  const Command refused = Pull(peer(), PullHeader(0));
  EXPECT_EQ(refused.code, kNoPermission);
  EXPECT_THAT(refused.remark, HasSubstr("broadcast"));
  Peer* const other = Connect();
  ASSERT_EQ(Heartbeat(other, "c2").code, kSuccess);  // Clustering.
  EXPECT_EQ(Pull(other, PullHeader(0)).code, kSuccess);
}

TEST_F(GroupAdminTest, TheRetryTopicGetsAsManyQueuesAsTheGroupWants) {
  remoting::SubscriptionGroupConfig config = Config("g");
  config.retry_queue_nums = 3;
  ASSERT_EQ(Put(config).code, kSuccess);
  ASSERT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  EXPECT_EQ(broker_.state()->FindTopic("%RETRY%g")->write_queues, 3u);
  EXPECT_EQ(broker_.state()->FindTopic("%RETRY%g")->read_queues, 3u);
}

TEST_F(GroupAdminTest, AGroupThatDoesNotWantToHearOfMembersDoesNot) {
  remoting::SubscriptionGroupConfig config = Config("g");
  config.notify_consumer_ids_changed_enable = false;
  ASSERT_EQ(Put(config).code, kSuccess);
  ASSERT_EQ(Heartbeat(peer(), "c1").code, kSuccess);
  ASSERT_EQ(Heartbeat(Connect(), "c2").code, kSuccess);
  executor_.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(peer()->Received().empty());

  ASSERT_EQ(Put(Config("g")).code, kSuccess);
  ASSERT_EQ(Heartbeat(Connect(), "c3").code, kSuccess);
  executor_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(peer()->Received().size(), 1u);
}

TEST_F(GroupAdminTest, ADeletedGroupTakesItsOffsetsWithIt) {
  ASSERT_EQ(Put(Config("g")).code, kSuccess);
  store::UpdateOffsetsCommand offsets;
  offsets.items = {{"g", "t", 0, QueueOffset(3)}};
  broker_.log()->Submit(store::CommandKind::kUpdateOffsets, offsets.Encode(),
                        absl::InfiniteDuration(), [](const auto&) {});
  executor_.Run();
  ASSERT_TRUE(broker_.state()->ConsumerOffset("g", "t", 0).has_value());
  remoting::DeleteSubscriptionGroupRequest header;
  header.group_name = "g";
  header.clean_offset = false;

  EXPECT_EQ(Ask(local(), RequestCode::kDeleteSubscriptionGroup, header).code, kSuccess);

  EXPECT_TRUE(All().empty());
  ASSERT_EQ(Put(Config("g")).code, kSuccess);
  EXPECT_FALSE(broker_.state()->ConsumerOffset("g", "t", 0).has_value());
  header.group_name = "nobody";
  EXPECT_EQ(Ask(local(), RequestCode::kDeleteSubscriptionGroup, header).code, kSuccess);
}

TEST_F(GroupAdminTest, FromAfarGroupsMayBeMadeButNotDeleted) {
  EXPECT_EQ(Put(Config("g")).code, kSuccess);
  remoting::DeleteSubscriptionGroupRequest header;
  header.group_name = "g";
  const Command answer = Ask(peer(), RequestCode::kDeleteSubscriptionGroup, header);
  EXPECT_EQ(answer.code, kNoPermission);
  EXPECT_THAT(answer.remark, HasSubstr("admin.remote"));
  EXPECT_TRUE(All().contains("g"));
}

class NoGroupsFromAfarTest : public GroupAdminTest {
 protected:
  NoGroupsFromAfarTest() : GroupAdminTest(RemoteAdminIs(remoting::RemoteAdmin::kNone)) {}
};

TEST_F(NoGroupsFromAfarTest, NotEvenGroupsMayBeMade) {
  EXPECT_EQ(Put(Config("g")).code, kNoPermission);
  EXPECT_EQ(
      Ask(peer(), RequestCode::kUpdateAndCreateSubscriptionGroupList, remoting::FieldBuffer(), "{}")
          .code,
      kNoPermission);
  EXPECT_TRUE(All().empty());
}

TEST_F(GroupAdminTest, NoTopicIsForbiddenAndNoneCanBe) {
  const Command asked = Ask(peer(), RequestCode::kUpdateAndGetGroupForbidden,
                            remoting::UpdateGroupForbiddenRequest{"g", "t", std::nullopt});
  EXPECT_EQ(asked.code, kSuccess);
  EXPECT_EQ(asked.body.view(), R"({"group":"g","readable":true,"topic":"t"})");
  EXPECT_EQ(Ask(local(), RequestCode::kUpdateAndGetGroupForbidden,
                remoting::UpdateGroupForbiddenRequest{"g", "t", false})
                .code,
            kNotSupported);
  EXPECT_EQ(Ask(peer(), RequestCode::kUpdateAndGetGroupForbidden,
                remoting::UpdateGroupForbiddenRequest{"g", "t", false})
                .code,
            kNoPermission);
}

TEST_F(GroupAdminTest, TheOnlyRequestModeIsPull) {
  remoting::SetMessageRequestModeBody body;
  body.consumer_group = "g";
  body.topic = "t";
  for (const auto& [mode, code] : {std::pair("PULL", kSuccess), std::pair("POP", kNotSupported)}) {
    body.mode = mode;
    EXPECT_EQ(Ask(local(), RequestCode::kSetMessageRequestMode, remoting::FieldBuffer(),
                  remoting::EncodeBody(body))
                  .code,
              code);
  }
}

}  // namespace
}  // namespace totora::remoting_api
