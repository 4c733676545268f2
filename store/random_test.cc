// Random clients against a model that keeps one row for each message, and the
// same log through machines that were interrupted everywhere.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "store/random_clients.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

uint64_t FirstSeed() {
  const char* const given = getenv("TOTORA_SEED");
  return given == nullptr ? 1 : strtoull(given, nullptr, 10);
}
int Seeds(int usual) { return getenv("TOTORA_SEED") == nullptr ? usual : 1; }

TEST(RandomCommands, DoWhatTheModelDoes) {
  for (uint64_t seed = FirstSeed(), end = seed + Seeds(60); seed < end; ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    RandomClients clients(seed);
    std::mt19937_64 random(seed);
    for (int step = 0; step < 600; ++step) {
      clients.Step();
      if (HasFatalFailure()) FAIL() << "step " << step;
      clients.Compare();
      if (HasFatalFailure()) FAIL() << "step " << step;
      // Checkpoints and restarts in between change nothing.
      if (random() % 40 == 0) clients.machine.Checkpoint();
      if (random() % 80 == 0) {
        const std::string dump = clients.machine->Dump();
        clients.machine.Open();
        clients.machine.Replay();
        ASSERT_EQ(clients.machine->Dump(), dump) << "step " << step;
      }
    }
  }
}

// The log of random clients, some commands twice in it.
TestLog RandomLog(uint64_t seed, int steps) {
  RandomClients clients(seed);
  std::mt19937_64 random(seed);
  TestLog log;
  std::deque<raft::Frame> recent;
  for (int step = 0; step < steps; ++step) {
    clients.Step();
    const raft::Frame& frame = clients.machine.log.frames().back();
    std::vector<TestLog::Item> items;
    recent.push_back(frame);
    if (recent.size() > 4) recent.pop_front();
    for (const raft::Frame& from : {recent.front(), frame}) {
      if (&from == &frame || random() % 5 == 0 || from.header.index == frame.header.index) {
        const auto commands = raft::DecodeCommands(from.body.view());
        const raft::Command& command = commands->front();
        items.push_back({static_cast<CommandKind>(command.kind), std::string(command.payload),
                         command.id, command.low_watermark});
      }
    }
    log.stepped_ms = frame.header.timestamp_ms - frame.header.passed_ms;
    log.Append(items, frame.header.timestamp_ms, &*clients.machine);
  }
  return log;
}

std::unique_ptr<StateMachine> Open(CheckpointStore* store, Executor* background) {
  auto machine = StateMachine::Open(StoreOptions(), store, background);
  EXPECT_TRUE(machine.ok()) << machine.status();
  return machine.ok() ? *std::move(machine) : nullptr;
}

// What the machine at the end of the whole log must say, and what it said to
// each command on the way.
struct Reference {
  explicit Reference(const TestLog& log) {
    ManualExecutor background;
    auto store = MakeMemoryCheckpoints(std::make_shared<std::map<std::string, std::string>>());
    auto machine = Open(store.get(), &background);
    machine->SetObserver(&recorder);
    for (const raft::Frame& frame : log.frames()) {
      machine->Apply(frame);
      dumps.push_back(machine->Dump());
      said.push_back(recorder.results.size());
    }
  }
  std::vector<std::string> dumps;
  std::vector<size_t> said;   // Results after each entry.
  Recorder recorder;
};

// Applies, freezes at one place, goes on, crashes with the checkpoint durable or
// not, opens again and replays: for every place of the crash.
TEST(Determinism, ACrashAnywhereLeadsToTheSameState) {
  for (uint64_t seed = FirstSeed(), end = seed + Seeds(6); seed < end; ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    std::mt19937_64 random(seed);
    const TestLog log = RandomLog(seed, 150);
    const Reference reference(log);
    const size_t size = log.frames().size();
    for (size_t crash = 0; crash <= size; ++crash) {
      auto durable = std::make_shared<std::map<std::string, std::string>>();
      const bool is_written = random() % 4 != 0;
      const size_t freeze = crash == 0 ? 0 : random() % crash;
      {
        auto store = MakeMemoryCheckpoints(durable);
        ManualExecutor background;
        auto machine = Open(store.get(), &background);
        for (size_t i = 0; i < crash; ++i) {
          machine->Apply(log.frames()[i]);
          if (i % 50 == 49) {
            machine->Checkpoint(nullptr);
            machine->LogSynced(LogIndex(i + 1));
            background.RunAll();
          }
          if (i == freeze) machine->Checkpoint(nullptr);
        }
        machine->LogSynced(LogIndex(crash));
        if (is_written) background.RunAll();
        if (crash > 0) {
          ASSERT_EQ(machine->Dump(), reference.dumps[crash - 1]) << "crash at " << crash;
        }
      }
      auto store = MakeMemoryCheckpoints(durable);
      ManualExecutor background;
      Recorder recorder;
      auto machine = Open(store.get(), &background);
      machine->SetObserver(&recorder);
      const size_t from = machine->applied_at_start().value();
      ASSERT_LE(from, crash);
      if (from > 0) {
        ASSERT_EQ(machine->Dump(), reference.dumps[from - 1]) << "opened at " << from;
      }
      for (size_t i = from; i < size; ++i) machine->Apply(log.frames()[i]);
      ASSERT_EQ(machine->Dump(), reference.dumps.back()) << "crash at " << crash;
      const auto& said = reference.recorder.results;
      const size_t skipped = from == 0 ? 0 : reference.said[from - 1];
      ASSERT_EQ(recorder.results,
                decltype(recorder.results)(said.begin() + static_cast<ptrdiff_t>(skipped),
                                           said.end()))
          << "crash at " << crash;
    }
  }
}

TEST(Determinism, RocksDbAndTheTwinInMemoryHoldTheSame) {
  std::string directory = ::testing::TempDir() + "/totora-random-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (uint64_t seed = FirstSeed(), end = seed + Seeds(3); seed < end; ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    std::mt19937_64 random(seed);
    const TestLog log = RandomLog(seed, 400);
    const Reference reference(log);
    const std::string path = absl::StrCat(directory, "/", seed);
    auto durable = std::make_shared<std::map<std::string, std::string>>();
    size_t done = 0;
    while (done < log.frames().size()) {
      auto rocks = OpenRocksCheckpoints(path);
      ASSERT_TRUE(rocks.ok()) << rocks.status();
      auto memory = MakeMemoryCheckpoints(durable);
      ManualExecutor background;
      auto one = Open(rocks->get(), &background);
      auto two = Open(memory.get(), &background);
      ASSERT_EQ(one->applied(), two->applied());
      done = one->applied().value();
      if (done > 0) {
        ASSERT_EQ(one->Dump(), reference.dumps[done - 1]);
      }
      const size_t until = std::min(log.frames().size(), done + 1 + random() % 60);
      const size_t freeze = done + random() % (until - done);
      for (; done < until; ++done) {
        one->Apply(log.frames()[done]);
        two->Apply(log.frames()[done]);
        if (done != freeze) continue;
        for (StateMachine* machine : {one.get(), two.get()}) {
          machine->Checkpoint(nullptr);
          machine->LogSynced(machine->applied());
        }
        background.RunAll();
      }
      ASSERT_EQ(one->Dump(), reference.dumps[done - 1]);
      ASSERT_EQ(two->Dump(), reference.dumps[done - 1]);
      std::map<std::string, std::string> rows;
      ASSERT_TRUE((*rocks)
                      ->Scan("", "~",
                             [&](absl::string_view key, absl::string_view value) {
                               rows[std::string(key)] = std::string(value);
                               return true;
                             })
                      .ok());
      ASSERT_EQ(rows, *durable);
    }
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace totora::store
