#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "remoting/bodies/body.h"
#include "remoting/bodies/client.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/json_tree.h"
#include "remoting/bodies/queues.h"
#include "remoting/bodies/route.h"
#include "remoting/bodies/stats.h"

namespace totora::remoting {
namespace {

// As Java prints them, numeric keys in quotes.
const char kRoute[] =
    R"({"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911","1":"10.0.0.2:10911"},)"
    R"("brokerName":"broker-a","cluster":"C","enableActingMaster":false}],"filterServerTable":{},)"
    R"("queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,)"
    R"("writeQueueNums":4}]})";
const char kHeartbeat[] =
    R"({"clientID":"cid","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET",)"
    R"("consumeType":"CONSUME_PASSIVELY","groupName":"CG","messageModel":"CLUSTERING",)"
    R"("subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919],"expressionType":"TAG",)"
    R"("subString":"TagA || TagB","subVersion":1700000000000,"tagsSet":["TagA"],"topic":"T1"}],)"
    R"("unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"PG"}],)"
    R"("withoutSub":false})";
const char kGroup[] =
    R"({"attributes":{},"brokerId":0,"consumeBroadcastEnable":true,"consumeEnable":true,)"
    R"("consumeFromMinEnable":true,"consumeMessageOrderly":false,"consumeTimeoutMinute":15,)"
    R"("groupName":"G","groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,)"
    R"("notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,)"
    R"("whichBrokerWhenConsumeSlowly":1})";
const char kStats[] =
    R"({"consumeTps":0.1,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:)"
    R"({"brokerOffset":10,"consumerOffset":5,"lastTimestamp":1,"pullOffset":6},)"
    R"({"brokerName":"b","queueId":1,"topic":"T"}:)"
    R"({"brokerOffset":0,"consumerOffset":0,"lastTimestamp":0,"pullOffset":0}}})";
const char kLock[] =
    R"({"clientId":"cid","consumerGroup":"G","mqSet":[{"brokerName":"b","queueId":3,"topic":"T"}],)"
    R"("onlyThisBroker":false})";

// Reads what Java prints and prints it again.
template <typename Body>
void ExpectSame(absl::string_view text) {
  const absl::StatusOr<Body> body = DecodeBody<Body>(text);
  ASSERT_TRUE(body.ok()) << body.status() << " " << text;
  EXPECT_EQ(EncodeBody(*body), text);
}

TEST(Bodies, AreTheBytesThatJavaPrints) {
  ExpectSame<TopicRouteData>(kRoute);
  ExpectSame<HeartbeatData>(kHeartbeat);
  ExpectSame<SubscriptionGroupConfig>(kGroup);
  ExpectSame<ConsumeStats>(kStats);
  ExpectSame<LockBatchRequestBody>(kLock);
  ExpectSame<ClusterInfo>(
      R"({"brokerAddrTable":{"broker-a":{"brokerAddrs":{"0":"x:1"},"brokerName":"broker-a",)"
      R"("cluster":"C","enableActingMaster":false}},"clusterAddrTable":{"C":["broker-a"]}})");
  ExpectSame<TopicList>(R"({"topicList":["TBW102","T1"]})");
  ExpectSame<TopicList>(R"({"brokerAddr":"x:1","topicList":[]})");
  ExpectSame<GroupList>(R"({"groupList":["G"]})");
  ExpectSame<KvTable>(R"({"table":{"k":"v \"q\""}})");
  ExpectSame<ConsumerListBody>(R"({"consumerIdList":["a","b"]})");
  ExpectSame<LockBatchResponseBody>(R"({"lockOKMQSet":[]})");
  ExpectSame<TopicStatsTable>(
      R"({"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":)"
      R"(1700000000000,"maxOffset":10,"minOffset":0}},"topicPutTps":0.0})");
  ExpectSame<ConsumeStatsList>(absl::StrCat(R"({"brokerAddr":"x","consumeStatsList":[{"G":[)",
                                            kStats, R"(]}],"totalDiff":0,"totalInflightDiff":0})"));
  ExpectSame<ConsumerConnection>(
      R"({"connectionSet":[{"clientAddr":"1.1.1.1:5555","clientId":"1.1.1.1@1#2","language":"GO",)"
      R"("version":317}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":)"
      R"("CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{"T1":)"
      R"({"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*",)"
      R"("subVersion":1,"tagsSet":[],"topic":"T1"}}})");
  ExpectSame<ProducerTableInfo>(
      R"({"data":{"PG":[{"clientId":"cid","language":"JAVA","lastUpdateTimestamp":1,)"
      R"("remoteIP":"/1.1.1.1:5","version":479}]}})");
  ExpectSame<TopicConfig>(
      R"({"attributes":{},"order":false,"perm":6,"readQueueNums":16,"topicFilterType":)"
      R"("SINGLE_TAG","topicName":"T1","topicSysFlag":0,"writeQueueNums":16})");
  ExpectSame<ResetOffsetBody>(R"({"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5,)"
                              R"({"brokerName":"b","queueId":1,"topic":"T"}:6}})");
  ExpectSame<ResetOffsetBodyForC>(
      R"({"offsetTable":[{"brokerName":"b","offset":5,"queueId":0,"topic":"T"}]})");
  ExpectSame<GetConsumerStatusBody>(
      R"({"consumerTable":{"cid":{{"brokerName":"b","queueId":0,"topic":"T"}:5}},)"
      R"("messageQueueTable":{{"brokerName":"b","queueId":0,"topic":"T"}:5}})");
  ExpectSame<QueryCorrectionOffsetBody>(R"({"correctionOffsets":{"0":5}})");
  ExpectSame<BrokerStatsData>(
      R"({"statsDay":{"avgpt":0.0,"sum":0,"tps":0.0},"statsHour":{"avgpt":0.0,"sum":0,"tps":0.0},)"
      R"("statsMinute":{"avgpt":1.5,"sum":3,"tps":2.0}})");
  ExpectSame<QueryAssignmentResponseBody>(
      R"({"messageQueueAssignments":[{"attachments":{},"messageQueue":{"brokerName":"b",)"
      R"("queueId":0,"topic":"T"},"mode":"PULL"}]})");
  ExpectSame<GroupForbidden>(R"({"group":"G","readable":true,"topic":"T"})");
  ExpectSame<DataVersion>(R"({"counter":0,"stateVersion":0,"timestamp":1700000000000})");
}

TEST(Bodies, WrappersHoldEveryMemberThatToolsAskFor) {
  TopicConfigWrapper topics;
  topics.topics["T"].topic_name = "T";
  EXPECT_EQ(EncodeBody(topics),
            R"({"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"mappingDataVersion":)"
            R"({"counter":0,"stateVersion":0,"timestamp":0},"topicConfigTable":{"T":)"
            R"({"attributes":{},"order":false,"perm":6,"readQueueNums":16,"topicFilterType":)"
            R"("SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":16}},)"
            R"("topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}})");
  SubscriptionGroupWrapper groups;
  groups.groups["G"].group_name = "G";
  EXPECT_EQ(EncodeBody(groups),
            absl::StrCat(R"({"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},)"
                         R"("forbiddenTable":{},"subscriptionGroupTable":{"G":)",
                         kGroup, "}}"));
}

TEST(Bodies, BareAndQuotedNumericKeysAreTheSame) {
  for (const char* key : {"0", "\"0\"", " 0 "}) {
    const auto route = DecodeBody<TopicRouteData>(
        absl::StrCat(R"({"brokerDatas":[{"brokerAddrs":{)", key, R"(:"x:1"}}]})"));
    ASSERT_TRUE(route.ok()) << route.status();
    EXPECT_EQ(route->brokers.at(0).addresses.at(0), "x:1");
  }
  EXPECT_FALSE(DecodeBody<TopicRouteData>(R"({"brokerDatas":[{"brokerAddrs":{"a":"x"}}]})").ok());
}

// fastjson 2 prints "{\"brokerName\"...}" for some maps, Go ends with " }".
TEST(Bodies, ObjectKeysAreReadBareAndQuoted) {
  for (const char* text :
       {R"({"messageQueueTable":{{"brokerName":"b","queueId":0,"topic":"T}"}:5} })",
        R"({ "messageQueueTable" : { { "topic" : "T}", "brokerName":"b" } : "5" } })",
        R"({"messageQueueTable":{"{\"brokerName\":\"b\",\"queueId\":0,\"topic\":\"T}\"}":5}})"}) {
    const auto body = DecodeBody<GetConsumerStatusBody>(text);
    ASSERT_TRUE(body.ok()) << body.status() << text;
    const MessageQueue queue{.broker_name = "b", .topic = "T}"};
    EXPECT_EQ(body->message_queue_table.at(queue), 5);
  }
}

TEST(Heartbeat, OfGoHasTextCodesAndNulls) {
  const auto heartbeat = DecodeBody<HeartbeatData>(
      R"({"clientID":"10.0.0.1@1","producerDataSet":[],"consumerDataSet":[{"groupName":"CG",)"
      R"("consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":)"
      R"("UNKNOWN","subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"*",)"
      R"("tagsSet":null,"codeSet":null,"subVersion":1700000000000000000,"expressionType":"TAG"},)"
      R"({"topic":"U","codeSet":["2598919","-5"],"tagsSet":["TagA"]}],"unitMode":false}]})");
  ASSERT_TRUE(heartbeat.ok()) << heartbeat.status();
  const ConsumerData& consumer = heartbeat->consumers.at(0);
  EXPECT_EQ(consumer.consume_from_where, ConsumeFromWhere::kUnknown);
  EXPECT_EQ(consumer.consume_type, ConsumeType::kPassively);
  EXPECT_EQ(consumer.subscriptions.at(0).version, 1700000000000000000);
  EXPECT_TRUE(consumer.subscriptions.at(0).codes.empty());
  EXPECT_EQ(consumer.subscriptions.at(1).codes, (std::vector<int32_t>{2598919, -5}));
}

TEST(Heartbeat, EnumsMayBeOrdinalsAndMembersAbsent) {
  const auto heartbeat = DecodeBody<HeartbeatData>(
      R"({"clientID":"c","more":[{"a":{}}],"consumerDataSet":[null,{"groupName":"CG",)"
      R"("consumeType":1,"messageModel":"0","consumeFromWhere":99}],"producerDataSet":null})");
  ASSERT_TRUE(heartbeat.ok()) << heartbeat.status();
  ASSERT_EQ(heartbeat->consumers.size(), 1u);
  EXPECT_EQ(heartbeat->consumers[0].consume_type, ConsumeType::kPassively);
  EXPECT_EQ(heartbeat->consumers[0].message_model, MessageModel::kBroadcasting);
  EXPECT_EQ(heartbeat->consumers[0].consume_from_where, ConsumeFromWhere::kUnknown);
  EXPECT_TRUE(heartbeat->producers.empty());
}

TEST(SubscriptionGroup, TheNineMembersOfOldToolsLeaveJavasDefaults) {
  const auto group = DecodeBody<SubscriptionGroupConfig>(
      R"({"groupName":"G","consumeEnable":false,"retryQueueNums":"2","brokerId":0})");
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_FALSE(group->consume_enable);
  EXPECT_EQ(group->retry_queue_nums, 2);
  EXPECT_EQ(group->retry_max_times, 16);
  EXPECT_TRUE(group->consume_broadcast_enable);
  ExpectSame<SubscriptionGroupConfig>(absl::StrReplaceAll(
      kGroup, {{R"({"type":"CUSTOMIZED"})",
                R"({"exponentialRetryPolicy":{"initial":1,"max":9,"multiplier":3},)"
                R"("type":"EXPONENTIAL"})"}}));
}

TEST(Bodies, AMemberOfAWrongTypeIsNamedWithItsPath) {
  EXPECT_EQ(DecodeBody<LockBatchRequestBody>(R"({"mqSet":[{"queueId":"x"}]})").status().message(),
            "mqSet: JSON member queueId is of a wrong type");
  for (const char* text :
       {"", "[]", "5", "null", R"({"mqSet":{}})", R"({"mqSet":[5]})", R"({"clientId":{}})",
        R"({"mqSet":[{"queueId":2147483648}]})", R"({"clientId":"a"} x)", R"({"clientId":"a",})"}) {
    EXPECT_EQ(DecodeBody<LockBatchRequestBody>(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(HostileJson, DepthSizeAndNumberOfValuesAreBounded) {
  const auto nested = [](int depth) {
    return absl::StrCat(R"({"x":)", std::string(static_cast<size_t>(depth), '['),
                        std::string(static_cast<size_t>(depth), ']'), "}");
  };
  EXPECT_TRUE(DecodeBody<KvTable>(nested(kJsonDepthMax - 1)).ok());
  EXPECT_FALSE(DecodeBody<KvTable>(nested(kJsonDepthMax)).ok());
  EXPECT_FALSE(DecodeBody<KvTable>(nested(1'000'000)).ok());
  EXPECT_FALSE(JsonTree::Parse("[1,2,3]", {.values_max = 3}).ok());
  EXPECT_TRUE(JsonTree::Parse("[1,2,3]", {.values_max = 4}).ok());
  EXPECT_FALSE(JsonTree::Parse("[1,2,3]", {.bytes_max = 6}).ok());
}

TEST(HostileJson, NumbersOutOfAllRangesAreNoUndefinedBehaviour) {
  for (const char* number : {"1e400", "-1e400", "1e18", "9.3e18", "18446744073709551616", "-0.0",
                             "99999999999999999999999999999999", "1.9", "true", "\"1.5\""}) {
    const std::string text = absl::StrCat(R"({"counter":)", number, "}");
    const auto version = DecodeBody<DataVersion>(text);
    if (!version.ok()) {
      EXPECT_EQ(version.status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
  EXPECT_EQ(DecodeBody<DataVersion>(R"({"counter":1.9})")->counter, 1);
}

TEST(HostileJson, EveryCutAndEveryFlipIsReadOrRefused) {
  for (const std::string& whole : {std::string(kRoute), std::string(kHeartbeat),
                                   std::string(kStats), std::string(kLock), std::string(kGroup)}) {
    const auto read = [](const std::string& text) {
      (void)DecodeBody<TopicRouteData>(text).ok();
      (void)DecodeBody<HeartbeatData>(text).ok();
      (void)DecodeBody<ConsumeStats>(text).ok();
      return JsonTree::Parse(text).ok();
    };
    for (size_t keep = 0; keep < whole.size(); ++keep) {
      EXPECT_FALSE(read(whole.substr(0, keep))) << keep;
    }
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const char c : {'\0', '"', '\\', '{', '}', '[', ',', ':', '9', '\x80', 'n'}) {
        std::string flipped = whole;
        flipped[at] = c;
        read(flipped);
      }
    }
  }
}

}  // namespace
}  // namespace totora::remoting
