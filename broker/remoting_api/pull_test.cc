#include "broker/remoting_api/pull.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "common/coding.h"
#include "message/message_id.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

using Bodies = std::vector<std::string>;

class PullTest : public RemotingApiTest {
 protected:
  PullTest() { Heartbeat(peer(), "c1"); }

  // Code, next, minimum and maximum of an answer.
  static std::vector<int64_t> Figures(const Command& answer) {
    const auto number = [&answer](absl::string_view name) {
      int64_t value = -1;
      EXPECT_TRUE(remoting::ParseJava(Field(answer, name), &value)) << name;
      return value;
    };
    EXPECT_EQ(Field(answer, "suggestWhichBrokerId"), "0");
    return {answer.code, number("nextBeginOffset"), number("minOffset"), number("maxOffset")};
  }
  using Expected = std::vector<int64_t>;
};

TEST_F(PullTest, MessagesComeAsStoredWithTheirOffsets) {
  for (const char* body : {"one", "two", "three"}) Produce("t", body, "x");

  const Command answer = Pull(peer(), PullHeader(1));

  EXPECT_EQ(Figures(answer), (Expected{0, 3, 0, 3}));
  EXPECT_EQ(answer.remark, "FOUND");
  const auto messages = MessagesOf(answer);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].body(), "two");
  EXPECT_EQ(messages[0].queue_offset(), QueueOffset(1));
  EXPECT_EQ(messages[1].queue_offset(), QueueOffset(2));
  EXPECT_EQ(messages[0].queue_id(), 0u);
  EXPECT_TRUE(messages[0].CheckBody().ok());
  EXPECT_EQ(messages[0].Property("TAGS"), "x");
}

TEST_F(PullTest, AnAnswerIsBoundedInMessagesAndBytes) {
  for (int i = 0; i < 40; ++i) Produce("t", std::to_string(i));
  remoting::PullMessageRequest header = PullHeader(0);
  header.max_message_nums = 1000;
  EXPECT_EQ(BodiesOf(Pull(peer(), header)).size(), 32u);
  header.max_message_nums = 5;
  EXPECT_EQ(Figures(Pull(peer(), header)), (Expected{0, 5, 0, 40}));
  header.max_message_nums = 32;
  header.max_message_bytes = 500;
  EXPECT_LT(BodiesOf(Pull(peer(), header)).size(), 5u);
  header.max_message_bytes = 1;
  EXPECT_EQ(BodiesOf(Pull(peer(), header)), Bodies{"0"});

  CreateTopic("large", 1);
  Heartbeat(peer(), "c1", "g", "large");
  for (int i = 0; i < 3; ++i) Produce("large", std::string(200 << 10, 'x'));
  EXPECT_EQ(BodiesOf(Pull(peer(), PullHeader(0, "large"))).size(), 1u);
}

// Neighbours in the log are read together, over what lies between them.
TEST_F(PullTest, MessagesOfABatchComeOneByOneAndFiltered) {
  Produce("t", "before", "a");
  std::string batch;
  for (int i = 0; i < 40; ++i) {
    // Some lie too far apart to be read together.
    const std::string body = std::string(i % 10 == 0 ? 5000 : 1, static_cast<char>('0' + i));
    const std::string properties = Packed({{"TAGS", i % 2 == 0 ? "a" : "b"}});
    AppendU32(&batch, static_cast<uint32_t>(22 + body.size() + properties.size()));
    for (int word = 0; word < 3; ++word) AppendU32(&batch, 0);
    AppendBytes(&batch, body);
    AppendU16(&batch, static_cast<uint16_t>(properties.size()));
    batch += properties;
  }
  remoting::SendMessageRequest header = SendHeader("t");
  header.batch = true;
  ASSERT_EQ(Send(producer(), header, batch, RequestCode::kSendBatchMessage).code, 0);

  const Command all = Pull(peer(), PullHeader(0));

  EXPECT_EQ(Figures(all), (Expected{0, 32, 0, 41}));
  const auto messages = MessagesOf(all);
  ASSERT_EQ(messages.size(), 32u);
  EXPECT_EQ(messages[0].body(), "before");
  for (size_t i = 1; i < messages.size(); ++i) {
    EXPECT_EQ(messages[i].body()[0], static_cast<char>('0' + i - 1));
    EXPECT_TRUE(messages[i].CheckBody().ok());
    EXPECT_EQ(messages[i].queue_offset(), QueueOffset(i));
  }

  Heartbeat(peer(), "c1", "g", "t", "b", 2);
  const Command some = Pull(peer(), PullHeader(0));

  EXPECT_EQ(Figures(some), (Expected{0, 41, 0, 41}));
  ASSERT_EQ(MessagesOf(some).size(), 20u);
  for (const auto& message : MessagesOf(some)) EXPECT_EQ(message.Property("TAGS"), "b");
}

// The table of RocketMQ's PullMessageProcessor.
TEST_F(PullTest, OffsetsOutsideTheQueueAreCorrected) {
  remoting::PullMessageRequest header = PullHeader(0);
  header.sys_flag = 0;
  const auto at = [&](int64_t offset) {
    header.queue_offset = offset;
    return Figures(Pull(peer(), header));
  };
  EXPECT_EQ(at(0), (Expected{19, 0, 0, 0}));
  EXPECT_EQ(at(5), (Expected{21, 0, 0, 0}));
  for (int i = 0; i < 3; ++i) Produce("t", "m");
  EXPECT_EQ(at(3), (Expected{19, 3, 0, 3}));
  EXPECT_EQ(at(4), (Expected{21, 3, 0, 3}));
  EXPECT_EQ(at(-1), (Expected{21, 0, 0, 3}));
  EXPECT_EQ(at(INT64_MIN), (Expected{21, 0, 0, 3}));
  EXPECT_EQ(at(INT64_MAX), (Expected{21, 3, 0, 3}));
}

TEST_F(PullTest, FaultsHaveTheirCodes) {
  CreateTopic("writeonly", 2, 2);
  Heartbeat(peer(), "c1", "g", "writeonly");
  EXPECT_EQ(Pull(peer(), PullHeader(0, "x")).code, 17);
  EXPECT_EQ(Pull(peer(), PullHeader(0, "writeonly")).code, 16);
  for (int32_t queue_id : {-1, 4, INT32_MAX, INT32_MIN}) {
    remoting::PullMessageRequest header = PullHeader(0);
    header.queue_id = queue_id;
    EXPECT_EQ(Pull(peer(), header).code, 29) << queue_id;
  }
  EXPECT_EQ(Pull(peer(), PullHeader(0, "t")).code, 24);  // The last heartbeat took it back.
  Heartbeat(peer(), "c1", "g", "t", "*", 5);
  remoting::PullMessageRequest header = PullHeader(0);
  header.sub_version = 6;
  EXPECT_EQ(Pull(peer(), header).code, 25);
  header = PullHeader(0);
  header.sys_flag = remoting::kPullSubscription;
  header.subscription = "||";
  EXPECT_EQ(Pull(peer(), header).code, 23);
  header.expression_type = "SQL92";
  header.subscription = "a > 5";
  EXPECT_EQ(Pull(peer(), header).code, 1);
}

TEST_F(PullTest, TheSubscriptionOfTheHeartbeatFilters) {
  Heartbeat(peer(), "c1", "g", "t", "a || b", 2);
  for (const char* tag : {"a", "c", "b", "", "a"}) Produce("t", tag, tag);

  const Command answer = Pull(peer(), PullHeader(0));

  EXPECT_EQ(Figures(answer), (Expected{0, 5, 0, 5}));
  EXPECT_EQ(BodiesOf(answer), (Bodies{"a", "b", "a"}));
}

TEST_F(PullTest, TheSubscriptionInThePullWins) {
  for (const char* tag : {"a", "c"}) Produce("t", tag, tag);
  remoting::PullMessageRequest header = PullHeader(0);
  header.sys_flag = remoting::kPullSubscription;
  header.subscription = "c";
  header.expression_type = "TAG";

  EXPECT_EQ(BodiesOf(Pull(peer(), header)), Bodies{"c"});
}

// "Aa" and "BB" have the same hash.
TEST_F(PullTest, TheTagItselfDecides) {
  Heartbeat(peer(), "c1", "g", "t", "Aa", 2);
  Produce("t", "no", "BB");

  const Command answer = Pull(peer(), PullHeader(0));
  EXPECT_EQ(Figures(answer), (Expected{20, 1, 0, 1}));
  EXPECT_TRUE(answer.body.view().empty());

  Produce("t", "yes", "Aa");
  EXPECT_EQ(BodiesOf(Pull(peer(), PullHeader(0))), Bodies{"yes"});
}

// --- Long polling ---------------------------------------------------------------

TEST_F(PullTest, APullAtTheEndWaitsForTheNextMessage) {
  StartPull(peer(), PullHeader(0));
  executor_.Advance(absl::Seconds(5));
  EXPECT_EQ(AnswerAt(peer()).code, -1);

  Produce("t", "new");

  const Command answer = AnswerAt(peer());
  EXPECT_EQ(Figures(answer), (Expected{0, 1, 0, 1}));
  EXPECT_EQ(BodiesOf(answer), Bodies{"new"});
}

TEST_F(PullTest, AnEmptyWaitEndsWhenItsTimeIsOver) {
  StartPull(peer(), PullHeader(0));
  executor_.Advance(absl::Milliseconds(14'900));
  EXPECT_EQ(AnswerAt(peer()).code, -1);
  executor_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(Figures(AnswerAt(peer())), (Expected{19, 0, 0, 0}));
}

TEST_F(PullTest, NobodyWaitsLongerThanClientsDo) {
  remoting::PullMessageRequest header = PullHeader(0);
  header.suspend_timeout_millis = INT64_MAX;
  StartPull(peer(), header);
  executor_.Advance(absl::Seconds(26));
  EXPECT_EQ(AnswerAt(peer()).code, 19);
  header.suspend_timeout_millis = -1;
  EXPECT_EQ(Pull(peer(), header).code, 19);
}

TEST_F(PullTest, AMessageForOthersWakesNobodyAndIsSkippedInTheEnd) {
  Heartbeat(peer(), "c1", "g", "t", "a", 2);
  StartPull(peer(), PullHeader(0));
  Produce("t", "no", "b");
  EXPECT_EQ(AnswerAt(peer()).code, -1);

  executor_.Advance(absl::Seconds(16));

  EXPECT_EQ(Figures(AnswerAt(peer())), (Expected{20, 1, 0, 1}));
}

TEST_F(PullTest, EachQueueWakesItsOwn) {
  remoting::PullMessageRequest header = PullHeader(0);
  header.queue_id = 1;
  StartPull(peer(), header);
  Produce("t", "queue 0");
  EXPECT_EQ(AnswerAt(peer()).code, -1);
  EXPECT_EQ(broker_.service()->puller().parked(), 1u);
}

TEST_F(PullTest, AClosedConnectionLeavesNothingBehind) {
  Peer* const second = Connect();
  StartPull(second, PullHeader(0));
  ASSERT_EQ(broker_.service()->puller().open(), 1u);

  second->Disconnect();
  executor_.Run();

  EXPECT_EQ(broker_.service()->puller().open(), 0u);
  EXPECT_EQ(server_.counters().requests_held.load(), 0);
  EXPECT_EQ(server_.counters().unanswered.load(), 0u);
}

TEST_F(PullTest, WhoGoesAwayAnswersWhatIsParked) {
  Produce("t", "m");
  StartPull(peer(), PullHeader(1));
  peer()->handler->OnDrain();
  executor_.Run();
  EXPECT_EQ(Figures(AnswerAt(peer())), (Expected{20, 1, 0, 1}));
  EXPECT_TRUE(peer()->raw->is_closed);

  Peer* const second = Connect();
  StartPull(second, PullHeader(1));
  broker_.service()->Stop();
  executor_.Run();
  EXPECT_EQ(AnswerAt(second).code, 20);
}

class BoundedPullTest : public RemotingApiTest {
 protected:
  static service::BrokerServiceOptions Two() {
    service::BrokerServiceOptions options = Options();
    options.pulls.total_max = 2;
    return options;
  }
  BoundedPullTest() : RemotingApiTest(Two()) { Heartbeat(peer(), "c1"); }
};

TEST_F(BoundedPullTest, OneTooManyIsAskedToComeLater) {
  StartPull(peer(), PullHeader(0));
  StartPull(peer(), PullHeader(0));
  EXPECT_EQ(Pull(peer(), PullHeader(0)).code, 2);
}

TEST_F(PullTest, WithoutALeaderWhatIsThereIsReadAndDoubtIsNoAnswer) {
  Produce("t", "m");
  broker_.log()->SetLeader(false);

  EXPECT_EQ(BodiesOf(Pull(peer(), PullHeader(0))), Bodies{"m"});
  // Beyond the end: of this replica's state, which may be behind.
  StartPull(peer(), PullHeader(7));
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(AnswerAt(peer()).code, -1);
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(AnswerAt(peer()).code, 14);
}

TEST_F(PullTest, ADelayedMessageShowsWhenItArrived) {
  StartPull(peer(), PullHeader(0));
  ASSERT_EQ(Send(producer(),
                 SendHeader("t",
                            "DELAY\x01"
                            "1\x02"),
                 "later")
                .code,
            0);
  executor_.Advance(absl::Milliseconds(900));
  EXPECT_EQ(AnswerAt(peer()).code, -1);

  executor_.Advance(absl::Milliseconds(200));

  const Command answer = AnswerAt(peer());
  const auto messages = MessagesOf(answer);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].body(), "later");
  EXPECT_GE(messages[0].store_time_ms(), absl::ToUnixMillis(executor_.clock().WallNow()) - 150);
}

TEST_F(PullTest, APullCommitsTheOffsetItCarries) {
  for (int i = 0; i < 3; ++i) Produce("t", "m");
  remoting::PullMessageRequest header = PullHeader(2);
  header.sys_flag = remoting::kPullCommitOffset;
  header.commit_offset = 2;
  EXPECT_EQ(Pull(peer(), header).code, 0);

  EXPECT_EQ(broker_.state()->ConsumerOffset("g", "t", 0), QueueOffset(2));
}

}  // namespace
}  // namespace totora::remoting_api
