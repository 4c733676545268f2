// Sends, polls and acks against a real state machine, without replication.
#include "broker/service/broker_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "broker/service/refusal.h"
#include "broker/service/single_broker.h"
#include "common/manual_executor.h"
#include "message/codec.h"
#include "message/digest.h"

namespace totora::service {
namespace {

using store::CommandKind;

class BrokerServiceTest : public ::testing::Test {
 protected:
  BrokerServiceTest() {
    broker_.service()->Start();
    CreateTopic("t", 4);
  }
  ~BrokerServiceTest() override { broker_.service()->Stop(); }

  absl::Duration In(absl::Duration time) { return executor_.now() + time; }

  void CreateTopic(const std::string& name, uint32_t queues,
                   store::TopicType type = store::TopicType::kNormal) {
    store::TopicConfig config;
    config.name = name;
    config.type = type;
    config.read_queues = config.write_queues = queues;
    absl::Status status = absl::UnknownError("no answer");
    broker_.service()->topics().Put(config, In(absl::Seconds(1)),
                                    [&](absl::Status done) { status = done; });
    executor_.Run();
    ASSERT_TRUE(status.ok()) << status;
  }

  static OutgoingMessage MakeMessage(const std::string& topic, const std::string& id,
                                     const std::string& body = "body") {
    message::Message message;
    message.topic = topic;
    message.body = body;
    OutgoingMessage outgoing;
    const absl::Status status = message::EncodeMessage(message, &outgoing.stored);
    EXPECT_TRUE(status.ok()) << status;
    outgoing.id_hash = MessageIdHash(topic, id, message::BodyCrc(body));
    return outgoing;
  }

  absl::StatusOr<store::SendResult> Send(const std::string& topic, const std::string& id,
                                         const std::string& message_group = "") {
    SendRequest request;
    request.topic = topic;
    request.type = message_group.empty() ? store::TopicType::kNormal : store::TopicType::kFifo;
    request.message_group = message_group;
    request.messages.push_back(MakeMessage(topic, id));
    request.give_up = In(absl::Seconds(1));
    absl::StatusOr<store::SendResult> result = absl::UnknownError("no answer");
    broker_.service()->sender().Send(
        std::move(request), [&](absl::StatusOr<store::SendResult> done) { result = done; });
    executor_.Run();
    return result;
  }

  struct Poll {
    std::optional<absl::StatusOr<Delivery>> answer;
    PollId id = 0;
    bool is_empty() const {
      return answer.has_value() && answer->ok() && (*answer)->messages.empty();
    }
    size_t messages() const {
      return answer.has_value() && answer->ok() ? (*answer)->messages.size() : 0;
    }
  };
  std::shared_ptr<Poll> StartPoll(absl::Duration time = absl::Seconds(20),
                                  uint32_t max_messages = 32, const std::string& topic = "t",
                                  int32_t queue_id = kAnyQueue, const std::string& client = "c") {
    ReceiveRequest request;
    request.consumer_group = "g";
    request.topic = topic;
    request.queue_id = queue_id;
    request.max_messages = max_messages;
    request.client_id = client;
    request.auto_renew = true;
    request.poll_until = In(time);
    auto poll = std::make_shared<Poll>();
    poll->id = broker_.service()->Receive(
        std::move(request),
        [poll](absl::StatusOr<Delivery> delivery) { poll->answer = std::move(delivery); });
    executor_.Run();
    return poll;
  }
  void Report(const Poll& poll, bool was_written) {
    broker_.service()->ReportDelivery("g", "t", (*poll.answer)->messages, was_written);
    executor_.Run();
  }
  absl::StatusOr<std::vector<absl::Status>> Ack(const store::DeliveredMessage& message) {
    absl::StatusOr<std::vector<absl::Status>> result = absl::UnknownError("no answer");
    broker_.service()->acks().Ack(
        "g", {{"t", message.queue_id, message.offset, message.delivery_id}}, In(absl::Seconds(1)),
        [&](absl::StatusOr<std::vector<absl::Status>> done) { result = std::move(done); });
    executor_.Run();
    return result;
  }
  // So that a poll's first command is the receive itself.
  void CreateConsumerGroup() {
    store::ConsumerGroupConfig config;
    config.name = "g";
    broker_.service()->consumer_groups().Put(config, In(absl::Seconds(1)), [](absl::Status) {});
    executor_.Run();
  }
  size_t ReceivesApplied() { return broker_.log()->CountApplied(CommandKind::kReceive); }

  ManualExecutor executor_;
  SingleBroker broker_{&executor_};
};

// --- Sending ------------------------------------------------------------------

TEST_F(BrokerServiceTest, SendsGoRoundTheQueues) {
  std::vector<int> hits(4, 0);
  for (int i = 0; i < 8; ++i) {
    const auto result = Send("t", std::to_string(i));
    ASSERT_TRUE(result.ok()) << result.status();
    ++hits[result->items[0].queue_id];
  }
  EXPECT_EQ(hits, std::vector<int>(4, 2));
}

TEST_F(BrokerServiceTest, AMessageGroupStaysInOneQueue) {
  CreateTopic("f", 8, store::TopicType::kFifo);
  const auto first = Send("f", "0", "order-17");
  ASSERT_TRUE(first.ok()) << first.status();

  for (int i = 1; i < 20; ++i) {
    const auto next = Send("f", std::to_string(i), "order-17");
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(next->items[0].queue_id, first->items[0].queue_id);
  }
}

TEST_F(BrokerServiceTest, ARepeatedSendGetsThePlaceOfTheFirst) {
  const auto first = Send("t", "same");
  const auto second = Send("t", "same");

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(first->items[0].is_duplicate);
  EXPECT_TRUE(second->items[0].is_duplicate);
  EXPECT_EQ(second->items[0].queue_id, first->items[0].queue_id);
  EXPECT_EQ(second->items[0].offset, first->items[0].offset);
}

TEST_F(BrokerServiceTest, AnUnknownTopicIsRefusedOnlyAfterAReadBarrier) {
  broker_.log()->SetLeader(false);
  std::optional<absl::Status> status;
  SendRequest request;
  request.topic = "nowhere";
  request.messages.push_back(MakeMessage("nowhere", "1"));
  request.give_up = In(absl::Seconds(2));
  broker_.service()->sender().Send(
      std::move(request), [&](absl::StatusOr<store::SendResult> done) { status = done.status(); });
  executor_.Advance(absl::Seconds(1));
  EXPECT_FALSE(status.has_value());

  broker_.log()->SetLeader(true);
  executor_.Run();

  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(RefusalOf(*status), Refusal::kTopicNotFound);
}

TEST_F(BrokerServiceTest, WithoutALeaderASendWaitsAndThenSaysThatNothingHappened) {
  broker_.log()->SetLeader(false);
  std::optional<absl::Status> status;
  SendRequest request;
  request.topic = "t";
  request.messages.push_back(MakeMessage("t", "1"));
  request.give_up = In(absl::Seconds(2));
  broker_.service()->sender().Send(
      std::move(request), [&](absl::StatusOr<store::SendResult> done) { status = done.status(); });

  executor_.Advance(absl::Milliseconds(1990));
  EXPECT_FALSE(status.has_value());
  executor_.Advance(absl::Milliseconds(20));

  ASSERT_TRUE(status.has_value());
  EXPECT_TRUE(absl::IsUnavailable(*status));
}

TEST_F(BrokerServiceTest, AnotherKindOfMessageThanTheTopicTakesIsRefused) {
  const auto result = Send("t", "1", "a-message-group");

  EXPECT_EQ(RefusalOf(result.status()), Refusal::kTypeMismatch);
}

TEST_F(BrokerServiceTest, AReadOnlyTopicTakesNothing) {
  store::TopicConfig config;
  config.name = "r";
  config.permission = 4;
  broker_.service()->topics().Put(config, In(absl::Seconds(1)), [](absl::Status) {});
  executor_.Run();

  EXPECT_EQ(RefusalOf(Send("r", "1").status()), Refusal::kNotWritable);
}

// --- Receiving ----------------------------------------------------------------

TEST_F(BrokerServiceTest, AParkedPollCostsNoCommandAndIsWokenByAMessage) {
  const auto poll = StartPoll();
  EXPECT_FALSE(poll->answer.has_value());
  EXPECT_EQ(ReceivesApplied(), 0u);

  ASSERT_TRUE(Send("t", "1").ok());

  EXPECT_EQ(poll->messages(), 1u);
  EXPECT_EQ((*poll->answer)->messages[0].attempt, 1u);
}

TEST_F(BrokerServiceTest, OneMessageWakesOnePollOfAThousand) {
  std::vector<std::shared_ptr<Poll>> polls;
  for (int i = 0; i < 1000; ++i) polls.push_back(StartPoll());

  ASSERT_TRUE(Send("t", "1").ok());

  EXPECT_EQ(ReceivesApplied(), 1u);
  EXPECT_EQ(polls[0]->messages(), 1u);
  for (int i = 1; i < 1000; ++i) EXPECT_FALSE(polls[i]->answer.has_value());
}

TEST_F(BrokerServiceTest, ABurstWakesAsManyPollsAsItCanFeed) {
  std::vector<std::shared_ptr<Poll>> polls;
  for (int i = 0; i < 100; ++i) polls.push_back(StartPoll(absl::Seconds(20), 16));
  SendRequest request;
  request.topic = "t";
  request.give_up = In(absl::Seconds(1));
  for (int i = 0; i < 64; ++i) request.messages.push_back(MakeMessage("t", std::to_string(i)));
  broker_.service()->sender().Send(std::move(request), [](absl::StatusOr<store::SendResult>) {});
  executor_.Run();

  size_t messages = 0;
  for (const auto& poll : polls) messages += poll->messages();
  EXPECT_EQ(messages, 64u);
  EXPECT_LE(ReceivesApplied(), 8u);  // Four are needed, and some come too late.
}

TEST_F(BrokerServiceTest, APollOfOneQueueIsNotWokenByAnother) {
  const auto sent = Send("t", "probe");
  ASSERT_TRUE(sent.ok());
  const int32_t other = static_cast<int32_t>((sent->items[0].queue_id + 2) % 4);
  const auto drain = StartPoll();
  ASSERT_EQ(drain->messages(), 1u);
  const auto poll = StartPoll(absl::Seconds(20), 32, "t", other);

  ASSERT_TRUE(Send("t", "1").ok());  // The next queue.
  EXPECT_FALSE(poll->answer.has_value());
  ASSERT_TRUE(Send("t", "2").ok());

  EXPECT_EQ(poll->messages(), 1u);
}

TEST_F(BrokerServiceTest, APollEndsEmptyWhenItsTimeIsOver) {
  const auto poll = StartPoll(absl::Seconds(5));

  executor_.Advance(absl::Milliseconds(4900));
  EXPECT_FALSE(poll->answer.has_value());
  executor_.Advance(absl::Milliseconds(200));

  EXPECT_TRUE(poll->is_empty());
  EXPECT_EQ(broker_.service()->receiver().open_polls(), 0u);
}

TEST_F(BrokerServiceTest, WithoutALeaderAPollWaitsAndThenIsEmpty) {
  ASSERT_TRUE(Send("t", "1").ok());
  broker_.log()->SetLeader(false);
  raft::ReplicaStatus nobody;
  broker_.service()->OnStatus(nobody);
  const auto poll = StartPoll(absl::Seconds(5));
  const auto patient = StartPoll(absl::Seconds(20));
  executor_.Advance(absl::Seconds(6));
  EXPECT_TRUE(poll->is_empty());
  EXPECT_FALSE(patient->answer.has_value());

  broker_.log()->SetLeader(true);
  raft::ReplicaStatus somebody;
  somebody.leader = ReplicaId(2);
  broker_.service()->OnStatus(somebody);
  executor_.Run();

  EXPECT_EQ(patient->messages(), 1u);
}

TEST_F(BrokerServiceTest, AnUnknownTopicIsNotPolled) {
  const auto poll = StartPoll(absl::Seconds(5), 1, "nowhere");

  ASSERT_TRUE(poll->answer.has_value());
  EXPECT_EQ(RefusalOf(poll->answer->status()), Refusal::kTopicNotFound);
}

TEST_F(BrokerServiceTest, TheFirstPollMakesTheConsumerGroupOnce) {
  StartPoll();
  StartPoll();

  EXPECT_TRUE(broker_.state()->FindConsumerGroup("g").has_value());
  EXPECT_EQ(broker_.log()->CountApplied(CommandKind::kPutConsumerGroup), 1u);
}

TEST_F(BrokerServiceTest, ADisabledConsumerGroupGetsNothing) {
  store::ConsumerGroupConfig config;
  config.name = "g";
  config.is_enabled = false;
  broker_.service()->consumer_groups().Put(config, In(absl::Seconds(1)), [](absl::Status) {});
  executor_.Run();

  const auto poll = StartPoll();

  ASSERT_TRUE(poll->answer.has_value());
  EXPECT_EQ(RefusalOf(poll->answer->status()), Refusal::kConsumerGroupDisabled);
}

// The client left while the command was on its way: the message must not stay
// invisible for a minute.
TEST_F(BrokerServiceTest, WhatAVanishedClientTookGoesToTheNextPollAtOnce) {
  CreateConsumerGroup();
  ASSERT_TRUE(Send("t", "1").ok());
  broker_.log()->HoldResults(true);
  const auto gone = StartPoll();
  ASSERT_EQ(ReceivesApplied(), 1u);
  broker_.service()->CancelPoll(gone->id);
  executor_.Run();
  broker_.log()->HoldResults(false);

  const auto next = StartPoll();
  executor_.Advance(absl::Milliseconds(100));

  EXPECT_FALSE(gone->answer.has_value());
  ASSERT_EQ(next->messages(), 1u);
  EXPECT_EQ((*next->answer)->messages[0].attempt, 1u);  // It was never delivered.
}

TEST_F(BrokerServiceTest, AResultThatComesAfterThePollEndedIsHandedOn) {
  CreateConsumerGroup();
  ASSERT_TRUE(Send("t", "1").ok());
  broker_.log()->HoldResults(true);
  const auto late = StartPoll(absl::Seconds(1));
  executor_.Advance(absl::Seconds(2));
  EXPECT_TRUE(late->is_empty());
  broker_.log()->HoldResults(false);

  const auto next = StartPoll();
  executor_.Advance(absl::Milliseconds(100));

  EXPECT_EQ(next->messages(), 1u);
}

TEST_F(BrokerServiceTest, AResponseLostOnTheWayIsDeliveredAgainAtOnce) {
  ASSERT_TRUE(Send("t", "1").ok());
  const auto first = StartPoll();
  ASSERT_EQ(first->messages(), 1u);
  const auto next = StartPoll();

  Report(*first, false);
  executor_.Advance(absl::Milliseconds(50));

  ASSERT_EQ(next->messages(), 1u);
  EXPECT_EQ((*next->answer)->messages[0].attempt, 1u);
}

TEST_F(BrokerServiceTest, ReportsOfManyResponsesAreOneCommand) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Send("t", std::to_string(i)).ok());
    const auto poll = StartPoll();
    ASSERT_EQ(poll->messages(), 1u);
    Report(*poll, true);
  }

  executor_.Advance(absl::Milliseconds(100));

  EXPECT_EQ(broker_.log()->CountApplied(CommandKind::kDelivered), 1u);
}

TEST_F(BrokerServiceTest, TooManyPollsAreRefused) {
  BrokerServiceOptions options = SingleBroker::Defaults();
  options.polls.total_max = 2;
  ManualExecutor executor;
  SingleBroker small(&executor, options);
  small.service()->Start();
  store::TopicConfig topic;
  topic.name = "t";
  small.service()->topics().Put(topic, executor.now() + absl::Seconds(1), [](absl::Status) {});
  executor.Run();
  std::vector<absl::Status> answers;
  for (int i = 0; i < 3; ++i) {
    ReceiveRequest request;
    request.topic = "t";
    request.consumer_group = "g";
    request.poll_until = executor.now() + absl::Seconds(5);
    small.service()->Receive(
        request, [&](absl::StatusOr<Delivery> delivery) { answers.push_back(delivery.status()); });
    executor.Run();
  }

  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(RefusalOf(answers[0]), Refusal::kTooManyPolls);
  small.service()->Stop();
}

TEST_F(BrokerServiceTest, StoppingAnswersEveryPoll) {
  const auto poll = StartPoll();

  broker_.service()->Stop();

  EXPECT_TRUE(poll->is_empty());
}

// --- Leases -------------------------------------------------------------------

TEST_F(BrokerServiceTest, AnAckIsOkTwiceAndInvalidOnceTheMessageIsSomebodyElses) {
  ASSERT_TRUE(Send("t", "1").ok());
  ASSERT_TRUE(Send("t", "2").ok());
  const auto poll = StartPoll();
  ASSERT_EQ(poll->messages(), 2u);
  Report(*poll, true);
  const store::DeliveredMessage acked = (*poll->answer)->messages[0];
  const store::DeliveredMessage lost = (*poll->answer)->messages[1];

  EXPECT_TRUE((*Ack(acked))[0].ok());
  EXPECT_TRUE((*Ack(acked))[0].ok());

  // The client falls silent: the lease ends and the next poll gets the message.
  executor_.Advance(absl::Minutes(3));
  const auto next = StartPoll(absl::Seconds(20), 32, "t", kAnyQueue, "other");
  ASSERT_EQ(next->messages(), 1u);
  EXPECT_EQ((*next->answer)->messages[0].attempt, 2u);
  EXPECT_EQ(RefusalOf((*Ack(lost))[0]), Refusal::kHandleNotHolding);
  EXPECT_TRUE((*Ack((*next->answer)->messages[0]))[0].ok());
}

TEST_F(BrokerServiceTest, ALiveClientKeepsItsLease) {
  ASSERT_TRUE(Send("t", "1").ok());
  const auto poll = StartPoll();
  ASSERT_EQ(poll->messages(), 1u);
  Report(*poll, true);

  for (int i = 0; i < 60; ++i) {
    broker_.service()->TouchClient("c", ClientKind::kPushConsumer, "g");
    executor_.Advance(absl::Seconds(10));
  }

  EXPECT_TRUE(StartPoll(absl::Seconds(1), 32, "t", kAnyQueue, "other")->messages() == 0);
  EXPECT_TRUE((*Ack((*poll->answer)->messages[0]))[0].ok());
}

TEST_F(BrokerServiceTest, ASilentClientLosesItsLeaseAfterAMinuteOrSo) {
  ASSERT_TRUE(Send("t", "1").ok());
  const auto poll = StartPoll();
  Report(*poll, true);
  const auto next = StartPoll(absl::Minutes(5), 32, "t", kAnyQueue, "other");

  executor_.Advance(absl::Seconds(55));
  EXPECT_FALSE(next->answer.has_value());
  executor_.Advance(absl::Seconds(30));

  EXPECT_EQ(next->messages(), 1u);
}

TEST_F(BrokerServiceTest, AGoodbyeGivesBackWhatTheClientHeld) {
  ASSERT_TRUE(Send("t", "1").ok());
  const auto poll = StartPoll();
  Report(*poll, true);
  const auto next = StartPoll(absl::Seconds(20), 32, "t", kAnyQueue, "other");

  broker_.service()->ReleaseClient("c", "g", In(absl::Seconds(1)), [](absl::Status) {});
  executor_.Advance(absl::Milliseconds(1500));

  EXPECT_EQ(next->messages(), 1u);
  EXPECT_EQ(broker_.service()->sessions().Find("c"), nullptr);
}

TEST_F(BrokerServiceTest, TheFirstCommandOfAnIncarnationSaysSo) {
  ASSERT_FALSE(broker_.log()->applied_kinds().empty());
  EXPECT_EQ(broker_.log()->applied_kinds()[0], CommandKind::kReplicaStarted);
}

}  // namespace
}  // namespace totora::service
