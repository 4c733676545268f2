// Headers about offsets: 14, 15, 29 to 32, 222, 308, 314, and 220 to a client.
#ifndef TOTORA_REMOTING_HEADER_OFFSETS_H_
#define TOTORA_REMOTING_HEADER_OFFSETS_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace totora::remoting {

// 14.
struct QueryConsumerOffsetRequest {
  absl::string_view consumer_group{};
  absl::string_view topic{};
  int32_t queue_id = 0;
  std::optional<bool> set_zero_if_not_found{};
  absl::string_view broker_name{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
    visitor.Required("topic", self.topic);
    visitor.Required("queueId", self.queue_id);
    visitor.Optional("setZeroIfNotFound", self.set_zero_if_not_found);
    visitor.Optional("bname", self.broker_name);
  }
};

// 15.
struct UpdateConsumerOffsetRequest {
  absl::string_view consumer_group{};
  absl::string_view topic{};
  int32_t queue_id = 0;
  int64_t commit_offset = 0;  // Of the next message to consume.
  absl::string_view broker_name{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("consumerGroup", self.consumer_group);
    visitor.Required("topic", self.topic);
    visitor.Required("queueId", self.queue_id);
    visitor.Required("commitOffset", self.commit_offset);
    visitor.Optional("bname", self.broker_name);
  }
};

// 29.
struct SearchOffsetRequest {
  absl::string_view topic{};
  int32_t queue_id = 0;
  int64_t timestamp = 0;
  absl::string_view boundary_type{};  // "LOWER", which absence means too, or "UPPER".

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("queueId", self.queue_id);
    visitor.Required("timestamp", self.timestamp);
    visitor.Optional("boundaryType", self.boundary_type);
  }
};

// 30, 31, 32.
struct QueueRequest {
  absl::string_view topic{};
  int32_t queue_id = 0;
  bool committed = true;  // 30 only.

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("queueId", self.queue_id);
    visitor.Optional("committed", self.committed);
  }
};

// To 14, 29, 30, 31.
struct OffsetReply {
  int64_t offset = 0;

  static void Visit(auto& self, auto& visitor) { visitor.Required("offset", self.offset); }
};
// To 32: milliseconds, -1 for an empty queue.
struct TimestampReply {
  int64_t timestamp = 0;

  static void Visit(auto& self, auto& visitor) { visitor.Required("timestamp", self.timestamp); }
};

// 222 from tools, 220 to clients.
struct ResetOffsetRequest {
  absl::string_view topic{};
  absl::string_view group{};
  int64_t timestamp = 0;  // -1: the latest.
  bool is_force = false;
  int32_t queue_id = -1;  // -1: all.
  std::optional<int64_t> offset{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Required("group", self.group);
    visitor.Required("timestamp", self.timestamp);
    visitor.Required("isForce", self.is_force);
    visitor.Optional("queueId", self.queue_id);
    visitor.Optional("offset", self.offset);
  }
};

// 308.
struct QueryCorrectionOffsetRequest {
  absl::string_view filter_groups{};
  absl::string_view compare_group{};
  absl::string_view topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Optional("filterGroups", self.filter_groups);
    visitor.Required("compareGroup", self.compare_group);
    visitor.Required("topic", self.topic);
  }
};

// 314.
struct CloneGroupOffsetRequest {
  absl::string_view source_group{};
  absl::string_view target_group{};
  absl::string_view topic{};
  bool offline = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("srcGroup", self.source_group);
    visitor.Required("destGroup", self.target_group);
    visitor.Optional("topic", self.topic);
    visitor.Optional("offline", self.offline);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_OFFSETS_H_
