// Topics, consumer groups and plain lists (18, 21, 28, 200, 201, 206, 219, 224, 225, 300, 351 to
// 353).
#ifndef TOTORA_REMOTING_BODIES_CONFIG_H_
#define TOTORA_REMOTING_BODIES_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "remoting/bodies/body.h"

namespace totora::remoting {

// To 206, 224, 304, 305, 311 to 313, 343.
struct TopicList {
  std::optional<std::string> broker_address{};  // 304 only: whom to ask 305.
  std::vector<std::string> topics{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerAddr", self.broker_address);
    visitor.Field("topicList", self.topics);
  }
};

// To 300.
struct GroupList {
  std::vector<std::string> groups{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("groupList", self.groups); }
};

// To 28 and 219. All values are text.
struct KvTable {
  std::map<std::string, std::string> table{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("table", self.table); }
};

struct DataVersion {
  int64_t counter = 0;  // Go has 32 bits for it.
  int64_t state_version = 0;
  int64_t timestamp = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("counter", self.counter);
    visitor.Field("stateVersion", self.state_version);
    visitor.Field("timestamp", self.timestamp);
  }
};

// To 351. The defaults are Java's.
struct TopicConfig {
  std::map<std::string, std::string> attributes{};  // The dashboard fails without.
  bool order = false;
  int32_t perm = 6;
  int32_t read_queue_nums = 16;
  std::string topic_filter_type = "SINGLE_TAG";
  std::string topic_name{};
  int32_t topic_sys_flag = 0;
  int32_t write_queue_nums = 16;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("attributes", self.attributes);
    visitor.Field("order", self.order);
    visitor.Field("perm", self.perm);
    visitor.Field("readQueueNums", self.read_queue_nums);
    visitor.Field("topicFilterType", self.topic_filter_type);
    visitor.Field("topicName", self.topic_name);
    visitor.Field("topicSysFlag", self.topic_sys_flag);
    visitor.Field("writeQueueNums", self.write_queue_nums);
  }
};
// 18.
struct CreateTopicListRequestBody {
  std::vector<TopicConfig> topics{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("topicConfigList", self.topics); }
};
// To 21. The last two are for static topics, which we have not.
struct TopicConfigWrapper {
  DataVersion data_version{};
  DataVersion mapping_data_version{};
  std::map<std::string, TopicConfig> topics{};
  std::map<std::string, std::string> mapping_details{};
  std::map<std::string, std::string> mapping_infos{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("dataVersion", self.data_version);
    visitor.Field("mappingDataVersion", self.mapping_data_version);
    visitor.Field("topicConfigTable", self.topics);
    visitor.Field("topicQueueMappingDetailMap", self.mapping_details);
    visitor.Field("topicQueueMappingInfoMap", self.mapping_infos);
  }
};

struct ExponentialRetryPolicy {
  int64_t initial = 5000;
  int64_t max = 7'200'000;
  int64_t multiplier = 2;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("initial", self.initial);
    visitor.Field("max", self.max);
    visitor.Field("multiplier", self.multiplier);
  }
};
struct CustomizedRetryPolicy {
  std::vector<int64_t> next{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("next", self.next); }
};
struct GroupRetryPolicy {
  std::optional<CustomizedRetryPolicy> customized{};
  std::optional<ExponentialRetryPolicy> exponential{};
  std::string type = "CUSTOMIZED";

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("customizedRetryPolicy", self.customized);
    visitor.Field("exponentialRetryPolicy", self.exponential);
    visitor.Field("type", self.type);
  }
};
struct SimpleSubscriptionData {
  std::string expression{};
  std::string expression_type{};
  std::string topic{};
  int64_t version = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("expression", self.expression);
    visitor.Field("expressionType", self.expression_type);
    visitor.Field("topic", self.topic);
    visitor.Field("version", self.version);
  }
};

// 200, and to 352. The defaults are Java's; 4.9 sends nine of the members.
struct SubscriptionGroupConfig {
  std::map<std::string, std::string> attributes{};
  int64_t broker_id = 0;
  bool consume_broadcast_enable = true;
  bool consume_enable = true;
  bool consume_from_min_enable = true;
  bool consume_message_orderly = false;
  int32_t consume_timeout_minutes = 15;
  std::string group_name{};
  GroupRetryPolicy retry_policy{};
  int32_t group_sys_flag = 0;
  bool notify_consumer_ids_changed_enable = true;
  int32_t retry_max_times = 16;
  int32_t retry_queue_nums = 1;
  std::optional<std::vector<SimpleSubscriptionData>> subscriptions{};
  int64_t which_broker_when_consume_slowly = 1;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("attributes", self.attributes);
    visitor.Field("brokerId", self.broker_id);
    visitor.Field("consumeBroadcastEnable", self.consume_broadcast_enable);
    visitor.Field("consumeEnable", self.consume_enable);
    visitor.Field("consumeFromMinEnable", self.consume_from_min_enable);
    visitor.Field("consumeMessageOrderly", self.consume_message_orderly);
    visitor.Field("consumeTimeoutMinute", self.consume_timeout_minutes);
    visitor.Field("groupName", self.group_name);
    visitor.Field("groupRetryPolicy", self.retry_policy);
    visitor.Field("groupSysFlag", self.group_sys_flag);
    visitor.Field("notifyConsumerIdsChangedEnable", self.notify_consumer_ids_changed_enable);
    visitor.Field("retryMaxTimes", self.retry_max_times);
    visitor.Field("retryQueueNums", self.retry_queue_nums);
    visitor.Field("subscriptionDataSet", self.subscriptions);
    visitor.Field("whichBrokerWhenConsumeSlowly", self.which_broker_when_consume_slowly);
  }
};
// 225.
struct SubscriptionGroupList {
  std::vector<SubscriptionGroupConfig> groups{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("groupConfigList", self.groups); }
};
// To 201.
struct SubscriptionGroupWrapper {
  DataVersion data_version{};
  std::map<std::string, std::map<std::string, int32_t>> forbidden_table{};
  std::map<std::string, SubscriptionGroupConfig> groups{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("dataVersion", self.data_version);
    visitor.Field("forbiddenTable", self.forbidden_table);
    visitor.Field("subscriptionGroupTable", self.groups);
  }
};

// To 353.
struct GroupForbidden {
  std::string group{};
  bool readable = true;
  std::string topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("group", self.group);
    visitor.Field("readable", self.readable);
    visitor.Field("topic", self.topic);
  }
};

// 401.
struct SetMessageRequestModeBody {
  std::string consumer_group{};
  std::string mode{};  // "PULL" or "POP".
  int32_t pop_share_queue_num = 0;
  std::string topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("consumerGroup", self.consumer_group);
    visitor.Field("mode", self.mode);
    visitor.Field("popShareQueueNum", self.pop_share_queue_num);
    visitor.Field("topic", self.topic);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_CONFIG_H_
