#include "broker/service/traffic_stats.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/service/direct_log.h"
#include "common/manual_executor.h"

namespace totora::service {
namespace {

constexpr absl::Duration kStart = absl::Seconds(3'600'003);

// Messages a second, for so long, ten at a time; returns the time behind them.
absl::Duration Load(TrafficHistory* history, absl::Duration from, int64_t seconds, uint64_t rate) {
  for (int64_t i = 0; i < seconds; ++i) {
    from += absl::Seconds(1);
    history->Add(from, {rate, rate * 100, rate / 10});
  }
  return from;
}

TEST(TrafficHistory, TheRateOfASteadyLoadIsTrueAtEverySecond) {
  TrafficHistory history(kStart);
  absl::Duration now = Load(&history, kStart, 100, 500);

  for (int i = 0; i < 40; ++i) {
    now = Load(&history, now, 1, 500);
    EXPECT_NEAR(history.LastMinute(now).MessagesPerSecond(), 500, 12) << i;
    EXPECT_NEAR(history.LastMinute(now).BytesPerSecond(), 50'000, 1200) << i;
  }
}

TEST(TrafficHistory, ALoadThatHasJustBegunIsNotThinnedByTheTimeBefore) {
  TrafficHistory history(kStart);
  const absl::Duration now = Load(&history, kStart, 5, 1000);

  EXPECT_NEAR(history.LastMinute(now).MessagesPerSecond(), 1000, 1);
  EXPECT_NEAR(history.LastDay(now).MessagesPerSecond(), 1000, 1);
}

TEST(TrafficHistory, TheWindowsForgetWhatIsOlderThanTheirNames) {
  TrafficHistory history(kStart);
  history.Add(kStart, {7, 70, 1});

  EXPECT_EQ(history.LastMinute(kStart + absl::Seconds(40)).sum.messages, 7u);
  EXPECT_EQ(history.LastMinute(kStart + absl::Seconds(61)).sum.messages, 0u);
  EXPECT_EQ(history.LastHour(kStart + absl::Minutes(49)).sum.messages, 7u);
  EXPECT_EQ(history.LastHour(kStart + absl::Minutes(61)).sum.messages, 0u);
  EXPECT_EQ(history.LastDay(kStart + absl::Hours(22)).sum.messages, 7u);
  EXPECT_FALSE(history.IsForgotten(kStart + absl::Hours(22)));
  EXPECT_EQ(history.LastDay(kStart + absl::Hours(25)).sum.messages, 0u);
  EXPECT_TRUE(history.IsForgotten(kStart + absl::Hours(25)));
}

TEST(TrafficHistory, ASlotThatIsUsedAgainBeginsAtNothing) {
  TrafficHistory history(kStart);
  history.Add(kStart, {7, 70, 1});
  history.Add(kStart + absl::Seconds(60), {1, 10, 1});

  EXPECT_EQ(history.LastMinute(kStart + absl::Seconds(60)).sum, (Traffic{1, 10, 1}));
  EXPECT_EQ(history.LastDay(kStart + absl::Seconds(60)).sum, (Traffic{8, 80, 2}));
}

// Two replicas: what one tells its peers the other one hears.
class TrafficStatsTest : public ::testing::Test {
 protected:
  TrafficStatsTest() {
    here_log_.SetPeers({ReplicaId(2)});
    here_log_.on_send_to_peer = [this](ReplicaId, std::string bytes) {
      EXPECT_TRUE(TrafficStats::IsPeerMessage(bytes));
      told_.push_back(bytes);
      there_.PeerMessage(bytes);
    };
  }
  void Second() {
    executor_.Advance(absl::Seconds(1));
    here_.Tick(executor_.now());
    there_.Tick(executor_.now());
  }

  ManualExecutor executor_;
  DirectLog here_log_{nullptr, &executor_};
  DirectLog there_log_{nullptr, &executor_};
  TrafficStats here_{&here_log_, &executor_};
  TrafficStats there_{&there_log_, &executor_};
  std::vector<std::string> told_;
};

TEST_F(TrafficStatsTest, WhatOneReplicaServedEveryReplicaTells) {
  for (int i = 0; i < 70; ++i) {
    here_.Pulled("t", "g", 3, 100 * (i + 1), 100, 6400);
    here_.Missed();
    there_.Delivered("t", "g", 50, 50);
    Second();
  }

  const TrafficHistory* const history = there_.FindDelivery("t@g");
  ASSERT_NE(history, nullptr);
  EXPECT_NEAR(history->LastMinute(executor_.now()).MessagesPerSecond(), 150, 6);
  EXPECT_EQ(there_.totals().delivered, (Traffic{70 * 150, 70 * 6450, 140}));
  EXPECT_EQ(there_.totals().missed, 70u);
  EXPECT_EQ(there_.PulledUpTo("t", "g", 3), 7000);
  EXPECT_EQ(there_.PulledUpTo("t", "g", 4), 0);
  EXPECT_EQ(there_.FindDelivery("t", "g"), history);
  EXPECT_EQ(there_.FindTopic("t"), nullptr) << "puts are not told, every replica sees them";
}

TEST_F(TrafficStatsTest, NothingIsToldWhenNothingHappened) {
  for (int i = 0; i < 10; ++i) Second();

  EXPECT_EQ(told_.size(), 0u);
}

TEST_F(TrafficStatsTest, MoreNamesThanFitIntoOneMessageAreAllTold) {
  for (int i = 0; i < 5000; ++i) here_.Delivered(absl::StrCat("t", i), "g", 1, 10);
  Second();

  EXPECT_GT(told_.size(), 1u);
  EXPECT_EQ(there_.totals().delivered.messages, 5000u);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_NE(there_.FindDelivery(absl::StrCat("t", i, "@g")), nullptr) << i;
  }
}

TEST_F(TrafficStatsTest, EveryShorterMessageIsHarmless) {
  here_.Pulled("t", "g", 1, 5, 1, 10);
  Second();
  ASSERT_EQ(told_.size(), 1u);

  for (size_t size = 1; size < told_[0].size(); ++size) {
    there_.PeerMessage(absl::string_view(told_[0]).substr(0, size));
  }
}

TEST_F(TrafficStatsTest, NamesBeyondTheMaximumCountInTheTotalsOnly) {
  for (size_t i = 0; i <= TrafficStats::kHistoriesMax; ++i) {
    here_.Put(absl::StrCat("t", i), {1, 10, 1});
  }

  EXPECT_EQ(here_.totals().put.messages, TrafficStats::kHistoriesMax + 1);
  EXPECT_EQ(here_.FindTopic(absl::StrCat("t", TrafficStats::kHistoriesMax)), nullptr);
  executor_.Advance(absl::Hours(25));
  here_.Tick(executor_.now());
  here_.Put("new", {1, 10, 1});
  EXPECT_NE(here_.FindTopic("new"), nullptr) << "the others were idle for a day";
}

TEST_F(TrafficStatsTest, RatesAreAveragesOfTheirSpans) {
  const auto put = [](const TrafficTotals& totals) { return totals.put.messages; };
  for (int i = 0; i < 300; ++i) {
    here_.Put("t", {i < 290 ? 100u : 1000u, 10, 1});
    Second();
  }

  const auto rates = here_.Rates(put);

  EXPECT_NEAR(rates[0], 1000, 1);
  EXPECT_NEAR(rates[1], (50 * 100 + 10 * 1000) / 60.0, 1);
  EXPECT_NEAR(rates[2], (290 * 100 + 10 * 1000) / 300.0, 1) << "since the start";
}

TEST_F(TrafficStatsTest, TodayBeginsAtMidnight) {
  here_.Put("t", {5, 50, 1});
  EXPECT_EQ(here_.at_morning().put.messages, 0u);
  for (int hour = 0; hour < 24; ++hour) {
    executor_.Advance(absl::Hours(1));
    here_.Tick(executor_.now());
  }
  EXPECT_EQ(here_.at_morning().put.messages, 5u);
  EXPECT_EQ(here_.at_yesterdays_morning().put.messages, 0u);

  here_.Put("t", {7, 50, 1});
  for (int hour = 0; hour < 24; ++hour) {
    executor_.Advance(absl::Hours(1));
    here_.Tick(executor_.now());
  }
  EXPECT_EQ(here_.at_morning().put.messages, 12u);
  EXPECT_EQ(here_.at_yesterdays_morning().put.messages, 5u);
}

}  // namespace
}  // namespace totora::service
