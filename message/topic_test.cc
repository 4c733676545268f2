#include "message/topic.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace totora::message {
namespace {

TEST(TopicName, TakesRocketMqsCharactersAndNoOthers) {
  EXPECT_TRUE(CheckTopicName("Orders_2-eu|%x").ok());
  for (int c = 0; c < 256; ++c) {
    const char character = static_cast<char>(c);
    const bool is_allowed = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z') || c == '%' || c == '|' || c == '_' || c == '-';
    EXPECT_EQ(CheckTopicName(absl::string_view(&character, 1)).ok(), is_allowed) << c;
  }
  EXPECT_FALSE(CheckTopicName("../../etc").ok());
  EXPECT_FALSE(CheckTopicName("").ok());
}

TEST(TopicName, MayHave127BytesAndBehindARetryPrefix255) {
  EXPECT_TRUE(CheckTopicName(std::string(127, 't')).ok());
  EXPECT_EQ(CheckTopicName(std::string(128, 't')).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(CheckTopicName(RetryTopic(std::string(248, 'g'))).ok());
  EXPECT_FALSE(CheckTopicName(RetryTopic(std::string(249, 'g'))).ok());
  EXPECT_FALSE(CheckTopicName(RetryTopic("")).ok());
  EXPECT_FALSE(CheckTopicName(DeadLetterTopic("")).ok());
}

TEST(ConsumerGroupName, MayHave120Bytes) {
  EXPECT_TRUE(CheckConsumerGroupName(std::string(120, 'g')).ok());
  EXPECT_FALSE(CheckConsumerGroupName(std::string(121, 'g')).ok());
  EXPECT_FALSE(CheckConsumerGroupName("a b").ok());
  EXPECT_FALSE(CheckConsumerGroupName("").ok());
}

// Older clients read nothing longer than a topic of 127 bytes.
TEST(ConsumerGroupName, TheLongestHasARetryTopicOfVersionOne) {
  EXPECT_LE(RetryTopic(std::string(kConsumerGroupBytesMax, 'g')).size(), kTopicBytesMax);
}

TEST(DerivedTopic, LeadsBackToItsConsumerGroup) {
  EXPECT_EQ(RetryTopic("g"), "%RETRY%g");
  EXPECT_EQ(DeadLetterTopic("g"), "%DLQ%g");
  EXPECT_EQ(ConsumerGroupOf("%RETRY%g"), "g");
  EXPECT_EQ(ConsumerGroupOf("%DLQ%g"), "g");
  EXPECT_EQ(ConsumerGroupOf("g"), std::nullopt);
  EXPECT_TRUE(IsRetryTopic("%RETRY%g") && !IsRetryTopic("%DLQ%g"));
  EXPECT_TRUE(IsDeadLetterTopic("%DLQ%g") && !IsDeadLetterTopic("%RETRY%g"));
}

TEST(SystemNames, AreKnown) {
  EXPECT_TRUE(IsSystemTopic("TBW102") && IsSystemTopic("rmq_sys_anything"));
  EXPECT_FALSE(IsSystemTopic("orders") || IsSystemTopic("tbw102"));
  EXPECT_TRUE(IsSendForbidden("SCHEDULE_TOPIC_XXXX") && IsSystemTopic("SCHEDULE_TOPIC_XXXX"));
  EXPECT_FALSE(IsSendForbidden("TBW102") || IsSendForbidden("orders"));
  EXPECT_TRUE(IsSystemConsumerGroup("CID_RMQ_SYS_TRANS"));
  EXPECT_FALSE(IsSystemConsumerGroup("TOOLS_CONSUMER"));
  EXPECT_TRUE(IsPredefinedConsumerGroup("TOOLS_CONSUMER"));
  EXPECT_FALSE(IsPredefinedConsumerGroup("orders"));
}

}  // namespace
}  // namespace totora::message
