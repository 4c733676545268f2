// Headers of what tools ask brokers about topics, groups and the broker itself.
#ifndef TOTORA_REMOTING_HEADER_ADMIN_H_
#define TOTORA_REMOTING_HEADER_ADMIN_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace totora::remoting {

// 17; 513 has the same.
struct CreateTopicRequest {
  absl::string_view topic{};
  absl::string_view default_topic{};
  int32_t read_queue_nums = 0;
  int32_t write_queue_nums = 0;
  int32_t perm = 0;
  absl::string_view topic_filter_type{};
  std::optional<int32_t> topic_sys_flag{};
  bool order = false;
  absl::string_view attributes{};  // "+key=value,-key".
  bool force = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("defaultTopic", self.default_topic);
    visitor.Required("readQueueNums", self.read_queue_nums);
    visitor.Required("writeQueueNums", self.write_queue_nums);
    visitor.Required("perm", self.perm);
    visitor.Required("topicFilterType", self.topic_filter_type);
    visitor.Optional("topicSysFlag", self.topic_sys_flag);
    visitor.Required("order", self.order);
    visitor.Optional("attributes", self.attributes);
    visitor.Optional("force", self.force);
  }
};

// 202, 215, 300.
struct TopicRequest {
  absl::string_view topic{};

  static void Visit(auto& self, auto& visitor) { visitor.Required("topic", self.topic); }
};

// 351.
struct GetTopicConfigRequest {
  absl::string_view topic{};
  bool local_only = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Optional("lo", self.local_only);
  }
};

// 21 as the newest tools send it; the paging that it asks for is not needed,
// an answer without a total is complete.
struct GetAllTopicConfigRequest {
  std::optional<int32_t> topic_sequence{};
  std::optional<int32_t> max_topic_num{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Optional("topicSeq", self.topic_sequence);
    visitor.Optional("maxTopicNum", self.max_topic_num);
  }
};

// 26: DataVersion as JSON; the body is properties text.
struct GetBrokerConfigReply {
  absl::string_view version{};

  static void Visit(auto& self, auto& visitor) { visitor.Required("version", self.version); }
};

// 204.
struct ProducerGroupRequest {
  absl::string_view producer_group{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("producerGroup", self.producer_group);
  }
};

// 207. Java 5 and 4.9 name the same wish differently.
struct DeleteSubscriptionGroupRequest {
  absl::string_view group_name{};
  std::optional<bool> clean_offset{};
  std::optional<bool> remove_offset{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("groupName", self.group_name);
    visitor.Optional("cleanOffset", self.clean_offset);
    visitor.Optional("removeOffset", self.remove_offset);
  }
};

// 208.
struct GetConsumeStatsRequest {
  absl::string_view consumer_group{};
  absl::string_view topic{};
  absl::string_view topic_list{};  // With ';' between, sometimes behind the last too.

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
    visitor.Optional("topic", self.topic);
    visitor.Optional("topicList", self.topic_list);
  }
};

// 303.
struct QueryConsumeTimeSpanRequest {
  absl::string_view topic{};
  absl::string_view group{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("group", self.group);
  }
};

// 343, 345, 352. The topic is required by 345 only.
struct GroupRequest {
  absl::string_view group{};
  absl::string_view topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("group", self.group);
    visitor.Optional("topic", self.topic);
  }
};

// 353.
struct UpdateGroupForbiddenRequest {
  absl::string_view group{};
  absl::string_view topic{};
  std::optional<bool> readable{};  // Absent: only ask.

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("group", self.group);
    visitor.Required("topic", self.topic);
    visitor.Optional("readable", self.readable);
  }
};

// 315.
struct ViewBrokerStatsDataRequest {
  absl::string_view stats_name{};
  absl::string_view stats_key{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("statsName", self.stats_name);
    visitor.Required("statsKey", self.stats_key);
  }
};

// 317.
struct GetBrokerConsumeStatsRequest {
  bool is_order = false;

  static void Visit(auto& self, auto& visitor) { visitor.Required("isOrder", self.is_order); }
};

// 321.
struct QueryConsumeQueueRequest {
  absl::string_view topic{};
  int32_t queue_id = 0;
  int64_t index = 0;
  int32_t count = 0;
  absl::string_view consumer_group{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Optional("topic", self.topic);
    visitor.Optional("queueId", self.queue_id);
    visitor.Optional("index", self.index);
    visitor.Optional("count", self.count);
    visitor.Optional("consumerGroup", self.consumer_group);
  }
};

// 323.
struct ResumeCheckHalfMessageRequest {
  absl::string_view topic{};
  absl::string_view message_id{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Optional("topic", self.topic);
    visitor.Optional("msgId", self.message_id);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_ADMIN_H_
