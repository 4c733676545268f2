// Who is connected to the group: the clients of all its replicas.
//
// Soft state that must never look empty. Every replica shares its sessions
// with the others as deltas; those of a replica that vanished stay for
// kVanishedGrace or until the client is seen elsewhere. Only an unregister
// removes a session at once.
#ifndef TOTORA_BROKER_SERVICE_SESSIONS_H_
#define TOTORA_BROKER_SERVICE_SESSIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "common/executor.h"
#include "common/types.h"

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
  friend bool operator==(const Subscription&, const Subscription&) = default;
};

struct ClientSession {
  std::string client_id;
  ClientKind kind = ClientKind::kUnknown;
  std::string language;
  std::vector<std::string> consumer_groups;
  std::vector<std::string> published_topics;
  std::vector<Subscription> subscriptions;
  std::string settings;  // The dialect's own bytes.
  friend bool operator==(const ClientSession&, const ClientSession&) = default;
};

std::string EncodeSession(const ClientSession& session);
// Errors: DataLoss.
absl::StatusOr<ClientSession> DecodeSession(absl::string_view bytes);

// Thread safety: confined to the replica's executor.
class Sessions {
 public:
  static constexpr size_t kSessionsMax = 100'000;
  static constexpr size_t kSessionBytesMax = 256 << 10;
  // A client that gives no sign of life for this long is gone. An open stream
  // is a sign of life.
  static constexpr absl::Duration kSilence = absl::Seconds(120);
  static constexpr absl::Duration kVanishedGrace = absl::Seconds(40);
  static constexpr absl::Duration kShareInterval = absl::Seconds(5);
  // Peers hear everything of a session again this often, in case a delta was lost.
  static constexpr absl::Duration kRefreshInterval = absl::Minutes(1);

  Sessions(CommandLog* log, Executor* executor) : log_(log), executor_(executor) {}

  // The client said who it is, here. Replaces what was known of it.
  // Errors: kTooManySessions; InvalidArgument above kSessionBytesMax.
  absl::Status Put(ClientSession session);

  // A sign of life, here. An unknown client gets a thin session: clients do
  // not say again who they are when a replica has restarted. Past kSessionsMax
  // an unknown client stays unknown.
  void Touch(absl::string_view client_id, ClientKind kind, absl::string_view consumer_group);

  // Streams of a client that are open here.
  void StreamOpened(absl::string_view client_id);
  void StreamClosed(absl::string_view client_id);

  // The client said goodbye, here.
  void Remove(absl::string_view client_id);

  // Null if unknown. Valid until the next call that changes something.
  const ClientSession* Find(absl::string_view client_id) const;
  bool WasSeenSince(absl::string_view client_id, absl::Duration since) const;
  std::vector<ClientSession> All() const;
  std::vector<ClientSession> OfConsumerGroup(absl::string_view consumer_group) const;
  size_t size() const { return sessions_.size(); }

  // From the replica.
  void PeerMessage(ReplicaId from, absl::string_view bytes);
  void PeerUp(ReplicaId peer);
  void PeerDown(ReplicaId peer);

  void Tick(absl::Duration now);

 private:
  struct Entry {
    ClientSession session;
    ReplicaId via;                                         // Last seen by this replica.
    absl::Duration last_seen;                              // Of the executor's steady clock.
    absl::Duration here_seen = -absl::InfiniteDuration();  // The last sign of life here.
    absl::Duration last_shared = -absl::InfiniteDuration();
    absl::Duration drop_at = absl::InfiniteDuration();  // `via` is gone.
    int streams = 0;                                    // Open here.
  };

  void SeenHere(Entry* entry);
  void ShareAll(ReplicaId peer);
  void ShareSession(Entry* entry, absl::Duration now);
  void ShareAlive(absl::Duration now);
  void DropSilent(absl::Duration now);
  void SendToPeers(const std::string& bytes);

  CommandLog* const log_;
  Executor* const executor_;
  absl::flat_hash_map<std::string, Entry> sessions_;  // By client id.
  absl::Duration last_share_ = -absl::InfiniteDuration();
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_SESSIONS_H_
