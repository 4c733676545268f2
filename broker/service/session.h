// What a client said of itself, in either dialect.
#ifndef TOTORA_BROKER_SERVICE_SESSION_H_
#define TOTORA_BROKER_SERVICE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::service {

enum class ClientKind : uint8_t {
  kUnknown = 0,
  kProducer = 1,
  kPushConsumer = 2,
  kSimpleConsumer = 3,
  kPullConsumer = 4,
};

struct Subscription {
  std::string topic;
  std::string expression;
  bool is_sql = false;
  int64_t version = 0;  // Classic: greater is newer; no unit is common to all clients.
  friend bool operator==(const Subscription&, const Subscription&) = default;
};

enum class MessageModel : uint8_t { kUnknown = 0, kBroadcasting = 1, kClustering = 2 };
enum class ConsumeType : uint8_t { kUnknown = 0, kPull = 1, kPush = 2, kPop = 3 };
enum class ConsumeFrom : uint8_t {
  kUnknown = 0,
  kLastOffset = 1,
  kLastOffsetAndMinWhenBootFirst = 2,
  kMinOffset = 3,
  kMaxOffset = 4,
  kFirstOffset = 5,
  kTimestamp = 6,
};

// A classic client's part in one consumer group. One client may have several.
struct GroupMembership {
  std::string consumer_group;
  MessageModel model = MessageModel::kUnknown;
  ConsumeType type = ConsumeType::kUnknown;
  ConsumeFrom from = ConsumeFrom::kUnknown;
  std::vector<Subscription> subscriptions;
  friend bool operator==(const GroupMembership&, const GroupMembership&) = default;
};

struct ClientSession {
  std::string client_id;
  ClientKind kind = ClientKind::kUnknown;
  std::string language;
  std::vector<std::string> consumer_groups;
  std::vector<std::string> published_topics;
  std::vector<Subscription> subscriptions;
  std::string settings;  // The dialect's own bytes.
  // Of classic clients; their consumer_groups are those of the memberships.
  std::vector<std::string> producer_groups;
  std::vector<GroupMembership> memberships;
  std::string address;      // "ip:port" of its connection.
  int32_t version = 0;      // Ordinal of MQVersion.
  int32_t fingerprint = 0;  // Of its last whole heartbeat.
  friend bool operator==(const ClientSession&, const ClientSession&) = default;
};

// Bytes that the session takes in memory, about.
size_t SizeOf(const ClientSession& session);

// What replicas tell each other of it. Not stored anywhere.
std::string EncodeSession(const ClientSession& session);
// Errors: DataLoss.
absl::StatusOr<ClientSession> DecodeSession(absl::string_view bytes);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_SESSION_H_
