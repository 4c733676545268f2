#include "broker/service/deliberate_repeats.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace totora::service {
namespace {

constexpr absl::Duration kSoon = absl::Milliseconds(10);

class DeliberateRepeatsTest : public ::testing::Test {
 protected:
  using Request = DeliberateRepeats::Request;

  // Both clocks go alike unless a test says otherwise.
  Request At(absl::string_view id = "id", uint64_t connection = 1) const {
    return {connection, id, absl::ToInt64Milliseconds(now_) + 1'700'000'000'000, now_};
  }
  // Whether a request that comes now, and is stored at once, is a deliberate repeat.
  bool SendsAgain(absl::string_view id = "id", uint64_t connection = 1) {
    const Request request = At(id, connection);
    const bool is_meant = repeats_.Arrived(request);
    repeats_.Answered(request, true, now_ + kSoon);
    return is_meant;
  }

  absl::Duration now_ = absl::Seconds(1000);
  DeliberateRepeats repeats_;
};

TEST_F(DeliberateRepeatsTest, ARepeatIsMeantOnlyOnTheConnectionThatWasAnsweredInTime) {
  EXPECT_FALSE(SendsAgain());
  now_ += absl::Seconds(14);
  EXPECT_TRUE(SendsAgain());
  EXPECT_FALSE(SendsAgain("id", 2));
  EXPECT_FALSE(SendsAgain("other"));
  EXPECT_FALSE(SendsAgain(""));
  EXPECT_FALSE(SendsAgain(""));
}

TEST_F(DeliberateRepeatsTest, ARepeatAfterALateAnswerIsARetry) {
  const Request first = At();
  repeats_.Arrived(first);
  now_ += DeliberateRepeats::kPrompt + absl::Milliseconds(1);
  repeats_.Answered(first, true, now_);
  EXPECT_FALSE(repeats_.Arrived(At()));
}

// Go waited for 3 s for a broker that had no processor to run on: what it sent
// lay in the socket, was answered at once when we read it, and its retry came
// right behind. It was stored twice.
TEST_F(DeliberateRepeatsTest, ARepeatOfWhatLayUnreadForTooLongIsARetry) {
  Request first = At();
  now_ += absl::Milliseconds(2500);
  first.arrived = now_;
  repeats_.Arrived(first);
  repeats_.Answered(first, true, now_ + absl::Milliseconds(700));
  now_ += absl::Seconds(1);
  EXPECT_FALSE(SendsAgain());
}

TEST_F(DeliberateRepeatsTest, ARepeatOfWhatLayUnreadForAWhileIsMeant) {
  Request first = At();
  now_ += absl::Seconds(2);
  first.arrived = now_;
  repeats_.Arrived(first);
  repeats_.Answered(first, true, now_ + kSoon);
  now_ += absl::Seconds(1);
  EXPECT_TRUE(SendsAgain());
}

// One that came by a clock that was set back, or in a batch of late reads.
TEST_F(DeliberateRepeatsTest, ARepeatThatLayUnreadItselfSaysNothingOfTheFirst) {
  SendsAgain();
  Request late = At();
  now_ += absl::Seconds(4);
  late.arrived = now_;
  EXPECT_TRUE(repeats_.Arrived(late));
}

// Also if an earlier send of the same object went well.
TEST_F(DeliberateRepeatsTest, ARepeatAfterAFailureIsARetry) {
  SendsAgain();
  const Request failed = At();
  EXPECT_TRUE(repeats_.Arrived(failed));
  repeats_.Answered(failed, false, now_ + kSoon);
  EXPECT_FALSE(SendsAgain());
  EXPECT_TRUE(SendsAgain());
}

// Of one that waits for its answer, too: the client may have waited in vain.
TEST_F(DeliberateRepeatsTest, AnAnswerLongAgoSaysNothingOfARequestThatIsOpen) {
  SendsAgain();
  now_ += absl::Seconds(2);
  EXPECT_TRUE(repeats_.Arrived(At()));
  now_ += DeliberateRepeats::kNobodyWaits;
  EXPECT_FALSE(repeats_.Arrived(At()));
}

TEST_F(DeliberateRepeatsTest, ALoopThatWaitsForNothingIsMeantFromItsSecondRequestOn) {
  EXPECT_FALSE(repeats_.Arrived(At()));
  for (int i = 0; i < 1000; ++i) {
    now_ += DeliberateRepeats::kNobodyWaits - absl::Milliseconds(1);
    ASSERT_TRUE(repeats_.Arrived(At())) << i;
  }
  EXPECT_FALSE(repeats_.Arrived(At("id", 2)));
}

TEST_F(DeliberateRepeatsTest, ARepeatThatWaitedByOneOfTheTwoClocksIsARetry) {
  Request request = At();
  repeats_.Arrived(request);
  // We stood still, and read what lay in the socket in one go.
  request.born_ms += 3000;
  EXPECT_FALSE(repeats_.Arrived(request));
  // Java's asynchronous retries carry the time of the first request.
  request.arrived += absl::Seconds(3);
  EXPECT_FALSE(repeats_.Arrived(request));
  EXPECT_TRUE(repeats_.Arrived(request));
}

// Longer than the window of retries, or the repeat would be taken for one.
TEST_F(DeliberateRepeatsTest, ALoopThatSendsOneMessageIsNeverForgotten) {
  for (int64_t pause_ms : {100, 4999, 14'900}) {
    DeliberateRepeats repeats;
    for (int i = 0; i < 1000; ++i) {
      const Request request = At();
      ASSERT_EQ(repeats.Arrived(request), i > 0) << pause_ms << " ms, " << i;
      repeats.Answered(request, true, now_ + kSoon);
      now_ += absl::Milliseconds(pause_ms);
    }
    now_ += DeliberateRepeats::kRemembered;
    EXPECT_FALSE(repeats.Arrived(At()));
    EXPECT_EQ(repeats.size(), 1u);
  }
}

TEST_F(DeliberateRepeatsTest, NeverMoreThanItsMaximum) {
  DeliberateRepeats repeats(100);
  for (int i = 0; i < 1000; ++i) {
    const std::string id = absl::StrCat("id", i);
    repeats.Arrived(At(id));
    repeats.Answered(At(id), true, now_);
  }
  EXPECT_EQ(repeats.size(), 100u);
  EXPECT_TRUE(repeats.Arrived(At("id999")));
  EXPECT_FALSE(repeats.Arrived(At("id0")));
}

}  // namespace
}  // namespace totora::service
