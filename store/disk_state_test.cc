#include "store/disk_state.h"

#include <gtest/gtest.h>

#include "store/temp_directory.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

// A state with something in every table, and a directory with its checkpoint.
class DiskStateTest : public testing::Test {
 protected:
  DiskStateTest() {
    source_.PutTopic("t", 2);
    source_.PutGroup("g");
    source_.Send("t", {{.id = "one"}, {.id = "two", .tag = 5, .queue = 1}});
    source_.SendMany("t", 300);
    source_.Receive("g", "t", 10);
  }

  DiskState Open() {
    absl::StatusOr<DiskState> disk =
        OpenDiskState(StoreOptions(), directory_.path(), {&replica_, &background_});
    EXPECT_TRUE(disk.ok()) << disk.status();
    return disk.ok() ? *std::move(disk) : DiskState();
  }
  void Replay(StateMachine* machine) {
    for (const raft::Frame& frame : source_.log.frames()) {
      if (frame.header.index > machine->applied()) machine->Apply(frame);
    }
  }
  // Twice, so that there are tables and a log of writes.
  void WriteCheckpoints() {
    for (int i = 0; i < 2; ++i) {
      if (i == 1) source_.SendMany("t", 20);
      DiskState disk = Open();
      ASSERT_NE(disk.machine, nullptr);
      Replay(disk.machine.get());
      disk.machine->LogSynced(disk.machine->applied());
      disk.machine->Checkpoint(nullptr);
      background_.RunAll();
      ASSERT_EQ(disk.machine->checkpointed(), source_->applied());
    }
    source_.SendMany("t", 7);  // The log goes on behind it.
  }

  TempDirectory directory_;
  TestMachine source_;
  ManualExecutor replica_;
  ManualExecutor background_;
};

TEST_F(DiskStateTest, AWholeCheckpointIsWhereReplayBegins) {
  WriteCheckpoints();

  DiskState disk = Open();
  EXPECT_GT(disk.machine->applied_at_start(), LogIndex(0));
  Replay(disk.machine.get());

  EXPECT_EQ(disk.machine->Dump(), source_->Dump());
}

// Nothing else is applied afterwards: without a task on the replica's executor the
// first checkpoint would stay in memory, and the second would wait.
TEST_F(DiskStateTest, AnIdleReplicaWritesTheCheckpointThatWaits) {
  DiskState disk = Open();
  Replay(disk.machine.get());
  disk.machine->LogSynced(LogIndex(1000));
  disk.machine->Checkpoint(nullptr);
  source_.SendMany("t", 10);
  Replay(disk.machine.get());
  disk.machine->Checkpoint(nullptr);

  for (int i = 0; i < 3; ++i) {
    background_.RunAll();
    replica_.RunAll();
  }

  EXPECT_EQ(disk.machine->checkpointed(), disk.machine->applied());
}

}  // namespace
}  // namespace totora::store
