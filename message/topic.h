// Names of topics and consumer groups: what they may be, and those that the
// broker derives or keeps for itself (TopicValidator.java, MixAll.java).
//
// Names are made of letters, digits and %|_- only. They never become file
// names all the same.
#ifndef TOTORA_MESSAGE_TOPIC_H_
#define TOTORA_MESSAGE_TOPIC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace totora::message {

inline constexpr size_t kTopicBytesMax = 127;
inline constexpr size_t kConsumerGroupBytesMax = 120;

inline constexpr char kRetryTopicPrefix[] = "%RETRY%";
inline constexpr char kDeadLetterTopicPrefix[] = "%DLQ%";
inline constexpr char kSystemTopicPrefix[] = "rmq_sys_";
inline constexpr char kSystemConsumerGroupPrefix[] = "CID_RMQ_SYS_";
inline constexpr char kReplyTopicSuffix[] = "_REPLY_TOPIC";
// Its settings are what a topic created by a send gets.
inline constexpr char kAutoCreateTopic[] = "TBW102";

// Bits of a topic's or a broker's permission.
inline constexpr uint32_t kPermissionInherit = 1;
inline constexpr uint32_t kPermissionWrite = 2;
inline constexpr uint32_t kPermissionRead = 4;

// OK for every name that a topic can have, derived ones included: 1 to 127
// bytes (behind %RETRY% or %DLQ% also 255, but not nothing) of the allowed
// characters.
// Errors: InvalidArgument, with a text for the client.
absl::Status CheckTopicName(absl::string_view name);

// The same for consumer groups, up to 120 bytes.
absl::Status CheckConsumerGroupName(absl::string_view name);

// Where a consumer group's messages wait for another attempt, and where they
// end up after the last one.
std::string RetryTopic(absl::string_view consumer_group);
std::string DeadLetterTopic(absl::string_view consumer_group);
bool IsRetryTopic(absl::string_view topic);
bool IsDeadLetterTopic(absl::string_view topic);
// The consumer group that a retry or dead letter topic belongs to.
std::optional<absl::string_view> ConsumerGroupOf(absl::string_view topic);

// Topics with a meaning to RocketMQ itself. gRPC clients may not use them, and
// listings leave them out.
bool IsSystemTopic(absl::string_view topic);
// Those of them that have a name of their own.
std::vector<std::string> SystemTopics();
// System topics that no client may write to, in either protocol.
bool IsSendForbidden(absl::string_view topic);
// Consumer groups that no gRPC client may use.
bool IsSystemConsumerGroup(absl::string_view consumer_group);
// Consumer groups that tools and clients bring along; listings leave them out.
bool IsPredefinedConsumerGroup(absl::string_view consumer_group);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_TOPIC_H_
