#include "broker/remoting_api/client_channels.h"

#include <algorithm>
#include <utility>

namespace totora::remoting_api {

absl::Status ClientChannels::Bind(const remoting::RemotingConnectionPtr& connection,
                                  absl::string_view client_id) {
  const uint64_t id = connection->info().id;
  MutexLock lock(&mu_);
  Channel& channel = channels_[id];
  channel.connection = connection;
  std::vector<std::string>& clients = channel.client_ids;
  if (std::find(clients.begin(), clients.end(), client_id) != clients.end()) {
    return absl::OkStatus();
  }
  if (clients.size() >= kClientsPerConnectionMax) {
    return absl::ResourceExhaustedError("too many clients speak over one connection");
  }
  clients.emplace_back(client_id);
  by_client_[client_id].push_back(id);
  return absl::OkStatus();
}

ClientChannels::Closed ClientChannels::Unbind(uint64_t connection_id) {
  Closed closed;
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  if (it == channels_.end()) return closed;
  closed.client_ids = std::move(it->second.client_ids);
  closed.was_sent_away = it->second.was_sent_away;
  channels_.erase(it);
  for (const std::string& client_id : closed.client_ids) {
    auto client = by_client_.find(client_id);
    std::erase(client->second, connection_id);
    if (client->second.empty()) by_client_.erase(client);
  }
  return closed;
}

void ClientChannels::SendAway(uint64_t connection_id) {
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  if (it != channels_.end()) it->second.was_sent_away = true;
}

std::vector<std::string> ClientChannels::ClientsOf(uint64_t connection_id) const {
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  return it == channels_.end() ? std::vector<std::string>() : it->second.client_ids;
}

std::vector<remoting::RemotingConnectionPtr> ClientChannels::ConnectionsOf(
    absl::string_view client_id) const {
  std::vector<remoting::RemotingConnectionPtr> connections;
  MutexLock lock(&mu_);
  auto it = by_client_.find(client_id);
  if (it == by_client_.end()) return connections;
  for (uint64_t id : it->second) connections.push_back(channels_.find(id)->second.connection);
  return connections;
}

}  // namespace totora::remoting_api
