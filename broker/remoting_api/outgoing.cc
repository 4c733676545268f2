#include "broker/remoting_api/outgoing.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/status.h"
#include "message/codec.h"
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
  std::vector<std::string> names;
  message::ForEachProperty(*properties, [&names](absl::string_view name, absl::string_view) {
    if (absl::StartsWith(name, message::kTransientPrefix)) names.emplace_back(name);
    return true;
  });
  for (const std::string& name : names) message::RemoveProperty(properties, name);
}

}  // namespace

SentProperties LookAt(absl::string_view packed) {
  SentProperties found;
  message::ForEachProperty(packed, [&found](absl::string_view name, absl::string_view value) {
    switch (name[0]) {  // Never empty.
      case 'C':
        if (name == message::kClusterProperty) found.cluster = value;
        break;
      case 'D':
        if (name == message::kDelayLevelProperty) found.has_delivery_time = true;
        break;
      case 'T':
        if (name == message::kTagsProperty) found.tags = value;
        if (name == message::kTransactionPreparedProperty) found.prepared = value;
        if (absl::StartsWith(name, "TIMER_")) found.has_delivery_time = true;
        break;
      case 'U':
        if (name == message::kUniqueKeyProperty) found.unique_id = value;
        break;
      case '_':
        if (absl::StartsWith(name, message::kTransientPrefix)) found.has_transient = true;
        break;
      default:
        break;
    }
    return true;
  });
  return found;
}

absl::StatusOr<std::string> CompleteProperties(absl::string_view sent, const SentProperties& found,
                                               absl::string_view cluster,
                                               absl::FunctionRef<std::string()> new_id) {
  TOTORA_RETURN_IF_ERROR(message::CheckProperties(sent));
  std::string properties;
  // Room for the cluster.
  properties.reserve(sent.size() + cluster.size() + sizeof(message::kClusterProperty) + 2);
  properties.assign(sent.data(), sent.size());
  if (found.has_transient) RemoveTransient(&properties);
  if (found.unique_id.empty()) {
    TOTORA_RETURN_IF_ERROR(
        message::SetProperty(&properties, message::kUniqueKeyProperty, new_id()));
  }
  if (!found.cluster.has_value()) {
    TOTORA_RETURN_IF_ERROR(
        message::AppendProperty(&properties, message::kClusterProperty, cluster));
  } else if (*found.cluster != cluster) {
    TOTORA_RETURN_IF_ERROR(message::SetProperty(&properties, message::kClusterProperty, cluster));
  }
  return properties;
}

absl::StatusOr<service::OutgoingMessage> ToOutgoing(const remoting::SendMessageRequest& header,
                                                    absl::string_view topic,
                                                    const SentMessage& sent) {
  message::Message stored;
  stored.topic = topic;
  stored.body = sent.body;
  stored.properties = sent.properties;
  stored.flag = sent.flag;
  stored.system_flags = static_cast<uint32_t>(header.sys_flag) & kClientFlags;
  stored.born_time_ms = header.born_timestamp;
  stored.born_host = sent.born_host;
  stored.reconsume_times = header.reconsume_times.value_or(0);
  service::OutgoingMessage outgoing;
  TOTORA_RETURN_IF_ERROR(message::EncodeMessage(stored, &outgoing.stored));
  if (!sent.unique_id.empty()) {
    // A message that fails again and again goes to the retry topic each time,
    // under the same id: each failure is a message of its own.
    std::string of_this_try;
    if (message::IsRetryTopic(topic) || message::IsDeadLetterTopic(topic)) {
      of_this_try = absl::StrCat(sent.unique_id, "#", stored.reconsume_times);
    }
    const uint32_t crc = GetAt<uint32_t>(outgoing.stored.data() + message::kBodyCrcAt);
    outgoing.id_hash = service::MessageIdHash(
        topic, of_this_try.empty() ? sent.unique_id : of_this_try, crc);
  }
  outgoing.tag_hash = message::TagHash(sent.tags);
  return outgoing;
}

}  // namespace totora::remoting_api
