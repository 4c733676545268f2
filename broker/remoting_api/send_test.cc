#include "broker/remoting_api/send.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "broker/remoting_api/remoting_api_fixture.h"
#include "common/coding.h"
#include "message/digest.h"
#include "message/message.h"
#include "message/message_id.h"
#include "store/commands.h"

namespace totora::remoting_api {
namespace {

class SendTest : public RemotingApiTest {
 protected:
  explicit SendTest(service::BrokerServiceOptions options = Options())
      : RemotingApiTest(std::move(options)) {}

  static message::StoredMessageView View(const std::string& bytes) {
    auto view = message::StoredMessageView::Parse(bytes);
    EXPECT_TRUE(view.ok()) << view.status();
    return *view;
  }

  static void AddItem(absl::string_view body, absl::string_view properties, std::string* to) {
    AppendU32(to, static_cast<uint32_t>(4 * 4 + 4 + body.size() + 2 + properties.size()));
    AppendU32(to, 0);
    AppendU32(to, 0);
    AppendU32(to, 5);
    AppendBytes(to, body);
    AppendU16(to, static_cast<uint16_t>(properties.size()));
    to->append(properties.data(), properties.size());
  }
};

TEST_F(SendTest, AMessageIsStoredAsItCameAndAnsweredWithItsPlace) {
  const std::string properties =
      Packed({{"UNIQ_KEY", "ID1"}, {"own", "x"}, {"TAGS", "TagA"}, {"WAIT", "true"}});
  remoting::SendMessageRequest header = SendHeader("t", properties);
  header.queue_id = 2;

  const Command answer = Send(peer(), header, "hello");

  EXPECT_EQ(answer.code, 0) << answer.remark;
  const std::vector<std::string> stored = StoredIn("t", 2);
  ASSERT_EQ(stored.size(), 1u);
  const message::StoredMessageView view = View(stored[0]);
  EXPECT_EQ(view.body(), "hello");
  EXPECT_EQ(view.properties(), absl::StrCat(properties, Packed({{"CLUSTER", "DefaultCluster"}})));
  EXPECT_EQ(view.flag(), 7);
  EXPECT_EQ(view.born_time_ms(), 1'699'999'999'123);
  EXPECT_EQ(view.born_host().ToString(), "10.0.0.9:5555");
  EXPECT_EQ(view.queue_id(), 2u);
  EXPECT_TRUE(view.CheckBody().ok());
  const message::OffsetMessageId id{view.store_host(), view.position()};
  EXPECT_EQ(Field(answer, "msgId"), id.Encode());
  EXPECT_EQ(Field(answer, "queueId"), "2");
  EXPECT_EQ(Field(answer, "queueOffset"), "0");
  EXPECT_EQ(Field(answer, "transactionId"), "ID1");
  EXPECT_EQ(Field(answer, "MSG_REGION"), "DefaultRegion");
  EXPECT_EQ(Field(answer, "TRACE_ON"), "true");
  EXPECT_EQ(answer.fields.size(), 6u);
}

TEST_F(SendTest, BothCodesAndBothSpellingsMeanTheSame) {
  for (RequestCode code : {RequestCode::kSendMessage, RequestCode::kSendMessageV2}) {
    EXPECT_EQ(Send(peer(), SendHeader("t"), "b", code).code, 0);
  }
  EXPECT_EQ(StoredIn("t", 0).size(), 2u);
}

TEST_F(SendTest, AMessageWithoutAnIdGetsOne) {
  const Command answer = Send(peer(), SendHeader("t", Packed({{"a", "b"}})));

  const std::vector<std::string> stored = StoredIn("t", 0);
  ASSERT_EQ(stored.size(), 1u);
  const std::string id(View(stored[0]).Property("UNIQ_KEY"));
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(Field(answer, "transactionId"), id);
}

TEST_F(SendTest, PropertiesWithoutTheLastSeparatorAreCompletedNotBroken) {
  std::string properties = Packed({{"UNIQ_KEY", "ID1"}, {"a", "b"}});
  properties.pop_back();

  Send(peer(), SendHeader("t", properties));

  const std::vector<std::string> stored = StoredIn("t", 0);
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(View(stored[0]).Property("a"), "b");
  EXPECT_EQ(View(stored[0]).Property("CLUSTER"), "DefaultCluster");
}

TEST_F(SendTest, ACompressedBodyPassesThrough) {
  for (int32_t flags : {0x301, 0x001}) {
    remoting::SendMessageRequest header = SendHeader("t");
    header.sys_flag = flags | 0xf0;  // What clients may not set is left out.
    header.queue_id = flags == 0x301 ? 0 : 1;
    EXPECT_EQ(Send(peer(), header, "\x78\x9c").code, 0);
    const std::vector<std::string> stored = StoredIn("t", static_cast<uint32_t>(header.queue_id));
    ASSERT_EQ(stored.size(), 1u);
    EXPECT_EQ(View(stored[0]).system_flags(), static_cast<uint32_t>(flags));
    EXPECT_EQ(View(stored[0]).body(), "\x78\x9c");
  }
}

TEST_F(SendTest, ANegativeQueueIsTheBrokersToChoose) {
  remoting::SendMessageRequest header = SendHeader("t");
  header.queue_id = -1;
  std::vector<bool> used(4);
  for (int i = 0; i < 4; ++i) {
    const Command answer = Send(peer(), header);
    used[static_cast<size_t>(std::stoi(Field(answer, "queueId")))] = true;
  }
  EXPECT_EQ(used, std::vector<bool>(4, true));
}

// A message with everything wrong, repaired step by step, names each fault in
// the order in which RocketMQ looks.
TEST_F(SendTest, FaultsAreNamedInRocketMqsOrder) {
  std::string topic = "no/topic";
  std::string properties(32768, 'p');
  std::string body((4 << 20) + 1, 'b');
  remoting::SendMessageRequest header = SendHeader(topic);
  header.default_topic = "nothing";
  header.queue_id = 4;
  struct Step {
    int code;
    std::function<void()> repair;
  };
  const std::vector<Step> steps = {
      {29, [&] { topic = "SELF_TEST_TOPIC"; }},
      {16, [&] { topic = "unknown"; }},
      {17, [&] { topic = "t"; }},
      {29, [&] { header.queue_id = 3; }},
      {13, [&] { body = "b"; }},
      {13, [&] { properties = Packed({{"TRAN_MSG", "true"}}); }},
      {3, [&] { properties = Packed({{"TIMER_DELAY_SEC", "259201"}}); }},
      {13, [&] { properties = Packed({{"DELAY", "x"}}); }},
      {13, [&] { properties = ""; }},
      {0, [] {}},
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    SCOPED_TRACE(i);
    header.topic = topic;
    header.properties = properties;
    const Command answer = Send(peer(), header, body);
    EXPECT_EQ(answer.code, steps[i].code) << answer.remark;
    EXPECT_EQ(answer.remark.empty(), answer.code == 0);
    EXPECT_EQ(Field(answer, "MSG_REGION"), "DefaultRegion");
    steps[i].repair();
  }
}

TEST_F(SendTest, AMissingFieldIsToldInJavasWords) {
  remoting::FieldBuffer fields;
  fields.Add("producerGroup", "pg");

  const Command answer = Ask(peer(), RequestCode::kSendMessage, fields, "b");

  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.remark, "the custom field <topic> is null");
}

TEST_F(SendTest, AReadOnlyTopicTakesNothing) {
  CreateTopic("readonly", 4, 4);
  EXPECT_EQ(Send(peer(), SendHeader("readonly")).code, 16);
}

// --- Topics that come into being ----------------------------------------------

TEST_F(SendTest, AnUnknownTopicIsMadeLikeTheDefaultOne) {
  remoting::SendMessageRequest header = SendHeader("new");
  header.queue_id = 3;
  EXPECT_EQ(Send(peer(), header).code, 0);

  const auto config = broker_.state()->FindTopic("new");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->read_queues, 4u);
  EXPECT_EQ(config->write_queues, 4u);
  EXPECT_EQ(config->permission, 6u);
}

TEST_F(SendTest, TheDefaultTopicBoundsTheQueuesAndMayForbidCopies) {
  CreateTopic("TBW102", 2, 7);
  EXPECT_EQ(Send(peer(), SendHeader("new")).code, 0);
  EXPECT_EQ(broker_.state()->FindTopic("new")->write_queues, 2u);

  CreateTopic("TBW102", 2, 6);
  EXPECT_EQ(Send(peer(), SendHeader("newer")).code, 17);

  CreateTopic("mine", 3, 7);
  remoting::SendMessageRequest header = SendHeader("newest");
  header.default_topic = "mine";
  EXPECT_EQ(Send(peer(), header).code, 0);
  EXPECT_EQ(broker_.state()->FindTopic("newest")->write_queues, 3u);
}

TEST_F(SendTest, ManyFirstSendsMakeOneTopic) {
  broker_.log()->SetLeader(false);
  for (int i = 0; i < 10; ++i) {
    Start(peer(), RequestCode::kSendMessageV2,
          Fields(SendHeader("new"), RequestCode::kSendMessageV2), "b");
  }
  const size_t before = broker_.log()->CountApplied(store::CommandKind::kPutTopic);

  broker_.log()->SetLeader(true);
  executor_.Run();

  EXPECT_EQ(broker_.log()->CountApplied(store::CommandKind::kPutTopic), before + 1);
  EXPECT_EQ(StoredIn("new", 0).size(), 10u);
}

TEST_F(SendTest, TheLeaderOwnsTheDefaultTopic) {
  executor_.Advance(absl::Seconds(1));

  const auto config = broker_.state()->FindTopic("TBW102");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->write_queues, 8u);
  EXPECT_EQ(config->permission, 7u);
}

class NoCreationTest : public SendTest {
 protected:
  static service::BrokerServiceOptions None() {
    service::BrokerServiceOptions options = Options();
    options.creates_topics_on_send = false;
    options.creates_consumer_groups_on_use = false;
    return options;
  }
  NoCreationTest() : SendTest(None()) {}
};

TEST_F(NoCreationTest, UnknownNamesStayUnknown) {
  executor_.Advance(absl::Seconds(1));
  EXPECT_FALSE(broker_.state()->FindTopic("TBW102").has_value());
  EXPECT_EQ(Send(peer(), SendHeader("new")).code, 17);
  EXPECT_EQ(Send(peer(), SendHeader("%RETRY%g")).code, 26);
  EXPECT_FALSE(broker_.state()->FindTopic("%RETRY%g").has_value());
}

// --- Retries that consumers send themselves -------------------------------------

TEST_F(SendTest, ARetryTopicIsMadeWithItsConsumerGroup) {
  remoting::SendMessageRequest header = SendHeader("%RETRY%g");
  header.reconsume_times = 3;

  EXPECT_EQ(Send(peer(), header).code, 0);

  EXPECT_TRUE(broker_.state()->FindConsumerGroup("g").has_value());
  EXPECT_EQ(broker_.state()->FindTopic("%RETRY%g")->write_queues, 1u);
  const std::vector<std::string> stored = StoredIn("%RETRY%g", 0);
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(View(stored[0]).reconsume_times(), 3);
  EXPECT_EQ(View(stored[0]).topic(), "%RETRY%g");
}

TEST_F(SendTest, ARetryBeyondTheLastIsADeadLetterAtOnce) {
  remoting::SendMessageRequest header = SendHeader("%RETRY%g",
                                                   "DELAY\x01"
                                                   "5\x02");
  header.reconsume_times = 17;
  header.queue_id = 3;  // Of the retry topic; dead letters have one queue.
  EXPECT_EQ(Send(peer(), header).code, 0);
  header.reconsume_times = 3;
  header.max_reconsume_times = 2;
  EXPECT_EQ(Send(peer(), header).code, 0);

  const std::vector<std::string> stored = StoredIn("%DLQ%g", 0);
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_EQ(View(stored[0]).topic(), "%DLQ%g");
}

TEST_F(SendTest, AnOrderlyConsumerGivesUpOnlyAfterTheLastAttempt) {
  Heartbeat(peer(), "c1");
  EXPECT_EQ(Ask(peer(), RequestCode::kLockBatchMq, remoting::FieldBuffer(),
                R"({"clientId":"c1","consumerGroup":"g",)"
                R"("mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"t"}]})")
                .code,
            0);
  EXPECT_EQ(Send(peer(), SendHeader("%RETRY%g")).code, 0);
  EXPECT_EQ(StoredIn("%DLQ%g", 0).size(), 1u);
}

// The same message fails again and again, under one id.
TEST_F(SendTest, EachFailureOfOneMessageIsStored) {
  const std::string properties = Packed({{"UNIQ_KEY", "ID1"}});
  for (int32_t times : {1, 2, 3, 3}) {
    remoting::SendMessageRequest header = SendHeader("%RETRY%g", properties);
    header.reconsume_times = times;
    EXPECT_EQ(Send(Connect(), header).code, 0);
  }
  EXPECT_EQ(StoredIn("%RETRY%g", 0).size(), 3u);
}

// --- Batches ------------------------------------------------------------------

TEST_F(SendTest, ABatchIsOneAnswerForManyMessagesOfOneQueue) {
  std::string body;
  AddItem("one", Packed({{"UNIQ_KEY", "A"}, {"TAGS", "x"}}), &body);
  AddItem("two", Packed({{"UNIQ_KEY", "B"}}), &body);
  AddItem("", "", &body);
  const std::string properties = Packed({{"UNIQ_KEY", "BATCH"}});
  remoting::SendMessageRequest header = SendHeader("t", properties);
  header.batch = true;
  header.queue_id = 1;

  const Command answer = Send(peer(), header, body, RequestCode::kSendBatchMessage);

  EXPECT_EQ(answer.code, 0) << answer.remark;
  const std::vector<std::string> stored = StoredIn("t", 1);
  ASSERT_EQ(stored.size(), 3u);
  const std::vector<std::string> ids = absl::StrSplit(Field(answer, "msgId"), ',');
  ASSERT_EQ(ids.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const message::StoredMessageView view = View(stored[i]);
    EXPECT_EQ(ids[i], (message::OffsetMessageId{view.store_host(), view.position()}).Encode());
    EXPECT_EQ(view.flag(), 5);
  }
  EXPECT_EQ(View(stored[0]).properties(), Packed({{"UNIQ_KEY", "A"}, {"TAGS", "x"}}));
  EXPECT_EQ(View(stored[1]).body(), "two");
  EXPECT_EQ(View(stored[2]).properties(), "");
  EXPECT_EQ(Field(answer, "queueOffset"), "0");
  EXPECT_EQ(Field(answer, "transactionId"), "BATCH");
}

// Clients send again to another broker on NO_PERMISSION, and fail at once on this.
TEST_F(SendTest, HalfMessagesAreNotSupportedYetAndStoreNothing) {
  remoting::SendMessageRequest flagged = SendHeader("t");
  flagged.sys_flag = message::kTransactionPrepared;
  const std::string properties = Packed({{"TRAN_MSG", "true"}});
  const remoting::SendMessageRequest named = SendHeader("t", properties);

  for (const remoting::SendMessageRequest& header : {flagged, named}) {
    const Command answer = Send(peer(), header, "half");
    EXPECT_EQ(answer.code, 3);
    EXPECT_EQ(answer.remark, "transactions are not supported yet");
  }

  EXPECT_TRUE(StoredIn("t", 0).empty());
}

// RocketMQ's example of a split batch sends 13,000 messages at a time.
TEST_F(SendTest, TheLargestBatchIsStoredAndAnsweredAndOneMoreIsIllegal) {
  std::string body;
  for (size_t i = 0; i < store::SendCommand::kSendItemsMax; ++i) AddItem("hello", "", &body);
  remoting::SendMessageRequest header = SendHeader("t");
  header.batch = true;

  const Command answer = Send(peer(), header, body, RequestCode::kSendBatchMessage);
  AddItem("hello", "", &body);
  const Command refused = Send(peer(), header, body, RequestCode::kSendBatchMessage);

  EXPECT_EQ(answer.code, 0) << answer.remark;
  const std::vector<std::string> ids = absl::StrSplit(Field(answer, "msgId"), ',');
  EXPECT_EQ(ids.size(), store::SendCommand::kSendItemsMax);
  EXPECT_EQ(StoredIn("t", 0).size(), store::SendCommand::kSendItemsMax);
  EXPECT_EQ(refused.code, 13);
}

TEST_F(SendTest, BadBatchesAreIllegalAndStoreNothing) {
  std::string good;
  AddItem("one", "", &good);
  remoting::SendMessageRequest header = SendHeader("t");
  header.batch = true;
  const auto send = [&](absl::string_view body) {
    return Send(peer(), header, body, RequestCode::kSendBatchMessage).code;
  };
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(send(absl::string_view(good).substr(0, size)), 13) << size;
  }
  std::string wrong_size = good + good;
  ++wrong_size[3];
  EXPECT_EQ(send(wrong_size), 13);
  header.sys_flag = 1;
  EXPECT_EQ(send(good), 13);
  header.sys_flag = 0;
  header.topic = "%RETRY%g";
  EXPECT_EQ(send(good), 13);
  EXPECT_TRUE(StoredIn("t", 0).empty());
}

// --- Repeats --------------------------------------------------------------------

TEST_F(SendTest, ARetryOverAnotherConnectionIsStoredOnceAndAnsweredAlike) {
  Send(peer(), SendHeader("t", Packed({{"UNIQ_KEY", "other"}})));
  const remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");

  const Command first = Send(Connect(), header);
  const Command second = Send(Connect(), header);

  EXPECT_EQ(second.code, 0);
  EXPECT_EQ(StoredIn("t", 0).size(), 2u);
  for (const char* field : {"msgId", "queueId", "queueOffset", "transactionId"}) {
    EXPECT_EQ(Field(second, field), Field(first, field)) << field;
  }
}

TEST_F(SendTest, ARepeatOnTheConnectionThatWasAnsweredIsMeant) {
  const remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Send(peer(), header).code, 0);

  EXPECT_EQ(StoredIn("t", 0).size(), 3u);
}

TEST_F(SendTest, ARepeatAfterALateAnswerIsARetry) {
  const remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  broker_.log()->HoldResults(true);
  Start(peer(), RequestCode::kSendMessageV2, Fields(header, RequestCode::kSendMessageV2), "body");
  executor_.Advance(absl::Milliseconds(2600));
  broker_.log()->HoldResults(false);
  executor_.Run();
  EXPECT_EQ(AnswerAt(peer()).code, 0);

  EXPECT_EQ(Send(peer(), header).code, 0);

  EXPECT_EQ(StoredIn("t", 0).size(), 1u);
}

// On another connection, where nothing tells them apart but time.
TEST_F(SendTest, ARepeatIsARetryFor15SecondsAfterTheLast) {
  const remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  EXPECT_EQ(Send(Connect(), header).code, 0);
  for (int i = 0; i < 2; ++i) {
    executor_.Advance(absl::Seconds(14));
    EXPECT_EQ(Send(Connect(), header).code, 0);
  }
  EXPECT_EQ(StoredIn("t", 0).size(), 1u);

  executor_.Advance(absl::Seconds(16));
  EXPECT_EQ(Send(Connect(), header).code, 0);

  EXPECT_EQ(StoredIn("t", 0).size(), 2u);
}

// Go's one-way requests do not say that they are, and nobody waits between two
// asynchronous sends of one object.
TEST_F(SendTest, RepeatsThatDoNotWaitForAnAnswerAreMeant) {
  remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  broker_.log()->HoldResults(true);
  for (int i = 0; i < 5; ++i) {
    header.born_timestamp += 3;
    Start(peer(), RequestCode::kSendMessage, Fields(header, RequestCode::kSendMessage), "b");
    executor_.Advance(absl::Milliseconds(3));
  }
  broker_.log()->HoldResults(false);
  executor_.Run();

  EXPECT_EQ(StoredIn("t", 0).size(), 5u);
  // What another connection brings is a retry of one of them all the same.
  EXPECT_EQ(Send(Connect(), header, "b").code, 0);
  EXPECT_EQ(StoredIn("t", 0).size(), 5u);
}

// Go's second try after 3 s in vain, over the same connection.
TEST_F(SendTest, ARepeatThatWaitedForAnAnswerIsARetry) {
  remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  broker_.log()->HoldResults(true);
  Start(peer(), RequestCode::kSendMessage, Fields(header, RequestCode::kSendMessage), "b");
  header.born_timestamp += 3000;
  Start(peer(), RequestCode::kSendMessage, Fields(header, RequestCode::kSendMessage), "b");
  broker_.log()->HoldResults(false);
  executor_.Run();

  EXPECT_EQ(StoredIn("t", 0).size(), 1u);
}

// An earlier answer in time says nothing of the one that came too late.
TEST_F(SendTest, ARepeatAfterALateAnswerIsARetryEvenOfAnObjectThatWasSentBefore) {
  const remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  EXPECT_EQ(Send(peer(), header).code, 0);
  broker_.log()->HoldResults(true);
  Start(peer(), RequestCode::kSendMessageV2, Fields(header, RequestCode::kSendMessageV2), "body");
  executor_.Advance(absl::Milliseconds(2600));
  broker_.log()->HoldResults(false);
  executor_.Run();
  ASSERT_EQ(StoredIn("t", 0).size(), 2u);
  AnswerAt(peer());

  EXPECT_EQ(Send(peer(), header).code, 0);

  EXPECT_EQ(StoredIn("t", 0).size(), 2u);
}

TEST_F(SendTest, ABatchThatHasAMessageTwiceIsRetriedAsAWhole) {
  std::string body;
  AddItem("one", Packed({{"UNIQ_KEY", "A"}}), &body);
  AddItem("one", Packed({{"UNIQ_KEY", "A"}}), &body);
  remoting::SendMessageRequest header = SendHeader("t");
  header.batch = true;
  EXPECT_EQ(Send(Connect(), header, body, RequestCode::kSendBatchMessage).code, 0);
  const size_t stored = StoredIn("t", 0).size();
  EXPECT_EQ(Send(Connect(), header, body, RequestCode::kSendBatchMessage).code, 0);
  EXPECT_EQ(StoredIn("t", 0).size(), stored);
}

// A program may send one message in a loop that waits for nothing.
TEST_F(SendTest, OneWaySendsAreStoredEachTimeAndNeverAnswered) {
  const remoting::SendMessageRequest header = SendHeader("t", "UNIQ_KEY\x01ID1\x02");
  for (int i = 0; i < 2; ++i) {
    peer()->Send({.code = 310, .opaque = i, .flag = remoting::kFlagOneway},
                 Fields(header, RequestCode::kSendMessageV2), "b");
  }
  executor_.Run();
  EXPECT_EQ(AnswerAt(peer()).code, -1);
  EXPECT_EQ(StoredIn("t", 0).size(), 2u);
}

// --- Elections and delays ---------------------------------------------------------

TEST_F(SendTest, ASendInTheElectionGapSucceedsWhenALeaderComes) {
  broker_.log()->SetLeader(false);
  Start(peer(), RequestCode::kSendMessageV2, Fields(SendHeader("t"), RequestCode::kSendMessageV2),
        "b");
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(AnswerAt(peer()).code, -1);

  broker_.log()->SetLeader(true);
  executor_.Run();

  EXPECT_EQ(AnswerAt(peer()).code, 0);
}

// Before the client's 3 s are over, in the one code that all clients retry.
TEST_F(SendTest, ALongerElectionIsAnswered14InTime) {
  broker_.log()->SetLeader(false);
  Start(peer(), RequestCode::kSendMessageV2, Fields(SendHeader("t"), RequestCode::kSendMessageV2),
        "b");
  executor_.Advance(absl::Milliseconds(2600));

  EXPECT_EQ(AnswerAt(peer()).code, 14);
}

TEST_F(SendTest, ADelayedMessageComesWhenItsTimeComes) {
  const Command answer = Send(peer(), SendHeader("t", Packed({{"DELAY", "2"}, {"a", "b"}})));
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(Field(answer, "msgId").size(), 32u);
  EXPECT_TRUE(StoredIn("t", 0).empty());

  executor_.Advance(absl::Milliseconds(4900));
  EXPECT_TRUE(StoredIn("t", 0).empty());
  executor_.Advance(absl::Milliseconds(200));

  const std::vector<std::string> stored = StoredIn("t", 0);
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(View(stored[0]).Property("a"), "b");
  EXPECT_EQ(View(stored[0]).Property("DELAY"), "");
}

}  // namespace
}  // namespace totora::remoting_api
