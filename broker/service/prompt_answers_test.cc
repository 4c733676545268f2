#include "broker/service/prompt_answers.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace totora::service {
namespace {

constexpr absl::Duration kSoon = absl::Milliseconds(10);

TEST(PromptAnswers, ARepeatIsMeantOnlyOnTheConnectionThatWasAnsweredInTime) {
  PromptAnswers answers;
  const absl::Duration now = absl::Seconds(1000);
  answers.Answered(1, "id", kSoon, now);
  answers.Answered(1, "late", PromptAnswers::kPrompt + absl::Milliseconds(1), now);

  EXPECT_TRUE(answers.IsDeliberate(1, "id", now));
  EXPECT_FALSE(answers.IsDeliberate(2, "id", now));
  EXPECT_FALSE(answers.IsDeliberate(1, "other", now));
  EXPECT_FALSE(answers.IsDeliberate(1, "late", now));
  EXPECT_FALSE(answers.IsDeliberate(1, "", now));
}

// Longer than the window of ids, or the repeat would be taken for a retry.
TEST(PromptAnswers, ALoopThatSendsOneMessageIsNeverForgotten) {
  PromptAnswers answers;
  absl::Duration now = absl::Seconds(1000);
  for (int i = 0; i < 1000; ++i) {
    if (i > 0) {
      ASSERT_TRUE(answers.IsDeliberate(1, "id", now)) << i;
    }
    answers.Answered(1, "id", kSoon, now);
    now += absl::Seconds(5);
  }
  EXPECT_FALSE(answers.IsDeliberate(1, "id", now + PromptAnswers::kRemembered));
}

TEST(PromptAnswers, NeverMoreThanItsMaximum) {
  PromptAnswers answers(100);
  for (int i = 0; i < 1000; ++i) {
    answers.Answered(1, absl::StrCat("id", i), kSoon, absl::Seconds(1000));
  }
  EXPECT_EQ(answers.size(), 100u);
  EXPECT_TRUE(answers.IsDeliberate(1, "id999", absl::Seconds(1000)));
  EXPECT_FALSE(answers.IsDeliberate(1, "id0", absl::Seconds(1000)));
}

}  // namespace
}  // namespace totora::service
