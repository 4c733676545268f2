#include "bench/load_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <utility>

namespace totora::bench {
namespace {

// A clock that requests move: time passes only where a test says so.
class StepClock : public Clock {
 public:
  absl::Time WallNow() const override { return absl::UnixEpoch() + SteadyNow(); }
  absl::Duration SteadyNow() const override { return absl::Nanoseconds(nanos_.load()); }
  void Advance(absl::Duration by) { nanos_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> nanos_{0};
};

TEST(LoadLoop, AClosedLoopStopsAtItsMessageLimit) {
  StepClock clock;
  int requests = 0;
  LoadLoop loop({.outstanding = 1, .messages_max = 100, .messages_per_request = 10},
                [&](size_t, LoadLoop::Done done) {
                  ++requests;
                  clock.Advance(absl::Milliseconds(1));
                  done({.messages = 10});
                },
                &clock);
  Report report;

  loop.Run(&report);

  EXPECT_EQ(requests, 10);
  EXPECT_EQ(report.messages, 100u);
  EXPECT_EQ(report.latency.Quantile(1), 1000000u);
}

TEST(LoadLoop, AClosedLoopStopsWhenItsTimeIsOver) {
  StepClock clock;
  LoadLoop loop({.outstanding = 1, .duration = absl::Milliseconds(50)},
                [&](size_t, LoadLoop::Done done) {
                  clock.Advance(absl::Milliseconds(1));
                  done({.messages = 1});
                },
                &clock);
  Report report;

  loop.Run(&report);

  EXPECT_EQ(report.messages, 50u);
  EXPECT_EQ(report.elapsed, absl::Milliseconds(50));
}

// One request stalls for 40 ms of a run of one a millisecond. Those that were
// due meanwhile must show the stall; a closed loop would show it once.
TEST(LoadLoop, AnOpenLoopChargesAStallToEveryRequestThatWasDue) {
  StepClock clock;
  int requests = 0;
  LoadLoop loop({.outstanding = 1, .duration = absl::Milliseconds(100), .rate = 1000},
                [&](size_t, LoadLoop::Done done) {
                  clock.Advance(++requests == 1 ? absl::Milliseconds(40) : absl::Milliseconds(1));
                  done({.messages = 1});
                },
                &clock);
  Report report;

  loop.Run(&report);

  EXPECT_EQ(report.messages, 100u);
  EXPECT_TRUE(report.is_open_loop);
  EXPECT_GE(report.latency.Quantile(0.5), 39000000u);
}

TEST(LoadLoop, ErrorsAreCountedAndTheFirstIsKept) {
  StepClock clock;
  int requests = 0;
  LoadLoop loop({.outstanding = 2, .messages_max = 6},
                [&](size_t, LoadLoop::Done done) {
                  if (++requests % 2 == 0) {
                    done({.errors = 1, .first_error = absl::UnavailableError("gone")});
                  } else {
                    done({.messages = 1});
                  }
                },
                &clock);
  Report report;

  loop.Run(&report);

  EXPECT_EQ(report.messages, 3u);
  EXPECT_EQ(report.errors, 3u);
  EXPECT_EQ(report.first_error, "UNAVAILABLE: gone");
}

// Requests that failed do not end a standstill.
TEST(LoadLoop, TheLongestGapIsBetweenSuccesses) {
  StepClock clock;
  int requests = 0;
  LoadLoop loop({.outstanding = 1, .messages_max = 5},
                [&](size_t, LoadLoop::Done done) {
                  clock.Advance(absl::Milliseconds(10));
                  if (++requests == 3 || requests == 4) {
                    done({.errors = 1, .first_error = absl::UnavailableError("gone")});
                  } else {
                    done({.messages = 1});
                  }
                },
                &clock);
  Report report;

  loop.Run(&report);

  EXPECT_EQ(report.longest_gap, absl::Milliseconds(30));
}

TEST(ReportJson, HasWhatScriptsRead) {
  Report report;
  report.name = "send";
  report.elapsed = absl::Seconds(2);
  report.messages = 1000;
  report.latency.Record(100000);
  report.cpu = {{.name = "client", .pid = 1, .used = absl::Milliseconds(5)},
                {.name = "broker-1", .pid = 2, .used = {}, .is_complete = false}};

  const std::string json = ReportJson(report);

  EXPECT_NE(json.find(R"("messages_per_second":500.0)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("p50":100.0,"p99":100.0,"p99.9":100.0)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("client":5.0,"broker-1":null)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("errors":0)"), std::string::npos) << json;
}

}  // namespace
}  // namespace totora::bench
