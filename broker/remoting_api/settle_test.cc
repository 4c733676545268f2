// Offsets, locks, and messages that are sent back.
#include "broker/remoting_api/settle.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/remoting_api/remoting_api_fixture.h"
#include "message/message_id.h"
#include "remoting/bodies/queues.h"
#include "remoting/header/offsets.h"
#include "remoting/header/send.h"

namespace totora::remoting_api {
namespace {

class OffsetsTest : public RemotingApiTest {
 protected:
  // The offset, or minus the code.
  static int64_t OffsetIn(const Command& answer) {
    int64_t offset = 0;
    if (answer.code != 0) return -answer.code;
    EXPECT_TRUE(remoting::ParseJava(Field(answer, "offset"), &offset));
    return offset;
  }
  int64_t Query(const std::string& topic, int32_t queue_id = 0, const std::string& group = "g") {
    return OffsetIn(Ask(peer(), RequestCode::kQueryConsumerOffset,
                        remoting::QueryConsumerOffsetRequest{group, topic, queue_id}));
  }
  int Update(int64_t offset, const std::string& topic = "t", int32_t queue_id = 0) {
    return Ask(peer(), RequestCode::kUpdateConsumerOffset,
               remoting::UpdateConsumerOffsetRequest{"g", topic, queue_id, offset})
        .code;
  }
};

TEST_F(OffsetsTest, WhatWasReportedIsTold) {
  for (int i = 0; i < 9; ++i) Produce("t", "m");
  EXPECT_EQ(Update(7), 0);
  EXPECT_EQ(Query("t"), 7);
  EXPECT_EQ(Update(5), 0);  // Of two reports the higher one counts.
  EXPECT_EQ(Query("t"), 7);
  EXPECT_EQ(Query("t", 0, "other"), 0);
}

TEST_F(OffsetsTest, AGroupThatIsNewToAYoungQueueBeginsWithItsFirstMessage) {
  EXPECT_EQ(Query("t"), 0);
  Produce("t", "m");
  EXPECT_EQ(Query("t"), 0);
  remoting::QueryConsumerOffsetRequest header{"g", "t", 0};
  header.set_zero_if_not_found = false;
  EXPECT_EQ(OffsetIn(Ask(peer(), RequestCode::kQueryConsumerOffset, header)), -22);
  EXPECT_EQ(Query("nowhere"), -22);
  EXPECT_EQ(Query("t", 99), -22);
  EXPECT_EQ(Query("t", -1), -22);
}

TEST_F(OffsetsTest, ReportsOfNothingAreRefused) {
  EXPECT_EQ(Update(1, "nowhere"), 17);
  EXPECT_EQ(Update(1, "t", 4), 29);
  EXPECT_EQ(Update(1, "t", -1), 29);
  EXPECT_EQ(Update(-1), 29);
}

TEST_F(OffsetsTest, OneWayReportsCountTheSame) {
  remoting::FieldBuffer fields;
  remoting::WriteFields(remoting::UpdateConsumerOffsetRequest{"g", "t", 0, 3}, &fields);
  Start(peer(), RequestCode::kUpdateConsumerOffset, fields, "", remoting::kFlagOneway);
  EXPECT_EQ(AnswerAt(peer()).code, -1);
  EXPECT_EQ(Query("t"), 3);
}

// A consumer reports all its queues at once.
TEST_F(OffsetsTest, ManyReportsNeedFewCommands) {
  Update(1);
  const size_t before = broker_.log()->CountApplied(store::CommandKind::kUpdateOffsets);
  for (int round = 0; round < 10; ++round) {
    for (int32_t queue_id = 0; queue_id < 4; ++queue_id) {
      remoting::FieldBuffer fields;
      remoting::WriteFields(remoting::UpdateConsumerOffsetRequest{"g", "t", queue_id, 10 + round},
                            &fields);
      peer()->Send({.code = 15, .opaque = 1000 + round, .flag = remoting::kFlagOneway}, fields);
    }
  }
  executor_.Run();
  EXPECT_LE(broker_.log()->CountApplied(store::CommandKind::kUpdateOffsets), before + 2);
  EXPECT_EQ(Query("t", 3), 19);
}

TEST_F(OffsetsTest, QueuesTellTheirBoundsAndTimes) {
  std::vector<int64_t> times;
  for (int i = 0; i < 3; ++i) {
    executor_.Advance(absl::Seconds(10));
    times.push_back(absl::ToUnixMillis(executor_.clock().WallNow()));
    Produce("t", "m");
  }
  const auto ask = [&](RequestCode code, const std::string& topic, int32_t queue_id) {
    return OffsetIn(Ask(peer(), code, remoting::QueueRequest{topic, queue_id}));
  };
  EXPECT_EQ(ask(RequestCode::kGetMaxOffset, "t", 0), 3);
  EXPECT_EQ(ask(RequestCode::kGetMaxOffset, "t", 1), 0);
  EXPECT_EQ(ask(RequestCode::kGetMinOffset, "t", 0), 0);
  EXPECT_EQ(ask(RequestCode::kGetMaxOffset, "x", 0), -17);
  EXPECT_EQ(ask(RequestCode::kGetMinOffset, "t", 4), -29);
  EXPECT_EQ(ask(RequestCode::kGetMinOffset, "t", -1), -29);
  const auto search = [&](int64_t time, absl::string_view boundary) {
    return OffsetIn(Ask(peer(), RequestCode::kSearchOffsetByTimestamp,
                        remoting::SearchOffsetRequest{"t", 0, time, boundary}));
  };
  EXPECT_EQ(search(times[1], ""), 1);
  EXPECT_EQ(search(times[1] + 1, "LOWER"), 2);
  EXPECT_EQ(search(times[1] + 1, "UPPER"), 1);
  EXPECT_EQ(search(0, "LOWER"), 0);
  EXPECT_EQ(search(times[2] + 1, "LOWER"), 3);
  EXPECT_EQ(search(0, "UPPER"), 0);
}

// --- Locks ------------------------------------------------------------------------

class LocksTest : public RemotingApiTest {
 protected:
  static std::string Body(const std::string& client_id, const std::vector<int32_t>& queues,
                          const std::string& broker_name = "broker-a") {
    remoting::LockBatchRequestBody body;
    body.client_id = client_id;
    body.consumer_group = "g";
    for (int32_t queue_id : queues) body.queues.push_back({broker_name, queue_id, "t"});
    return remoting::EncodeBody(body);
  }
  std::vector<int32_t> Lock(const std::string& body) {
    const Command answer = Ask(peer(), RequestCode::kLockBatchMq, remoting::FieldBuffer(), body);
    EXPECT_EQ(answer.code, 0) << answer.remark;
    const auto reply = remoting::DecodeBody<remoting::LockBatchResponseBody>(answer.body.view());
    EXPECT_TRUE(reply.ok()) << reply.status();
    std::vector<int32_t> queues;
    for (const remoting::MessageQueue& queue : reply->locked) {
      EXPECT_EQ(queue.broker_name, "broker-a");
      EXPECT_EQ(queue.topic, "t");
      queues.push_back(queue.queue_id);
    }
    return queues;
  }
};

using Queues = std::vector<int32_t>;

TEST_F(LocksTest, AQueueIsOneClientsUntilItUnlocksOrItsTimeIsOver) {
  EXPECT_EQ(Lock(Body("c1", {2, 0})), (Queues{2, 0}));
  EXPECT_EQ(Lock(Body("c2", {0, 1, 2})), Queues{1});
  EXPECT_EQ(Lock(Body("c1", {0})), Queues{0});

  EXPECT_EQ(Ask(peer(), RequestCode::kUnlockBatchMq, remoting::FieldBuffer(), Body("c1", {0})).code,
            0);
  EXPECT_EQ(Lock(Body("c2", {0, 2})), Queues{0});

  executor_.Advance(absl::Seconds(61));
  EXPECT_EQ(Lock(Body("c2", {2})), Queues{2});
}

TEST_F(LocksTest, WhatIsNotOursIsNotLocked) {
  EXPECT_EQ(Lock(Body("c1", {0}, "broker-b")), Queues());
  EXPECT_EQ(Lock(Body("c1", {-1, 4})), Queues());
  for (const char* body : {"", "{}", "[]", R"({"clientId":"c"})"}) {
    EXPECT_EQ(Ask(peer(), RequestCode::kLockBatchMq, remoting::FieldBuffer(), body).code, 1);
    EXPECT_EQ(Ask(peer(), RequestCode::kUnlockBatchMq, remoting::FieldBuffer(), body).code, 1);
  }
}

// --- Messages sent back ---------------------------------------------------------------

class SendBackTest : public RemotingApiTest {
 protected:
  SendBackTest() {
    Heartbeat(peer(), "c1");
    Subscribe("%RETRY%g");
  }
  void Subscribe(const std::string& topic) { Heartbeat(Connect(), "c-" + topic, "g", topic); }

  struct One {
    int64_t position = 0;
    std::string body;
    std::string properties;
    int32_t reconsume_times = 0;
    std::string Property(absl::string_view name) const {
      return std::string(message::PropertyOr(properties, name));
    }
  };
  // The message at `offset` of a topic's queue 0, waiting a day for it at most.
  One PullOne(const std::string& topic, int64_t offset) {
    remoting::PullMessageRequest header = PullHeader(offset, topic);
    header.sys_flag = 0;
    const Command answer = Pull(peer(), header);
    EXPECT_EQ(answer.code, 0) << answer.remark;
    const auto messages = MessagesOf(answer);
    EXPECT_EQ(messages.size(), 1u);
    if (messages.empty()) return {};
    EXPECT_EQ(messages[0].topic(), topic);
    return {static_cast<int64_t>(messages[0].position().value()), std::string(messages[0].body()),
            std::string(messages[0].properties()), messages[0].reconsume_times()};
  }
  int SendBack(int64_t position, int32_t level = 0, std::optional<int32_t> max = std::nullopt) {
    remoting::ConsumerSendMessageBackRequest header;
    header.offset = position;
    header.group = "g";
    header.delay_level = level;
    header.max_reconsume_times = max;
    return Ask(peer(), RequestCode::kConsumerSendMessageBack, header).code;
  }
};

TEST_F(SendBackTest, AFailedMessageComesAgainLaterAndLaterAndEndsAsADeadLetter) {
  Produce("t", "body", "tag");
  One message = PullOne("t", 0);
  const std::string origin =
      message::OffsetMessageId{*message::Host::Parse("127.0.0.1", 0),
                               BytePosition(static_cast<uint64_t>(message.position))}
          .Encode();
  const absl::Duration delays[] = {absl::Seconds(10), absl::Seconds(30), absl::Minutes(1)};
  for (int32_t times = 0; times < 3; ++times) {
    ASSERT_EQ(SendBack(message.position, 0, 3), 0);
    executor_.Advance(delays[times] - absl::Milliseconds(100));
    EXPECT_EQ(broker_.state()->Bounds("%RETRY%g", 0)->end, QueueOffset(times));
    executor_.Advance(absl::Milliseconds(200));
    message = PullOne("%RETRY%g", times);
    EXPECT_EQ(message.body, "body");
    EXPECT_EQ(message.reconsume_times, times + 1);
    EXPECT_EQ(message.Property("RETRY_TOPIC"), "t");
    EXPECT_EQ(message.Property("ORIGIN_MESSAGE_ID"), origin);
    EXPECT_EQ(message.Property("TAGS"), "tag");
  }
  ASSERT_EQ(SendBack(message.position, 0, 3), 0);
  Subscribe("%DLQ%g");
  EXPECT_EQ(PullOne("%DLQ%g", 0).body, "body");
}

TEST_F(SendBackTest, ANegativeLevelIsADeadLetterAtOnce) {
  Produce("t", "body");
  EXPECT_EQ(SendBack(PullOne("t", 0).position, -1), 0);
  Subscribe("%DLQ%g");
  EXPECT_EQ(PullOne("%DLQ%g", 0).body, "body");
}

TEST_F(SendBackTest, ALevelOfTheConsumersOwnCounts) {
  Produce("t", "body");
  EXPECT_EQ(SendBack(PullOne("t", 0).position, 1), 0);
  executor_.Advance(absl::Milliseconds(1100));
  EXPECT_EQ(PullOne("%RETRY%g", 0).reconsume_times, 1);
}

TEST_F(SendBackTest, OnlyMessagesCanBeSentBack) {
  Produce("t", std::string(100, 'x'));
  const int64_t position = PullOne("t", 0).position;
  for (int64_t wrong : {int64_t{-1}, int64_t{0}, position + 1, position - 1, position + 100'000,
                        INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(SendBack(wrong), 1) << wrong;
  }
}

}  // namespace
}  // namespace totora::remoting_api
