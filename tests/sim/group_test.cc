// Stories of one group: the production replica, log and state machine on
// simulated disk, network, clock and executors, and nothing left to chance but
// delays.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/log.h"
#include "store/commands.h"
#include "tests/sim/network.h"
#include "tests/sim/process.h"
#include "tests/sim/scheduler.h"

namespace totora::sim {
namespace {

constexpr uint64_t kSeeds = 20;

// Leaves so much that the replica calls its disk full and its log goes on.
void FillDisk(MemoryFileSystem* disk) {
  constexpr uint64_t kHuge = uint64_t{1} << 40;
  disk->SetCapacity(kHuge);
  disk->SetCapacity(kHuge - *disk->FreeBytes("/data") + (32 << 10));
}

// Three replicas, empty at first.
class Group {
 public:
  explicit Group(uint64_t seed) : scheduler_(seed), network_(&scheduler_) {
    EXPECT_TRUE(SetLogLevels("off").ok());
    const std::vector<ReplicaId> all = {ReplicaId(1), ReplicaId(2), ReplicaId(3)};
    for (const ReplicaId id : all) {
      ProcessEvents events;
      events.on_status = [](ReplicaId, const raft::ReplicaStatus&) {};
      events.on_fatal = [](ReplicaId, const absl::Status& reason) { ADD_FAILURE() << reason; };
      events.on_applied = [this](ReplicaId, const raft::FrameHeader& entry, uint64_t) {
        if (entry.index > newest_) {
          newest_ = entry.index;
          newest_times_ = entry.times();
        }
        if (entry.index <= look_from_) return;
        const absl::Time now = SimClock(&scheduler_).WallNow();
        oldest_entry_ = std::max(oldest_entry_, now - absl::FromUnixMillis(entry.timestamp_ms));
      };
      events.on_started = [](ReplicaId, const raft::FrameHeader&) {};
      events.on_answered = [](const raft::CommandId&, absl::string_view) {};
      processes_.push_back(std::make_unique<Process>(&scheduler_, &network_, id, all,
                                                     /*small_steps=*/0, std::move(events)));
    }
  }

  void StartAll() {
    for (const auto& process : processes_) {
      const absl::Status status = process->Start();
      EXPECT_TRUE(status.ok()) << status;
    }
  }
  Process* process(uint32_t id) { return processes_[id - 1].get(); }
  SimNetwork* network() { return &network_; }
  // From now on: how old an entry was, by its log time, when it was applied.
  void LookAtNewEntries() { look_from_ = newest_; }
  absl::Duration oldest_entry() const { return oldest_entry_; }
  // Of the newest entry that was applied.
  raft::LogTimes newest_times() const { return newest_times_; }
  absl::Duration now() const { return scheduler_.now(); }
  // Asks `at` for a consumer group, and so writes a command.
  void Put(Process* at, absl::string_view name, absl::Duration patience, absl::Status* outcome) {
    store::ConsumerGroupConfig config;
    config.name = std::string(name);
    *outcome = absl::UnknownError("not answered");
    at->replica()->Submit(static_cast<uint16_t>(store::CommandKind::kPutConsumerGroup),
                          config.Encode(), scheduler_.now() + patience,
                          [outcome](absl::StatusOr<absl::string_view> result) {
                            *outcome = result.status();
                          });
  }
  void Run(absl::Duration time) { scheduler_.RunUntil(scheduler_.now() + time); }
  // Runs until `condition` holds: how long it took, or `limit`.
  template <typename F>
  absl::Duration RunUntil(F condition, absl::Duration limit = absl::Seconds(10)) {
    const absl::Duration began = scheduler_.now();
    while (!condition() && scheduler_.now() - began < limit) Run(absl::Milliseconds(1));
    return scheduler_.now() - began;
  }
  // The replica that leads and is followed by so many, itself included; or null.
  Process* Leader(int followers_min = 2) {
    for (const auto& process : processes_) {
      if (!process->is_running() || process->status().role != raft::Role::kLeader) continue;
      int followers = 0;
      for (const auto& other : processes_) {
        followers += other->is_running() && other->status().leader == process->id();
      }
      if (followers >= followers_min) return process.get();
    }
    return nullptr;
  }

 private:
  Scheduler scheduler_;
  SimNetwork network_;
  LogIndex newest_, look_from_ = LogIndex(UINT64_MAX);
  raft::LogTimes newest_times_;
  absl::Duration oldest_entry_;
  std::vector<std::unique_ptr<Process>> processes_;
};

// An election timeout is at least 600 ms: nobody should wait one out when all
// know that nobody leads.
TEST(Start, AFreshGroupHasALeaderAsSoonAsItsStreamsAreOpen) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();

    const absl::Duration took = group.RunUntil([&] { return group.Leader() != nullptr; });

    EXPECT_LE(took, absl::Milliseconds(300));
  }
}

// The first leader's messages came by streams whose hello was said before their
// sender was bound: they made a replica forget who had acknowledged the binding,
// and it stood aside until a stream broke.
TEST(Start, EveryReplicaOfAFreshGroupTakesPart) {
  for (uint64_t seed = 1; seed <= 10 * kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.network()->SetFaults({.stall = 0.2});
    group.StartAll();

    const absl::Duration took = group.RunUntil([&] { return group.Leader(3) != nullptr; });

    EXPECT_LE(took, absl::Seconds(3));
  }
}

TEST(Start, AGroupThatStartsAgainAsAWholeHasALeaderAtOnce) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(2));
    for (uint32_t id = 1; id <= 3; ++id) group.process(id)->Kill();
    group.Run(absl::Seconds(1));
    group.StartAll();

    const absl::Duration took = group.RunUntil([&] { return group.Leader() != nullptr; });

    EXPECT_LE(took, absl::Milliseconds(300));
  }
}

TEST(Start, AReplicaThatStartsAgainLeavesTheLeadWhereItIs) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(2));
    Process* const leader = group.Leader();
    ASSERT_NE(leader, nullptr);
    const Term term = leader->status().term;
    Process* const other = group.process(leader->id().value() % 3 + 1);
    other->Kill();
    group.Run(absl::Milliseconds(seed * 40));

    ASSERT_TRUE(other->Start().ok());
    group.Run(absl::Seconds(2));

    EXPECT_EQ(group.Leader(), leader);
    EXPECT_EQ(leader->status().term, term);
    EXPECT_EQ(other->status().leader, leader->id());
  }
}

// A new leader went on with the time of the last entry until it had heard the
// others' clocks: of a group that had written nothing for a minute, the first
// messages were a minute old, and their delays over at once.
TEST(LogTime, GoesOnWhoeverLeads) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(60));
    Process* const leader = group.Leader(3);
    ASSERT_NE(leader, nullptr);
    group.LookAtNewEntries();

    leader->Kill();
    absl::Status outcome;
    group.Put(group.process(leader->id().value() % 3 + 1), "g", absl::Seconds(5), &outcome);
    group.Run(absl::Seconds(5));

    EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_LE(group.oldest_entry(), absl::Seconds(1));
  }
}

TEST(LogTime, GoesOnAfterAStartOfAll) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(2));
    for (uint32_t id = 1; id <= 3; ++id) group.process(id)->Kill();
    group.Run(absl::Seconds(60));
    group.LookAtNewEntries();

    group.StartAll();
    absl::Status outcome;
    group.Put(group.process(1), "g", absl::Seconds(5), &outcome);
    group.Run(absl::Seconds(5));

    EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_LE(group.oldest_entry(), absl::Seconds(1));
  }
}

// The leader's clock was wrong, then two clocks were put right and log time stepped by
// hours, on a log in which nothing was written; and before anything was, the leader
// died. What had been stored a moment before was, to its retries, hours old.
TEST(TimePassed, IsWhatWentByWhateverClocksShowAndWhoeverLeads) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    for (uint32_t id = 1; id <= 3; ++id) {
      group.process(id)->clock()->SetOffset(absl::Hours(-2) - absl::Minutes(id));
    }
    group.StartAll();
    group.Run(absl::Seconds(2));
    absl::Status outcome;
    group.Put(group.process(1), "before", absl::Seconds(5), &outcome);
    group.RunUntil([&] { return outcome.ok(); });
    const raft::LogTimes before = group.newest_times();
    const absl::Duration began = group.now();

    Process* const leader = group.Leader(3);
    ASSERT_NE(leader, nullptr);
    for (uint32_t id = 1; id <= 3; ++id) {
      if (group.process(id) != leader) group.process(id)->clock()->SetOffset(absl::ZeroDuration());
    }
    group.Run(absl::Seconds(5));
    leader->Kill();
    group.Run(absl::Seconds(seed % 5));
    group.Put(group.process(leader->id().value() % 3 + 1), "after", absl::Seconds(5), &outcome);
    group.RunUntil([&] { return outcome.ok(); });
    const raft::LogTimes after = group.newest_times();
    const int64_t took_ms = absl::ToInt64Milliseconds(group.now() - began);

    EXPECT_GE(after.log_ms - before.log_ms, 7'200'000);
    // But for how long the entries were on their way.
    EXPECT_LE(after.passed_ms - before.passed_ms, took_ms + 100);
    EXPECT_GE(after.passed_ms - before.passed_ms, took_ms - 500);
  }
}

// Who starts again knows only its log; those who vote for it know better.
TEST(TimePassed, IsWhatTheVotersKnowWhenTheNewLeaderHasJustStarted) {
  int started_ones_that_lead = 0;
  for (uint64_t seed = 1; seed <= 5 * kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(60));
    const int64_t before_ms = group.newest_times().passed_ms;
    Process* const leader = group.Leader(3);
    ASSERT_NE(leader, nullptr);
    Process* const voter = group.process(leader->id().value() % 3 + 1);
    Process* const other = group.process(voter->id().value() % 3 + 1);

    leader->Kill();
    other->Kill();
    group.Run(absl::Milliseconds(10));
    voter->Pause(absl::Milliseconds(20 * seed));  // Else it is the first to ask.
    ASSERT_TRUE(other->Start().ok());
    group.RunUntil([&] { return group.Leader(2) != nullptr; });
    group.Run(absl::Seconds(1));

    ASSERT_NE(group.Leader(2), nullptr);
    started_ones_that_lead += group.Leader(2) == other;
    EXPECT_GE(group.newest_times().passed_ms - before_ms, 58'000) << group.Leader(2)->id();
  }
  EXPECT_GT(started_ones_that_lead, 0) << "only those led who knew it themselves";
}

// Nobody knows how long it was: no retry is taken for a new message.
TEST(TimePassed, StandsStillWhileNobodyRuns) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(2));
    const int64_t before_ms = group.newest_times().passed_ms;
    for (uint32_t id = 1; id <= 3; ++id) group.process(id)->Kill();
    group.Run(absl::Seconds(60));
    group.StartAll();
    group.Run(absl::Seconds(2));

    EXPECT_GE(group.newest_times().passed_ms, before_ms);
    EXPECT_LE(group.newest_times().passed_ms, 4000);
  }
}

// Its client has sent it again elsewhere long ago, or has been told that it failed.
TEST(GivenUp, IsNotDoneWhenAReplicaThatWasCutOffComesBack) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.Run(absl::Seconds(2));
    Process* const leader = group.Leader(3);
    ASSERT_NE(leader, nullptr);
    Process* const alone = group.process(leader->id().value() % 3 + 1);
    for (uint32_t id = 1; id <= 3; ++id) {
      group.network()->Block(alone->id(), ReplicaId(id));
      group.network()->Block(ReplicaId(id), alone->id());
    }

    absl::Status outcome;
    group.Put(alone, "late", absl::Milliseconds(2500), &outcome);
    group.Run(absl::Seconds(20));
    EXPECT_EQ(outcome.code(), absl::StatusCode::kDeadlineExceeded);
    group.network()->UnblockAll();
    group.Run(absl::Seconds(10));

    EXPECT_FALSE(alone->state()->FindConsumerGroup("late").has_value());
    // Nor does it stand in the way.
    group.Put(alone, "later", absl::Seconds(5), &outcome);
    group.Run(absl::Seconds(5));
    EXPECT_TRUE(outcome.ok()) << outcome;
    EXPECT_TRUE(alone->state()->FindConsumerGroup("later").has_value());
  }
}

// Whoever asks it should ask another replica, and not wait for that.
TEST(EmptiedVolume, IsToldToReadersAtOnce) {
  Group group(1);
  group.StartAll();
  group.Run(absl::Seconds(2));
  ASSERT_NE(group.Leader(3), nullptr);
  Process* const victim = group.process(2);
  victim->Kill();
  group.Run(absl::Seconds(1));
  victim->EmptyVolume();
  ASSERT_TRUE(victim->Start().ok());
  group.RunUntil([&] { return victim->status().is_emptied; });

  absl::Status status;
  victim->replica()->ReadBarrier(absl::InfiniteDuration(), [&](absl::Status s) { status = s; });
  group.Run(absl::Milliseconds(10));

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

// Until it leads no more, all that clients send is refused.
TEST(FullDisk, ALeaderHandsOverToAReplicaWithSpace) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.RunUntil([&] { return group.Leader(3) != nullptr; });
    Process* const leader = group.Leader(3);
    ASSERT_NE(leader, nullptr);

    FillDisk(leader->disk());
    const absl::Duration took =
        group.RunUntil([&] { return group.Leader() != nullptr && group.Leader() != leader; });

    EXPECT_LE(took, absl::Seconds(2));
    EXPECT_TRUE(leader->status().is_disk_full);
  }
}

TEST(FullDisk, WhereAllAreFullTheLeadDoesNotGoInCircles) {
  Group group(1);
  group.StartAll();
  group.RunUntil([&] { return group.Leader(3) != nullptr; });
  ASSERT_NE(group.Leader(3), nullptr);
  for (uint32_t id = 1; id <= 3; ++id) FillDisk(group.process(id)->disk());
  group.Run(absl::Seconds(10));
  Process* const leader = group.Leader();
  ASSERT_NE(leader, nullptr);

  group.Run(absl::Seconds(40));

  EXPECT_EQ(group.Leader(), leader);
}

// Its followers are a majority without it: commands go on, and what it did not
// write yet would only grow.
TEST(StuckDisk, ALeaderHandsOverToAReplicaThatGetsOn) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.StartAll();
    group.RunUntil([&] { return group.Leader(3) != nullptr; });
    Process* const leader = group.Leader(3);
    ASSERT_NE(leader, nullptr);

    leader->StallDisk(absl::Seconds(20));
    int answered = 0;
    store::ConsumerGroupConfig config;
    config.name = "g";
    leader->replica()->Submit(static_cast<uint16_t>(store::CommandKind::kPutConsumerGroup),
                              config.Encode(), absl::InfiniteDuration(),
                              [&](absl::StatusOr<absl::string_view> r) { answered += r.ok(); });
    const absl::Duration took =
        group.RunUntil([&] { return group.Leader() != nullptr && group.Leader() != leader; });

    EXPECT_LE(took, absl::Seconds(3));
    EXPECT_EQ(answered, 1);
  }
}

// Until somebody else leads, what waits for its disk must not grow with what
// clients send, however fast its followers are.
TEST(StuckDisk, ALeaderProposesNoMoreThan64MiBBeyondWhatItHasWritten) {
  Group group(1);
  group.StartAll();
  group.RunUntil([&] { return group.Leader(3) != nullptr; });
  Process* const leader = group.Leader(3);
  ASSERT_NE(leader, nullptr);
  // What it says does not matter: the log takes it, the state machine refuses it.
  const std::string payload(1 << 20, 'x');
  int sent = 0;
  int answered = 0;
  int answered_by_leader = 0;

  leader->StallDisk(absl::Seconds(20));
  group.RunUntil([&] {
    if (leader->status().role != raft::Role::kLeader) return true;
    answered_by_leader = answered;
    for (; sent < answered + 32 && sent < 200; ++sent) {
      leader->replica()->Submit(
          static_cast<uint16_t>(store::CommandKind::kSend), payload, absl::InfiniteDuration(),
          [&](absl::StatusOr<absl::string_view> result) { answered += result.ok(); });
    }
    return false;
  });

  EXPECT_LE(answered_by_leader, 64);
  EXPECT_GE(answered_by_leader, 60);
  EXPECT_GT(sent, 64);
  // The next leader gets the rest, and this replica hears of it when its disk moves.
  group.RunUntil([&] { return answered == sent; }, absl::Seconds(60));
  EXPECT_EQ(answered, sent);
}

}  // namespace
}  // namespace totora::sim
