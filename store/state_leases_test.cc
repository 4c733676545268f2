// Receive, ack, change of invisible time, and all that ends a lease.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "store/schema.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Leases : public ::testing::Test {
 protected:
  Leases() {
    machine.PutTopic("t", 4);
    machine.PutGroup("g");
  }
  // Offsets of what a receive of queue 0 gives.
  std::vector<uint64_t> Offsets(const ReceiveResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.status.text;
    std::vector<uint64_t> offsets;
    for (const DeliveredMessage& message : result.messages) {
      offsets.push_back(message.offset.value());
    }
    return offsets;
  }
  ReceiveResult Take(uint32_t max = 32) { return machine.Receive("g", "t", max); }
  ConsumerProgress Progress(uint32_t queue = 0) { return machine->Progress("g", "t")[queue]; }

  TestMachine machine;
};

TEST_F(Leases, AReceiveGivesEachMessageToOneConsumer) {
  machine.SendMany("t", 5);
  const ReceiveResult first = Take(3);
  EXPECT_THAT(Offsets(first), ElementsAre(0, 1, 2));
  EXPECT_THAT(Offsets(Take(3)), ElementsAre(3, 4));
  EXPECT_THAT(Offsets(Take(3)), IsEmpty());
  EXPECT_EQ(first.invisible_until_ms, machine.now_ms + 60'000);
  for (const DeliveredMessage& message : first.messages) {
    EXPECT_EQ(message.attempt, 1u);
    EXPECT_EQ(message.delivery_id, first.messages[0].delivery_id);
    const std::string stored = machine.log.Read(message.position, message.size);
    EXPECT_TRUE(message::StoredMessageView::Parse(stored).ok());
  }
}

TEST_F(Leases, ConsumerGroupsDoNotDisturbEachOther) {
  machine.PutGroup("h");
  machine.SendMany("t", 2);
  EXPECT_THAT(Offsets(Take()), ElementsAre(0, 1));
  EXPECT_THAT(Offsets(machine.Receive("h", "t")), ElementsAre(0, 1));
}

TEST_F(Leases, AReceiveOfAnyQueueBeginsWhereItIsToldAndWrapsAround) {
  for (uint32_t queue = 0; queue < 4; ++queue) machine.SendMany("t", 1, queue);
  ReceiveCommand command = machine.Receiving("g", "t", 3);
  command.first_queue = 4 * 7 + 2;
  std::vector<uint32_t> queues;
  for (const auto& message : machine.Receive(command).messages) queues.push_back(message.queue_id);
  EXPECT_THAT(queues, ElementsAre(2, 3, 0));
}

TEST_F(Leases, AReceiveOfOneQueueLeavesTheOthersAlone) {
  machine.SendMany("t", 1, 1);
  ReceiveCommand command = machine.Receiving("g", "t");
  command.queue_id = 0;
  EXPECT_THAT(Offsets(machine.Receive(command)), IsEmpty());
  command.queue_id = 1;
  EXPECT_THAT(Offsets(machine.Receive(command)), ElementsAre(0));
  command.queue_id = 4;
  EXPECT_EQ(machine.Receive(command).status.code, StatusCode::kInvalidArgument);
}

TEST_F(Leases, AReceiveThatCannotBeIsRefusedInWords) {
  EXPECT_EQ(machine.Receive("x", "t").status.code, StatusCode::kNotFound);
  EXPECT_EQ(machine.Receive("g", "x").status.code, StatusCode::kNotFound);
  ReceiveCommand command = machine.Receiving("g", "t");
  command.invisible_ms = 0;
  EXPECT_EQ(machine.Receive(command).status.code, StatusCode::kInvalidArgument);
  command.invisible_ms = INT64_MAX;
  EXPECT_EQ(machine.Receive(command).status.code, StatusCode::kInvalidArgument);
  ConsumerGroupConfig group;
  group.name = "g";
  group.is_enabled = false;
  machine.Run(CommandKind::kPutConsumerGroup, group);
  EXPECT_EQ(Take().status.code, StatusCode::kFailedPrecondition);
  EXPECT_FALSE(machine->MayDeliver("g", "t", -1));
  group.is_enabled = true;
  machine.Run(CommandKind::kPutConsumerGroup, group);
  TopicConfig topic;
  topic.name = "t";
  topic.permission = 2;
  machine.Run(CommandKind::kPutTopic, topic);
  EXPECT_EQ(Take().status.code, StatusCode::kFailedPrecondition);
}

TEST_F(Leases, OnlyMatchingTagsAreDeliveredAndTheOthersAreSkippedForGood) {
  machine.Send("t", {{.tag = 1}, {.tag = 2}, {.tag = 3}, {.tag = 0}, {.tag = 2}});
  ReceiveCommand command = machine.Receiving("g", "t");
  command.tag_hashes = {2};
  EXPECT_THAT(Offsets(machine.Receive(command)), ElementsAre(1, 4));
  EXPECT_EQ(Progress().next, QueueOffset(5));
  EXPECT_EQ(Progress().in_flight, 2u);
  EXPECT_EQ(Progress().committed, QueueOffset(1));
  EXPECT_THAT(Offsets(Take()), IsEmpty());
}

TEST_F(Leases, AScanThatFindsLittleStopsAndSaysSo) {
  std::vector<TestMachine::Out> many(4000, {.tag = 1});
  machine.Send("t", many);
  machine.Send("t", many);
  machine.Send("t", {{.tag = 2}});
  ReceiveCommand command = machine.Receiving("g", "t");
  command.tag_hashes = {2};
  ReceiveResult result = machine.Receive(command);
  EXPECT_TRUE(result.has_more);
  EXPECT_TRUE(result.messages.empty());
  EXPECT_EQ(Progress().next, QueueOffset(kScanMax));
  EXPECT_TRUE(machine->MayDeliver("g", "t", 0));
  result = machine.Receive(command);
  EXPECT_FALSE(result.has_more);
  EXPECT_THAT(Offsets(result), ElementsAre(8000));
}

TEST_F(Leases, AnAckedMessageIsGoneAndASecondAckIsFine) {
  machine.SendMany("t", 3);
  const ReceiveResult received = Take();
  EXPECT_EQ(machine.Ack("g", "t", received.messages[1]), StatusCode::kOk);
  EXPECT_EQ(Progress().in_flight, 2u);
  EXPECT_EQ(Progress().committed, QueueOffset(0));
  EXPECT_EQ(machine.Ack("g", "t", received.messages[1]), StatusCode::kOk);
  EXPECT_EQ(machine.Ack("g", "t", received.messages[0]), StatusCode::kOk);
  EXPECT_EQ(Progress().committed, QueueOffset(2));
  EXPECT_EQ(machine.Ack("g", "t", received.messages[2]), StatusCode::kOk);
  EXPECT_EQ(Progress().committed, QueueOffset(3));
  machine.now_ms += 100'000;
  machine.Expire();
  EXPECT_THAT(Offsets(Take()), IsEmpty());
  EXPECT_FALSE(machine->NextExpiryMs().has_value());
}

TEST_F(Leases, HandlesThatWereNeverGivenAreRefused) {
  machine.SendMany("t", 3);
  DeliveredMessage handle = Take(1).messages[0];
  DeliveredMessage wrong = handle;
  wrong.delivery_id = handle.delivery_id + 1;  // Not given yet.
  EXPECT_EQ(machine.Ack("g", "t", wrong), StatusCode::kFailedPrecondition);
  wrong.delivery_id = 0;
  EXPECT_EQ(machine.Ack("g", "t", wrong), StatusCode::kFailedPrecondition);
  wrong = handle;
  wrong.offset = QueueOffset(1);  // Not delivered yet.
  EXPECT_EQ(machine.Ack("g", "t", wrong), StatusCode::kFailedPrecondition);
  EXPECT_EQ(machine.Change("g", "t", wrong, 10), StatusCode::kFailedPrecondition);
  wrong = handle;
  wrong.queue_id = 3;
  EXPECT_EQ(machine.Ack("g", "t", wrong), StatusCode::kFailedPrecondition);
  EXPECT_EQ(machine.Ack("g", "x", handle), StatusCode::kFailedPrecondition);
  EXPECT_EQ(machine.Ack("x", "t", handle), StatusCode::kNotFound);
  EXPECT_EQ(machine.Change("x", "t", handle, 10), StatusCode::kNotFound);
  EXPECT_EQ(machine.Ack("g", "t", handle), StatusCode::kOk);
  EXPECT_EQ(machine.Change("g", "t", handle, 10), StatusCode::kFailedPrecondition);
}

TEST_F(Leases, WhatIsNotAckedInTimeIsDeliveredAgainBeforeAnythingNew) {
  machine.SendMany("t", 2);
  const ReceiveResult first = Take(1);
  EXPECT_EQ(machine->NextExpiryMs(), machine.now_ms + 60'000);
  machine.now_ms += 59'999;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 0u);
  machine.recorder.TakeEvents();
  machine.now_ms += 1;
  machine.Expire();
  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("released t/0 g"));
  EXPECT_EQ(Progress().ready_again, 1u);
  const ReceiveResult again = Take();
  ASSERT_THAT(Offsets(again), ElementsAre(0, 1));
  EXPECT_EQ(again.messages[0].attempt, 2u);
  EXPECT_EQ(again.messages[1].attempt, 1u);
  EXPECT_NE(again.messages[0].delivery_id, first.messages[0].delivery_id);
  EXPECT_EQ(machine.Ack("g", "t", first.messages[0]), StatusCode::kFailedPrecondition);
  EXPECT_EQ(machine.Ack("g", "t", again.messages[0]), StatusCode::kOk);
}

TEST_F(Leases, AnAckAfterTheEndOfItsTimeStillCountsWhileNobodyElseHasTheMessage) {
  machine.SendMany("t", 2);
  const ReceiveResult received = Take();
  machine.now_ms += 60'000;
  EXPECT_EQ(machine.Ack("g", "t", received.messages[0]), StatusCode::kOk);
  machine.Expire();
  EXPECT_EQ(machine.Ack("g", "t", received.messages[1]), StatusCode::kOk);
  EXPECT_THAT(Offsets(Take()), IsEmpty());
}

TEST_F(Leases, ReadyMessagesOfEveryQueueComeBeforeNewOnesOfAny) {
  machine.SendMany("t", 1, 3);
  const ReceiveResult received = Take();
  machine.Change("g", "t", received.messages[0], 0);
  machine.SendMany("t", 5, 0);
  ReceiveCommand command = machine.Receiving("g", "t", 1);
  const ReceiveResult result = machine.Receive(command);
  ASSERT_EQ(result.messages.size(), 1u);
  EXPECT_EQ(result.messages[0].queue_id, 3u);
  EXPECT_EQ(result.messages[0].attempt, 2u);
}

TEST_F(Leases, AChangedInvisibleTimeKeepsTheHandleGood) {
  machine.SendMany("t", 3);
  const ReceiveResult received = Take();
  EXPECT_EQ(machine.Change("g", "t", received.messages[1], 5'000), StatusCode::kOk);
  machine.now_ms += 4'000;
  EXPECT_EQ(machine.Change("g", "t", received.messages[1], 5'000), StatusCode::kOk);
  machine.now_ms += 4'000;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 0u);
  machine.now_ms += 1'000;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 1u);
  EXPECT_EQ(machine.Change("g", "t", received.messages[1], 5'000), StatusCode::kOk);
  EXPECT_EQ(Progress().ready_again, 0u);
  EXPECT_EQ(machine.Ack("g", "t", received.messages[1]), StatusCode::kOk);
  EXPECT_EQ(machine.Change("g", "t", received.messages[0], -1), StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.Change("g", "t", received.messages[0], INT64_MAX),
            StatusCode::kInvalidArgument);
}

TEST_F(Leases, ChangedToZeroAMessageIsReadyAtOnceAsTheNextAttempt) {
  machine.SendMany("t", 2);
  const ReceiveResult received = Take();
  machine.recorder.TakeEvents();
  EXPECT_EQ(machine.Change("g", "t", received.messages[1], 0), StatusCode::kOk);
  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("released t/0 g"));
  const ReceiveResult again = Take();
  ASSERT_THAT(Offsets(again), ElementsAre(1));
  EXPECT_EQ(again.messages[0].attempt, 2u);
  machine.Change("g", "t", again.messages[0], 0);
  EXPECT_EQ(Take().messages[0].attempt, 3u);
}

TEST_F(Leases, ALostResponseGivesTheMessageBackAndIsNoAttempt) {
  machine.SendMany("t", 2);
  const ReceiveResult received = Take();
  machine.recorder.TakeEvents();
  machine.Report("g", "t", received.messages[0], false);
  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("released t/0 g"));
  machine.Report("g", "t", received.messages[0], false);  // Again: nothing more.
  EXPECT_THAT(machine.recorder.TakeEvents(), IsEmpty());
  const ReceiveResult again = Take();
  ASSERT_THAT(Offsets(again), ElementsAre(0));
  EXPECT_EQ(again.messages[0].attempt, 1u);
  // A report about the old delivery does not touch the new one.
  machine.Report("g", "t", received.messages[0], false);
  EXPECT_EQ(Progress().ready_again, 0u);
  machine.Report("g", "t", again.messages[0], false);
  EXPECT_EQ(Take().messages[0].attempt, 1u);
}

TEST_F(Leases, AReplicaThatStartsAnewGivesBackWhatItNeverReported) {
  machine.SendMany("t", 4);
  machine.replica = ReplicaId(2);
  const ReceiveResult lost = Take(3);
  machine.Report("g", "t", lost.messages[1], true);
  machine.replica = ReplicaId(1);
  const ReceiveResult others = Take(1);

  machine.recorder.TakeEvents();
  machine.replica = ReplicaId(2);
  machine.incarnation = Incarnation(2);
  machine.sequence = 0;
  machine.Do(CommandKind::kReplicaStarted, "");

  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("released t/0 g"));
  const ReceiveResult again = Take();
  EXPECT_THAT(Offsets(again), ElementsAre(0, 2));
  EXPECT_EQ(again.messages[0].attempt, 1u);
  // The handle that was reported is still good, and so is the other replica's.
  EXPECT_EQ(machine.Ack("g", "t", lost.messages[1]), StatusCode::kOk);
  EXPECT_EQ(machine.Ack("g", "t", others.messages[0]), StatusCode::kOk);
}

TEST_F(Leases, AnySignOfANewIncarnationReleasesLikeItsStart) {
  machine.SendMany("t", 1);
  Take();
  machine.incarnation = Incarnation(2);
  machine.sequence = 0;
  EXPECT_THAT(Offsets(Take()), ElementsAre(0));
}

TEST_F(Leases, ALeaseIsRenewedWhileItsClientLivesAndAtMostForThreeHours) {
  machine.SendMany("t", 1);
  ReceiveCommand command = machine.Receiving("g", "t");
  command.auto_renew = true;
  machine.Receive(command);
  EXPECT_THAT(machine->ClientsWithAutoRenewedLeases(10), ElementsAre("client"));
  const int64_t received = machine.now_ms;
  while (machine.now_ms + 30'000 < received + kAutoRenewMsMax) {
    machine.now_ms += 30'000;
    machine.Alive("client");
    machine.Expire();
    ASSERT_EQ(Progress().in_flight, 1u) << machine.now_ms - received;
  }
  machine.now_ms = received + kAutoRenewMsMax;
  machine.Alive("client");
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 1u);
  EXPECT_THAT(machine->ClientsWithAutoRenewedLeases(10), IsEmpty());
}

TEST_F(Leases, AClientThatFallsSilentLosesItsRenewedLeases) {
  machine.SendMany("t", 1);
  ReceiveCommand command = machine.Receiving("g", "t");
  command.auto_renew = true;
  machine.Receive(command);
  machine.now_ms += 50'000;
  machine.Alive("client");
  machine.now_ms += 59'999;
  machine.Expire();
  EXPECT_EQ(Progress().in_flight, 1u);
  machine.now_ms += 1;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 1u);
}

TEST_F(Leases, LivelinessDoesNotProlongALeaseThatIsNotRenewed) {
  machine.SendMany("t", 1);
  Take();
  machine.now_ms += 50'000;
  machine.Alive("client");
  machine.now_ms += 10'000;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 1u);
}

TEST_F(Leases, AClientThatSaysGoodbyeKeepsItsMessagesForASecond) {
  machine.PutGroup("h");
  machine.SendMany("t", 2);
  ReceiveCommand command = machine.Receiving("g", "t");
  command.auto_renew = true;
  machine.Receive(command);
  machine.Receive("h", "t");
  machine.Alive("client");
  EXPECT_EQ(machine.Run(CommandKind::kReleaseClient, ReleaseClientCommand{"client", "g"}),
            StatusCode::kOk);
  machine.now_ms += 999;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 0u);
  machine.now_ms += 1;
  machine.Expire();
  EXPECT_EQ(Progress().ready_again, 2u);
  EXPECT_EQ(machine->Progress("h", "t")[0].ready_again, 0u);
  machine.Run(CommandKind::kReleaseClient, ReleaseClientCommand{"client", ""});
  machine.now_ms += 1'000;
  machine.Expire();
  EXPECT_EQ(machine->Progress("h", "t")[0].ready_again, 2u);
  EXPECT_EQ(machine.Run(CommandKind::kReleaseClient, ReleaseClientCommand{"client", "x"}),
            StatusCode::kNotFound);
}

TEST_F(Leases, ExpiryIsBoundedAndGoesInTheOrderOfDeadlines) {
  machine.SendMany("t", 6);
  for (int i = 0; i < 3; ++i) {
    ReceiveCommand command = machine.Receiving("g", "t", 2);
    command.invisible_ms = 30'000 - i * 1'000;
    machine.Receive(command);
  }
  machine.now_ms += 60'000;
  machine.Expire(1);
  EXPECT_THAT(Offsets(Take(1)), ElementsAre(4));
  machine.Expire(3);
  EXPECT_EQ(Progress().ready_again, 5u);
}

TEST_F(Leases, AGroupHoldsAtMostSoManyMessagesOfAQueue) {
  for (int i = 0; i < 3; ++i) machine.SendMany("t", 4000);
  std::vector<DeliveredMessage> held;
  for (;;) {
    const ReceiveResult result = Take(1024);
    if (result.messages.empty()) break;
    held.insert(held.end(), result.messages.begin(), result.messages.end());
  }
  EXPECT_EQ(held.size(), kInFlightMax);
  EXPECT_FALSE(machine->MayDeliver("g", "t", 0));
  machine.recorder.TakeEvents();
  machine.Ack("g", "t", held[5]);
  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("released t/0 g"));
  EXPECT_TRUE(machine->MayDeliver("g", "t", 0));
  EXPECT_THAT(Offsets(Take(5)), ElementsAre(kInFlightMax));
  // What is ready again makes no room for more, but comes back itself.
  machine.Change("g", "t", held[7], 0);
  EXPECT_THAT(Offsets(Take(5)), ElementsAre(7));
}

TEST_F(Leases, AFifoGroupGetsNothingOfAQueueWhoseMessagesAreOut) {
  machine.PutGroup("f", true);
  machine.SendMany("t", 4);
  const ReceiveResult first = machine.Receive("f", "t", 2);
  EXPECT_THAT(Offsets(first), ElementsAre(0, 1));
  EXPECT_FALSE(machine->MayDeliver("f", "t", -1));
  EXPECT_THAT(Offsets(machine.Receive("f", "t")), IsEmpty());
  machine.Change("f", "t", first.messages[0], 0);
  EXPECT_THAT(Offsets(machine.Receive("f", "t")), IsEmpty());
  machine.recorder.TakeEvents();
  machine.Ack("f", "t", first.messages[1]);
  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("released t/0 f"));
  EXPECT_TRUE(machine->MayDeliver("f", "t", 0));
  const ReceiveResult again = machine.Receive("f", "t");
  EXPECT_THAT(Offsets(again), ElementsAre(0, 2, 3));
}

TEST_F(Leases, OrderOfExpiryAmongEqualsIsThatOfTheKeys) {
  machine.PutGroup("h");
  for (uint32_t queue = 0; queue < 4; ++queue) machine.SendMany("t", 1, queue);
  machine.Receive("h", "t");
  Take();
  machine.now_ms += 60'000;
  machine.Expire(3);
  EXPECT_EQ(Progress(0).ready_again, 1u);
  EXPECT_EQ(Progress(1).ready_again, 1u);
  EXPECT_EQ(Progress(2).ready_again, 1u);
  EXPECT_EQ(Progress(3).ready_again, 0u);
}

}  // namespace
}  // namespace totora::store
