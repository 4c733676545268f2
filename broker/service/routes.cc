#include "broker/service/routes.h"

#include <utility>

#include "common/check.h"

namespace totora::service {

LocalRoutes::LocalRoutes(const TopicDirectory* topics, std::string broker_name, ReplicaId self,
                         std::map<std::string, ListenerAddresses> by_listener)
    : topics_(topics),
      broker_name_(std::move(broker_name)),
      self_(self),
      by_listener_(std::move(by_listener)),
      leader_(self) {
  TOTORA_CHECK(!by_listener_.empty());
  for (const auto& [name, addresses] : by_listener_) {
    TOTORA_CHECK(addresses.group.has_value() || addresses.replicas.contains(self)) << name;
  }
}

void LocalRoutes::SetLeader(ReplicaId leader) {
  if (leader == ReplicaId()) return;
  MutexLock lock(&mu_);
  leader_ = leader;
}

const ListenerAddresses& LocalRoutes::AddressesOf(absl::string_view listener) const {
  auto it = by_listener_.find(std::string(listener));
  return it == by_listener_.end() ? by_listener_.begin()->second : it->second;
}

Address LocalRoutes::AddressFor(absl::string_view listener) const {
  const ListenerAddresses& addresses = AddressesOf(listener);
  if (addresses.group.has_value()) return *addresses.group;
  ReplicaId leader;
  {
    MutexLock lock(&mu_);
    leader = leader_;
  }
  auto at = addresses.replicas.find(leader);
  return at == addresses.replicas.end() ? addresses.replicas.at(self_) : at->second;
}

std::vector<GroupRoute> LocalRoutes::Find(absl::string_view topic,
                                          absl::string_view listener) const {
  const std::shared_ptr<TopicDirectory::Topic> found = topics_->Find(topic);
  if (found == nullptr) return {};
  return {GroupRoute{broker_name_, AddressFor(listener), found->config}};
}

std::vector<GroupMembers> LocalRoutes::Groups(absl::string_view listener) const {
  const ListenerAddresses& addresses = AddressesOf(listener);
  GroupMembers members;
  members.broker_name = broker_name_;
  ReplicaId serving;
  {
    MutexLock lock(&mu_);
    serving = leader_;
  }
  if (!addresses.replicas.contains(serving)) serving = self_;
  if (addresses.replicas.empty()) {
    members.serving = *addresses.group;
  } else {
    for (const auto& [id, address] : addresses.replicas) {
      if (id == serving) {
        members.serving = address;
      } else {
        members.others.push_back(address);
      }
    }
  }
  return {std::move(members)};
}

}  // namespace totora::service
