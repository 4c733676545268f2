// Headers of clients as such: 34, 35, 37, 38, 223, 307, 309, and 39, 40, 221 to a client.
#ifndef TOTORA_REMOTING_HEADER_CLIENT_H_
#define TOTORA_REMOTING_HEADER_CLIENT_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace totora::remoting {

// To 34.
struct HeartbeatReply {
  bool supports_heartbeat_v2 = false;
  bool is_subscription_changed = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Optional("IS_SUPPORT_HEART_BEAT_V2", self.supports_heartbeat_v2);
    visitor.Optional("IS_SUB_CHANGE", self.is_subscription_changed);
  }
};

// 35. One of the groups, or both.
struct UnregisterClientRequest {
  absl::string_view client_id{};
  absl::string_view producer_group{};
  absl::string_view consumer_group{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("clientID", self.client_id);
    visitor.Optional("producerGroup", self.producer_group);
    visitor.Optional("consumerGroup", self.consumer_group);
  }
};

// Values of EndTransactionRequest::verdict.
inline constexpr int32_t kTransactionUnknown = 0;
inline constexpr int32_t kTransactionCommit = 8;
inline constexpr int32_t kTransactionRollback = 12;

// 37, one-way.
struct EndTransactionRequest {
  absl::string_view producer_group{};
  int64_t tran_state_table_offset = 0;  // The half message's queue offset, echoed.
  int64_t commit_log_offset = 0;        // Its position, echoed.
  int32_t verdict = 0;
  bool from_transaction_check = false;
  absl::string_view message_id{};
  absl::string_view transaction_id{};
  absl::string_view topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("producerGroup", self.producer_group);
    visitor.Required("tranStateTableOffset", self.tran_state_table_offset);
    visitor.Required("commitLogOffset", self.commit_log_offset);
    visitor.Required("commitOrRollback", self.verdict);
    visitor.Optional("fromTransactionCheck", self.from_transaction_check);
    visitor.Required("msgId", self.message_id);
    visitor.Optional("transactionId", self.transaction_id);
    visitor.Optional("topic", self.topic);
  }
};

// 39, to a producer, one-way; it answers with an EndTransactionRequest.
struct CheckTransactionStateRequest {
  int64_t tran_state_table_offset = 0;
  int64_t commit_log_offset = 0;
  absl::string_view message_id{};
  absl::string_view transaction_id{};
  absl::string_view offset_message_id{};
  absl::string_view topic{};
  absl::string_view broker_name{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("tranStateTableOffset", self.tran_state_table_offset);
    visitor.Required("commitLogOffset", self.commit_log_offset);
    visitor.Optional("msgId", self.message_id);
    visitor.Optional("transactionId", self.transaction_id);
    visitor.Optional("offsetMsgId", self.offset_message_id);
    visitor.Optional("topic", self.topic);
    visitor.Optional("bname", self.broker_name);
  }
};

// 38, 203; 40 to a consumer, one-way.
struct ConsumerGroupRequest {
  absl::string_view consumer_group{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
  }
};

// 221 to a consumer, 223 from tools.
struct GetConsumerStatusRequest {
  absl::string_view topic{};
  absl::string_view group{};
  absl::string_view client_address{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("group", self.group);
    visitor.Optional("clientAddr", self.client_address);
  }
};

// 307, from tools and on to a consumer.
struct GetConsumerRunningInfoRequest {
  absl::string_view consumer_group{};
  absl::string_view client_id{};
  bool jstack_enable = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
    visitor.Required("clientId", self.client_id);
    visitor.Optional("jstackEnable", self.jstack_enable);
  }
};

// 309, from tools and on to a consumer, which gets the last three as well.
struct ConsumeMessageDirectlyRequest {
  absl::string_view consumer_group{};
  absl::string_view client_id{};
  absl::string_view message_id{};
  absl::string_view topic{};
  absl::string_view broker_name{};
  std::optional<int32_t> topic_sys_flag{};
  std::optional<int32_t> group_sys_flag{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
    visitor.Optional("clientId", self.client_id);
    visitor.Optional("msgId", self.message_id);
    visitor.Optional("topic", self.topic);
    visitor.Optional("brokerName", self.broker_name);
    visitor.Optional("topicSysFlag", self.topic_sys_flag);
    visitor.Optional("groupSysFlag", self.group_sys_flag);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_CLIENT_H_
