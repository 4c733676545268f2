#include "raft/submitter.h"

#include <gtest/gtest.h>

#include "common/coding.h"

namespace totora::raft {
namespace {

constexpr ReplicaId kSelf{1};
constexpr Incarnation kLife{7};

class SubmitterTest : public testing::Test {
 protected:
  // Adds a command and returns a place where its outcome will appear.
  std::shared_ptr<std::string> Add(absl::string_view payload,
                                   absl::Duration give_up = absl::InfiniteDuration()) {
    auto outcome = std::make_shared<std::string>("-");
    submitter_.Add(1, payload, give_up, [outcome](absl::StatusOr<absl::string_view> result) {
      ASSERT_EQ(*outcome, "-") << "answered twice";
      *outcome = result.ok() ? std::string(*result)
                             : std::string(absl::StatusCodeToString(result.status().code()));
    });
    return outcome;
  }
  void Applied(uint64_t sequence, absl::string_view result) {
    submitter_.Applied({kSelf, kLife, sequence}, result);
  }

  Submitter submitter_{kSelf, kLife, 1000, 10};
};

TEST_F(SubmitterTest, AnswersWithWhatWasApplied) {
  const auto outcome = Add("a");
  Applied(1, "done");
  EXPECT_EQ(*outcome, "done");
  EXPECT_TRUE(submitter_.empty());
}

TEST_F(SubmitterTest, ARepeatedApplyAnswersNobody) {
  const auto outcome = Add("a");
  Applied(1, "first");
  Applied(1, "second");
  EXPECT_EQ(*outcome, "first");
}

TEST_F(SubmitterTest, ARepeatedApplyIsNoProgress) {
  Add("oldest");  // As long as it waits, those behind it are remembered.
  Add("a");
  Applied(2, "first");
  Applied(2, "second");
  EXPECT_EQ(submitter_.applied_count(), 1u);
}

TEST_F(SubmitterTest, AnotherLifesCommandIsNotOurs) {
  const auto outcome = Add("a");
  submitter_.Applied({kSelf, Incarnation(6), 1}, "x");
  submitter_.Applied({ReplicaId(2), kLife, 1}, "x");
  EXPECT_EQ(*outcome, "-");
}

TEST_F(SubmitterTest, TheWatermarkWaitsForTheOldest) {
  Add("a");
  Add("b");
  Applied(2, "");
  EXPECT_EQ(submitter_.low_watermark(), 0u);
  Applied(1, "");
  EXPECT_EQ(submitter_.low_watermark(), 2u);
}

TEST_F(SubmitterTest, WhatNeverLeftIsUnavailableAndForgotten) {
  const auto outcome = Add("a", absl::Seconds(5));
  submitter_.GiveUp(absl::Seconds(4));
  EXPECT_EQ(*outcome, "-");
  submitter_.GiveUp(absl::Seconds(5));
  EXPECT_EQ(*outcome, "UNAVAILABLE");
  EXPECT_TRUE(submitter_.empty());
}

TEST_F(SubmitterTest, WhoeverIsInAHurryIsToldFirst) {
  const auto patient = Add("a", absl::Seconds(9));
  const auto hasty = Add("b", absl::Seconds(5));
  const auto hastier = Add("c", absl::Seconds(4));
  const auto endless = Add("d");
  submitter_.GiveUp(absl::Seconds(4));
  EXPECT_EQ(*hasty, "-");
  EXPECT_EQ(*hastier, "UNAVAILABLE");
  submitter_.GiveUp(absl::Seconds(5));
  EXPECT_EQ(*hasty, "UNAVAILABLE");
  EXPECT_EQ(*patient, "-");
  Applied(1, "done");
  submitter_.GiveUp(absl::Seconds(10));
  EXPECT_EQ(*patient, "done");
  EXPECT_EQ(*endless, "-");
}

TEST_F(SubmitterTest, WhatLeftHasAnUnknownOutcomeAndStaysToBeProposedAgain) {
  const auto outcome = Add("a", absl::Seconds(5));
  ASSERT_EQ(submitter_.TakeUnsent(100).size(), 1u);
  submitter_.GiveUp(absl::Seconds(5));
  EXPECT_EQ(*outcome, "DEADLINE_EXCEEDED");
  EXPECT_EQ(submitter_.low_watermark(), 0u);
  submitter_.ResendAll();
  EXPECT_EQ(submitter_.TakeUnsent(100).size(), 1u);
  Applied(1, "late");
  EXPECT_EQ(submitter_.low_watermark(), 1u);
}

// A replica was cut off with a message that it had taken. Its client sent it again
// elsewhere; a minute later nobody would have known the two for one.
TEST_F(SubmitterTest, WhatWasGivenUpIsProposedAgainWithNothingInIt) {
  Add(std::string(700, 'a'), absl::Seconds(5));
  ASSERT_EQ(submitter_.TakeUnsent(1000).size(), 1u);
  submitter_.GiveUp(absl::Seconds(5));

  submitter_.ResendAll();

  const std::vector<SharedBytes> again = submitter_.TakeUnsent(1000);
  ASSERT_EQ(again.size(), 1u);
  const auto commands = DecodeCommands(again[0].view());
  ASSERT_TRUE(commands.ok()) << commands.status();
  EXPECT_EQ(commands->front().kind, kVoidCommand);
  EXPECT_EQ(commands->front().payload, "");
  EXPECT_EQ(commands->front().id, (CommandId{kSelf, kLife, 1}));
  // Nor does it take anybody's place meanwhile.
  EXPECT_EQ(*Add(std::string(700, 'b')), "-");
}

TEST_F(SubmitterTest, ResendsInSequenceAndBeforeAnythingNew) {
  Add("a");
  Add("b");
  submitter_.TakeUnsent(1000);
  Add("c");
  submitter_.ResendAll();
  const std::vector<SharedBytes> again = submitter_.TakeUnsent(1000);
  ASSERT_EQ(again.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(GetAt<uint64_t>(again[i].view().data() + 20), i + 1);
  }
}

TEST_F(SubmitterTest, WhatWasAppliedIsNotResent) {
  Add("a");
  Add("b");
  submitter_.TakeUnsent(1000);
  Applied(1, "");
  submitter_.ResendAll();
  EXPECT_EQ(submitter_.TakeUnsent(1000).size(), 1u);
}

TEST_F(SubmitterTest, TooManyCommandsAreRefusedAtOnce) {
  for (int i = 0; i < 10; ++i) Add("");
  EXPECT_EQ(*Add(""), "RESOURCE_EXHAUSTED");
}

TEST_F(SubmitterTest, TooManyBytesAreRefusedUntilSomeAreAnswered) {
  Add(std::string(900, 'x'));
  EXPECT_EQ(*Add(std::string(200, 'x')), "RESOURCE_EXHAUSTED");
  Applied(1, "");
  EXPECT_EQ(*Add(std::string(200, 'x')), "-");
}

TEST_F(SubmitterTest, TakesAtLeastOneHoweverLarge) {
  Add(std::string(500, 'x'));
  Add("b");
  EXPECT_EQ(submitter_.TakeUnsent(10).size(), 1u);
  EXPECT_EQ(submitter_.TakeUnsent(1000).size(), 1u);
}

}  // namespace
}  // namespace totora::raft
