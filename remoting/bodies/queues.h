// Sets of queues, and maps from them: locks, offsets, assignments (41, 42, 220 to 223, 303, 308,
// 400).
#ifndef TOTORA_REMOTING_BODIES_QUEUES_H_
#define TOTORA_REMOTING_BODIES_QUEUES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "remoting/bodies/body.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/message_queue.h"

namespace totora::remoting {

// 41, 42.
struct LockBatchRequestBody {
  std::string client_id{};
  std::string consumer_group{};
  std::vector<MessageQueue> queues{};
  bool only_this_broker = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("clientId", self.client_id);
    visitor.Field("consumerGroup", self.consumer_group);
    visitor.Field("mqSet", self.queues);
    visitor.Field("onlyThisBroker", self.only_this_broker);
  }
};
// To 41.
struct LockBatchResponseBody {
  std::vector<MessageQueue> locked{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("lockOKMQSet", self.locked); }
};

// To 222, and in 220 except to C++ clients.
struct ResetOffsetBody {
  std::map<MessageQueue, int64_t> offset_table{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("offsetTable", self.offset_table); }
};

struct QueueOffset {
  std::string broker_name{};
  int64_t offset = 0;
  int32_t queue_id = 0;
  std::string topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerName", self.broker_name);
    visitor.Field("offset", self.offset);
    visitor.Field("queueId", self.queue_id);
    visitor.Field("topic", self.topic);
  }
};
// In 220 to C++ clients.
struct ResetOffsetBodyForC {
  std::vector<QueueOffset> offset_table{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("offsetTable", self.offset_table); }
};

// To 221 and 223.
struct GetConsumerStatusBody {
  std::map<std::string, std::map<MessageQueue, int64_t>> consumer_table{};  // By client id.
  std::map<MessageQueue, int64_t> message_queue_table{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("consumerTable", self.consumer_table);
    visitor.Field("messageQueueTable", self.message_queue_table);
  }
};

// To 308.
struct QueryCorrectionOffsetBody {
  std::map<int64_t, int64_t> correction_offsets{};  // By queue id.

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("correctionOffsets", self.correction_offsets);
  }
};

// To 43: next offsets by "topic@group" and queue id.
struct ConsumerOffsetTable {
  DataVersion data_version{};
  std::map<std::string, std::map<int64_t, int64_t>> offset_table{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("dataVersion", self.data_version);
    visitor.Field("offsetTable", self.offset_table);
  }
};

struct QueueTimeSpan {
  int64_t consume_timestamp = 0;
  int64_t delay_time = 0;
  int64_t max_timestamp = 0;
  MessageQueue queue{};
  int64_t min_timestamp = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("consumeTimeStamp", self.consume_timestamp);
    visitor.Field("delayTime", self.delay_time);
    visitor.Field("maxTimeStamp", self.max_timestamp);
    visitor.Field("messageQueue", self.queue);
    visitor.Field("minTimeStamp", self.min_timestamp);
  }
};
// To 303.
struct QueryConsumeTimeSpanBody {
  std::vector<QueueTimeSpan> spans{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("consumeTimeSpanSet", self.spans); }
};

// 400.
struct QueryAssignmentRequestBody {
  std::string client_id{};
  std::string consumer_group{};
  std::string message_model{};
  std::string strategy_name{};
  std::string topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("clientId", self.client_id);
    visitor.Field("consumerGroup", self.consumer_group);
    visitor.Field("messageModel", self.message_model);
    visitor.Field("strategyName", self.strategy_name);
    visitor.Field("topic", self.topic);
  }
};
struct QueueAssignment {
  std::map<std::string, std::string> attachments{};
  MessageQueue queue{};
  std::string mode = "PULL";

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("attachments", self.attachments);
    visitor.Field("messageQueue", self.queue);
    visitor.Field("mode", self.mode);
  }
};
struct QueryAssignmentResponseBody {
  std::vector<QueueAssignment> assignments{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("messageQueueAssignments", self.assignments);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_QUEUES_H_
