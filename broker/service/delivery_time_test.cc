#include "broker/service/delivery_time.h"

#include <gtest/gtest.h>

#include "message/properties.h"

namespace totora::service {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

std::string Packed(std::initializer_list<std::pair<const char*, const char*>> properties) {
  std::string packed;
  for (const auto& [name, value] : properties) {
    EXPECT_TRUE(message::AppendProperty(&packed, name, value).ok());
  }
  return packed;
}

TEST(DelayLevels, AreRocketMqsUnlessSaidOtherwise) {
  const DelayLevels levels;
  EXPECT_EQ(levels.highest(), 18);
  EXPECT_EQ(levels.Delay(1), absl::Seconds(1));
  EXPECT_EQ(levels.Delay(3), absl::Seconds(10));
  EXPECT_EQ(levels.Delay(18), absl::Hours(2));
  EXPECT_EQ(levels.Delay(99), absl::Hours(2));

  const absl::StatusOr<DelayLevels> other = DelayLevels::Parse(" 2s  1d ");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->highest(), 2);
  EXPECT_EQ(other->Delay(2), absl::Hours(24));
}

TEST(DelayLevels, AnythingElseIsRefused) {
  for (const char* text : {"", " ", "1", "s", "1x", "0s", "-1s", "1s,2s", "1.5s", "99999999999d",
                           "9223372036854775807h", "366d"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(DelayLevels::Parse(text).status())) << text;
  }
}

TEST(DeliveryTime, TheLevelWinsOverTimersAndNothingOfThemStays) {
  std::string properties = Packed({{"a", "b"}, {"DELAY", "2"}, {"TIMER_DELAY_SEC", "100"}});

  const absl::StatusOr<DeliveryTime> time = TakeDeliveryTime(DelayLevels(), kNow, &properties);

  ASSERT_TRUE(time.ok()) << time.status();
  EXPECT_EQ(time->delay_ms, 5000);
  EXPECT_EQ(time->deliver_at_ms, 0);
  EXPECT_EQ(properties, Packed({{"a", "b"}}));
}

TEST(DeliveryTime, TimersAreReadInRocketMqsOrder) {
  std::string all = Packed({{"TIMER_DELIVER_MS", "1700000009000"},
                            {"TIMER_DELAY_MS", "2000"},
                            {"TIMER_DELAY_SEC", "3"},
                            {"DELAY", "0"}});
  EXPECT_EQ(TakeDeliveryTime(DelayLevels(), kNow, &all)->delay_ms, 3000);
  std::string two = Packed({{"TIMER_DELIVER_MS", "1700000009000"}, {"TIMER_DELAY_MS", "2000"}});
  EXPECT_EQ(TakeDeliveryTime(DelayLevels(), kNow, &two)->delay_ms, 2000);
  std::string one = Packed({{"TIMER_DELIVER_MS", "1700000009000"}});
  EXPECT_EQ(TakeDeliveryTime(DelayLevels(), kNow, &one)->deliver_at_ms, kNow + 9000);
}

TEST(DeliveryTime, WhatIsNoTimeIsAtOnce) {
  for (const char* name : {"TIMER_DELIVER_MS", "TIMER_DELAY_MS", "TIMER_DELAY_SEC"}) {
    for (const char* past : {"0", "-1", "-9223372036854775808"}) {
      std::string properties = Packed({{name, past}});
      const absl::StatusOr<DeliveryTime> time = TakeDeliveryTime(DelayLevels(), kNow, &properties);
      ASSERT_TRUE(time.ok()) << time.status();
      EXPECT_TRUE(time->is_at_once()) << name << past;
    }
  }
}

// The simulator found messages that came early, through a replica whose clock was
// an hour ahead: a delay was counted, and a time was called over, by that clock.
TEST(DeliveryTime, TheClockOfTheReplicaThatTakesAMessageDecidesNothing) {
  for (const int64_t now : {kNow - 3'600'000, kNow, kNow + 3'600'000}) {
    std::string at = Packed({{"TIMER_DELIVER_MS", "1700000009000"}});
    EXPECT_EQ(TakeDeliveryTime(DelayLevels(), now, &at)->deliver_at_ms, 1'700'000'009'000);
    std::string after = Packed({{"TIMER_DELAY_MS", "500"}});
    EXPECT_EQ(TakeDeliveryTime(DelayLevels(), now, &after)->delay_ms, 500);
  }
}

TEST(DeliveryTime, NonsenseAndTheFarFutureAreRefused) {
  for (const auto& properties : {Packed({{"DELAY", "soon"}}), Packed({{"TIMER_DELAY_SEC", "x"}}),
                                 Packed({{"TIMER_DELAY_SEC", "259201"}}),
                                 Packed({{"TIMER_DELAY_MS", "9223372036854775807"}}),
                                 Packed({{"TIMER_DELAY_SEC", "9223372036854775807"}})}) {
    std::string copy = properties;
    EXPECT_TRUE(absl::IsInvalidArgument(TakeDeliveryTime(DelayLevels(), kNow, &copy).status()));
    EXPECT_EQ(copy, properties);
  }
}

}  // namespace
}  // namespace totora::service
