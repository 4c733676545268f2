// Queries: messages by key and by id, and what tools ask about topics, groups,
// connections and the broker itself.
#include "broker/remoting_api/query.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "broker/remoting_api/remoting_api_fixture.h"
#include "message/message_id.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/queues.h"
#include "remoting/bodies/stats.h"
#include "remoting/header/admin.h"
#include "remoting/header/client.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

class QueryTest : public RemotingApiTest {
 protected:
  static QueueOffset At(uint64_t offset) { return QueueOffset(offset); }

  // Returns the message's id.
  std::string SendKeyed(const std::string& id, const std::string& keys,
                        const std::string& body = "body", int32_t queue_id = 0) {
    const std::string properties = Packed({{"UNIQ_KEY", id}, {"KEYS", keys}});
    remoting::SendMessageRequest header = SendHeader("t", properties);
    header.queue_id = queue_id;
    const Command answer = Send(producer(), header, body);
    EXPECT_EQ(answer.code, 0);
    return Field(answer, "msgId");
  }
  Command Query(const std::string& key, int32_t max = 64, int64_t begin = 0,
                int64_t end = INT64_MAX, bool by_unique_key = false,
                const std::string& topic = "t") {
    return Ask(peer(), RequestCode::kQueryMessage,
               remoting::QueryMessageRequest{topic, key, max, begin, end, by_unique_key});
  }
  template <typename Body>
  static Body BodyIn(const Command& answer) {
    EXPECT_EQ(answer.code, 0) << answer.remark;
    const absl::StatusOr<Body> body = remoting::DecodeBody<Body>(answer.body.view());
    EXPECT_TRUE(body.ok()) << body.status();
    return body.ok() ? *body : Body();
  }
  static remoting::MessageQueue Queue(const std::string& topic, int32_t queue_id) {
    return {"broker-a", queue_id, topic};
  }
};

// --- 12 and 33 --------------------------------------------------------------------

TEST_F(QueryTest, MessagesAreFoundByEachOfTheirKeys) {
  SendKeyed("U1", "order-1 user-7", "one");
  SendKeyed("U2", "order-2 user-7", "two", 1);
  SendKeyed("U3", "order-3", "three");

  EXPECT_EQ(BodiesOf(Query("user-7")), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(BodiesOf(Query("order-3")), std::vector<std::string>{"three"});
  EXPECT_EQ(BodiesOf(Query("U2", 32, 0, INT64_MAX, true)), std::vector<std::string>{"two"});
}

TEST_F(QueryTest, AFoundMessageSaysWhereItLies) {
  SendKeyed("U1", "a");
  SendKeyed("U2", "b", "body", 2);
  SendKeyed("U3", "b", "body", 2);

  const Command answer = Query("b");

  const auto messages = MessagesOf(answer);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1].queue_id(), 2u);
  EXPECT_EQ(messages[1].queue_offset(), At(1));
  EXPECT_EQ(Field(answer, "indexLastUpdatePhyoffset"),
            absl::StrCat(messages[1].position().value()));
}

TEST_F(QueryTest, NothingFoundIsItsOwnCodeWithTheFieldsOfASuccess) {
  SendKeyed("U1", "a");

  for (const Command& answer : {Query("b"), Query("a", 64, 0, INT64_MAX, false, "no-such-topic"),
                                Query("a", 64, 0, 1)}) {
    EXPECT_EQ(answer.code, static_cast<int32_t>(ResponseCode::kQueryNotFound));
    EXPECT_EQ(Field(answer, "indexLastUpdateTimestamp"), "0");
  }
}

TEST_F(QueryTest, AtMostAsManyAsAskedForAndTheNewestOfThem) {
  for (int i = 0; i < 80; ++i) SendKeyed(absl::StrCat("U", i), "k", absl::StrCat(i));

  EXPECT_EQ(BodiesOf(Query("k", 2)), (std::vector<std::string>{"78", "79"}));
  EXPECT_EQ(BodiesOf(Query("k", 1000)).size(), 64u);
  EXPECT_EQ(BodiesOf(Query("k", -5)).size(), 0u);
}

TEST_F(QueryTest, AMessageIsViewedByThePositionInItsId) {
  SendKeyed("U0", "a", "zero", 1);
  const std::string id = SendKeyed("U1", "a", "one", 1);
  const auto decoded = message::OffsetMessageId::Decode(id);
  ASSERT_TRUE(decoded.ok());
  const auto at = static_cast<int64_t>(decoded->position.value());

  const Command answer =
      Ask(peer(), RequestCode::kViewMessageById, remoting::ViewMessageRequest{at, "t"});

  ASSERT_EQ(answer.code, 0) << answer.remark;
  const auto messages = MessagesOf(answer);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].body(), "one");
  EXPECT_EQ(messages[0].queue_id(), 1u);
  EXPECT_EQ(messages[0].queue_offset(), At(1));
  for (const int64_t wrong : {at + 1, at + 1'000'000, int64_t{-1}}) {
    EXPECT_EQ(Ask(peer(), RequestCode::kViewMessageById, remoting::ViewMessageRequest{wrong, "t"})
                  .code,
              1)
        << wrong;
  }
}

// --- Topics -----------------------------------------------------------------------

TEST_F(QueryTest, TopicStatsTellOfEveryQueue) {
  Produce("t", "a");
  Produce("t", "b");

  const auto table = BodyIn<remoting::TopicStatsTable>(
      Ask(peer(), RequestCode::kGetTopicStatsInfo, remoting::TopicRequest{"t"}));

  ASSERT_EQ(table.offset_table.size(), 4u);
  EXPECT_EQ(table.offset_table.at(Queue("t", 0)).max_offset, 2);
  EXPECT_GT(table.offset_table.at(Queue("t", 0)).last_update_timestamp, 1'600'000'000'000);
  EXPECT_EQ(table.offset_table.at(Queue("t", 3)).max_offset, 0);
  EXPECT_EQ(table.offset_table.at(Queue("t", 3)).last_update_timestamp, 0);
  EXPECT_GT(table.topic_put_tps, 0);
  EXPECT_EQ(Ask(peer(), RequestCode::kGetTopicStatsInfo, remoting::TopicRequest{"none"}).code, 17);
}

TEST_F(QueryTest, ConsumersOfATopicAreThoseOnlineAndThoseWithOffsets) {
  Heartbeat(Connect(), "c1", "online");
  Heartbeat(Connect(), "c2", "elsewhere", "u");
  Ask(peer(), RequestCode::kUpdateConsumerOffset,
      remoting::UpdateConsumerOffsetRequest{"offline", "t", 0, 0});
  Ask(peer(), RequestCode::kUpdateConsumerOffset,
      remoting::UpdateConsumerOffsetRequest{"elsewhere", "%RETRY%elsewhere", 0, 0});

  const auto list = BodyIn<remoting::GroupList>(
      Ask(peer(), RequestCode::kQueryTopicConsumeByWho, remoting::TopicRequest{"t"}));

  EXPECT_EQ(list.groups, (std::vector<std::string>{"offline", "online"}));
}

TEST_F(QueryTest, TheEarliestStoreTimeOfAnEmptyQueueIsMinusOne) {
  Produce("t", "a");
  const auto ask = [this](int32_t queue_id) {
    return Field(Ask(peer(), RequestCode::kGetEarliestMessageStoreTime,
                     remoting::QueueRequest{"t", queue_id}),
                 "timestamp");
  };

  EXPECT_EQ(ask(0), absl::StrCat(absl::ToUnixMillis(executor_.clock().WallNow())));
  EXPECT_EQ(ask(1), "-1");
  EXPECT_EQ(ask(-1), "-1");
}

TEST_F(QueryTest, ATimeSpanTellsHowLongTheNextMessageHasWaited) {
  for (int i = 0; i < 3; ++i) {
    Produce("t", "m");
    executor_.Advance(absl::Seconds(10));
  }
  Ask(peer(), RequestCode::kUpdateConsumerOffset,
      remoting::UpdateConsumerOffsetRequest{"g", "t", 0, 2});

  const auto body = BodyIn<remoting::QueryConsumeTimeSpanBody>(
      Ask(peer(), RequestCode::kQueryConsumeTimeSpan,
          remoting::QueryConsumeTimeSpanRequest{"t", "g"}));

  ASSERT_EQ(body.spans.size(), 4u);
  const remoting::QueueTimeSpan& span = body.spans[0];
  EXPECT_EQ(span.max_timestamp - span.min_timestamp, 20'000);
  EXPECT_EQ(span.consume_timestamp - span.min_timestamp, 10'000);
  EXPECT_EQ(span.delay_time, 10'000);
  EXPECT_EQ(body.spans[1].min_timestamp, -1);
}

TEST_F(QueryTest, CorrectionOffsetsAreTheLowestOfAllGroups) {
  for (int i = 0; i < 9; ++i) Produce("t", "m");
  const auto commit = [this](const std::string& group, int64_t offset) {
    Ask(peer(), RequestCode::kUpdateConsumerOffset,
        remoting::UpdateConsumerOffsetRequest{group, "t", 0, offset});
  };
  commit("a", 7);
  commit("b", 5);
  commit("c", 3);
  const auto ask = [this](const std::string& filtered, const std::string& compared) {
    return BodyIn<remoting::QueryCorrectionOffsetBody>(
               Ask(peer(), RequestCode::kQueryCorrectionOffset,
                   remoting::QueryCorrectionOffsetRequest{filtered, compared, "t"}))
        .correction_offsets[0];
  };

  EXPECT_EQ(ask("", "a"), 3);
  EXPECT_EQ(ask("c", "a"), 5);
  EXPECT_EQ(ask("c,b", "c"), INT64_MAX) << "the compared group is behind all others";
}

TEST_F(QueryTest, AQueueIsShownEntryByEntry) {
  Produce("t", "a", "TagA");
  Produce("t", "b");
  const auto ask = [this](int32_t queue_id, int64_t index, int32_t count,
                          const std::string& group = "") {
    return Ask(peer(), RequestCode::kQueryConsumeQueue,
               remoting::QueryConsumeQueueRequest{"t", queue_id, index, count, group});
  };

  const auto body = BodyIn<remoting::QueryConsumeQueueResponseBody>(ask(0, 0, 10, "g"));
  EXPECT_EQ(body.max_queue_index, 2);
  ASSERT_EQ(body.queue_data.size(), 2u);
  EXPECT_EQ(body.queue_data[0].tags_code, 2598919);
  EXPECT_GT(body.queue_data[1].position, body.queue_data[0].position);
  EXPECT_EQ(body.filter_data, "g@t is not online!");

  EXPECT_EQ(BodyIn<remoting::QueryConsumeQueueResponseBody>(ask(0, 1, 1)).queue_data.size(), 1u);
  EXPECT_EQ(BodyIn<remoting::QueryConsumeQueueResponseBody>(ask(0, 9, 1)).queue_data.size(), 0u);
  EXPECT_EQ(BodyIn<remoting::QueryConsumeQueueResponseBody>(ask(0, -9, 1)).queue_data.size(), 0u);
  EXPECT_EQ(ask(-1, 0, 1).code, 1);
  EXPECT_EQ(ask(99, 0, 1).code, 1);
}

TEST_F(QueryTest, ConfigurationsAreTold) {
  const auto topic = BodyIn<remoting::TopicConfig>(
      Ask(peer(), RequestCode::kGetTopicConfig, remoting::GetTopicConfigRequest{"t", true}));
  EXPECT_EQ(topic.topic_name, "t");
  EXPECT_EQ(topic.write_queue_nums, 4);
  EXPECT_EQ(Ask(peer(), RequestCode::kGetTopicConfig, remoting::GetTopicConfigRequest{"u"}).code,
            17);

  Heartbeat(peer(), "c", "g");
  const auto group = BodyIn<remoting::SubscriptionGroupConfig>(
      Ask(peer(), RequestCode::kGetSubscriptionGroupConfig, remoting::GroupRequest{"g"}));
  EXPECT_EQ(group.group_name, "g");
  EXPECT_EQ(group.retry_max_times, 16);
  EXPECT_EQ(
      Ask(peer(), RequestCode::kGetSubscriptionGroupConfig, remoting::GroupRequest{"h"}).code, 26);
}

// --- Consumer groups ----------------------------------------------------------------

TEST_F(QueryTest, ConsumeStatsTellHowFarAGroupIsBehind) {
  for (int i = 0; i < 10; ++i) Produce("t", "m");
  Heartbeat(peer(), "c", "g");
  remoting::PullMessageRequest pull = PullHeader(0);
  pull.max_message_nums = 8;
  ASSERT_EQ(Pull(peer(), pull).code, 0);
  Ask(peer(), RequestCode::kUpdateConsumerOffset,
      remoting::UpdateConsumerOffsetRequest{"g", "t", 0, 5});
  const auto ask = [this](const std::string& topic, const std::string& list = "") {
    return BodyIn<remoting::ConsumeStats>(
        Ask(peer(), RequestCode::kGetConsumeStats,
            remoting::GetConsumeStatsRequest{"g", topic, list}));
  };

  const remoting::ConsumeStats stats = ask("");

  ASSERT_EQ(stats.offset_table.size(), 4u);
  const remoting::ConsumeOffset& offsets = stats.offset_table.at(Queue("t", 0));
  EXPECT_EQ(offsets.broker_offset, 10);
  EXPECT_EQ(offsets.consumer_offset, 5);
  EXPECT_EQ(offsets.pull_offset, 8);
  EXPECT_GT(offsets.last_timestamp, 1'600'000'000'000);
  EXPECT_GT(stats.consume_tps, 0);
  EXPECT_EQ(ask("t").offset_table.size(), 4u);
  EXPECT_EQ(ask("u").offset_table.size(), 0u);
  EXPECT_EQ(ask("", "t;%RETRY%g;").offset_table.size(), 5u);

  Heartbeat(peer(), "c", "g", "other");
  EXPECT_EQ(ask("t").offset_table.size(), 0u) << "its members do not want the topic any more";
  EXPECT_EQ(ask("", "t").offset_table.size(), 4u) << "unless it is asked for by name";
}

TEST_F(QueryTest, TheStatsOfAllGroupsAddUp) {
  for (int i = 0; i < 10; ++i) Produce("t", "m");
  for (const char* group : {"g1", "g2"}) {
    Ask(peer(), RequestCode::kUpdateConsumerOffset,
        remoting::UpdateConsumerOffsetRequest{group, "t", 0, 4});
  }

  const auto list = BodyIn<remoting::ConsumeStatsList>(
      Ask(peer(), RequestCode::kGetBrokerConsumeStats, remoting::GetBrokerConsumeStatsRequest{}));

  EXPECT_EQ(list.total_diff, 12);
  ASSERT_EQ(list.stats.size(), 2u);
  EXPECT_EQ(list.stats[0].begin()->first, "g1");
}

TEST_F(QueryTest, TopicsAndSubscriptionsOfAGroupAreTold) {
  Ask(peer(), RequestCode::kUpdateConsumerOffset,
      remoting::UpdateConsumerOffsetRequest{"g", "t", 0, 0});
  Heartbeat(peer(), "c", "g", "t", "a || b");

  const auto topics = BodyIn<remoting::TopicList>(
      Ask(peer(), RequestCode::kQueryTopicsByConsumer, remoting::GroupRequest{"g"}));
  EXPECT_EQ(topics.topics, std::vector<std::string>{"t"});
  const auto subscription = BodyIn<remoting::QuerySubscriptionResponseBody>(
      Ask(peer(), RequestCode::kQuerySubscriptionByConsumer, remoting::GroupRequest{"g", "t"}));
  ASSERT_TRUE(subscription.subscription.has_value());
  EXPECT_EQ(subscription.subscription->tags, (std::vector<std::string>{"a", "b"}));
}

// --- Connections --------------------------------------------------------------------

TEST_F(QueryTest, ConnectionsOfAConsumerGroupAreTold) {
  Heartbeat(Connect(), "c1", "g");
  Heartbeat(Connect(), "c2", "g");

  const auto body = BodyIn<remoting::ConsumerConnection>(
      Ask(peer(), RequestCode::kGetConsumerConnectionList, remoting::ConsumerGroupRequest{"g"}));

  ASSERT_EQ(body.connections.size(), 2u);
  EXPECT_EQ(body.connections[0].client_id, "c1");
  EXPECT_EQ(body.connections[0].client_address, "10.0.0.9:5555");
  EXPECT_EQ(body.consume_from_where, remoting::ConsumeFromWhere::kFirstOffset);
  EXPECT_EQ(body.consume_type, remoting::ConsumeType::kPassively);
  EXPECT_EQ(body.message_model, remoting::MessageModel::kClustering);
  EXPECT_EQ(body.subscription_table.at("t").expression, "*");
  EXPECT_EQ(
      Ask(peer(), RequestCode::kGetConsumerConnectionList, remoting::ConsumerGroupRequest{"h"})
          .code,
      206);
}

TEST_F(QueryTest, ProducersAreTold) {
  remoting::HeartbeatData heartbeat;
  heartbeat.client_id = "p1";
  heartbeat.producers.push_back({"pg"});
  Ask(Connect(), RequestCode::kHeartbeat, remoting::FieldBuffer(),
      remoting::EncodeBody(heartbeat));

  const auto body = BodyIn<remoting::ProducerConnection>(
      Ask(peer(), RequestCode::kGetProducerConnectionList, remoting::ProducerGroupRequest{"pg"}));
  ASSERT_EQ(body.connections.size(), 1u);
  EXPECT_EQ(body.connections[0].client_id, "p1");
  EXPECT_EQ(
      Ask(peer(), RequestCode::kGetProducerConnectionList, remoting::ProducerGroupRequest{"x"})
          .code,
      1);
  const auto all =
      BodyIn<remoting::ProducerTableInfo>(Ask(peer(), RequestCode::kGetAllProducerInfo));
  ASSERT_EQ(all.data.at("pg").size(), 1u);
  EXPECT_EQ(all.data.at("pg")[0].remote_ip, "/10.0.0.9:5555");
}

// --- Figures ------------------------------------------------------------------------

class FiguresTest : public QueryTest {
 protected:
  remoting::BrokerStatsData Stats(const std::string& name, const std::string& key) {
    return BodyIn<remoting::BrokerStatsData>(
        Ask(peer(), RequestCode::kViewBrokerStatsData,
            remoting::ViewBrokerStatsDataRequest{name, key}));
  }
  std::map<std::string, std::string> Info() { return Info(peer()); }
  std::map<std::string, std::string> Info(Peer* from) {
    return BodyIn<remoting::KvTable>(Ask(from, RequestCode::kGetBrokerRuntimeInfo)).table;
  }
  static double First(const std::string& rates) {
    double first = -1;
    const std::vector<std::string> parts = absl::StrSplit(rates, ' ');
    EXPECT_EQ(parts.size(), 3u) << rates;
    EXPECT_TRUE(absl::SimpleAtod(parts[0], &first)) << rates;
    return first;
  }
};

TEST_F(FiguresTest, RatesAreTrueUnderAKnownLoad) {
  Heartbeat(peer(), "c", "g");
  for (int second = 0; second < 70; ++second) {
    for (int i = 0; i < 8; ++i) Produce("t", "m");
    remoting::PullMessageRequest pull = PullHeader(second * 8);
    ASSERT_EQ(BodiesOf(Pull(peer(), pull)).size(), 8u);
    executor_.Advance(absl::Seconds(1));
  }

  EXPECT_NEAR(Stats("TOPIC_PUT_NUMS", "t").minute.tps, 8, 0.4);
  EXPECT_EQ(Stats("TOPIC_PUT_NUMS", "t").day.sum, 560);
  EXPECT_NEAR(Stats("GROUP_GET_NUMS", "t@g").minute.tps, 8, 0.4);
  EXPECT_EQ(Stats("GROUP_GET_NUMS", "t@g").hour.sum, 560);
  EXPECT_NEAR(Stats("GROUP_GET_NUMS", "t@g").minute.average, 8, 0.01);
  EXPECT_EQ(Stats("BROKER_PUT_NUMS", "DefaultCluster").day.sum, 560);
  auto info = Info();
  EXPECT_NEAR(First(info["putTps"]), 8, 0.8);
  EXPECT_NEAR(First(info["getTransferredTps"]), 8, 0.8);
  EXPECT_NEAR(First(info["getFoundTps"]), 1, 0.1);
  EXPECT_EQ(info["msgPutTotalTodayNow"], "560");
  EXPECT_EQ(info["msgGetTotalTodayNow"], "560");
}

TEST_F(FiguresTest, StatsThatDoNotExistAreRefused) {
  for (const char* name : {"TOPIC_PUT_NUMS", "GROUP_GET_NUMS", "BROKER_PUT_NUMS", "NONSENSE"}) {
    EXPECT_EQ(Ask(peer(), RequestCode::kViewBrokerStatsData,
                  remoting::ViewBrokerStatsDataRequest{name, "u"})
                  .code,
              1)
        << name;
  }
}

TEST_F(FiguresTest, RuntimeInfoHasWhatToolsReadAlsoWithoutALeader) {
  Produce("t", "m");
  const int64_t now_ms = absl::ToUnixMillis(executor_.clock().WallNow());
  executor_.Advance(absl::Seconds(3700));
  broker_.log()->SetLeader(false);

  auto info = Info(Connect());  // The others were closed for their silence.

  EXPECT_EQ(info["brokerVersionDesc"], "V5_3_3");
  EXPECT_EQ(info["brokerActive"], "true");
  EXPECT_EQ(info["earliestMessageTimeStamp"], absl::StrCat(now_ms));
  EXPECT_EQ(info["runtime"], "[ 0 days, 1 hours, 1 minutes, 40 seconds ]");
  EXPECT_EQ(info["commitLogMinOffset"], "0");
  EXPECT_NE(info["commitLogMaxOffset"], "0");
  for (const char* key :
       {"sendThreadPoolQueueSize", "sendThreadPoolQueueHeadWaitTimeMills",
        "pullThreadPoolQueueSize", "pullThreadPoolQueueHeadWaitTimeMills", "timerReadBehind",
        "timerOffsetBehind", "timerCongestNum", "timerEnqueueTps", "timerDequeueTps",
        "pageCacheLockTimeMills", "msgPutTotalYesterdayMorning", "msgPutTotalTodayMorning",
        "msgGetTotalYesterdayMorning", "msgGetTotalTodayMorning", "putTps", "getMissTps"}) {
    EXPECT_TRUE(info.contains(key)) << key;
  }
}

TEST_F(FiguresTest, DelayedMessagesCountWhenTheyComeIntoTheirQueue) {
  const std::string properties = Packed({{"UNIQ_KEY", "D1"}, {"DELAY", "1"}});
  ASSERT_EQ(Send(producer(), SendHeader("t", properties)).code, 0);
  EXPECT_EQ(Info()["timerCongestNum"], "1");
  EXPECT_EQ(Info()["msgPutTotalTodayNow"], "0");

  executor_.Advance(absl::Seconds(3));

  EXPECT_EQ(Info()["timerCongestNum"], "0");
  EXPECT_EQ(Info()["msgPutTotalTodayNow"], "1");
}

TEST_F(QueryTest, WhatHasNoMeaningHereSaysWhy) {
  for (const int32_t code : {907, 2001, 3005, 370, 200050}) {
    const Command answer = Ask(peer(), static_cast<RequestCode>(code));
    EXPECT_EQ(answer.code, 3) << code;
    EXPECT_FALSE(answer.remark.empty()) << code;
  }
}

TEST_F(FiguresTest, QuestionsWithoutALeaderAreAnsweredInTime) {
  broker_.log()->SetLeader(false);
  const int32_t opaque =
      Start(peer(), RequestCode::kQueryMessage,
            [] {
              remoting::FieldBuffer fields;
              remoting::WriteFields(remoting::QueryMessageRequest{"t", "k", 1, 0, 1}, &fields);
              return fields;
            }());
  executor_.Advance(absl::Seconds(3));

  const Command answer = AnswerAt(peer());
  EXPECT_EQ(answer.opaque, opaque);
  EXPECT_EQ(answer.code, static_cast<int32_t>(ResponseCode::kServiceNotAvailable));
}

}  // namespace
}  // namespace totora::remoting_api
