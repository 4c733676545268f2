#include <gtest/gtest.h>

#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;

class Timers : public ::testing::Test {
 protected:
  Timers() {
    machine.PutTopic("t");
    machine.PutGroup("g");
  }
  SendResult::Item Later(int64_t delay_ms, const std::string& id = "") {
    return machine.Send("t", {{.body = absl::StrCat("after ", delay_ms), .id = id,
                               .delay_ms = delay_ms}})
        .items.at(0);
  }
  StatusCode Cancel(const std::string& topic, const SendResult::Item& item) {
    return machine.Run(CommandKind::kCancelTimer,
                       CancelTimerCommand{topic, item.due_ms, item.position});
  }
  // Bodies that lie in the queue.
  std::vector<std::string> Queue() {
    std::vector<std::string> bodies;
    const auto entries = machine->Entries("t", 0, QueueOffset(0), 1000);
    EXPECT_TRUE(entries.ok()) << entries.status();
    for (const QueueEntry& entry : *entries) {
      const std::string stored = machine.log.Read(entry.position, entry.size);
      bodies.emplace_back(message::StoredMessageView::Parse(stored)->body());
    }
    return bodies;
  }
  void ExpireAt(int64_t ms, uint32_t limit = 10000) {
    machine.now_ms = ms;
    machine.Expire(limit);
  }
  void RestartAndCompare() {
    const std::string dump = machine->Dump();
    machine.Open();
    machine.Replay();
    ASSERT_EQ(machine->Dump(), dump);
  }

  TestMachine machine;
  const int64_t start = machine.now_ms;
};

TEST_F(Timers, ADelayedMessageComesWhenLogTimeHasPassedAndNotBefore) {
  const SendResult::Item item = Later(5000);
  EXPECT_EQ(item.due_ms, start + 5000);
  EXPECT_EQ(machine->NextExpiryMs(), start + 5000);
  EXPECT_EQ(machine->TimerCount(), 1u);
  machine.recorder.TakeEvents();

  ExpireAt(start + 4999);
  EXPECT_TRUE(Queue().empty());
  EXPECT_TRUE(machine.Receive("g", "t").messages.empty());
  ExpireAt(start + 5000);

  EXPECT_EQ(Queue(), (std::vector<std::string>{"after 5000"}));
  EXPECT_EQ(machine.recorder.TakeEvents(), (std::vector<std::string>{"grew t/0 1"}));
  EXPECT_EQ(machine->Entries("t", 0, QueueOffset(0), 1)->at(0).store_time_ms, start + 5000);
  EXPECT_EQ(machine->TimerCount(), 0u);
  EXPECT_EQ(machine->NextExpiryMs(), std::nullopt);
  EXPECT_EQ(machine.Receive("g", "t").messages.size(), 1u);
}

TEST_F(Timers, AnAbsoluteTimeCountsAndOneThatHasPassedIsNow) {
  const SendResult result = machine.Send(
      "t", {{.body = "later", .deliver_at_ms = start + 10}, {.body = "now", .deliver_at_ms = start},
            {.body = "past", .deliver_at_ms = 1}});
  EXPECT_EQ(result.items[0].due_ms, start + 10);
  EXPECT_EQ(result.items[1].due_ms, 0);
  EXPECT_EQ(Queue(), (std::vector<std::string>{"now", "past"}));
  ExpireAt(start + 10);
  EXPECT_EQ(Queue(), (std::vector<std::string>{"now", "past", "later"}));
}

TEST_F(Timers, ManyFireInDueOrderAndNoMoreThanTheCommandSays) {
  for (int64_t delay : {30, 10, 20, 10}) Later(delay);
  ExpireAt(start + 100, 3);
  EXPECT_EQ(Queue(), (std::vector<std::string>{"after 10", "after 10", "after 20"}));
  EXPECT_EQ(machine->NextExpiryMs(), start + 30);
  ExpireAt(start + 100, 3);
  EXPECT_EQ(Queue().size(), 4u);
}

TEST_F(Timers, ACancelledOneNeverComes) {
  const SendResult::Item item = Later(50);
  machine.PutTopic("other");
  EXPECT_EQ(Cancel("other", item), StatusCode::kNotFound);
  EXPECT_EQ(Cancel("nowhere", item), StatusCode::kNotFound);
  EXPECT_EQ(Cancel("t", item), StatusCode::kOk);
  EXPECT_EQ(Cancel("t", item), StatusCode::kNotFound);
  ExpireAt(start + 100);
  EXPECT_TRUE(Queue().empty());
  const SendResult::Item fired = Later(1);
  ExpireAt(start + 200);
  EXPECT_EQ(Cancel("t", fired), StatusCode::kNotFound);
}

TEST_F(Timers, ARetriedSendGetsTheSameTimer) {
  const SendResult::Item first = Later(50, "id");
  machine.now_ms += 7;
  const SendResult::Item again = Later(50, "id");
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_EQ(again.due_ms, first.due_ms);
  EXPECT_EQ(again.position, first.position);
  EXPECT_EQ(Cancel("t", again), StatusCode::kOk);
}

// The delay counts from the first send, however often it was repeated.
TEST_F(Timers, ARetryOfARetriedSendGetsTheSameTimerToo) {
  const TestMachine::Out out{.id = "id", .delay_ms = 60'000, .retry_window_ms = 15'000};
  const SendResult::Item first = machine.Send("t", {out}).items[0];
  for (int i = 0; i < 3; ++i) {
    machine.now_ms += 10'000;
    const SendResult::Item again = machine.Send("t", {out}).items[0];
    EXPECT_TRUE(again.is_duplicate) << i;
    EXPECT_EQ(again.due_ms, first.due_ms) << i;
    EXPECT_EQ(again.position, first.position) << i;
    machine.Checkpoint();
    machine.Open();
  }
  EXPECT_EQ(machine->TimerCount(), 1u);
}

// What is to be answered to a retry is counted by log time, as it was the first time.
TEST_F(Timers, ARetryBehindAStepOfLogTimeGetsTheSameTimerToo) {
  const TestMachine::Out out{.id = "id", .delay_ms = 60'000, .retry_window_ms = 15'000};
  const SendResult::Item first = machine.Send("t", {out}).items[0];
  machine.now_ms += 1000;
  machine.Step(3'600'000);
  const SendResult::Item again = machine.Send("t", {out}).items[0];
  EXPECT_TRUE(again.is_duplicate);
  EXPECT_EQ(again.due_ms, first.due_ms);
  EXPECT_EQ(again.position, first.position);
  EXPECT_EQ(machine->TimerCount(), 1u);
}

TEST_F(Timers, TheirNumberIsBoundedAndACommandBeyondItChangesNothing) {
  StoreOptions options;
  options.timers_max = 2;
  TestMachine small(options);
  small.PutTopic("t");
  EXPECT_EQ(small.Send("t", {{.delay_ms = 5}}).status.code, StatusCode::kOk);
  const std::string dump = small->Dump();
  EXPECT_EQ(small.Send("t", {{.delay_ms = 5}, {.body = "now"}, {.delay_ms = 6}}).status.code,
            StatusCode::kResourceExhausted);
  EXPECT_EQ(small->Bounds("t", 0)->end, QueueOffset(0));
  EXPECT_EQ(small->TimerCount(), 1u);
  EXPECT_EQ(small.Send("t", {{.delay_ms = 5}}).status.code, StatusCode::kOk);
}

TEST_F(Timers, ATimeBeyondReasonIsRefused) {
  EXPECT_EQ(machine.Send("t", {{.delay_ms = INT64_MAX}}).status.code,
            StatusCode::kInvalidArgument);
  EXPECT_EQ(machine.Send("t", {{.deliver_at_ms = INT64_MAX}}).status.code,
            StatusCode::kInvalidArgument);
}

TEST_F(Timers, ADeletedTopicTakesItsTimersAlong) {
  Later(50);
  machine.Run(CommandKind::kDeleteTopic, NameCommand{"t"});
  machine.PutTopic("t");
  RestartAndCompare();
  ExpireAt(start + 100);
  EXPECT_TRUE(Queue().empty());
  EXPECT_EQ(machine->TimerCount(), 0u);
}

TEST_F(Timers, SurviveRestartsWithAndWithoutACheckpoint) {
  Later(10);
  machine.Checkpoint();
  Later(20);
  RestartAndCompare();
  EXPECT_EQ(machine->TimerCount(), 2u);
  ExpireAt(start + 15);
  RestartAndCompare();
  EXPECT_EQ(Queue().size(), 1u);
  machine.Checkpoint();
  RestartAndCompare();
  ExpireAt(start + 25);
  RestartAndCompare();
  EXPECT_EQ(Queue(), (std::vector<std::string>{"after 10", "after 20"}));
}

}  // namespace
}  // namespace totora::store
