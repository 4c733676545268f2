// Headers of what nameservers are asked: 100 to 102, 105, 205, 216, 217, 219, 224, 327.
#ifndef TOTORA_REMOTING_HEADER_NAMESERVER_H_
#define TOTORA_REMOTING_HEADER_NAMESERVER_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace totora::remoting {

// 105.
struct GetRouteInfoRequest {
  absl::string_view topic{};
  // Ours is standard JSON in any case.
  std::optional<bool> accept_standard_json_only{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Optional("acceptStandardJsonOnly", self.accept_standard_json_only);
  }
};

// 100.
struct PutKvConfigRequest {
  absl::string_view config_namespace{};
  absl::string_view key{};
  absl::string_view value{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("namespace", self.config_namespace);
    visitor.Required("key", self.key);
    visitor.Required("value", self.value);
  }
};
// 101, 102.
struct KvConfigRequest {
  absl::string_view config_namespace{};
  absl::string_view key{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("namespace", self.config_namespace);
    visitor.Required("key", self.key);
  }
};
// To 101.
struct GetKvConfigReply {
  absl::string_view value{};

  static void Visit(auto& self, auto& visitor) { visitor.Optional("value", self.value); }
};
// 219.
struct GetKvListRequest {
  absl::string_view config_namespace{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("namespace", self.config_namespace);
  }
};

// 205, 327.
struct BrokerNameRequest {
  absl::string_view broker_name{};

  static void Visit(auto& self, auto& visitor) { visitor.Required("brokerName", self.broker_name); }
};
// To 205.
struct WipeWritePermissionReply {
  int32_t topic_count = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("wipeTopicCount", self.topic_count);
  }
};
// To 327.
struct AddWritePermissionReply {
  int32_t topic_count = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("addTopicCount", self.topic_count);
  }
};

// 216, and 217, whose body is the route.
struct NameserverTopicRequest {
  absl::string_view topic{};
  absl::string_view cluster_name{};  // 216: only the brokers of this cluster.

  static void Visit(auto& self, auto& visitor) {
    visitor.Required("topic", self.topic);
    visitor.Optional("clusterName", self.cluster_name);
  }
};

// 224.
struct GetTopicsByClusterRequest {
  absl::string_view cluster{};

  static void Visit(auto& self, auto& visitor) { visitor.Required("cluster", self.cluster); }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_HEADER_NAMESERVER_H_
