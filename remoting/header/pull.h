// Headers of pulling and of looking messages up: 11, 361, 12, 33.
#ifndef TOTORA_REMOTING_HEADER_PULL_H_
#define TOTORA_REMOTING_HEADER_PULL_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace totora::remoting {

// Bits of PullMessageRequest::sys_flag.
inline constexpr int32_t kPullCommitOffset = 0x1;
inline constexpr int32_t kPullSuspend = 0x2;
inline constexpr int32_t kPullSubscription = 0x4;
inline constexpr int32_t kPullClassFilter = 0x8;
inline constexpr int32_t kPullLite = 0x10;

// 11 and 361.
struct PullMessageRequest {
  absl::string_view consumer_group{};
  absl::string_view topic{};
  int32_t queue_id = 0;
  int64_t queue_offset = 0;
  int32_t max_message_nums = 0;
  int32_t sys_flag = 0;
  int64_t commit_offset = 0;  // With kPullCommitOffset.
  int64_t suspend_timeout_millis = 0;
  absl::string_view subscription{};     // With kPullSubscription.
  int64_t sub_version = 0;              // Java: ms; Go: 0.
  absl::string_view expression_type{};  // Empty means "TAG".
  std::optional<int32_t> max_message_bytes{};
  std::optional<int32_t> request_source{};
  absl::string_view proxy_forward_client_id{};
  absl::string_view broker_name{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
    visitor.Required("topic", self.topic);
    visitor.Required("queueId", self.queue_id);
    visitor.Required("queueOffset", self.queue_offset);
    visitor.Required("maxMsgNums", self.max_message_nums);
    visitor.Required("sysFlag", self.sys_flag);
    visitor.Required("commitOffset", self.commit_offset);
    visitor.Required("suspendTimeoutMillis", self.suspend_timeout_millis);
    visitor.Optional("subscription", self.subscription);
    visitor.Required("subVersion", self.sub_version);
    visitor.Optional("expressionType", self.expression_type);
    visitor.Optional("maxMsgBytes", self.max_message_bytes);
    visitor.Optional("requestSource", self.request_source);
    // RocketMQ's own spelling.
    visitor.Optional("proxyFrowardClientId", self.proxy_forward_client_id);
    visitor.Optional("bname", self.broker_name);
  }
};

// The first four must be there with 0, 19, 20 and 21, or Java throws.
struct PullMessageReply {
  int64_t suggest_which_broker_id = 0;
  int64_t next_begin_offset = 0;
  int64_t min_offset = 0;
  int64_t max_offset = 0;  // Of the next message that will be stored.
  std::optional<int64_t> offset_delta{};
  std::optional<int32_t> topic_sys_flag{};
  std::optional<int32_t> group_sys_flag{};
  std::optional<int32_t> forbidden_type{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("suggestWhichBrokerId", self.suggest_which_broker_id);
    visitor.Required("nextBeginOffset", self.next_begin_offset);
    visitor.Required("minOffset", self.min_offset);
    visitor.Required("maxOffset", self.max_offset);
    visitor.Optional("offsetDelta", self.offset_delta);
    visitor.Optional("topicSysFlag", self.topic_sys_flag);
    visitor.Optional("groupSysFlag", self.group_sys_flag);
    visitor.Optional("forbiddenType", self.forbidden_type);
  }
};

// 12.
struct QueryMessageRequest {
  absl::string_view topic{};
  absl::string_view key{};
  int32_t max_num = 0;
  int64_t begin_timestamp = 0;
  int64_t end_timestamp = 0;
  bool by_unique_key = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("key", self.key);
    visitor.Required("maxNum", self.max_num);
    visitor.Required("beginTimestamp", self.begin_timestamp);
    visitor.Required("endTimestamp", self.end_timestamp);
    visitor.Optional("_UNIQUE_KEY_QUERY", self.by_unique_key);
  }
};
// Also with 22, as Java brokers send it.
struct QueryMessageReply {
  int64_t index_last_update_timestamp = 0;
  int64_t index_last_update_position = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("indexLastUpdateTimestamp", self.index_last_update_timestamp);
    visitor.Required("indexLastUpdatePhyoffset", self.index_last_update_position);
  }
};

// 33.
struct ViewMessageRequest {
  int64_t offset = 0;  // Position in the commit log.
  absl::string_view topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("offset", self.offset);
    visitor.Optional("topic", self.topic);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_PULL_H_
