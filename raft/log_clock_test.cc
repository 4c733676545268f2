#include "raft/log_clock.h"

#include <gtest/gtest.h>

namespace totora::raft {
namespace {

class FakeClock : public Clock {
 public:
  absl::Time WallNow() const override { return absl::FromUnixMillis(1'000'000) + steady + offset; }
  absl::Duration SteadyNow() const override { return steady; }
  void Pass(absl::Duration time) { steady += time; }
  int64_t WallMs() const { return absl::ToUnixMillis(WallNow()); }

  absl::Duration steady = absl::Seconds(5);
  absl::Duration offset;
};

class LogClockTest : public testing::Test {
 protected:
  LogClockTest() { log_clock_.StartLeading({}); }

  FakeClock clock_;
  LogClock log_clock_{&clock_, 3, 0};
};

// A group wrote nothing for a minute, then its leader died. Whatever the new one
// takes first must not be a minute old: a delay of 10 s would be over at once.
TEST_F(LogClockTest, ANewLeaderGoesOnWhereTheOldOneWas) {
  LogClock follower(&clock_, 3, 0);
  const int64_t last_entry = log_clock_.NowMs();
  clock_.Pass(absl::Seconds(60));
  follower.HeardLeader(log_clock_.Now());
  clock_.Pass(absl::Seconds(7));  // Nobody leads.

  clock_.offset = absl::Hours(1);
  follower.StartLeading({last_entry, 0});

  EXPECT_EQ(follower.NowMs(), last_entry + 67'000);
}

TEST_F(LogClockTest, ALateHeartbeatIsNotBelieved) {
  LogClock follower(&clock_, 3, 0);
  EXPECT_EQ(follower.NowMs(), 0);
  follower.HeardLeader({5000, 0});
  clock_.Pass(absl::Seconds(1));
  follower.HeardLeader({4000, 0});
  EXPECT_EQ(follower.NowMs(), 6000);
  follower.HeardLeader({6100, 0});
  EXPECT_EQ(follower.NowMs(), 6100);
}

TEST_F(LogClockTest, WhoeverLedGoesOnToo) {
  const int64_t start = log_clock_.NowMs();
  log_clock_.StopLeading();
  log_clock_.PeerWall(ReplicaId(2), 7);
  clock_.Pass(absl::Seconds(3));
  EXPECT_EQ(log_clock_.NowMs(), start + 3000);
  log_clock_.StartLeading({start - 5000, 0});
  EXPECT_EQ(log_clock_.NowMs(), start + 3000);
}

TEST_F(LogClockTest, BeginsAtTheWallClockAndRunsWithIt) {
  EXPECT_EQ(log_clock_.NowMs(), clock_.WallMs());
  clock_.Pass(absl::Seconds(10));
  EXPECT_EQ(log_clock_.NowMs(), clock_.WallMs());
}

TEST_F(LogClockTest, OneBadClockMovesNothing) {
  log_clock_.NowMs();
  log_clock_.PeerWall(ReplicaId(2), clock_.WallMs());
  log_clock_.PeerWall(ReplicaId(3), clock_.WallMs() + 7'200'000);
  clock_.Pass(absl::Seconds(1));
  EXPECT_EQ(log_clock_.NowMs(), clock_.WallMs());
}

TEST_F(LogClockTest, OurOwnBadClockIsOutvoted) {
  const int64_t truth = log_clock_.NowMs();
  log_clock_.PeerWall(ReplicaId(2), clock_.WallMs());
  log_clock_.PeerWall(ReplicaId(3), clock_.WallMs());
  clock_.offset = absl::Hours(5);
  clock_.Pass(absl::Seconds(1));
  EXPECT_EQ(log_clock_.NowMs(), truth + 1000);
}

TEST_F(LogClockTest, StepsForwardWhenAMajorityAgrees) {
  LogClock started(&clock_, 3, 0);
  started.StartLeading({clock_.WallMs() - 600'000, 0});
  started.PeerWall(ReplicaId(2), clock_.WallMs());
  clock_.Pass(absl::Milliseconds(10));
  EXPECT_EQ(started.NowMs(), clock_.WallMs());
}

TEST_F(LogClockTest, OfClocksThatAgreeTheMiddleOneIsRight) {
  LogClock started(&clock_, 3, 0);
  started.StartLeading({clock_.WallMs() - 600'000, 0});
  started.PeerWall(ReplicaId(2), clock_.WallMs() + 400);
  started.PeerWall(ReplicaId(3), clock_.WallMs() + 800);
  clock_.Pass(absl::Milliseconds(10));
  EXPECT_EQ(started.NowMs(), clock_.WallMs() + 400);
}

TEST_F(LogClockTest, NeverStepsBackButSlowsDown) {
  const int64_t ahead = clock_.WallMs() + 3'600'000;
  LogClock started(&clock_, 3, 0);
  started.StartLeading({ahead, 0});
  started.PeerWall(ReplicaId(2), clock_.WallMs());
  clock_.Pass(absl::Seconds(100));
  EXPECT_EQ(started.NowMs(), ahead + 95'000);
}

TEST_F(LogClockTest, WithoutAgreementItSlewsByFivePercentAtMost) {
  const int64_t start = clock_.WallMs() - 600'000;
  LogClock started(&clock_, 3, 0);
  started.StartLeading({start, 0});
  clock_.Pass(absl::Seconds(100));
  EXPECT_EQ(started.NowMs(), start + 105'000);
}

TEST_F(LogClockTest, NeverFalls) {
  int64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    clock_.offset = absl::Hours(i % 7 - 3);
    log_clock_.PeerWall(ReplicaId(2), clock_.WallMs() + (i % 5 - 2) * 10'000'000);
    clock_.Pass(absl::Milliseconds(i % 50));
    const int64_t now = log_clock_.NowMs();
    ASSERT_GE(now, last);
    last = now;
  }
}

// The window in which a retry is known for one was over at once.
TEST_F(LogClockTest, AStepOfLogTimeIsNoTimeThatPassed) {
  clock_.Pass(absl::Seconds(1));
  const int64_t before = log_clock_.NowMs();
  log_clock_.PeerWall(ReplicaId(2), before + 7'200'000);
  log_clock_.PeerWall(ReplicaId(3), before + 7'200'000);
  clock_.Pass(absl::Seconds(2));
  EXPECT_EQ(log_clock_.NowMs(), before + 7'202'000);
  EXPECT_EQ(log_clock_.PassedMs(), 3000);
}

TEST_F(LogClockTest, WhatPassedIsNotSlewed) {
  log_clock_.NowMs();
  clock_.offset = absl::Hours(-3);
  clock_.Pass(absl::Seconds(100));
  log_clock_.NowMs();
  EXPECT_EQ(log_clock_.PassedMs(), 100'000);
}

// Also where log time is not: somebody may have led who stepped and was not heard.
TEST_F(LogClockTest, WhatPassedGoesOnWhoeverLeads) {
  LogClock follower(&clock_, 3, 0);
  clock_.Pass(absl::Seconds(60));
  follower.HeardLeader(log_clock_.Now());
  clock_.Pass(absl::Seconds(7));
  follower.StartLeading({0, 3});
  EXPECT_EQ(follower.PassedMs(), 67'000);

  follower.StopLeading();
  follower.HeardLeader({1, 70'000});  // Of a leader that knows of more that passed.
  clock_.Pass(absl::Seconds(1));
  EXPECT_EQ(follower.PassedMs(), 71'000);
  follower.HeardPassed(50'000);
  EXPECT_EQ(follower.PassedMs(), 71'000);
}

// When all have gone at once nobody knows for how long. It counts as nothing: what
// was stored before counts as sent lately, however far clocks have gone meanwhile.
TEST_F(LogClockTest, WhatPassedGoesOnFromTheLogWhenNobodyElseKnows) {
  clock_.Pass(absl::Hours(1));
  LogClock restarted(&clock_, 3, 500'000);
  clock_.Pass(absl::Seconds(2));
  restarted.StartLeading({clock_.WallMs() - 3'600'000, 500'000});
  restarted.PeerWall(ReplicaId(2), clock_.WallMs());
  clock_.Pass(absl::Seconds(1));
  EXPECT_EQ(restarted.NowMs(), clock_.WallMs());
  EXPECT_EQ(restarted.PassedMs(), 503'000);
}

}  // namespace
}  // namespace totora::raft
