#include "broker/route_book.h"

namespace totora::broker {

bool RouteBook::Take(size_t source, const namesrv::TableUpdate& update) {
  MutexLock lock(&mu_);
  Table& table = tables_[source];
  const bool is_part = table.table_id == update.table_id() && table.version == update.version();
  if (update.base_version() == 0) {
    if (!is_part) table.groups.clear();
  } else if (table.table_id != update.table_id() ||
             (table.version != update.base_version() && !is_part)) {
    return false;
  }
  table.is_connected = true;
  table.table_id = update.table_id();
  table.version = update.version();
  for (const std::string& name : update.removed_groups()) table.groups.erase(name);
  for (const namesrv::GroupRoute& route : update.groups()) {
    Group& group = table.groups[route.group_name()];
    if (route.has_topic_changes()) {
      const namesrv::TopicChanges& changes = route.topic_changes();
      const bool continues = group.route.topic_changes().version() == changes.version();
      if (changes.base_version() == 0 && !continues) group.topics.clear();
      for (const namesrv::TopicDelta& delta : changes.topics()) {
        if (delta.is_deleted()) {
          group.topics.erase(delta.topic().name());
        } else {
          group.topics[delta.topic().name()] = delta.topic();
        }
      }
    }
    const uint64_t topic_version = route.has_topic_changes()
                                       ? route.topic_changes().version()
                                       : group.route.topic_changes().version();
    group.route = route;
    group.route.mutable_topic_changes()->Clear();
    group.route.mutable_topic_changes()->set_version(topic_version);
  }
  return true;
}

void RouteBook::Disconnected(size_t source) {
  MutexLock lock(&mu_);
  tables_[source].is_connected = false;
}

bool RouteBook::IsConnected() const {
  MutexLock lock(&mu_);
  for (const auto& [source, table] : tables_) {
    if (table.is_connected) return true;
  }
  return false;
}

std::map<absl::string_view, const RouteBook::Group*> RouteBook::Best() const {
  std::map<absl::string_view, const Group*> best;
  for (const auto& [source, table] : tables_) {
    for (const auto& [name, group] : table.groups) {
      const Group*& known = best[name];
      if (known == nullptr || known->route.term() < group.route.term()) known = &group;
    }
  }
  return best;
}

std::optional<namesrv::GroupRoute> RouteBook::FindGroup(absl::string_view group_name) const {
  MutexLock lock(&mu_);
  const auto best = Best();
  const auto it = best.find(group_name);
  if (it == best.end()) return std::nullopt;
  return it->second->route;
}

std::vector<RouteBook::TopicInGroup> RouteBook::FindTopic(absl::string_view topic) const {
  MutexLock lock(&mu_);
  std::vector<TopicInGroup> found;
  for (const auto& [name, group] : Best()) {
    const auto it = group->topics.find(std::string_view(topic.data(), topic.size()));
    if (it != group->topics.end()) found.push_back({group->route, it->second});
  }
  return found;
}

std::vector<std::pair<namesrv::GroupRoute, size_t>> RouteBook::Groups() const {
  MutexLock lock(&mu_);
  std::vector<std::pair<namesrv::GroupRoute, size_t>> groups;
  for (const auto& [name, group] : Best()) groups.emplace_back(group->route, group->topics.size());
  return groups;
}

}  // namespace totora::broker
