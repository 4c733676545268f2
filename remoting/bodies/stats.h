// Figures: queues, consumers, brokers (202, 208, 315, 317, 321, 907).
#ifndef TOTORA_REMOTING_BODIES_STATS_H_
#define TOTORA_REMOTING_BODIES_STATS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "remoting/bodies/body.h"
#include "remoting/bodies/client.h"
#include "remoting/bodies/message_queue.h"

namespace totora::remoting {

struct TopicOffset {
  int64_t last_update_timestamp = 0;
  int64_t max_offset = 0;
  int64_t min_offset = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("lastUpdateTimestamp", self.last_update_timestamp);
    visitor.Field("maxOffset", self.max_offset);
    visitor.Field("minOffset", self.min_offset);
  }
};
// To 202.
struct TopicStatsTable {
  std::map<MessageQueue, TopicOffset> offset_table{};
  double topic_put_tps = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("offsetTable", self.offset_table);
    visitor.Field("topicPutTps", self.topic_put_tps);
  }
};

struct ConsumeOffset {
  int64_t broker_offset = 0;
  int64_t consumer_offset = 0;
  int64_t last_timestamp = 0;
  int64_t pull_offset = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerOffset", self.broker_offset);
    visitor.Field("consumerOffset", self.consumer_offset);
    visitor.Field("lastTimestamp", self.last_timestamp);
    visitor.Field("pullOffset", self.pull_offset);
  }
};
// To 208.
struct ConsumeStats {
  double consume_tps = 0;
  std::map<MessageQueue, ConsumeOffset> offset_table{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("consumeTps", self.consume_tps);
    visitor.Field("offsetTable", self.offset_table);
  }
};
// To 317.
struct ConsumeStatsList {
  std::string broker_address{};
  std::vector<std::map<std::string, std::vector<ConsumeStats>>> stats{};  // By consumer group.
  int64_t total_diff = 0;
  int64_t total_inflight_diff = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerAddr", self.broker_address);
    visitor.Field("consumeStatsList", self.stats);
    visitor.Field("totalDiff", self.total_diff);
    visitor.Field("totalInflightDiff", self.total_inflight_diff);
  }
};

struct BrokerStatsItem {
  double average = 0;
  int64_t sum = 0;
  double tps = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("avgpt", self.average);
    visitor.Field("sum", self.sum);
    visitor.Field("tps", self.tps);
  }
};
// To 315.
struct BrokerStatsData {
  BrokerStatsItem day{};
  BrokerStatsItem hour{};
  BrokerStatsItem minute{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("statsDay", self.day);
    visitor.Field("statsHour", self.hour);
    visitor.Field("statsMinute", self.minute);
  }
};

struct ConsumeQueueData {
  std::optional<std::string> bit_map{};
  bool eval = false;
  std::optional<std::string> extend_data_json{};
  std::optional<std::string> message{};
  int64_t position = 0;
  int32_t size = 0;
  int64_t tags_code = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("bitMap", self.bit_map);
    visitor.Field("eval", self.eval);
    visitor.Field("extendDataJson", self.extend_data_json);
    visitor.Field("msg", self.message);
    visitor.Field("physicOffset", self.position);
    visitor.Field("physicSize", self.size);
    visitor.Field("tagsCode", self.tags_code);
  }
};
// To 321.
struct QueryConsumeQueueResponseBody {
  std::optional<std::string> filter_data{};
  int64_t max_queue_index = 0;
  int64_t min_queue_index = 0;
  std::vector<ConsumeQueueData> queue_data{};
  std::optional<SubscriptionData> subscription{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("filterData", self.filter_data);
    visitor.Field("maxQueueIndex", self.max_queue_index);
    visitor.Field("minQueueIndex", self.min_queue_index);
    visitor.Field("queueData", self.queue_data);
    visitor.Field("subscriptionData", self.subscription);
  }
};

struct HaClientRuntimeInfo {
  int64_t last_read_timestamp = 0;
  int64_t last_write_timestamp = 0;
  std::optional<std::string> master_address{};
  int64_t master_flush_offset = 0;
  int64_t max_offset = 0;
  int64_t transferred_bytes_per_second = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("lastReadTimestamp", self.last_read_timestamp);
    visitor.Field("lastWriteTimestamp", self.last_write_timestamp);
    visitor.Field("masterAddr", self.master_address);
    visitor.Field("masterFlushOffset", self.master_flush_offset);
    visitor.Field("maxOffset", self.max_offset);
    visitor.Field("transferredByteInSecond", self.transferred_bytes_per_second);
  }
};
// A replica that follows.
struct HaConnectionRuntimeInfo {
  std::string address{};
  int64_t diff = 0;
  bool in_sync = false;
  int64_t slave_ack_offset = 0;
  int64_t transfer_from = 0;
  int64_t transferred_bytes_per_second = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("addr", self.address);
    visitor.Field("diff", self.diff);
    visitor.Field("inSync", self.in_sync);
    visitor.Field("slaveAckOffset", self.slave_ack_offset);
    visitor.Field("transferFromWhere", self.transfer_from);
    visitor.Field("transferredByteInSecond", self.transferred_bytes_per_second);
  }
};
// To 907.
struct HaRuntimeInfo {
  HaClientRuntimeInfo client{};
  std::vector<HaConnectionRuntimeInfo> connections{};
  int32_t in_sync_slave_nums = 0;
  bool is_master = false;
  int64_t master_commit_log_max_offset = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("haClientRuntimeInfo", self.client);
    visitor.Field("haConnectionInfo", self.connections);
    visitor.Field("inSyncSlaveNums", self.in_sync_slave_nums);
    visitor.Field("master", self.is_master);
    visitor.Field("masterCommitLogMaxOffset", self.master_commit_log_max_offset);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_STATS_H_
