// Checkpoints: when they are written, what a crash leaves, and that the log
// leads to the same state however often it was interrupted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "store/key_codec.h"
#include "store/temp_directory.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;

// --- Stores -------------------------------------------------------------------

std::vector<std::pair<std::string, std::string>> All(const CheckpointStore& store,
                                                     const std::string& from = "",
                                                     const std::string& to = "~") {
  std::vector<std::pair<std::string, std::string>> rows;
  EXPECT_TRUE(store
                  .Scan(from, to,
                        [&](absl::string_view key, absl::string_view value) {
                          rows.emplace_back(std::string(key), std::string(value));
                          return true;
                        })
                  .ok());
  return rows;
}

void CheckStore(const std::function<std::unique_ptr<CheckpointStore>()>& open) {
  {
    std::unique_ptr<CheckpointStore> store = open();
    EXPECT_TRUE(store->Commit({{"a", "1"}, {"b", "2"}, {"c", std::string("\0x", 2)}}).ok());
    EXPECT_TRUE(store->Commit({{"b", std::nullopt}, {"d", "4"}, {"missing", std::nullopt}}).ok());
    EXPECT_EQ(**store->Get("a"), "1");
    EXPECT_FALSE(store->Get("b")->has_value());
  }
  std::unique_ptr<CheckpointStore> store = open();
  EXPECT_EQ(All(*store).size(), 3u);
  EXPECT_EQ(All(*store)[1].second, std::string("\0x", 2));
  EXPECT_EQ(All(*store, "b", "d").size(), 1u);
  int visited = 0;
  EXPECT_TRUE(store
                  ->Scan("a", "z",
                         [&](absl::string_view, absl::string_view) {
                           ++visited;
                           return false;
                         })
                  .ok());
  EXPECT_EQ(visited, 1);
}

TEST(CheckpointStores, TheTwinInMemoryKeepsWhatWasCommitted) {
  auto durable = std::make_shared<std::map<std::string, std::string>>();
  CheckStore([&] { return MakeMemoryCheckpoints(durable); });
}

std::unique_ptr<CheckpointStore> OpenRocks(const std::string& path) {
  auto store = OpenRocksCheckpoints(path);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

TEST(CheckpointStores, RocksDbKeepsWhatWasCommitted) {
  TempDirectory directory;
  CheckStore([&] { return OpenRocks(directory.path()); });
}

TEST(CheckpointStores, ADamagedRocksDbIsSetAsideAndANewOneMade) {
  TempDirectory directory;
  ASSERT_TRUE(OpenRocks(directory.path())->Commit({{"a", "1"}}).ok());
  std::ofstream(directory.path() + "/CURRENT") << "nonsense";

  std::unique_ptr<CheckpointStore> store = OpenRocks(directory.path());

  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(All(*store).empty());
  EXPECT_TRUE(std::filesystem::exists(directory.path() + ".damaged/CURRENT"));
}

// Two processes on one volume: the second must not push the first one's aside.
TEST(CheckpointStores, ARocksDbThatIsInUseIsNotTouched) {
  TempDirectory directory;
  std::unique_ptr<CheckpointStore> first = OpenRocks(directory.path());
  ASSERT_TRUE(first->Commit({{"a", "1"}}).ok());

  EXPECT_FALSE(OpenRocksCheckpoints(directory.path()).ok());

  EXPECT_EQ(**first->Get("a"), "1");
  EXPECT_FALSE(std::filesystem::exists(directory.path() + ".damaged"));
}

// What a power cut leaves of the last write-ahead log is a prefix of it: all of
// a batch or nothing.
TEST(CheckpointStores, ATornBatchOfRocksDbIsNotThere) {
  TempDirectory directory;
  std::string wal;
  {
    std::unique_ptr<CheckpointStore> store = OpenRocks(directory.path());
    ASSERT_TRUE(store->Commit({{"a", "1"}, {"b", "1"}}).ok());
    std::vector<CheckpointWrite> batch;
    for (int i = 0; i < 100; ++i) batch.push_back({"k" + std::to_string(i), std::string(50, 'v')});
    batch.push_back({"a", "2"});
    ASSERT_TRUE(store->Commit(batch).ok());
    // Copied while it is open: closing might tidy up.
    std::filesystem::copy(directory.path(), directory.path() + "-cut",
                          std::filesystem::copy_options::recursive);
  }
  const std::string cut = directory.path() + "-cut";
  for (const auto& file : std::filesystem::directory_iterator(cut)) {
    if (file.path().extension() == ".log" && file.file_size() > 0) wal = file.path();
  }
  ASSERT_FALSE(wal.empty());
  std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 10);

  std::unique_ptr<CheckpointStore> store = OpenRocks(cut);

  EXPECT_EQ(All(*store).size(), 2u);
  EXPECT_EQ(**store->Get("a"), "1");
}

// --- When a checkpoint is written -----------------------------------------------

TEST(Checkpoints, NothingIsWrittenBeforeTheLogIsSynced) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.SendMany("t", 200);
  absl::Status told = absl::UnknownError("not yet");
  machine->Checkpoint([&](absl::Status status) { told = status; });
  machine->LogSynced(machine->applied().Prev());
  machine.background().RunAll();
  EXPECT_TRUE(machine.durable().empty());
  EXPECT_EQ(machine->checkpointed(), LogIndex(0));

  machine->LogSynced(machine->applied());
  machine.background().RunAll();

  EXPECT_TRUE(told.ok());
  EXPECT_FALSE(machine.durable().empty());
  EXPECT_EQ(machine->checkpointed(), machine->applied());
}

// Found by the simulation: a follower had synced a tail that a new leader
// replaced. The entry in its place was applied, and its checkpoint written on the
// strength of the old tail's sync, before the disk had it; then the power failed.
TEST(Checkpoints, WhatWasSyncedBeforeTheLogWasCutCountsNoMore) {
  TestMachine machine;
  machine.PutTopic("t");
  const LogIndex last_kept = machine->applied();
  machine->LogSynced(last_kept.Next(300));  // Entries that are never committed…
  machine->LogSynced(last_kept);            // …and are cut.
  machine.SendMany("t", 200);
  machine->Checkpoint(nullptr);
  machine.background().RunAll();
  EXPECT_TRUE(machine.durable().empty());

  machine->LogSynced(machine->applied());
  machine.background().RunAll();

  EXPECT_EQ(machine->checkpointed(), machine->applied());
}

TEST(Checkpoints, WhatIsAppliedAfterTheFreezeIsNotInIt) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.SendMany("t", 200);
  const std::string dump = machine->Dump();
  machine->Checkpoint(nullptr);
  machine.SendMany("t", 300);
  machine->LogSynced(machine->applied());
  machine.background().RunAll();

  machine.Open();

  EXPECT_EQ(machine->Dump(), dump);
}

TEST(Checkpoints, ASecondOneWaitsForTheFirst) {
  TestMachine machine;
  machine.PutTopic("t");
  int first = 0, second = 0, third = 0;
  machine->Checkpoint([&](absl::Status status) { first += status.ok(); });
  machine->Checkpoint([&](absl::Status status) { second += status.ok(); });
  machine.SendMany("t", 200);
  machine->Checkpoint([&](absl::Status status) { third += status.ok(); });
  machine->LogSynced(machine->applied());
  machine.background().RunAll();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 1);  // Nothing was applied in between: the same one.
  EXPECT_EQ(third, 0);

  machine->LogSynced(machine->applied());
  machine.background().RunAll();

  EXPECT_EQ(third, 1);
  EXPECT_EQ(machine->checkpointed(), machine->applied());
}

TEST(Checkpoints, WithAnExecutorTheSecondOneNeedsNoFurtherCall) {
  ManualExecutor own;
  TestMachine machine;
  machine->SetExecutor(&own);
  machine.PutTopic("t");
  machine->LogSynced(LogIndex(1000));
  machine->Checkpoint(nullptr);
  machine.SendMany("t", 200);
  int second = 0;
  machine->Checkpoint([&](absl::Status status) { second += status.ok(); });
  for (int i = 0; i < 3; ++i) {
    machine.background().RunAll();
    own.RunAll();
  }
  EXPECT_EQ(second, 1);
  // A task that comes after the end of the state machine does nothing.
  machine->Checkpoint(nullptr);
  machine.background().RunAll();
  machine.Open();
  own.RunAll();
}

TEST(Checkpoints, OneIsDueAfterSoMuchLog) {
  StoreOptions options;
  options.checkpoint_log_bytes = 10'000;
  TestMachine machine(options);
  machine.PutTopic("t");
  EXPECT_FALSE(machine->NeedsCheckpoint());
  machine.SendMany("t", 100);
  EXPECT_TRUE(machine->NeedsCheckpoint());
  machine.Checkpoint();
  EXPECT_FALSE(machine->NeedsCheckpoint());
}

TEST(Checkpoints, BlocksAreReadWhereverTheyAre) {
  TestMachine machine;
  machine.PutTopic("t");
  const auto check = [&](uint64_t end) {
    const auto entries = machine->Entries("t", 0, QueueOffset(0), SIZE_MAX);
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), end);
    for (uint64_t i = 0; i < end; ++i) {
      EXPECT_EQ((*entries)[i].offset, QueueOffset(i));
      if (i > 0) {
        EXPECT_GT((*entries)[i].position, (*entries)[i - 1].position);
      }
    }
  };
  machine.SendMany("t", 300);
  check(300);                       // Sealed blocks and the tail in RAM.
  machine->Checkpoint(nullptr);
  machine.SendMany("t", 300);
  check(600);                       // Frozen, not durable.
  machine->LogSynced(machine->applied());
  machine.background().RunAll();
  machine.SendMany("t", 1);
  check(601);                       // Some in the store, some sealed since.
  machine.Checkpoint();
  machine.Open();
  check(601);                       // All in the store, also the tail.
  machine.SendMany("t", 1);
  check(602);                       // The tail came back to RAM.
}

// --- Faults -----------------------------------------------------------------------

// A store that fails when it is told to, and then has either all or nothing.
class FaultyStore : public CheckpointStore {
 public:
  explicit FaultyStore(std::shared_ptr<std::map<std::string, std::string>> durable)
      : store_(MakeMemoryCheckpoints(std::move(durable))) {}
  absl::Status Commit(const std::vector<CheckpointWrite>& writes) override {
    ++commits;
    if (fails) return absl::InternalError("disk");
    return store_->Commit(writes);
  }
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const override {
    return store_->Get(key);
  }
  absl::Status Scan(absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit)
      const override {
    return store_->Scan(from, to, visit);
  }
  bool fails = false;
  int commits = 0;

 private:
  std::unique_ptr<CheckpointStore> store_;
};

TEST(Checkpoints, AFailedOneIsToldAndTriedAgainAsItWas) {
  TestMachine source;
  source.PutTopic("t");
  source.SendMany("t", 300);
  auto durable = std::make_shared<std::map<std::string, std::string>>();
  FaultyStore store(durable);
  ManualExecutor background;
  auto machine = StateMachine::Open(StoreOptions(), &store, &background);
  ASSERT_TRUE(machine.ok());
  for (const raft::Frame& frame : source.log.frames()) (*machine)->Apply(frame);
  (*machine)->LogSynced(LogIndex(100));

  store.fails = true;
  absl::Status first, second = absl::UnknownError("");
  (*machine)->Checkpoint([&](absl::Status status) { first = status; });
  background.RunAll();
  EXPECT_EQ(first.code(), StatusCode::kInternal);
  EXPECT_EQ((*machine)->checkpointed(), LogIndex(0));
  EXPECT_EQ((*machine)->Entries("t", 0, QueueOffset(0), 1000)->size(), 300u);
  store.fails = false;
  (*machine)->Checkpoint([&](absl::Status status) { second = status; });
  background.RunAll();

  EXPECT_TRUE(second.ok()) << second;
  EXPECT_EQ((*machine)->checkpointed(), LogIndex(source.log.frames().size()));
  auto reopened = StateMachine::Open(StoreOptions(), &store, &background);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ((*reopened)->Dump(), source->Dump());
}

TEST(Checkpoints, OneWhoseStateMachineIsGoneIsNotWritten) {
  TestMachine machine;
  machine.PutTopic("t");
  auto durable = std::make_shared<std::map<std::string, std::string>>();
  FaultyStore store(durable);
  ManualExecutor background;
  absl::Status told;
  {
    auto other = StateMachine::Open(StoreOptions(), &store, &background);
    ASSERT_TRUE(other.ok());
    (*other)->LogSynced(LogIndex(100));
    (*other)->Checkpoint([&](absl::Status status) { told = status; });
  }
  background.RunAll();
  EXPECT_EQ(told.code(), StatusCode::kCancelled);
  EXPECT_EQ(store.commits, 0);
}

// Every value of a rich checkpoint, with a bit flipped or its end cut off: Open
// says so, or nothing of that row is read before it is needed and then it says so.
TEST(Checkpoints, NoDamagedRowIsEverTakenForTheTruth) {
  TestMachine machine;
  machine.PutTopic("t", 2);
  machine.PutGroup("g");
  machine.Send("t", {{.id = "one"}, {.id = "two", .tag = 5, .queue = 1}});
  machine.SendMany("t", 300);
  machine.Ask<LockQueuesResult>(CommandKind::kLockQueues,
                                LockQueuesCommand{"g", "client", {{"t", 1}}});
  machine.Send("t", {{.delay_ms = 1, .properties = "KEYS\1a"}, {.delay_ms = 2}});
  ReceiveCommand command = machine.Receiving("g", "t", 10);
  command.auto_renew = true;
  machine.Receive(command);
  machine.Alive("client");
  UpdateOffsetsCommand offsets;
  offsets.items = {{"g", "t", 0, QueueOffset(7), false}};
  machine.Run(CommandKind::kUpdateOffsets, offsets);
  machine.Checkpoint();
  const std::string dump = machine->Dump();
  const std::map<std::string, std::string> good = machine.durable();
  std::set<char> kinds;
  for (const auto& [key, value] : good) kinds.insert(key[0]);
  EXPECT_EQ(std::string(kinds.begin(), kinds.end()), "BCDEGHKLMOQSTW");

  for (const auto& [key, value] : good) {
    for (int damage = 0; damage < 3; ++damage) {
      auto durable = std::make_shared<std::map<std::string, std::string>>(good);
      std::string& row = (*durable)[key];
      if (damage == 0) row[row.size() / 2] = static_cast<char>(row[row.size() / 2] ^ 4);
      if (damage == 1) row.pop_back();
      if (damage == 2) durable->erase(key);
      const std::unique_ptr<CheckpointStore> store = MakeMemoryCheckpoints(durable);
      ManualExecutor background;
      auto opened = StateMachine::Open(StoreOptions(), store.get(), &background);
      if (!opened.ok()) {
        EXPECT_EQ(opened.status().code(), StatusCode::kDataLoss) << key[0] << damage;
        continue;
      }
      // Blocks, tails and keys are read late; a whole row that is gone may be one
      // that never was, which nothing but the head could tell.
      EXPECT_NE((*opened)->Dump(), dump) << key[0] << damage;
      if (key[0] == 'B' || key[0] == 'K' || key[0] == 'Q') {
        EXPECT_TRUE(damage == 2 || key[0] != 'Q') << key[0] << damage;
      } else {
        EXPECT_EQ(damage, 2) << key[0];
      }
    }
  }
}

TEST(Checkpoints, AnOlderSchemaIsLeftToTheLog) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.Checkpoint();
  std::string head(*OpenValue(MetaKey(), machine.durable()[MetaKey()]));
  PutAt<uint32_t>(head.data(), kSchemaVersion - 1);
  auto durable = std::make_shared<std::map<std::string, std::string>>(machine.durable());
  (*durable)[MetaKey()] = SealValue(MetaKey(), head);
  const std::unique_ptr<CheckpointStore> store = MakeMemoryCheckpoints(durable);
  ManualExecutor background;
  EXPECT_EQ(StateMachine::Open(StoreOptions(), store.get(), &background).status().code(),
            StatusCode::kDataLoss);
}

TEST(Checkpoints, ANewerSchemaIsRefusedByName) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.Checkpoint();
  std::string head(*OpenValue(MetaKey(), machine.durable()[MetaKey()]));
  PutAt<uint32_t>(head.data(), kSchemaVersion + 1);
  auto durable = std::make_shared<std::map<std::string, std::string>>(machine.durable());
  (*durable)[MetaKey()] = SealValue(MetaKey(), head + "and more");
  const std::unique_ptr<CheckpointStore> store = MakeMemoryCheckpoints(durable);
  ManualExecutor background;
  EXPECT_EQ(StateMachine::Open(StoreOptions(), store.get(), &background).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST(Checkpoints, RowsWithoutAHeadAreRefused) {
  TestMachine machine;
  machine.PutTopic("t");
  machine.Checkpoint();
  auto durable = std::make_shared<std::map<std::string, std::string>>(machine.durable());
  durable->erase(MetaKey());
  const std::unique_ptr<CheckpointStore> store = MakeMemoryCheckpoints(durable);
  ManualExecutor background;
  EXPECT_EQ(StateMachine::Open(StoreOptions(), store.get(), &background).status().code(),
            StatusCode::kDataLoss);
}

// Rot in a block is found when a consumer comes there, in the middle of apply:
// the process ends, and the next start refuses the store instead of ending at
// the same entry again.
TEST(CheckpointsDeathTest, DamageFoundDuringApplyEndsTheProcessAndMarksTheStore) {
  TempDirectory directory;
  TestMachine source;
  source.PutTopic("t");
  source.PutGroup("g");
  source.SendMany("t", 300);
  const LogIndex written = source->applied();
  source.Receive("g", "t", 1);
  {
    std::unique_ptr<CheckpointStore> store = OpenRocks(directory.path());
    ManualExecutor background;
    auto machine = StateMachine::Open(StoreOptions(), store.get(), &background);
    ASSERT_TRUE(machine.ok());
    for (const raft::Frame& frame : source.log.frames()) {
      if (frame.header.index <= written) (*machine)->Apply(frame);
    }
    (*machine)->LogSynced(written);
    (*machine)->Checkpoint(nullptr);
    background.RunAll();
    ASSERT_TRUE(store->Commit({{BlockKey({TopicId(1), 0}, 0), "rot"}}).ok());
  }

  EXPECT_DEATH(
      {
        std::unique_ptr<CheckpointStore> store = OpenRocks(directory.path());
        ManualExecutor background;
        auto machine = StateMachine::Open(StoreOptions(), store.get(), &background);
        (*machine)->Apply(source.log.frames().back());
      },
      "rebuilt from the log");

  {
    std::unique_ptr<CheckpointStore> store = OpenRocks(directory.path());
    ManualExecutor background;
    EXPECT_EQ(StateMachine::Open(StoreOptions(), store.get(), &background).status().code(),
              StatusCode::kDataLoss);
  }
  ASSERT_TRUE(SetAsideCheckpoints(directory.path()).ok());
  std::unique_ptr<CheckpointStore> store = OpenRocks(directory.path());
  ManualExecutor background;
  auto machine = StateMachine::Open(StoreOptions(), store.get(), &background);
  ASSERT_TRUE(machine.ok()) << machine.status();
  for (const raft::Frame& frame : source.log.frames()) (*machine)->Apply(frame);
  EXPECT_EQ((*machine)->Dump(), source->Dump());
}

}  // namespace
}  // namespace totora::store
