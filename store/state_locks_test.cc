#include <gtest/gtest.h>

#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;

class Locks : public ::testing::Test {
 protected:
  using Granted = std::vector<uint32_t>;
  Locks() {
    machine.PutTopic("t", 3);
    machine.PutTopic("u");
    machine.PutGroup("g");
    machine.PutGroup("h");
  }
  Granted Lock(const std::string& client, const std::vector<QueueName>& queues,
               const std::string& group = "g") {
    return machine.Ask<LockQueuesResult>(CommandKind::kLockQueues,
                                         LockQueuesCommand{group, client, queues}).granted;
  }
  void Unlock(const std::string& client, const std::vector<QueueName>& queues) {
    EXPECT_EQ(machine.Run(CommandKind::kUnlockQueues, LockQueuesCommand{"g", client, queues}),
              StatusCode::kOk);
  }
  std::string Holders() {
    std::string all;
    for (const QueueLock& lock : machine->LockHolders("g")) {
      absl::StrAppend(&all, lock.topic, "/", lock.queue_id, "=", lock.client_id, " ");
    }
    return all;
  }
  void RestartAndCompare() {
    const std::string dump = machine->Dump();
    machine.Open();
    machine.Replay();
    ASSERT_EQ(machine->Dump(), dump);
  }

  TestMachine machine;
};

TEST_F(Locks, OneClientHoldsAQueueOfAGroupAtATime) {
  EXPECT_EQ(Lock("a", {{"t", 0}, {"t", 1}, {"nowhere", 0}, {"t", 99}}), (Granted{0, 1}));
  EXPECT_EQ(Lock("b", {{"t", 2}, {"t", 1}, {"u", 0}}), (Granted{0, 2}));
  EXPECT_EQ(Lock("b", {{"t", 1}}, "h"), (Granted{0}));
  EXPECT_EQ(Holders(), "t/0=a t/1=a t/2=b u/0=b ");
  EXPECT_TRUE(machine->HasLiveLock("g"));
  EXPECT_EQ(machine.Ask<LockQueuesResult>(CommandKind::kLockQueues,
                                          LockQueuesCommand{"nobody", "a", {}}).status.code,
            StatusCode::kNotFound);
}

TEST_F(Locks, LastAMinuteAfterTheyWereLastAskedFor) {
  Lock("a", {{"t", 0}});
  machine.now_ms += kLockMs - 1;
  EXPECT_EQ(Lock("b", {{"t", 0}}), (Granted{}));
  EXPECT_EQ(Lock("a", {{"t", 0}}), (Granted{0}));
  machine.now_ms += kLockMs - 1;
  EXPECT_EQ(Lock("b", {{"t", 0}}), (Granted{}));
  machine.now_ms += 1;
  EXPECT_EQ(Lock("b", {{"t", 0}}), (Granted{0}));
  EXPECT_EQ(Holders(), "t/0=b ");
  machine.now_ms += kLockMs;
  machine.PutTopic("later");  // Log time is that of the last entry.
  EXPECT_EQ(Holders(), "");
  EXPECT_FALSE(machine->HasLiveLock("g"));
}

// Its holder goes on for half a minute by its own clock: there were two.
TEST_F(Locks, LastAMinuteAlsoWhenLogTimeSteps) {
  Lock("a", {{"t", 0}});
  machine.Step(2 * 60 * kLockMs);
  EXPECT_EQ(Lock("b", {{"t", 0}}), (Granted{}));
  EXPECT_EQ(Holders(), "t/0=a ");
  EXPECT_TRUE(machine->HasLiveLock("g"));
  machine.now_ms += kLockMs;
  EXPECT_EQ(Lock("b", {{"t", 0}}), (Granted{0}));
}

// More have ended than a command clears away.
TEST_F(Locks, AnEndedOneThatIsStillThereBindsNobody) {
  Lock("a", {{"t", 0}, {"t", 1}, {"t", 2}, {"u", 0}});
  machine.now_ms += kLockMs;
  EXPECT_EQ(Lock("b", {{"u", 0}}), (Granted{0}));
}

TEST_F(Locks, OnlyTheHolderUnlocks) {
  Lock("a", {{"t", 0}, {"t", 1}});
  Unlock("b", {{"t", 0}});
  Unlock("a", {{"t", 1}, {"nowhere", 5}});
  EXPECT_EQ(Holders(), "t/0=a ");
}

TEST_F(Locks, GoWithTheClientTheGroupAndTheTopic) {
  Lock("a", {{"t", 0}, {"u", 0}});
  Lock("a", {{"t", 1}}, "h");
  machine.Run(CommandKind::kReleaseClient, ReleaseClientCommand{"a", "h"});
  EXPECT_EQ(Lock("b", {{"t", 1}}, "h"), (Granted{0}));
  EXPECT_EQ(Holders(), "t/0=a u/0=a ");
  machine.Run(CommandKind::kDeleteTopic, NameCommand{"u"});
  EXPECT_EQ(Holders(), "t/0=a ");
  machine.Run(CommandKind::kReleaseClient, ReleaseClientCommand{"a", ""});
  EXPECT_EQ(Holders(), "");
  Lock("a", {{"t", 0}});
  machine.Run(CommandKind::kDeleteConsumerGroup, NameCommand{"g"});
  machine.PutGroup("g");
  EXPECT_EQ(Holders(), "");
  RestartAndCompare();
}

TEST_F(Locks, SurviveRestartsWithAndWithoutACheckpoint) {
  Lock("a", {{"t", 0}, {"t", 1}});
  machine.Checkpoint();
  Lock("b", {{"t", 2}});
  RestartAndCompare();
  EXPECT_EQ(Holders(), "t/0=a t/1=a t/2=b ");
  Unlock("a", {{"t", 0}, {"t", 1}});
  Unlock("b", {{"t", 2}});
  machine.Checkpoint();
  RestartAndCompare();
  EXPECT_EQ(Holders(), "");
}

// Nobody asks for the queues of clients that are gone.
TEST_F(Locks, EndedOnesDoNotGather) {
  machine.PutTopic("wide", 1000);
  for (uint32_t queue = 0; queue < 1000; ++queue) {
    Lock(absl::StrCat("client", queue), {{"wide", queue}});
    machine.now_ms += kLockMs / 100;
  }
  const std::string dump = machine->Dump();
  size_t locks = 0;
  for (size_t at = dump.find("lock "); at != std::string::npos; at = dump.find("lock ", at + 1)) {
    ++locks;
  }
  EXPECT_LE(locks, 110u);
}

}  // namespace
}  // namespace totora::store
