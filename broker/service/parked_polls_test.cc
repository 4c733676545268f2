#include "broker/service/parked_polls.h"

#include <gtest/gtest.h>

#include "broker/service/refusal.h"

namespace totora::service {
namespace {

TEST(ParkedPolls, TheOldestOfAQueueIsTakenFirst) {
  ParkedPolls polls({});
  PollLine* line = polls.Open("t", "g");
  polls.Open("t", "g");
  ASSERT_TRUE(polls.Park(line, 2, 10).ok());
  ASSERT_TRUE(polls.Park(line, 2, 11).ok());

  EXPECT_EQ(polls.Take(line, kAnyQueue), std::nullopt);
  EXPECT_EQ(polls.Take(line, 2), 10u);
  EXPECT_EQ(polls.Take(line, 2), 11u);
  EXPECT_EQ(polls.Take(line, 2), std::nullopt);
}

TEST(ParkedPolls, ALineEndsWithItsLastPoll) {
  ParkedPolls polls({});
  PollLine* line = polls.Open("t", "g");
  polls.Open("t", "g");
  polls.Open("t", "other");

  polls.Close(line);
  EXPECT_EQ(polls.LinesOf("t").size(), 2u);
  polls.Close(line);

  EXPECT_EQ(polls.Find("t", "g"), nullptr);
  EXPECT_EQ(polls.LinesOf("t").size(), 1u);
  EXPECT_EQ(polls.Lines().size(), 1u);
}

TEST(ParkedPolls, BothLimitsRefuseAndARemovedPollMakesRoom) {
  ParkedPolls polls({.per_queue_max = 2, .total_max = 3});
  PollLine* line = polls.Open("t", "g");
  ASSERT_TRUE(polls.Park(line, 0, 1).ok());
  ASSERT_TRUE(polls.Park(line, 0, 2).ok());

  EXPECT_EQ(RefusalOf(polls.Park(line, 0, 3)), Refusal::kTooManyPolls);
  ASSERT_TRUE(polls.Park(line, 1, 3).ok());
  EXPECT_EQ(RefusalOf(polls.Park(line, 2, 4)), Refusal::kTooManyPolls);

  EXPECT_TRUE(polls.Remove(1));
  EXPECT_FALSE(polls.Remove(1));
  EXPECT_TRUE(polls.Park(line, 0, 4).ok());
  EXPECT_EQ(polls.parked(), 3u);
}

}  // namespace
}  // namespace totora::service
