// Topics and consumer groups as classic tools see them, and write them.
#ifndef TOTORA_BROKER_REMOTING_API_CONFIG_BODIES_H_
#define TOTORA_BROKER_REMOTING_API_CONFIG_BODIES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "remoting/bodies/config.h"
#include "remoting/header/admin.h"
#include "store/commands.h"

namespace totora::remoting_api {

// Go has 31 bits for a counter.
remoting::DataVersion VersionNumbered(uint64_t counter, int64_t changed_ms);

// What is not kept has RocketMQ's defaults. The attribute message.type says what
// the topic takes; absent means NORMAL.
remoting::TopicConfig BodyOf(const store::TopicConfig& config);
// Attempts count the first delivery, retries do not.
remoting::SubscriptionGroupConfig BodyOf(const store::ConsumerGroupConfig& config);

// Changes to the attributes of a topic, with their sign: ("+message.type", "FIFO")
// or ("-message.type", "").
using AttributeChanges = std::vector<std::pair<std::string, std::string>>;

// "+message.type=FIFO,-other" (AttributeParser.java). Errors: FailedPrecondition in
// Java's words; clients know it as SYSTEM_ERROR.
absl::StatusOr<AttributeChanges> ParseAttributes(absl::string_view text);

// Carries the changes out (AttributeUtil.java). Of the attributes that RocketMQ
// knows only message.type means something here; the others are taken with the one
// value that is true: queue.type SimpleCQ, cleanup.policy DELETE, reserve.time -1.
// Errors: FailedPrecondition, as above.
absl::Status ApplyAttributes(const AttributeChanges& changes, bool is_new,
                             store::TopicConfig* config);

// What a tool asks for, applied to what there is (`existing` may be empty).
// Errors: InvalidArgument (queue numbers below 0, a permission); those of
// ApplyAttributes.
absl::StatusOr<store::TopicConfig> Apply(const remoting::TopicConfig& body,
                                         const AttributeChanges& changes,
                                         const std::optional<store::TopicConfig>& existing);
remoting::TopicConfig BodyOf(const remoting::CreateTopicRequest& header);

// Errors: InvalidArgument for what cannot be kept as it is meant.
absl::StatusOr<store::ConsumerGroupConfig> ConfigOf(const remoting::SubscriptionGroupConfig& body);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_CONFIG_BODIES_H_
