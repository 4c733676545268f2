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

void ClientChannels::Assume(const remoting::RemotingConnectionPtr& connection,
                            absl::string_view client_id) {
  const uint64_t id = connection->info().id;
  MutexLock lock(&mu_);
  Channel& channel = channels_[id];
  if (!channel.client_ids.empty()) return;
  channel.connection = connection;
  channel.client_ids.emplace_back(client_id);
  channel.assumed = std::string(client_id);
  by_client_[client_id].push_back(id);
}

std::string ClientChannels::EndMistake(uint64_t connection_id, absl::string_view client_id) {
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  if (it == channels_.end() || it->second.assumed.empty()) return "";
  const std::string assumed = std::exchange(it->second.assumed, "");
  if (assumed == client_id) return "";
  std::erase(it->second.client_ids, assumed);
  Unlink(assumed, connection_id);
  return assumed;
}

void ClientChannels::Unlink(const std::string& client_id, uint64_t connection_id) {
  auto client = by_client_.find(client_id);
  std::erase(client->second, connection_id);
  if (client->second.empty()) by_client_.erase(client);
}

ClientChannels::Closed ClientChannels::Unbind(uint64_t connection_id) {
  Closed closed;
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  if (it == channels_.end()) return closed;
  closed.client_ids = std::move(it->second.client_ids);
  closed.was_sent_away = it->second.was_sent_away;
  channels_.erase(it);
  for (const std::string& client_id : closed.client_ids) Unlink(client_id, connection_id);
  return closed;
}

void ClientChannels::SendAway(uint64_t connection_id) {
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  if (it != channels_.end()) it->second.was_sent_away = true;
}

bool ClientChannels::HasClients(uint64_t connection_id) const {
  MutexLock lock(&mu_);
  auto it = channels_.find(connection_id);
  return it != channels_.end() && !it->second.client_ids.empty();
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
