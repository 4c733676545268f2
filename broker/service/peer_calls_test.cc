#include "broker/service/peer_calls.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "broker/service/direct_log.h"
#include "common/manual_executor.h"

namespace totora::service {
namespace {

// Two replicas that both call themselves 1 and the other one 2.
class PeerCallsTest : public ::testing::Test {
 protected:
  PeerCallsTest() {
    here_log_.on_send_to_peer = [this](ReplicaId, std::string bytes) {
      EXPECT_TRUE(PeerCalls::IsPeerMessage(bytes));
      there_.PeerMessage(ReplicaId(2), bytes);
    };
    there_log_.on_send_to_peer = [this](ReplicaId, std::string bytes) {
      here_.PeerMessage(ReplicaId(2), bytes);
    };
    there_.SetHandler([this](std::string question, PeerCalls::Reply reply) {
      heard_ = std::move(question);
      if (answer_.has_value()) reply(*answer_);
    });
  }
  absl::StatusOr<std::string> Ask(absl::string_view question) {
    std::optional<absl::StatusOr<std::string>> result;
    here_.Ask(ReplicaId(2), question, absl::Seconds(10),
              [&](absl::StatusOr<std::string> answer) { result = std::move(answer); });
    executor_.Run();
    if (!result.has_value()) executor_.Advance(absl::Seconds(10));
    EXPECT_TRUE(result.has_value());
    return result.value_or(absl::InternalError("never answered"));
  }

  ManualExecutor executor_;
  DirectLog here_log_{nullptr, &executor_};
  DirectLog there_log_{nullptr, &executor_};
  PeerCalls here_{&here_log_, &executor_};
  PeerCalls there_{&there_log_, &executor_};
  std::string heard_;
  std::optional<std::string> answer_ = "answer";
};

TEST_F(PeerCallsTest, AQuestionGetsItsAnswer) {
  const absl::StatusOr<std::string> answer = Ask("question");

  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "answer");
  EXPECT_EQ(heard_, "question");
}

TEST_F(PeerCallsTest, SilenceEndsInATimeout) {
  answer_ = std::nullopt;

  EXPECT_EQ(Ask("question").status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(PeerCallsTest, APeerThatGoesAnswersNothingMore) {
  answer_ = std::nullopt;
  absl::Status status;
  here_.Ask(ReplicaId(2), "question", absl::Seconds(10),
            [&](absl::StatusOr<std::string> answer) { status = answer.status(); });

  here_.PeerDown(ReplicaId(3));
  EXPECT_TRUE(status.ok());
  here_.PeerDown(ReplicaId(2));

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(PeerCallsTest, WhatIsTooLargeIsRefusedWithoutBeingSent) {
  EXPECT_EQ(Ask(std::string(PeerCalls::kBytesMax + 1, 'x')).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(heard_, "");

  answer_ = std::string(PeerCalls::kBytesMax + 1, 'x');
  EXPECT_EQ(Ask("question").status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(PeerCallsTest, QuestionsThatWaitAreBounded) {
  answer_ = std::nullopt;
  size_t refused = 0;
  for (size_t i = 0; i < PeerCalls::kOpenMax + 5; ++i) {
    here_.Ask(ReplicaId(2), "question", absl::Seconds(10),
              [&](const absl::StatusOr<std::string>& answer) {
                if (absl::IsResourceExhausted(answer.status())) ++refused;
              });
  }

  EXPECT_EQ(refused, 5u);
  executor_.Advance(absl::Seconds(11));
}

TEST_F(PeerCallsTest, AnswersOfAnotherReplicaAndHalfMessagesAreIgnored) {
  answer_ = std::nullopt;
  bool is_answered = false;
  std::string question;
  here_log_.on_send_to_peer = [&](ReplicaId, std::string bytes) { question = std::move(bytes); };
  here_.Ask(ReplicaId(2), "question", absl::Seconds(10),
            [&](const absl::StatusOr<std::string>&) { is_answered = true; });
  std::string answer = question;
  answer[0] = static_cast<char>(0x92);

  here_.PeerMessage(ReplicaId(3), answer);
  for (size_t size = 0; size < 9; ++size) {
    here_.PeerMessage(ReplicaId(2), absl::string_view(answer).substr(0, size));
  }

  EXPECT_FALSE(is_answered);
  here_.PeerMessage(ReplicaId(2), answer);
  EXPECT_TRUE(is_answered);
}

}  // namespace
}  // namespace totora::service
