// What clients say of themselves, and what is said of them (34, 38, 46, 203, 204, 328, 400).
#ifndef TOTORA_REMOTING_BODIES_CLIENT_H_
#define TOTORA_REMOTING_BODIES_CLIENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "remoting/bodies/body.h"

namespace totora::remoting {

// Values are the ordinals of Java's enums; kUnknown is a null there.
enum class ConsumeType : int { kUnknown = -1, kActively = 0, kPassively = 1, kPop = 2 };
enum class MessageModel : int { kUnknown = -1, kBroadcasting = 0, kClustering = 1 };
enum class ConsumeFromWhere : int {
  kUnknown = -1,
  kLastOffset = 0,
  kLastOffsetAndFromMinWhenBootFirst = 1,
  kMinOffset = 2,
  kMaxOffset = 3,
  kFirstOffset = 4,
  kTimestamp = 5,
};

struct SubscriptionData {
  bool class_filter_mode = false;
  std::vector<int32_t> codes{};  // Java's hashes of the tags; Go sends them as text.
  std::string expression_type = "TAG";
  std::string expression{};
  int64_t version = 0;  // Java: ms, Go: ns; greater is newer.
  std::vector<std::string> tags{};
  std::string topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("classFilterMode", self.class_filter_mode);
    visitor.Field("codeSet", self.codes);
    visitor.Field("expressionType", self.expression_type);
    visitor.Field("subString", self.expression);
    visitor.Field("subVersion", self.version);
    visitor.Field("tagsSet", self.tags);
    visitor.Field("topic", self.topic);
  }
};

struct ConsumerData {
  ConsumeFromWhere consume_from_where = ConsumeFromWhere::kUnknown;
  ConsumeType consume_type = ConsumeType::kUnknown;
  std::string group_name{};
  MessageModel message_model = MessageModel::kUnknown;
  std::vector<SubscriptionData> subscriptions{};
  bool unit_mode = false;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("consumeFromWhere", self.consume_from_where);
    visitor.Field("consumeType", self.consume_type);
    visitor.Field("groupName", self.group_name);
    visitor.Field("messageModel", self.message_model);
    visitor.Field("subscriptionDataSet", self.subscriptions);
    visitor.Field("unitMode", self.unit_mode);
  }
};

struct ProducerData {
  std::string group_name{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("groupName", self.group_name); }
};

// 34.
struct HeartbeatData {
  std::string client_id{};
  std::vector<ConsumerData> consumers{};
  int32_t heartbeat_fingerprint = 0;
  std::vector<ProducerData> producers{};
  bool without_subscriptions = false;  // Heartbeat V2: only refreshes.

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("clientID", self.client_id);
    visitor.Field("consumerDataSet", self.consumers);
    visitor.Field("heartbeatFingerprint", self.heartbeat_fingerprint);
    visitor.Field("producerDataSet", self.producers);
    visitor.Field("withoutSub", self.without_subscriptions);
  }
};

// 46.
struct CheckClientRequestBody {
  std::string client_id{};
  std::string group{};
  std::optional<std::string> client_namespace{};
  SubscriptionData subscription{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("clientId", self.client_id);
    visitor.Field("group", self.group);
    visitor.Field("namespace", self.client_namespace);
    visitor.Field("subscriptionData", self.subscription);
  }
};

// To 38. Clients that do not find themselves in it drop all their queues.
struct ConsumerListBody {
  std::vector<std::string> consumer_ids{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("consumerIdList", self.consumer_ids);
  }
};

struct ClientConnection {
  std::string client_address{};
  std::string client_id{};
  std::string language{};  // LanguageName().
  int32_t version = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("clientAddr", self.client_address);
    visitor.Field("clientId", self.client_id);
    visitor.Field("language", self.language);
    visitor.Field("version", self.version);
  }
};

// To 203. Tools fail without a consume type.
struct ConsumerConnection {
  std::vector<ClientConnection> connections{};
  ConsumeFromWhere consume_from_where = ConsumeFromWhere::kLastOffset;
  ConsumeType consume_type = ConsumeType::kPassively;
  MessageModel message_model = MessageModel::kClustering;
  std::map<std::string, SubscriptionData> subscription_table{};  // By topic.

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("connectionSet", self.connections);
    visitor.Field("consumeFromWhere", self.consume_from_where);
    visitor.Field("consumeType", self.consume_type);
    visitor.Field("messageModel", self.message_model);
    visitor.Field("subscriptionTable", self.subscription_table);
  }
};

// To 204.
struct ProducerConnection {
  std::vector<ClientConnection> connections{};

  static void Visit(auto& self, auto& visitor) { visitor.Field("connectionSet", self.connections); }
};

struct ProducerInfo {
  std::string client_id{};
  std::string language{};
  int64_t last_update_timestamp = 0;
  std::string remote_ip{};  // "/ip:port".
  int32_t version = 0;

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("clientId", self.client_id);
    visitor.Field("language", self.language);
    visitor.Field("lastUpdateTimestamp", self.last_update_timestamp);
    visitor.Field("remoteIP", self.remote_ip);
    visitor.Field("version", self.version);
  }
};

// To 328.
struct ProducerTableInfo {
  std::map<std::string, std::vector<ProducerInfo>> data{};  // By producer group.

  static void Visit(auto& self, auto& visitor) { visitor.Field("data", self.data); }
};

// To 345.
struct QuerySubscriptionResponseBody {
  std::string group{};
  std::optional<SubscriptionData> subscription{};
  std::string topic{};

  static void Visit(auto& self, auto& visitor) {
    visitor.Field("group", self.group);
    visitor.Field("subscriptionData", self.subscription);
    visitor.Field("topic", self.topic);
  }
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_BODIES_CLIENT_H_
