// Which client ids speak over which connections of this replica.
//
// Clients say who they are in heartbeats; most of their other requests name a
// group at best. A connection keeps the ids that were said over it until it closes.
#ifndef TOTORA_BROKER_REMOTING_API_CLIENT_CHANNELS_H_
#define TOTORA_BROKER_REMOTING_API_CLIENT_CHANNELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "remoting/connection.h"

namespace totora::remoting_api {

// Thread safety: monitor.
class ClientChannels {
 public:
  // One program has one id in general; a proxy speaks for several.
  static constexpr size_t kClientsPerConnectionMax = 256;

  // Notes that `client_id` speaks over `connection`. Errors: ResourceExhausted.
  absl::Status Bind(const remoting::RemotingConnectionPtr& connection, absl::string_view client_id)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Takes `client_id` to speak over `connection`, to which nobody was bound, until
  // somebody says so. REQUIRES: on the connection's loop, while it is open.
  void Assume(const remoting::RemotingConnectionPtr& connection, absl::string_view client_id)
      ABSL_LOCKS_EXCLUDED(mu_);

  // `client_id` was bound. Returns whom the connection was taken for until now if
  // that was somebody else; he is bound to it no more.
  std::string EndMistake(uint64_t connection_id, absl::string_view client_id)
      ABSL_LOCKS_EXCLUDED(mu_);

  struct Closed {
    std::vector<std::string> client_ids;
    bool was_sent_away = false;  // By SendAway.
  };
  // The connection is gone.
  Closed Unbind(uint64_t connection_id) ABSL_LOCKS_EXCLUDED(mu_);

  // This replica is about to close the connection itself.
  void SendAway(uint64_t connection_id) ABSL_LOCKS_EXCLUDED(mu_);

  bool HasClients(uint64_t connection_id) const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<std::string> ClientsOf(uint64_t connection_id) const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<remoting::RemotingConnectionPtr> ConnectionsOf(absl::string_view client_id) const
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Channel {
    remoting::RemotingConnectionPtr connection;
    std::vector<std::string> client_ids;
    std::string assumed;   // One of them, or empty.
    bool was_sent_away = false;
  };

  void Unlink(const std::string& client_id, uint64_t connection_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;  // Leaf.
  // Connections that were bound, or sent away, by their ids.
  absl::flat_hash_map<uint64_t, Channel> channels_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::vector<uint64_t>> by_client_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_CLIENT_CHANNELS_H_
