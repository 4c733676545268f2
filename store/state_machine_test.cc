// What each command does. The lease commands have a file of their own.
#include "store/state_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coding.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// --- Send ---------------------------------------------------------------------

TEST(Send, GivesOffsetsInOrderAndFindsTheBytesAgain) {
  TestMachine machine;
  machine.PutTopic("t", 2);

  const SendResult result =
      machine.Send("t", {{.body = "a"}, {.body = "b", .tag = 7, .queue = 1}, {.body = "c"}});

  ASSERT_TRUE(result.status.ok()) << result.status.text;
  ASSERT_EQ(result.items.size(), 3u);
  EXPECT_EQ(result.items[0].offset, QueueOffset(0));
  EXPECT_EQ(result.items[1].offset, QueueOffset(0));
  EXPECT_EQ(result.items[1].queue_id, 1u);
  EXPECT_EQ(result.items[2].offset, QueueOffset(1));
  const auto entries = machine->Entries("t", 0, QueueOffset(0), 10);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].offset, QueueOffset(1));
  EXPECT_EQ((*entries)[1].position, result.items[2].position);
  EXPECT_EQ((*entries)[1].store_time_ms, machine.now_ms);
  const std::string stored =
      machine.log.Read((*entries)[1].position, (*entries)[1].size);
  const auto message = message::StoredMessageView::Parse(stored);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->body(), "c");
  EXPECT_EQ(machine->Entries("t", 1, QueueOffset(0), 10)->at(0).tag_hash, 7u);
}

TEST(Send, StampWritesPositionTimeAndHostAndNotTheQueueOffset) {
  StoreOptions options;
  options.store_host_ip = 0x0a000001;
  options.store_host_port = 10911;
  TestMachine machine(options);
  machine.PutTopic("t");
  machine.SendMany("t", 3);

  const SendResult result = machine.SendMany("t", 1);

  const std::string stored = machine.log.Read(
      result.items[0].position, StoredMessage("t", "body").size());
  const auto message = message::StoredMessageView::Parse(stored);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->position(), result.items[0].position);
  EXPECT_EQ(message->store_time_ms(), machine.now_ms);
  EXPECT_EQ(message->store_host().ToString(), "10.0.0.1:10911");
  EXPECT_EQ(message->queue_offset(), QueueOffset(0));
}

TEST(Send, StampLeavesWhatItCannotReadAsItIs) {
  TestMachine machine;
  SendCommand command;
  command.topic = "t";
  command.items.resize(1);
  const std::string garbage(200, 'x');
  command.items[0].message = garbage;
  std::string payload = command.Encode();
  const std::string before = payload;
  for (size_t keep = 0; keep <= payload.size(); ++keep) {
    machine->Stamp(static_cast<uint16_t>(CommandKind::kSend), payload.data(), keep,
                   BytePosition(5), 6);
    EXPECT_EQ(payload, before);
  }
}

TEST(Send, IsRefusedInWordsWhenItCannotBe) {
  TestMachine machine;
  EXPECT_EQ(machine.SendMany("t", 1).status.code, StatusCode::kNotFound);
  TopicConfig config;
  config.name = "t";
  config.permission = 4;
  machine.Run(CommandKind::kPutTopic, config);
  EXPECT_EQ(machine.SendMany("t", 1).status.code, StatusCode::kFailedPrecondition);
  config.permission = 6;
  machine.Run(CommandKind::kPutTopic, config);
  EXPECT_EQ(machine.SendMany("t", 1, 8).status.code, StatusCode::kInvalidArgument);
  EXPECT_TRUE(machine.SendMany("t", 1, 7).status.ok());
  EXPECT_EQ(PlainResult::Decode(machine.Do(CommandKind::kSend, "garbage"))->status.code,
            StatusCode::kInvalidArgument);
}

TEST(Send, OneBadMessageKeepsTheWholeCommandOut) {
  TestMachine machine;
  machine.PutTopic("t");
  const std::string good = StoredMessage("t", "good");
  SendCommand command;
  command.topic = "t";
  command.items.resize(2);
  command.items[0].message = good;
  command.items[1].message = absl::string_view(good).substr(0, good.size() - 1);
  EXPECT_EQ(machine.Ask<SendResult>(CommandKind::kSend, command).status.code,
            StatusCode::kInvalidArgument);
  EXPECT_EQ(machine->Bounds("t", 0)->end, QueueOffset(0));
}

TEST(Send, ARepeatedIdIsAnsweredWithTheFirstResult) {
  TestMachine machine;
  machine.PutTopic("t", 4);
  const SendResult first = machine.Send("t", {{.id = "one", .queue = 2}});

  const SendResult again = machine.Send("t", {{.id = "one", .queue = 3}, {.id = "two", .queue = 2}});

  EXPECT_FALSE(first.items[0].is_duplicate);
  EXPECT_TRUE(again.items[0].is_duplicate);
  EXPECT_EQ(again.items[0].queue_id, 2u);
  EXPECT_EQ(again.items[0].offset, first.items[0].offset);
  EXPECT_EQ(again.items[0].position, BytePosition(0));
  EXPECT_FALSE(again.items[1].is_duplicate);
  EXPECT_EQ(machine->Bounds("t", 2)->end, QueueOffset(2));
  EXPECT_EQ(machine->Bounds("t", 3)->end, QueueOffset(0));
}

TEST(Send, TheSameIdTwiceInOneCommandIsStoredOnce) {
  TestMachine machine;
  machine.PutTopic("t");
  const SendResult result = machine.Send("t", {{.id = "one"}, {.id = "one"}});
  EXPECT_TRUE(result.items[1].is_duplicate);
  EXPECT_EQ(machine->Bounds("t", 0)->end, QueueOffset(1));
}

TEST(Send, ADeliberateRepeatIsStoredAndItsOwnRetryIsNot) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.Send("t", {{.id = "one"}});
  const SendResult deliberate = machine.Send("t", {{.id = "one", .is_deliberate = true}});
  EXPECT_FALSE(deliberate.items[0].is_duplicate);
  EXPECT_EQ(deliberate.items[0].offset, QueueOffset(1));
  const SendResult retry = machine.Send("t", {{.id = "one"}});
  EXPECT_TRUE(retry.items[0].is_duplicate);
  EXPECT_EQ(retry.items[0].offset, QueueOffset(1));
}

TEST(Send, AnIdIsForgottenAfterTheWindow) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.Send("t", {{.id = "one"}});
  machine.now_ms += 5 * 60 * 1000 - 1;
  EXPECT_TRUE(machine.Send("t", {{.id = "one"}}).items[0].is_duplicate);
  machine.now_ms += 1;
  EXPECT_FALSE(machine.Send("t", {{.id = "one"}}).items[0].is_duplicate);
}

// Of classic clients, who may send one object again on purpose: a shorter window,
// but for as long as somebody goes on trying.
TEST(Send, ARetryWindowOfItsOwnEndsSoonerAndBeginsAnewWithEachRepeat) {
  TestMachine machine;
  machine.PutTopic("t");
  const TestMachine::Out out{.id = "one", .retry_window_ms = 15'000};
  const SendResult first = machine.Send("t", {out});
  for (int i = 0; i < 3; ++i) {
    machine.now_ms += 14'999;
    const SendResult again = machine.Send("t", {out});
    EXPECT_TRUE(again.items[0].is_duplicate) << i;
    EXPECT_EQ(again.items[0].offset, first.items[0].offset) << i;
  }
  machine.now_ms += 15'000;
  EXPECT_FALSE(machine.Send("t", {out}).items[0].is_duplicate);
  EXPECT_EQ(machine.Length("t"), 2u);
}

TEST(Send, ARetryWindowIsThatOfTheRepeatNotOfTheFirst) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.Send("t", {{.id = "one", .retry_window_ms = 15'000}, {.id = "two"}});
  machine.now_ms += 20'000;
  const SendResult again =
      machine.Send("t", {{.id = "one"}, {.id = "two", .retry_window_ms = 15'000}});
  EXPECT_TRUE(again.items[0].is_duplicate);
  EXPECT_FALSE(again.items[1].is_duplicate);
}

TEST(Send, NoRetryWindowIsLongerThanIdsAreRemembered) {
  TestMachine machine;
  machine.PutTopic("t");
  const TestMachine::Out out{.id = "one", .retry_window_ms = UINT32_MAX};
  machine.Send("t", {out});
  machine.now_ms += 5 * 60 * 1000;
  EXPECT_FALSE(machine.Send("t", {out}).items[0].is_duplicate);
}

// A leader's clock was two hours behind until the two others could be heard: what a
// client had sent just before was, to its retry, two hours old and stored once more.
TEST(Send, ARetryIsKnownWhenLogTimeHasSteppedMeanwhile) {
  for (const bool is_restarted : {false, true}) {
    TestMachine machine;
    machine.PutTopic("t");
    const TestMachine::Out classic{.id = "one", .retry_window_ms = 15'000};
    machine.Send("t", {classic, {.id = "two"}});
    machine.now_ms += 4000;
    machine.Step(2 * 60 * 60 * 1000);
    if (is_restarted) {
      machine.Checkpoint();
      machine.Open();
    }

    const SendResult again = machine.Send("t", {classic, {.id = "two"}});
    EXPECT_TRUE(again.items[0].is_duplicate);
    EXPECT_TRUE(again.items[1].is_duplicate);
    machine.now_ms += 14'999;
    EXPECT_TRUE(machine.Send("t", {classic}).items[0].is_duplicate);
    // The window is as long as ever, and as short.
    machine.now_ms += 15'000;
    EXPECT_FALSE(machine.Send("t", {classic}).items[0].is_duplicate);
    EXPECT_EQ(machine.Length("t"), 3u);
  }
}

TEST(Send, ARetryWindowThatBeganAnewSurvivesACheckpoint) {
  TestMachine machine;
  machine.PutTopic("t");
  const TestMachine::Out out{.id = "one", .retry_window_ms = 15'000};
  machine.Send("t", {out});
  machine.now_ms += 10'000;
  machine.Send("t", {out});
  machine.Checkpoint();
  const std::string dump = machine->Dump();
  machine.Open();
  EXPECT_EQ(machine->Dump(), dump);
  machine.now_ms += 10'000;
  EXPECT_TRUE(machine.Send("t", {out}).items[0].is_duplicate);
}

TEST(Send, TellsOfEachQueueThatGrewOnce) {
  TestMachine machine;
  machine.PutTopic("t", 2);
  machine.recorder.TakeEvents();
  machine.Send("t", {{.queue = 1}, {.queue = 0}, {.queue = 1}, {.id = "x", .queue = 0}});
  EXPECT_THAT(machine.recorder.TakeEvents(), ElementsAre("grew t/0 2", "grew t/1 2"));
  machine.Send("t", {{.id = "x", .queue = 0}});
  EXPECT_THAT(machine.recorder.TakeEvents(), IsEmpty());
}

// --- The envelope ---------------------------------------------------------------

class Envelope : public ::testing::Test {
 protected:
  Envelope() { machine.PutTopic("t"); }
  void Append(uint64_t incarnation, uint64_t sequence, uint64_t low) {
    SendCommand command;
    command.topic = "t";
    command.items.resize(1);
    command.items[0].message = stored;
    machine->Apply(machine.log.Append({{CommandKind::kSend,
                                        command.Encode(),
                                        {ReplicaId(2), Incarnation(incarnation), sequence},
                                        low}},
                                      machine.now_ms, nullptr));
  }
  uint64_t End() { return machine->Bounds("t", 0)->end.value(); }

  TestMachine machine;
  const std::string stored = StoredMessage("t", "body");
};

TEST_F(Envelope, ACommandThatTheLogHoldsTwiceIsAppliedOnceAndAnsweredTwice) {
  Append(1, 1, 0);
  Append(1, 1, 0);
  EXPECT_EQ(End(), 1u);
  const auto& results = machine.recorder.results;
  ASSERT_GE(results.size(), 2u);
  EXPECT_EQ(results[results.size() - 1], results[results.size() - 2]);
}

TEST_F(Envelope, NobodyIsToldOfACommandBelowTheLowWatermark) {
  Append(1, 1, 0);
  Append(1, 2, 1);
  const size_t told = machine.recorder.results.size();
  Append(1, 1, 0);
  EXPECT_EQ(End(), 2u);
  EXPECT_EQ(machine.recorder.results.size(), told);
}

TEST_F(Envelope, CommandsOfAnOlderLifeAreIgnored) {
  Append(2, 1, 0);
  const size_t told = machine.recorder.results.size();
  Append(1, 7, 0);
  EXPECT_EQ(End(), 1u);
  EXPECT_EQ(machine.recorder.results.size(), told);
  EXPECT_EQ(machine->LastSequenceOf(ReplicaId(2), Incarnation(2)), 1u);
  EXPECT_EQ(machine->LastSequenceOf(ReplicaId(2), Incarnation(1)), 0u);
  EXPECT_EQ(machine->LastSequenceOf(ReplicaId(3), Incarnation(1)), 0u);
}

TEST_F(Envelope, TheWindowSurvivesACheckpoint) {
  Append(1, 1, 0);
  machine.Checkpoint();
  machine.Open();
  Append(1, 1, 0);
  EXPECT_EQ(End(), 1u);
  EXPECT_EQ(machine.recorder.results.back().first.sequence, 1u);
}

TEST_F(Envelope, AnUnknownKindIsAnsweredAndChangesNothing) {
  const std::string result = machine.Do(static_cast<CommandKind>(999), "whatever");
  EXPECT_EQ(PlainResult::Decode(result)->status.code, StatusCode::kUnimplemented);
}

TEST_F(Envelope, AnEntryThatIsNoSequenceOfCommandsIsSkipped) {
  raft::Frame frame = machine.log.Append({}, machine.now_ms, nullptr);
  frame.body = SharedBytes(std::string("not commands"));
  machine->Apply(frame);
  EXPECT_EQ(machine->applied(), frame.header.index);
}

TEST_F(Envelope, LogTimeNeverFalls) {
  machine.now_ms = 2'000'000;
  Append(1, 1, 0);
  machine.now_ms = 1'500'000;
  Append(1, 2, 0);
  EXPECT_EQ(machine->log_time_ms(), 2'000'000);
  EXPECT_EQ(machine->Entries("t", 0, QueueOffset(1), 1)->at(0).store_time_ms, 2'000'000);
}

TEST_F(Envelope, EntriesThatAreNotCommandsOnlyMoveTheIndex) {
  raft::Frame frame = machine.log.Append({}, machine.now_ms, nullptr);
  frame.header.type = raft::EntryType::kNoop;
  machine->Apply(frame);
  EXPECT_EQ(machine->applied(), frame.header.index);
}

// --- Tables -----------------------------------------------------------------------

TEST(Topics, AreMadeChangedAndDeleted) {
  TestMachine machine;
  EXPECT_EQ(machine.PutTopic("b", 2), StatusCode::kOk);
  EXPECT_EQ(machine.PutTopic("a", 1), StatusCode::kOk);
  const uint64_t version = machine->topic_table_version();
  EXPECT_EQ(machine.PutTopic("a", 1), StatusCode::kOk);
  EXPECT_EQ(machine->topic_table_version(), version);
  EXPECT_EQ(machine.PutTopic("a", 3), StatusCode::kOk);
  EXPECT_GT(machine->topic_table_version(), version);
  ASSERT_EQ(machine->Topics().size(), 2u);
  EXPECT_EQ(machine->Topics()[0].name, "a");
  EXPECT_EQ(machine->FindTopic("a")->read_queues, 3u);
  EXPECT_EQ(machine.Run(CommandKind::kDeleteTopic, NameCommand{"a"}), StatusCode::kOk);
  EXPECT_EQ(machine.Run(CommandKind::kDeleteTopic, NameCommand{"a"}), StatusCode::kNotFound);
  EXPECT_FALSE(machine->FindTopic("a").has_value());
  EXPECT_THAT(machine.recorder.TakeEvents(),
              ElementsAre("topic b changed", "topic a changed", "topic a changed",
                          "topic a gone"));
}

TEST(Topics, BadOnesAreRefused) {
  TestMachine machine;
  EXPECT_EQ(machine.PutTopic("", 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.PutTopic(std::string(600, 't'), 1), StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.PutTopic("t", 0), StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.PutTopic("t", 1025), StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.PutTopic("t", 1024), StatusCode::kOk);
}

TEST(Topics, FewerQueuesHideTheRestAndKeepTheirMessages) {
  TestMachine machine;
  machine.PutTopic("t", 4);
  machine.PutGroup("g");
  machine.SendMany("t", 2, 3);
  machine.PutTopic("t", 2);
  EXPECT_EQ(machine->Bounds("t", 3)->end, QueueOffset(2));
  EXPECT_FALSE(machine->MayDeliver("g", "t", -1));
  EXPECT_TRUE(machine->MayDeliver("g", "t", 3));
  machine.PutTopic("t", 4);
  EXPECT_TRUE(machine->MayDeliver("g", "t", -1));
}

TEST(Topics, ADeletedOneTakesEverythingAlongAndANewOneOfTheNameIsEmpty) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.PutGroup("g");
  machine.SendMany("t", 300);
  const ReceiveResult received = machine.Receive("g", "t", 10);
  UpdateOffsetsCommand offsets;
  offsets.items = {{"g", "t", 0, QueueOffset(7), false}};
  machine.Run(CommandKind::kUpdateOffsets, offsets);
  machine.Checkpoint();

  machine.Run(CommandKind::kDeleteTopic, NameCommand{"t"});
  machine.PutTopic("t");

  EXPECT_EQ(machine->Bounds("t", 0)->end, QueueOffset(0));
  EXPECT_FALSE(machine->ConsumerOffset("g", "t", 0).has_value());
  EXPECT_FALSE(machine->NextExpiryMs().has_value());
  EXPECT_EQ(machine->Progress("g", "t")[0].in_flight, 0u);
  EXPECT_EQ(machine.Ack("g", "t", received.messages[0]), StatusCode::kFailedPrecondition);
  machine.SendMany("t", 1);
  EXPECT_EQ(machine.Receive("g", "t").messages.size(), 1u);
  const std::string dump = machine->Dump();
  machine.Checkpoint();
  machine.Open();
  EXPECT_EQ(machine->Dump(), dump);
}

TEST(Topics, WhatADeletedOneLeftInTheStoreGoesWithLaterCheckpoints) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.SendMany("t", 1000);
  machine.Checkpoint();
  const size_t rows = machine.durable().size();
  machine.Run(CommandKind::kDeleteTopic, NameCommand{"t"});
  machine.Checkpoint();
  machine.Checkpoint();
  // Left: the head, the window of the replica, a place in the log.
  EXPECT_LT(machine.durable().size(), rows);
  EXPECT_EQ(machine.durable().size(), 3u);
}

TEST(ConsumerGroups, AreMadeChangedAndDeleted) {
  TestMachine machine;
  EXPECT_EQ(machine.PutGroup("b"), StatusCode::kOk);
  EXPECT_EQ(machine.PutGroup("a", true), StatusCode::kOk);
  EXPECT_EQ(machine->ConsumerGroups().size(), 2u);
  EXPECT_EQ(machine->ConsumerGroups()[0].name, "a");
  EXPECT_TRUE(machine->FindConsumerGroup("a")->is_fifo);
  EXPECT_EQ(machine.PutGroup(""), StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.Run(CommandKind::kDeleteConsumerGroup, NameCommand{"a"}), StatusCode::kOk);
  EXPECT_EQ(machine.Run(CommandKind::kDeleteConsumerGroup, NameCommand{"a"}),
            StatusCode::kNotFound);
}

TEST(ConsumerGroups, ADeletedOneForgetsWhatItConsumed) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.PutGroup("g");
  machine.SendMany("t", 3);
  machine.Receive("g", "t");
  machine.Checkpoint();
  machine.Run(CommandKind::kDeleteConsumerGroup, NameCommand{"g"});
  EXPECT_EQ(machine.Receive("g", "t").status.code, StatusCode::kNotFound);
  machine.PutGroup("g");
  EXPECT_EQ(machine.Receive("g", "t").messages.size(), 3u);
}

TEST(ConsumerGroups, TakeTheirRetryAndDeadLetterTopicsAlongWhenAsked) {
  TestMachine machine;
  for (const char* name : {"t", "%RETRY%g", "%DLQ%g", "%RETRY%h"}) machine.PutTopic(name);
  machine.PutGroup("g");
  machine.Run(CommandKind::kDeleteConsumerGroup, DeleteConsumerGroupCommand{"g", false});
  EXPECT_EQ(machine->Topics().size(), 4u);
  machine.PutGroup("g");
  machine.Run(CommandKind::kDeleteConsumerGroup, DeleteConsumerGroupCommand{"g", true});
  ASSERT_EQ(machine->Topics().size(), 2u);
  EXPECT_EQ(machine->Topics()[0].name, "%RETRY%h");
}

// As classic consumers, consoles and admin tools need them.
TEST(Offsets, AreListedByGroupAndByTopicAndCopied) {
  TestMachine machine;
  for (const char* name : {"t", "u", "v"}) machine.PutTopic(name, 2);
  for (const char* name : {"g", "h", "i"}) machine.PutGroup(name);
  UpdateOffsetsCommand offsets;
  offsets.items = {{"g", "t", 0, QueueOffset(7), false}, {"g", "t", 1, QueueOffset(8), false},
                   {"g", "u", 0, QueueOffset(9), false}, {"h", "t", 0, QueueOffset(99), false}};
  machine.Run(CommandKind::kUpdateOffsets, offsets);
  machine.SendMany("v", 1);
  machine.Receive("g", "v");
  using Names = std::vector<std::string>;
  EXPECT_EQ(machine->TopicsOf("g"), (Names{"t", "u", "v"}));
  EXPECT_EQ(machine->ConsumerGroupsOf("t"), (Names{"g", "h"}));
  EXPECT_EQ(machine->ConsumerGroupsOf("v"), (Names{"g"}));
  EXPECT_TRUE(machine->TopicsOf("i").empty());
  ASSERT_EQ(machine->ConsumerOffsets("g", "t").size(), 2u);
  EXPECT_EQ(machine->ConsumerOffsets("g", "t")[1].offset, QueueOffset(8));

  const auto copy = [&](const CopyOffsetsCommand& command) {
    return machine.Run(CommandKind::kCopyOffsets, command);
  };
  EXPECT_EQ(copy({"g", "nobody", ""}), StatusCode::kNotFound);
  EXPECT_EQ(copy({"g", "h", "nowhere"}), StatusCode::kNotFound);
  EXPECT_EQ(copy({"g", "h", "t"}), StatusCode::kOk);
  EXPECT_EQ(machine->ConsumerOffset("h", "t", 0), QueueOffset(7));
  EXPECT_EQ(machine->ConsumerOffset("h", "t", 1), QueueOffset(8));
  EXPECT_EQ(machine->TopicsOf("h"), (Names{"t"}));
  EXPECT_EQ(copy({"g", "i", ""}), StatusCode::kOk);
  EXPECT_EQ(machine->TopicsOf("i"), (Names{"t", "u"}));
  EXPECT_EQ(copy({"g", "g", ""}), StatusCode::kOk);
  const std::string dump = machine->Dump();
  machine.Checkpoint();
  machine.Open();
  EXPECT_EQ(machine->Dump(), dump);
}

TEST(Offsets, TheHigherCountsUnlessItIsAReset) {
  TestMachine machine;
  machine.PutTopic("t", 2);
  machine.PutGroup("g");
  const auto update = [&](uint64_t offset, bool is_reset) {
    UpdateOffsetsCommand command;
    command.items = {{"g", "t", 1, QueueOffset(offset), is_reset}};
    EXPECT_EQ(machine.Run(CommandKind::kUpdateOffsets, command), StatusCode::kOk);
    return machine->ConsumerOffset("g", "t", 1)->value();
  };
  EXPECT_EQ(update(5, false), 5u);
  EXPECT_EQ(update(3, false), 5u);
  EXPECT_EQ(update(3, true), 3u);
  EXPECT_EQ(update(4, false), 4u);
  EXPECT_FALSE(machine->ConsumerOffset("g", "t", 0).has_value());
}

// A consumer at work goes on reporting from before the reset, until it hears of it.
TEST(Offsets, AResetThatHoldsCountsAgainstReportsUntilAConsumerIsThere) {
  TestMachine machine;
  machine.PutTopic("t", 2);
  machine.PutGroup("g");
  const auto update = [&](const UpdateOffsetsCommand::Item& item) {
    UpdateOffsetsCommand command;
    command.items = {item};
    EXPECT_EQ(machine.Run(CommandKind::kUpdateOffsets, command), StatusCode::kOk);
    return machine->ConsumerOffset("g", "t", 1)->value();
  };
  const auto report = [&](uint64_t at) { return update({"g", "t", 1, QueueOffset(at)}); };
  const auto end = [&](uint64_t at) {
    return update({"g", "t", 1, QueueOffset(at), false, false, true});
  };
  EXPECT_EQ(report(50), 50u);
  EXPECT_EQ(machine->HeldOffset("g", "t", 1), std::nullopt);
  machine.recorder.TakeEvents();

  EXPECT_EQ(update({"g", "t", 1, QueueOffset(7), true, true}), 7u);

  EXPECT_EQ(machine.recorder.TakeEvents(), std::vector<std::string>{"reset t/1 g"});
  EXPECT_EQ(report(51), 7u);
  EXPECT_EQ(machine->HeldOffset("g", "t", 1), QueueOffset(7));
  EXPECT_EQ(machine->HeldOffset("g", "t", 0), std::nullopt);
  EXPECT_EQ(end(8), 7u);  // Of an earlier reset.
  EXPECT_EQ(machine->HeldOffset("g", "t", 1), QueueOffset(7));
  const std::string dump = machine->Dump();
  machine.Checkpoint();
  machine.Open();
  EXPECT_EQ(machine->Dump(), dump);
  EXPECT_EQ(machine->HeldOffset("g", "t", 1), QueueOffset(7));

  EXPECT_EQ(end(7), 7u);
  EXPECT_EQ(machine->HeldOffset("g", "t", 1), std::nullopt);
  EXPECT_EQ(report(9), 9u);
  EXPECT_EQ(update({"g", "t", 1, QueueOffset(7), true, true}), 7u);
  EXPECT_EQ(update({"g", "t", 1, QueueOffset(3), true}), 3u);
  EXPECT_EQ(report(4), 4u);
}

TEST(Offsets, ReceivesGoOnWhereAResetThatHoldsHasPutTheGroup) {
  TestMachine machine;
  machine.PutTopic("t", 1);
  machine.PutGroup("g");
  machine.SendMany("t", 4);
  EXPECT_EQ(machine.Receive("g", "t", 3).messages.size(), 3u);
  const auto reset = [&](uint64_t to) {
    UpdateOffsetsCommand command;
    command.items = {{"g", "t", 0, QueueOffset(to), true, true}};
    EXPECT_EQ(machine.Run(CommandKind::kUpdateOffsets, command), StatusCode::kOk);
  };
  machine.recorder.TakeEvents();

  reset(1);

  EXPECT_EQ(machine.recorder.TakeEvents(), (std::vector<std::string>{"released t/0 g", "reset t/0 g"}));
  const ReceiveResult again = machine.Receive("g", "t", 32);
  ASSERT_EQ(again.messages.size(), 3u);
  EXPECT_EQ(again.messages[0].offset, QueueOffset(1));
  EXPECT_EQ(again.messages[0].attempt, 1u);
  reset(0);
  const std::string dump = machine->Dump();
  machine.Checkpoint();
  machine.Open();
  EXPECT_EQ(machine->Dump(), dump);
  EXPECT_EQ(machine.Receive("g", "t", 32).messages.size(), 4u);
}

TEST(Offsets, OneThatMeansNothingDoesNotStopTheOthers) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.PutGroup("g");
  UpdateOffsetsCommand command;
  command.items = {{"gone", "t", 0, QueueOffset(1), false},
                   {"g", "gone", 0, QueueOffset(1), false},
                   {"g", "t", 9, QueueOffset(1), false},
                   {"g", "t", 0, QueueOffset(1), false}};
  EXPECT_EQ(machine.Run(CommandKind::kUpdateOffsets, command), StatusCode::kNotFound);
  EXPECT_EQ(machine->ConsumerOffset("g", "t", 0), QueueOffset(1));
}

TEST(Questions, OfWhatIsNotThereAreAnsweredSo) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.SendMany("t", 3);
  EXPECT_EQ(machine->Bounds("x", 0).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(machine->Bounds("t", 1).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(machine->Entries("t", 0, QueueOffset(4), 1).status().code(),
            StatusCode::kOutOfRange);
  EXPECT_TRUE(machine->Entries("t", 0, QueueOffset(3), 1)->empty());
  EXPECT_EQ(machine->Entries("t", 0, QueueOffset(1), SIZE_MAX)->size(), 2u);
  EXPECT_TRUE(machine->Progress("g", "t").empty());
  EXPECT_FALSE(machine->MayDeliver("g", "t", 0));
}

}  // namespace
}  // namespace totora::store
