#include "broker/remoting_api/outgoing.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "message/codec.h"
#include "message/digest.h"
#include "message/properties.h"
#include "message/tag_filter.h"
#include "message/topic.h"

namespace totora::remoting_api {
namespace {

// Bits that clients may set. Those of the hosts follow the hosts; unwrapping
// and inner batches are between RocketMQ's own parts; transactions have a path
// of their own.
constexpr uint32_t kClientFlags =
    message::kCompressedFlag | message::kMultiTagsFlag | message::kCompressionMask;

void RemoveTransient(std::string* properties) {
  if (!absl::StrContains(*properties, message::kTransientPrefix)) return;
  std::vector<std::string> names;
  message::ForEachProperty(*properties, [&names](absl::string_view name, absl::string_view) {
    if (absl::StartsWith(name, message::kTransientPrefix)) names.emplace_back(name);
    return true;
  });
  for (const std::string& name : names) message::RemoveProperty(properties, name);
}

}  // namespace

absl::StatusOr<std::string> CompleteProperties(absl::string_view sent, absl::string_view cluster,
                                               absl::string_view new_id) {
  TOTORA_RETURN_IF_ERROR(message::CheckProperties(sent));
  std::string properties(sent);
  RemoveTransient(&properties);
  if (message::PropertyOr(properties, message::kUniqueKeyProperty).empty()) {
    TOTORA_RETURN_IF_ERROR(message::SetProperty(&properties, message::kUniqueKeyProperty, new_id));
  }
  if (message::PropertyOr(properties, message::kClusterProperty) != cluster) {
    TOTORA_RETURN_IF_ERROR(message::SetProperty(&properties, message::kClusterProperty, cluster));
  }
  return properties;
}

absl::StatusOr<service::OutgoingMessage> ToOutgoing(const remoting::SendMessageRequest& header,
                                                    absl::string_view topic, int32_t flag,
                                                    absl::string_view body,
                                                    absl::string_view properties,
                                                    const message::Host& born_host) {
  message::Message stored;
  stored.topic = topic;
  stored.body = body;
  stored.properties = properties;
  stored.flag = flag;
  stored.system_flags = static_cast<uint32_t>(header.sys_flag) & kClientFlags;
  stored.born_time_ms = header.born_timestamp;
  stored.born_host = born_host;
  stored.reconsume_times = header.reconsume_times.value_or(0);
  service::OutgoingMessage outgoing;
  TOTORA_RETURN_IF_ERROR(message::EncodeMessage(stored, &outgoing.stored));
  const absl::string_view id = message::PropertyOr(properties, message::kUniqueKeyProperty);
  if (!id.empty()) {
    // A message that fails again and again goes to the retry topic each time,
    // under the same id: each failure is a message of its own.
    const std::string named = message::IsRetryTopic(topic) || message::IsDeadLetterTopic(topic)
                                  ? absl::StrCat(id, "#", stored.reconsume_times)
                                  : std::string(id);
    outgoing.id_hash = service::MessageIdHash(topic, named, message::BodyCrc(body));
  }
  outgoing.tag_hash = message::TagHash(message::PropertyOr(properties, message::kTagsProperty));
  return outgoing;
}

}  // namespace totora::remoting_api
