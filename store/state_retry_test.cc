#include <gtest/gtest.h>

#include "message/properties.h"
#include "store/find_message.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;
using Kind = message::PropertyChange::Kind;

std::string UniqueKey(const std::string& id) {
  std::string packed;
  EXPECT_TRUE(message::AppendProperty(&packed, message::kUniqueKeyProperty, id).ok());
  return packed;
}

class Retries : public ::testing::Test {
 protected:
  Retries() {
    machine.PutTopic("t");
    machine.PutGroup("g", false, 2);
  }
  void SendOne(const std::string& id = "id") {
    machine.Send("t", {{.body = "body of " + id, .tag = 5, .properties = UniqueKey(id)}});
  }
  message::StoredMessageView View(const std::string& bytes) {
    const auto view = message::StoredMessageView::Parse(bytes);
    EXPECT_TRUE(view.ok()) << view.status();
    return *view;
  }
  // What a broker makes of a consumer's call, which names a position.
  SendBackCommand CommandFor(BytePosition at) {
    SendBackCommand command;
    command.consumer_group = "g";
    const auto around = machine->EntriesAround(at);
    EXPECT_TRUE(around.has_value());
    for (const raft::Frame& frame : machine.log.frames()) {
      if (frame.header.index < around->first || frame.header.index > around->last) continue;
      const auto found = FindMessage(frame, at);
      if (!found.ok()) continue;
      command.position = found->position;
      command.size = found->size;
      command.tag_hash = found->tag_hash;
      if (found->override_record != nullptr) command.override_record = *found->override_record;
      command.reconsume_times = command.override_record.reconsume_times.value_or(0);
      command.override_record.Change(Kind::kSetIfAbsent, message::kRetryTopicProperty,
                                     found->topic);
    }
    EXPECT_GT(command.size, 0u) << "nothing found at " << at;
    return command;
  }
  SendBackResult SendBack(const SendBackCommand& command) {
    return machine.Ask<SendBackResult>(CommandKind::kSendBack, command);
  }
  StatusCode Forward(const DeliveredMessage& message) {
    return machine.Run(CommandKind::kForwardToDeadLetter,
                       ForwardToDeadLetterCommand{
                           "g", {"t", message.queue_id, message.offset, message.delivery_id}});
  }
  void RestartAndCompare() {
    const std::string dump = machine->Dump();
    machine.Open();
    machine.Replay();
    ASSERT_EQ(machine->Dump(), dump);
  }
  void PassAndExpire(int64_t ms) {
    machine.now_ms += ms;
    machine.Expire();
  }

  TestMachine machine;
};

TEST_F(Retries, AMessageSentBackIsReadInTheRetryTopicWithOneMoreAttempt) {
  SendOne();
  const BytePosition at = View(machine.ReadAt("t", 0)).position();
  machine.recorder.TakeEvents();

  const SendBackResult result = SendBack(CommandFor(at));

  ASSERT_TRUE(result.status.ok());
  EXPECT_FALSE(result.is_dead_letter);
  EXPECT_EQ(machine.recorder.TakeEvents(),
            (std::vector<std::string>{"topic %RETRY%g changed", "grew %RETRY%g/0 1"}));
  EXPECT_EQ(machine->FindTopic("%RETRY%g")->permission, 6u);
  const std::string read = machine.ReadAt("%RETRY%g", 0);
  const message::StoredMessageView copy = View(read);
  EXPECT_EQ(copy.topic(), "%RETRY%g");
  EXPECT_EQ(copy.body(), "body of id");
  EXPECT_EQ(copy.reconsume_times(), 1);
  EXPECT_EQ(copy.Property(message::kRetryTopicProperty), "t");
  EXPECT_EQ(copy.Property(message::kUniqueKeyProperty), "id");
  EXPECT_EQ(machine->Entries("%RETRY%g", 0, QueueOffset(0), 1)->at(0).tag_hash, 5u);
  // The original is as it was, and elsewhere.
  EXPECT_NE(copy.position(), at);
  EXPECT_EQ(View(machine.ReadAt("t", 0)).reconsume_times(), 0);
}

// A classic consumer names a copy by the position that it was told, and nothing
// else: that must lead to the copy, or attempts would never be used up.
TEST_F(Retries, ACopySentBackAgainAndAgainEndsAmongTheDeadLetters) {
  SendOne();
  BytePosition at = View(machine.ReadAt("t", 0)).position();
  for (int times = 0; times < 3; ++times) {
    SendBackCommand command = CommandFor(at);
    EXPECT_EQ(command.reconsume_times, times);
    command.max_reconsume_times = 3;
    ASSERT_FALSE(SendBack(command).is_dead_letter);
    const std::string read = machine.ReadAt("%RETRY%g", static_cast<uint64_t>(times));
    EXPECT_EQ(View(read).reconsume_times(), times + 1);
    EXPECT_EQ(View(read).Property(message::kRetryTopicProperty), "t");
    at = View(read).position();
    machine.Checkpoint();
    RestartAndCompare();
  }
  SendBackCommand last = CommandFor(at);
  last.max_reconsume_times = 3;

  EXPECT_TRUE(SendBack(last).is_dead_letter);

  EXPECT_EQ(machine.Length("%RETRY%g"), 3u);
  const std::string read = machine.ReadAt("%DLQ%g", 0);
  EXPECT_EQ(View(read).topic(), "%DLQ%g");
  EXPECT_EQ(View(read).reconsume_times(), 4);
  EXPECT_EQ(View(read).Property(message::kDeadLetterTopicProperty), "t");
  EXPECT_EQ(View(read).Property(message::kDeadLetterMessageIdProperty), "id");
  RestartAndCompare();
}

TEST_F(Retries, ADelayedRetryComesThroughATimer) {
  SendOne();
  SendBackCommand command = CommandFor(View(machine.ReadAt("t", 0)).position());
  command.delay_ms = 10'000;
  EXPECT_EQ(SendBack(command).due_ms, machine.now_ms + 10'000);
  EXPECT_EQ(SendBack(command).due_ms, machine.now_ms + 10'000);
  EXPECT_EQ(machine.Length("%RETRY%g"), 0u);
  machine.Checkpoint();
  RestartAndCompare();
  PassAndExpire(9'999);
  EXPECT_EQ(machine.Length("%RETRY%g"), 0u);
  PassAndExpire(1);
  EXPECT_EQ(machine.Length("%RETRY%g"), 2u);
  EXPECT_EQ(View(machine.ReadAt("%RETRY%g", 1)).reconsume_times(), 1);
  RestartAndCompare();
}

TEST_F(Retries, ANegativeDelayIsADeadLetterAtOnce) {
  SendOne();
  SendBackCommand command = CommandFor(View(machine.ReadAt("t", 0)).position());
  command.delay_ms = -1;
  EXPECT_TRUE(SendBack(command).is_dead_letter);
  EXPECT_EQ(machine.Length("%DLQ%g"), 1u);
}

TEST_F(Retries, WhatCannotBeDoneIsRefusedAndChangesNothing) {
  SendOne();
  const SendBackCommand good = CommandFor(View(machine.ReadAt("t", 0)).position());
  SendBackCommand command = good;
  command.consumer_group = "nobody";
  EXPECT_EQ(SendBack(command).status.code, StatusCode::kNotFound);
  command = good;
  command.delay_ms = INT64_MAX;
  EXPECT_EQ(SendBack(command).status.code, StatusCode::kInvalidArgument);
  TopicConfig closed;
  closed.name = "%RETRY%g";
  closed.permission = 4;
  machine.Run(CommandKind::kPutTopic, closed);
  EXPECT_EQ(SendBack(good).status.code, StatusCode::kFailedPrecondition);
  EXPECT_EQ(machine.Length("%RETRY%g"), 0u);
}

TEST_F(Retries, OnlyPositionsOfMessagesAreFound) {
  machine.Send("t", {{.body = StoredMessage("t", "a forged message inside a body")},
                     {.body = "second"}});
  const BytePosition first = View(machine.ReadAt("t", 0)).position();
  const BytePosition second = View(machine.ReadAt("t", 1)).position();
  const raft::Frame& frame = machine.log.frames().back();
  size_t found = 0;
  for (BytePosition at = frame.header.start; at <= frame.header.end(); at = at.Next()) {
    const auto message = FindMessage(frame, at);
    if (!message.ok()) {
      EXPECT_EQ(message.status().code(), StatusCode::kNotFound);
      continue;
    }
    ++found;
    EXPECT_TRUE(at == first || at == second);
    EXPECT_EQ(message->topic, "t");
    EXPECT_TRUE(
        message::StoredMessageView::Parse(machine.log.Read(message->position, message->size)).ok());
  }
  EXPECT_EQ(found, 2u);
  EXPECT_FALSE(machine->EntriesAround(frame.header.end()).has_value());
}

TEST_F(Retries, AMessageNotAckedByItsLastAttemptIsADeadLetter) {
  SendOne("a");
  SendOne("b");
  ASSERT_EQ(machine.Receive("g", "t").messages.size(), 2u);
  PassAndExpire(60'000);
  EXPECT_EQ(machine.Length("%DLQ%g"), 0u);
  const ReceiveResult second = machine.Receive("g", "t");
  ASSERT_EQ(second.messages.size(), 2u);
  EXPECT_EQ(second.messages[1].attempt, 2u);
  ASSERT_EQ(machine.Ack("g", "t", second.messages[0]), StatusCode::kOk);
  machine.Checkpoint();
  machine.recorder.TakeEvents();
  PassAndExpire(60'000);

  EXPECT_EQ(machine.recorder.TakeEvents(),
            (std::vector<std::string>{"topic %DLQ%g changed", "grew %DLQ%g/0 1",
                                      "released t/0 g"}));
  EXPECT_TRUE(machine.Receive("g", "t").messages.empty());
  const ConsumerProgress progress = machine->Progress("g", "t").at(0);
  EXPECT_EQ(progress.in_flight + progress.ready_again, 0u);
  EXPECT_EQ(progress.committed, QueueOffset(2));
  const std::string read = machine.ReadAt("%DLQ%g", 0);
  EXPECT_EQ(View(read).body(), "body of b");
  EXPECT_EQ(View(read).reconsume_times(), 2);
  EXPECT_EQ(View(read).Property(message::kDeadLetterTopicProperty), "t");
  EXPECT_EQ(View(read).Property(message::kDeadLetterMessageIdProperty), "b");
  EXPECT_EQ(View(read).Property(message::kOriginMessageIdProperty), "b");
  RestartAndCompare();
  // A late ack of what was buried is no error, and buries nothing twice.
  EXPECT_EQ(machine.Ack("g", "t", second.messages[1]), StatusCode::kOk);
  EXPECT_EQ(machine.Length("%DLQ%g"), 1u);
}

TEST_F(Retries, ALostResponseDoesNotUseUpAnAttempt) {
  SendOne();
  for (int i = 0; i < 5; ++i) {
    const ReceiveResult result = machine.Receive("g", "t");
    ASSERT_EQ(result.messages.size(), 1u);
    EXPECT_EQ(result.messages[0].attempt, 1u);
    machine.Report("g", "t", result.messages[0], false);
  }
  EXPECT_EQ(machine.Length("%DLQ%g"), 0u);
}

TEST_F(Retries, GivingTheLastAttemptBackBuriesAtOnceOrWhenItsTimeIsOver) {
  for (int64_t invisible_ms : {0, 1000}) {
    SendOne();
    machine.Receive("g", "t");
    PassAndExpire(60'000);
    const ReceiveResult last = machine.Receive("g", "t");
    ASSERT_EQ(last.messages.size(), 1u);
    const uint64_t before = machine.Length("%DLQ%g");
    ASSERT_EQ(machine.Change("g", "t", last.messages[0], invisible_ms), StatusCode::kOk);
    EXPECT_EQ(machine.Length("%DLQ%g"), before + (invisible_ms == 0 ? 1 : 0));
    PassAndExpire(1000);
    EXPECT_EQ(machine.Length("%DLQ%g"), before + 1);
    EXPECT_TRUE(machine.Receive("g", "t").messages.empty());
  }
}

TEST_F(Retries, FewerAttemptsCountForWhatIsReadyAlready) {
  machine.PutGroup("g", false, 17);
  SendOne("old");
  machine.Receive("g", "t");
  PassAndExpire(60'000);
  machine.PutGroup("g", false, 1);
  SendOne("new");
  const ReceiveResult result = machine.Receive("g", "t");
  ASSERT_EQ(result.messages.size(), 1u);
  EXPECT_EQ(result.messages[0].offset, QueueOffset(1));
  EXPECT_EQ(machine.Length("%DLQ%g"), 1u);
  RestartAndCompare();
}

TEST_F(Retries, WithoutAPlaceForDeadLettersAMessageIsTriedOnceMore) {
  TopicConfig closed;
  closed.name = "%DLQ%g";
  closed.permission = 4;
  machine.Run(CommandKind::kPutTopic, closed);
  SendOne();
  for (uint32_t attempt = 1; attempt <= 4; ++attempt) {
    const ReceiveResult result = machine.Receive("g", "t");
    ASSERT_EQ(result.messages.size(), 1u);
    EXPECT_EQ(result.messages[0].attempt, attempt);
    PassAndExpire(60'000);
  }
}

TEST_F(Retries, ForwardingBuriesOnceAndAcks) {
  SendOne();
  const ReceiveResult result = machine.Receive("g", "t");
  EXPECT_EQ(Forward(result.messages[0]), StatusCode::kOk);
  EXPECT_EQ(Forward(result.messages[0]), StatusCode::kOk);
  EXPECT_EQ(machine.Length("%DLQ%g"), 1u);
  EXPECT_EQ(View(machine.ReadAt("%DLQ%g", 0)).reconsume_times(), 1);
  PassAndExpire(60'000);
  EXPECT_TRUE(machine.Receive("g", "t").messages.empty());
  DeliveredMessage wrong = result.messages[0];
  wrong.delivery_id = 999;
  EXPECT_EQ(Forward(wrong), StatusCode::kFailedPrecondition);
  RestartAndCompare();
}

// A receive of a retry topic tells what is laid over, and so does a replay of it.
TEST_F(Retries, ADeliveredCopyCarriesItsOverrideRecord) {
  SendOne();
  SendBack(CommandFor(View(machine.ReadAt("t", 0)).position()));
  const ReceiveResult result = machine.Receive("g", "%RETRY%g");
  ASSERT_EQ(result.messages.size(), 1u);
  ASSERT_NE(result.messages[0].override_record, nullptr);
  EXPECT_EQ(result.messages[0].override_record->reconsume_times, 1);
  EXPECT_EQ(machine.Receive("g", "t").messages.at(0).override_record, nullptr);
}

// Blocks full of records go through checkpoints like any other.
TEST_F(Retries, ManyCopiesSurviveCheckpointsAndRestarts) {
  for (int i = 0; i < 300; ++i) {
    if (i % 3 == 0) SendOne(absl::StrCat(i));
    SendBack(CommandFor(View(machine.ReadAt("t", static_cast<uint64_t>(i / 3))).position()));
    if (i % 97 == 0) machine.Checkpoint();
  }
  RestartAndCompare();
  machine.Checkpoint();
  machine.Open();
  for (uint64_t i = 0; i < 300; ++i) {
    const std::string read = machine.ReadAt("%RETRY%g", i);
    EXPECT_EQ(View(read).Property(message::kUniqueKeyProperty), absl::StrCat(i / 3 * 3));
    EXPECT_EQ(View(read).queue_offset(), QueueOffset(i));
  }
}

}  // namespace
}  // namespace totora::store
