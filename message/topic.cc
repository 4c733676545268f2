#include "message/topic.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "message/message.h"

namespace totora::message {
namespace {

constexpr absl::string_view kForbiddenTopics[] = {
    "SCHEDULE_TOPIC_XXXX",        "RMQ_SYS_TRANS_HALF_TOPIC",   "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC", "SELF_TEST_TOPIC",            "OFFSET_MOVED_EVENT",
};
constexpr absl::string_view kOtherSystemTopics[] = {
    "BenchmarkTest", "RMQ_SYS_TRACE_TOPIC",
};
// MixAll.java, PREDEFINE_GROUP_SET.
constexpr absl::string_view kPredefinedConsumerGroups[] = {
    "DEFAULT_CONSUMER",     "DEFAULT_PRODUCER",   "TOOLS_CONSUMER",
    "SCHEDULE_CONSUMER",    "FILTERSRV_CONSUMER", "__MONITOR_CONSUMER",
    "CLIENT_INNER_PRODUCER", "SELF_TEST_P_GROUP", "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",   "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER",
    "CID_ONSAPI_PULL",      "CID_RMQ_SYS_TRANS",
};

template <size_t n>
bool Contains(const absl::string_view (&names)[n], absl::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(c) || c == '%' || c == '|' || c == '_' || c == '-';
}

absl::Status CheckName(absl::string_view what, absl::string_view name, size_t bytes_max) {
  if (name.empty()) return absl::InvalidArgumentError(absl::StrCat("the ", what, " is empty"));
  if (name.size() > bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat("the ", what, " has ", name.size(),
                                                   " bytes, at most ", bytes_max,
                                                   " are allowed"));
  }
  if (!std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    // The name itself may not be fit to print.
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " contains characters other than a-z A-Z 0-9 % | _ -"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTopicName(absl::string_view name) {
  const std::optional<absl::string_view> consumer_group = ConsumerGroupOf(name);
  if (consumer_group.has_value() && consumer_group->empty()) {
    return absl::InvalidArgumentError("the topic lacks the name of its consumer group");
  }
  return CheckName("topic", name, consumer_group ? kStoredTopicBytesMax : kTopicBytesMax);
}

absl::Status CheckConsumerGroupName(absl::string_view name) {
  return CheckName("consumer group", name, kConsumerGroupBytesMax);
}

std::string RetryTopic(absl::string_view consumer_group) {
  return absl::StrCat(kRetryTopicPrefix, consumer_group);
}

std::string DeadLetterTopic(absl::string_view consumer_group) {
  return absl::StrCat(kDeadLetterTopicPrefix, consumer_group);
}

bool IsRetryTopic(absl::string_view topic) { return absl::StartsWith(topic, kRetryTopicPrefix); }

bool IsDeadLetterTopic(absl::string_view topic) {
  return absl::StartsWith(topic, kDeadLetterTopicPrefix);
}

std::optional<absl::string_view> ConsumerGroupOf(absl::string_view topic) {
  if (absl::ConsumePrefix(&topic, kRetryTopicPrefix) ||
      absl::ConsumePrefix(&topic, kDeadLetterTopicPrefix)) {
    return topic;
  }
  return std::nullopt;
}

bool IsSystemTopic(absl::string_view topic) {
  return topic == kAutoCreateTopic || absl::StartsWith(topic, kSystemTopicPrefix) ||
         Contains(kForbiddenTopics, topic) || Contains(kOtherSystemTopics, topic);
}

std::vector<std::string> SystemTopics() {
  std::vector<std::string> names = {kAutoCreateTopic};
  for (absl::string_view name : kForbiddenTopics) names.emplace_back(name);
  for (absl::string_view name : kOtherSystemTopics) names.emplace_back(name);
  return names;
}

bool IsSendForbidden(absl::string_view topic) { return Contains(kForbiddenTopics, topic); }

bool IsSystemConsumerGroup(absl::string_view consumer_group) {
  return absl::StartsWith(consumer_group, kSystemConsumerGroupPrefix);
}

bool IsPredefinedConsumerGroup(absl::string_view consumer_group) {
  return Contains(kPredefinedConsumerGroups, consumer_group);
}

}  // namespace totora::message
