#include "broker/remoting_api/config_bodies.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace totora::remoting_api {
namespace {

constexpr char kMessageType[] = "message.type";

struct TypeName {
  const char* name;
  store::TopicType type;
};
// TopicMessageType.java. UNSPECIFIED is what a topic is that says nothing.
constexpr TypeName kTypeNames[] = {
    {"NORMAL", store::TopicType::kNormal},
    {"UNSPECIFIED", store::TopicType::kNormal},
    {"FIFO", store::TopicType::kFifo},
    {"DELAY", store::TopicType::kDelay},
    {"TRANSACTION", store::TopicType::kTransaction},
    {"MIXED", store::TopicType::kMixed},
};

// Attributes of RocketMQ's that mean nothing here, and their one true value.
struct FixedAttribute {
  const char* name;
  const char* value;
  bool is_changeable;
};
constexpr FixedAttribute kFixedAttributes[] = {
    {"queue.type", "SimpleCQ", false},
    {"cleanup.policy", "DELETE", false},
    {"reserve.time", "-1", true},
};

absl::Status Wrong(absl::string_view text) { return absl::FailedPreconditionError(text); }

absl::Status SetType(absl::string_view value, store::TopicConfig* config) {
  for (const TypeName& known : kTypeNames) {
    if (value != known.name) continue;
    config->type = known.type;
    return absl::OkStatus();
  }
  return Wrong("value is not in set: [DELAY, FIFO, MIXED, NORMAL, TRANSACTION, UNSPECIFIED]");
}

absl::Status CheckFixed(absl::string_view name, absl::string_view value, bool is_new) {
  for (const FixedAttribute& known : kFixedAttributes) {
    if (name != known.name) continue;
    if (!is_new && !known.is_changeable) {
      return Wrong(absl::StrCat("attempt to update an unchangeable attribute. key: ", name));
    }
    if (value == known.value) return absl::OkStatus();
    return Wrong(absl::StrCat("attribute ", name, " is always ", known.value, " here"));
  }
  return Wrong(absl::StrCat("unsupported key: ", name));
}

}  // namespace

remoting::DataVersion VersionNumbered(uint64_t counter, int64_t changed_ms) {
  remoting::DataVersion version;
  version.counter = static_cast<int64_t>(counter & INT32_MAX);
  version.timestamp = changed_ms;
  return version;
}

remoting::TopicConfig BodyOf(const store::TopicConfig& config) {
  remoting::TopicConfig body;
  body.topic_name = config.name;
  body.perm = static_cast<int32_t>(config.permission);
  body.read_queue_nums = static_cast<int32_t>(config.read_queues);
  body.write_queue_nums = static_cast<int32_t>(config.write_queues);
  body.order = config.is_ordered;
  if (config.type == store::TopicType::kNormal) return body;
  for (const TypeName& known : kTypeNames) {
    if (config.type == known.type) body.attributes[kMessageType] = known.name;
  }
  return body;
}

remoting::SubscriptionGroupConfig BodyOf(const store::ConsumerGroupConfig& config) {
  remoting::SubscriptionGroupConfig body;
  body.group_name = config.name;
  body.consume_enable = config.is_enabled;
  body.consume_broadcast_enable = config.may_broadcast;
  body.consume_message_orderly = config.is_fifo;
  body.notify_consumer_ids_changed_enable = config.hears_of_members;
  body.retry_queue_nums = static_cast<int32_t>(config.retry_queues);
  body.retry_max_times = static_cast<int32_t>(std::clamp<int64_t>(
      static_cast<int64_t>(config.max_attempts) - 1, 0, INT32_MAX));
  return body;
}

absl::StatusOr<AttributeChanges> ParseAttributes(absl::string_view text) {
  AttributeChanges changes;
  std::set<absl::string_view> seen;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const bool has_value = absl::StrContains(part, '=');
    const std::vector<absl::string_view> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const absl::string_view key = pair[0];
    if (!absl::StrContains(key, has_value ? '+' : '-')) {
      return Wrong(absl::StrCat(has_value ? "add/alter" : "delete",
                                " attribute format is wrong: ", key));
    }
    if (!seen.insert(key).second) return Wrong(absl::StrCat("key duplication: ", key));
    changes.emplace_back(std::string(key), has_value ? std::string(pair[1]) : "");
  }
  return changes;
}

absl::Status ApplyAttributes(const AttributeChanges& changes, bool is_new,
                             store::TopicConfig* config) {
  std::set<absl::string_view> seen;
  for (const auto& [signed_name, value] : changes) {
    const absl::string_view name = absl::string_view(signed_name).substr(
        std::min<size_t>(1, signed_name.size()));
    if (name.empty() || absl::StrContains(name, '+') || absl::StrContains(name, '-')) {
      return Wrong("kv string format wrong.");
    }
    if (!seen.insert(name).second) return Wrong(absl::StrCat("alter duplication key. key: ", name));
    const bool is_added = signed_name[0] == '+';
    if (is_new && !is_added) {
      return Wrong(absl::StrCat("only add attribute is supported while creating topic. key: ",
                                name));
    }
    if (!is_added && signed_name[0] != '-') return Wrong(absl::StrCat("wrong format key: ", name));
    absl::Status status;
    if (is_added) {
      status = name == kMessageType ? SetType(value, config) : CheckFixed(name, value, is_new);
    } else if (name == kMessageType && config->type != store::TopicType::kNormal) {
      config->type = store::TopicType::kNormal;
    } else {
      status = Wrong(absl::StrCat("attempt to delete a nonexistent key: ", name));
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<store::TopicConfig> Apply(const remoting::TopicConfig& body,
                                         const AttributeChanges& changes,
                                         const std::optional<store::TopicConfig>& existing) {
  store::TopicConfig config = existing.value_or(store::TopicConfig());
  if (body.read_queue_nums < 0 || body.write_queue_nums < 0 || body.perm < 0) {
    return absl::InvalidArgumentError("numbers of queues and permission are not below 0");
  }
  config.name = body.topic_name;
  config.read_queues = static_cast<uint32_t>(body.read_queue_nums);
  config.write_queues = static_cast<uint32_t>(body.write_queue_nums);
  config.permission = static_cast<uint32_t>(body.perm);
  config.is_ordered = body.order;
  const absl::Status status = ApplyAttributes(changes, !existing.has_value(), &config);
  if (!status.ok()) return status;
  return config;
}

remoting::TopicConfig BodyOf(const remoting::CreateTopicRequest& header) {
  remoting::TopicConfig body;
  body.topic_name = std::string(header.topic);
  body.read_queue_nums = header.read_queue_nums;
  body.write_queue_nums = header.write_queue_nums;
  body.perm = header.perm;
  body.order = header.order;
  return body;
}

absl::StatusOr<store::ConsumerGroupConfig> ConfigOf(
    const remoting::SubscriptionGroupConfig& body) {
  if (body.retry_max_times < 0) {
    return absl::InvalidArgumentError("retryMaxTimes is not below 0");
  }
  if (body.retry_queue_nums < 1) {
    return absl::InvalidArgumentError("retryQueueNums is not below 1");
  }
  if (!body.attributes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("unsupported key: ", body.attributes.begin()->first));
  }
  store::ConsumerGroupConfig config;
  config.name = body.group_name;
  config.max_attempts = static_cast<uint32_t>(body.retry_max_times) + 1;
  config.is_fifo = body.consume_message_orderly;
  config.is_enabled = body.consume_enable;
  config.may_broadcast = body.consume_broadcast_enable;
  config.hears_of_members = body.notify_consumer_ids_changed_enable;
  config.retry_queues = static_cast<uint32_t>(body.retry_queue_nums);
  return config;
}

}  // namespace totora::remoting_api
