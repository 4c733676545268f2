// Whatever happens to the files of a checkpoint, the log leads to the same state.
#include "store/disk_state.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/coding.h"
#include "store/key_codec.h"
#include "store/schema.h"
#include "store/temp_directory.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

namespace fs = std::filesystem;

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
  std::string aside() const { return directory_.path() + ".damaged"; }

  TempDirectory directory_;
  TestMachine source_;
  ManualExecutor replica_;
  ManualExecutor background_;
};

void FlipByte(const fs::path& path, double where) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(where * static_cast<double>(fs::file_size(path)));
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(at);
  file.put(byte);
}

TEST_F(DiskStateTest, AWholeCheckpointIsWhereReplayBegins) {
  WriteCheckpoints();

  DiskState disk = Open();
  EXPECT_GT(disk.machine->applied_at_start(), LogIndex(0));
  Replay(disk.machine.get());

  EXPECT_EQ(disk.machine->Dump(), source_->Dump());
  EXPECT_FALSE(fs::exists(aside()));
}

TEST_F(DiskStateTest, NoDamageToAnyFileLeadsToAnotherState) {
  WriteCheckpoints();
  const std::string good = directory_.path() + ".good";
  fs::rename(directory_.path(), good);
  int set_aside = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(good)) {
    const std::string name = entry.path().filename();
    if (!entry.is_regular_file()) continue;
    for (int damage = 0; damage < 6; ++damage) {
      SCOPED_TRACE(absl::StrCat(name, " damage ", damage));
      fs::remove_all(directory_.path());
      fs::remove_all(aside());
      fs::copy(good, directory_.path());
      const fs::path victim = directory_.path() + "/" + name;
      const uint64_t size = fs::file_size(victim);
      if (damage == 0) fs::remove(victim);
      if (damage == 1) fs::resize_file(victim, size / 2);
      if (damage == 2) fs::resize_file(victim, 0);
      if (damage >= 3 && size > 0) FlipByte(victim, 0.25 * (damage - 2));

      DiskState disk = Open();
      ASSERT_NE(disk.machine, nullptr);
      Replay(disk.machine.get());

      ASSERT_EQ(disk.machine->Dump(), source_->Dump());
      set_aside += fs::exists(aside());
    }
  }
  EXPECT_GT(set_aside, 5) << "there was damage that mattered";
}

// Found when it was read: the state machine leaves a note for the next start.
TEST_F(DiskStateTest, WhatWasFoundDamagedInUseIsSetAside) {
  WriteCheckpoints();
  {
    DiskState disk = Open();
    const std::string key = DamagedKey();
    ASSERT_TRUE(disk.checkpoints->Commit({{key, SealValue(key, "rot")}}).ok());
  }

  DiskState disk = Open();
  EXPECT_EQ(disk.machine->applied_at_start(), LogIndex(0));
  EXPECT_TRUE(fs::exists(aside()));
  Replay(disk.machine.get());

  EXPECT_EQ(disk.machine->Dump(), source_->Dump());
}

TEST_F(DiskStateTest, WhatANewerVersionWroteIsLeftAlone) {
  WriteCheckpoints();
  {
    DiskState disk = Open();
    const std::string key = MetaKey();
    std::string head(*OpenValue(key, **disk.checkpoints->Get(key)));
    PutAt<uint32_t>(head.data(), kSchemaVersion + 1);
    ASSERT_TRUE(disk.checkpoints->Commit({{key, SealValue(key, head)}}).ok());
  }

  const absl::StatusOr<DiskState> refused =
      OpenDiskState(StoreOptions(), directory_.path(), {&replica_, &background_});

  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(fs::exists(aside()));
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
