// Questions of tools and classic clients: by key, by time, by position.
#include <gtest/gtest.h>

#include "store/find_message.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;

class Searches : public ::testing::Test {
 protected:
  Searches() { machine.PutTopic("t", 2); }
  void SendAt(int64_t ms, size_t count = 1, const std::string& keys = "k") {
    machine.now_ms = ms;
    machine.Send("t", std::vector<TestMachine::Out>(
                          count, {.properties = absl::StrCat("KEYS\x01", keys, "\x02")}));
  }
  uint64_t At(int64_t ms, TimeBoundary boundary = TimeBoundary::kLower) {
    const auto offset = machine->OffsetAtTime("t", 0, ms, boundary);
    EXPECT_TRUE(offset.ok()) << offset.status();
    return offset.ok() ? offset->value() : 999'999;
  }

  TestMachine machine;
  const int64_t start = machine.now_ms;
};

TEST_F(Searches, AMessageIsFoundByItsKeyBeforeAndAfterACheckpoint) {
  SendAt(start, 1, "a b");
  machine.Checkpoint();
  SendAt(start + 5, 2, "b c");
  for (int life = 0; life < 2; ++life) {
    const auto hits = machine->FindByKey("t", "b", 0, INT64_MAX, 10);
    ASSERT_TRUE(hits.ok()) << hits.status();
    ASSERT_EQ(hits->size(), 3u);
    EXPECT_GT(hits->at(0).position, hits->at(2).position);
    for (const KeyHit& hit : *hits) {
      const std::string stored = machine.log.Read(hit.position, hit.size);
      EXPECT_TRUE(message::StoredMessageView::Parse(stored).ok());
    }
    EXPECT_EQ(machine->FindByKey("t", "b", start + 1, INT64_MAX, 10)->size(), 2u);
    EXPECT_EQ(machine->FindByKey("t", "a", 0, INT64_MAX, 10)->size(), 1u);
    EXPECT_TRUE(machine->FindByKey("t", "d", 0, INT64_MAX, 10)->empty());
    machine.Open();
    machine.Replay();
  }
  EXPECT_EQ(machine->FindByKey("x", "b", 0, INT64_MAX, 10).status().code(), StatusCode::kNotFound);
}

TEST_F(Searches, ATopicOfTheSameNameHasNoneOfTheOldKeys) {
  SendAt(start, 1, "a");
  machine.Run(CommandKind::kDeleteTopic, NameCommand{"t"});
  machine.PutTopic("t");
  EXPECT_TRUE(machine->FindByKey("t", "a", 0, INT64_MAX, 10)->empty());
}

TEST_F(Searches, ATimeStandsForAnOffset) {
  EXPECT_EQ(At(start), 0u);
  EXPECT_EQ(At(start, TimeBoundary::kUpper), 0u);
  EXPECT_EQ(*machine->EarliestStoreTimeMs("t", 0), std::nullopt);
  for (int64_t i = 0; i < 5; ++i) {
    SendAt(start + 10 * i, 100);
    if (i == 2) machine.Checkpoint();
  }
  EXPECT_EQ(*machine->EarliestStoreTimeMs("t", 0), start);
  EXPECT_EQ(At(0), 0u);
  EXPECT_EQ(At(start), 0u);
  EXPECT_EQ(At(start + 1), 100u);
  EXPECT_EQ(At(start + 20), 200u);
  EXPECT_EQ(At(start + 40), 400u);
  EXPECT_EQ(At(start + 41), 500u);
  EXPECT_EQ(At(start - 1, TimeBoundary::kUpper), 0u);
  EXPECT_EQ(At(start, TimeBoundary::kUpper), 99u);
  EXPECT_EQ(At(start + 25, TimeBoundary::kUpper), 299u);
  EXPECT_EQ(At(INT64_MAX, TimeBoundary::kUpper), 499u);
  EXPECT_EQ(machine->OffsetAtTime("t", 7, 0, TimeBoundary::kLower).status().code(),
            StatusCode::kNotFound);
}

TEST_F(Searches, AMessageFoundByPositionHasAnOffset) {
  for (int64_t i = 0; i < 5; ++i) SendAt(start + i, 200);
  machine.Checkpoint();
  for (uint64_t offset : {0, 1, 199, 200, 777, 999}) {
    const QueueEntry entry = machine->Entries("t", 0, QueueOffset(offset), 1)->at(0);
    const auto found = machine->OffsetOf("t", 0, entry.position, entry.store_time_ms);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->value(), offset);
    EXPECT_EQ(machine->OffsetOf("t", 0, entry.position.Next(), entry.store_time_ms).status().code(),
              StatusCode::kNotFound);
    EXPECT_FALSE(machine->OffsetOf("t", 1, entry.position, entry.store_time_ms).ok());
  }
}

// Samples lie a MiB apart; between them entries are read.
TEST_F(Searches, EveryPositionOfALongLogLeadsToTheEntriesAroundIt) {
  for (int i = 0; i < 60; ++i) {
    machine.Send("t", {{.body = std::string(60'000 + static_cast<size_t>(i) * 1000, 'b')}});
    if (i % 17 == 0) machine.Checkpoint();
  }
  for (int life = 0; life < 2; ++life) {
    uint64_t most = 0;
    for (const raft::Frame& frame : machine.log.frames()) {
      for (BytePosition at : {frame.header.start, frame.header.end().Prev()}) {
        const auto around = machine->EntriesAround(at);
        ASSERT_TRUE(around.has_value());
        EXPECT_LE(around->first, frame.header.index);
        EXPECT_GE(around->last, frame.header.index);
        most = std::max(most, around->last.value() - around->first.value());
      }
    }
    EXPECT_LT(most, 20u);
    machine.Checkpoint();
    machine.Open();
  }
}

TEST(Growth, TellsWhatCameSinceTheLastLookButNothingThatIsOlderThanItsBegin) {
  TestMachine machine;
  machine.PutTopic("t", 2);
  machine.PutTopic("u");
  machine.SendMany("t", 5);
  EXPECT_TRUE(machine->TakeGrowth().topics.empty()) << "nobody asked to count";
  machine->CountGrowthFrom(machine.now_ms + 100);
  machine.SendMany("t", 5);
  EXPECT_TRUE(machine->TakeGrowth().topics.empty()) << "replayed";

  machine.now_ms += 100;
  machine.SendMany("t", 7);
  machine.SendMany("t", 3, 1);
  machine.Send("u", {{.delay_ms = 5000}});

  Growth growth = machine->TakeGrowth();
  ASSERT_EQ(growth.topics.size(), 1u);
  EXPECT_EQ(growth.topics[0].topic, "t");
  EXPECT_EQ(growth.topics[0].messages, 10u);
  EXPECT_EQ(growth.topics[0].bytes, 10 * StoredMessage("t", "body").size());
  EXPECT_EQ(growth.topics[0].batches, 2u);
  EXPECT_EQ(growth.timers_added, 1u);
  EXPECT_EQ(growth.timers_fired, 0u);
  EXPECT_TRUE(machine->TakeGrowth().topics.empty());

  machine.now_ms += 5000;
  machine.Expire();
  growth = machine->TakeGrowth();
  ASSERT_EQ(growth.topics.size(), 1u);
  EXPECT_EQ(growth.topics[0].topic, "u");
  EXPECT_EQ(growth.topics[0].messages, 1u);
  EXPECT_EQ(growth.timers_added, 0u) << "told before";
  EXPECT_EQ(growth.timers_fired, 1u);
  EXPECT_EQ(machine->TakeGrowth().timers_fired, 0u) << "told before";

  machine.SendMany("t", 1);
  machine.Run(CommandKind::kDeleteTopic, NameCommand{"t"});
  EXPECT_TRUE(machine->TakeGrowth().topics.empty()) << "of a topic that is gone";
}

}  // namespace
}  // namespace totora::store
