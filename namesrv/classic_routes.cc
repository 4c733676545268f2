#include "namesrv/classic_routes.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace totora::namesrv {
namespace {

constexpr uint32_t kWritable = 2;

std::string AddressText(const model::Address& address) {
  const bool is_ipv6 = absl::StrContains(address.host(), ':');
  return is_ipv6 ? absl::StrCat("[", address.host(), "]:", address.port())
                 : absl::StrCat(address.host(), ":", address.port());
}

// The first that speaks the classic protocol; null if there is none.
const model::Listener* ClassicListener(const ReplicaRoute& replica) {
  for (const model::Listener& listener : replica.listeners()) {
    if (listener.protocol() == model::Listener::ANY ||
        listener.protocol() == model::Listener::CLASSIC) {
      return &listener;
    }
  }
  return nullptr;
}

enum class For { kClients, kTools };

// Without addresses: no replica lives. Clients get the group address alone, tools
// the replicas behind it, too.
//
// Id 0 is the group address for tools as well: mqadmin calls a message consumed
// only if id 0, resolved, is the store host of the message
// (DefaultMQAdminExtImpl.consumed), and that is the group address.
remoting::BrokerData Describe(const GroupRoute& group, For whom) {
  remoting::BrokerData data;
  data.broker_name = group.group_name();
  data.cluster = group.cluster();
  int64_t next_id = 1;
  for (const ReplicaRoute& replica : group.replicas()) {
    if (!replica.is_alive()) continue;
    const model::Listener* const listener = ClassicListener(replica);
    if (listener == nullptr) continue;
    bool is_id_0 = replica.replica_id() == group.serving_replica_id();
    if (listener->has_group_address()) {
      const std::string group_address = AddressText(listener->group_address());
      if (whom == For::kClients && is_id_0) {
        data.addresses = {{0, group_address}};
        return data;
      }
      if (whom == For::kTools) {
        data.addresses[0] = group_address;
        is_id_0 = false;
      }
    }
    data.addresses[is_id_0 ? 0 : next_id++] = AddressText(listener->address());
  }
  // Nobody serves who speaks to classic clients: any other will do.
  if (!data.addresses.empty() && data.addresses.count(0) == 0) {
    auto first = data.addresses.extract(data.addresses.begin());
    first.key() = 0;
    data.addresses.insert(std::move(first));
  }
  return data;
}

}  // namespace

remoting::TopicRouteData TopicRoute(const TableUpdate& table,
                                    const std::set<std::string>& without_write) {
  remoting::TopicRouteData route;
  for (const GroupRoute& group : table.groups()) {
    if (group.topic_changes().topics_size() == 0) continue;
    remoting::BrokerData broker = Describe(group, For::kClients);
    if (broker.addresses.empty()) continue;
    route.brokers.push_back(std::move(broker));
    const model::Topic& topic = group.topic_changes().topics(0).topic();
    remoting::QueueData queues;
    queues.broker_name = group.group_name();
    uint32_t permission = topic.permission();
    if (without_write.count(group.group_name()) > 0) permission &= ~kWritable;
    queues.perm = static_cast<int32_t>(permission);
    queues.read_queue_nums = static_cast<int32_t>(topic.read_queues());
    queues.write_queue_nums = static_cast<int32_t>(topic.write_queues());
    route.queues.push_back(std::move(queues));
  }
  return route;
}

remoting::ClusterInfo Clusters(const TableUpdate& table) {
  remoting::ClusterInfo info;
  for (const GroupRoute& group : table.groups()) {
    remoting::BrokerData broker = Describe(group, For::kTools);
    if (broker.addresses.empty()) continue;
    info.cluster_addr_table[group.cluster()].push_back(group.group_name());
    info.broker_addr_table[group.group_name()] = std::move(broker);
  }
  return info;
}

remoting::TopicList Topics(const TableUpdate& table, const std::string& cluster) {
  std::set<std::string> names;
  for (const GroupRoute& group : table.groups()) {
    if (!cluster.empty() && group.cluster() != cluster) continue;
    for (const TopicDelta& delta : group.topic_changes().topics()) {
      names.insert(delta.topic().name());
    }
  }
  remoting::TopicList list;
  list.topics.assign(names.begin(), names.end());
  return list;
}

remoting::TopicList SystemTopics(const TableUpdate& table) {
  const remoting::ClusterInfo info = Clusters(table);
  remoting::TopicList list;
  for (const auto& [cluster, groups] : info.cluster_addr_table) list.topics.push_back(cluster);
  for (const auto& [name, broker] : info.broker_addr_table) {
    list.topics.push_back(name);
    list.broker_address = broker.addresses.at(0);
  }
  return list;
}

}  // namespace totora::namesrv
