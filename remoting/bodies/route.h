// Routes: what nameservers tell about topics and brokers (105, 106, 217).
#ifndef TOTORA_REMOTING_BODIES_ROUTE_H_
#define TOTORA_REMOTING_BODIES_ROUTE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "remoting/bodies/body.h"

namespace totora::remoting {

struct BrokerData {
  // Broker id to address. Clients that publish need id 0, and Go stops
  // working without this member.
  std::map<int64_t, std::string> addresses{};
  std::string broker_name{};
  std::string cluster{};
  bool enable_acting_master = false;
  std::optional<std::string> zone_name{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerAddrs", self.addresses);
    visitor.Field("brokerName", self.broker_name);
    visitor.Field("cluster", self.cluster);
    visitor.Field("enableActingMaster", self.enable_acting_master);
    visitor.Field("zoneName", self.zone_name);
  }
};

struct QueueData {
  std::string broker_name{};
  int32_t perm = 0;
  int32_t read_queue_nums = 0;
  int32_t topic_sys_flag = 0;
  int32_t write_queue_nums = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerName", self.broker_name);
    visitor.Field("perm", self.perm);
    visitor.Field("readQueueNums", self.read_queue_nums);
    visitor.Field("topicSysFlag", self.topic_sys_flag);
    visitor.Field("writeQueueNums", self.write_queue_nums);
  }
};

struct TopicRouteData {
  std::vector<BrokerData> brokers{};
  std::map<std::string, std::vector<std::string>> filter_server_table{};  // Always there, empty.
  std::optional<std::string> order_topic_conf{};  // "broker-a:4;broker-b:4".
  std::vector<QueueData> queues{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerDatas", self.brokers);
    visitor.Field("filterServerTable", self.filter_server_table);
    visitor.Field("orderTopicConf", self.order_topic_conf);
    visitor.Field("queueDatas", self.queues);
  }
};

// 106.
struct ClusterInfo {
  std::map<std::string, BrokerData> broker_addr_table{};                 // By broker name.
  std::map<std::string, std::vector<std::string>> cluster_addr_table{};  // Broker names.

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("brokerAddrTable", self.broker_addr_table);
    visitor.Field("clusterAddrTable", self.cluster_addr_table);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_ROUTE_H_
