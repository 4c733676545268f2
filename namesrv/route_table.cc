#include "namesrv/route_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace totora::namesrv {

RouteTable::RouteTable(const Clock* clock, uint64_t table_id, const RouteTableLimits& limits)
    : clock_(clock), table_id_(table_id), limits_(limits) {}

absl::StatusOr<RegisterReply> RouteTable::Take(StreamId stream, const RegisterRequest& request) {
  RegisterReply reply;
  reply.set_acknowledged(request.sequence());
  TableUpdate update;
  {
    MutexLock lock(&mu_);
    if (request.has_hello()) TOTORA_RETURN_IF_ERROR(TakeHello(stream, request.hello()));
    const auto it = streams_.find(stream);
    if (it == streams_.end()) {
      return absl::InvalidArgumentError("the first message of a stream must carry a hello");
    }
    Process& process = processes_[it->second];
    if (process.stream != stream) {
      return absl::AlreadyExistsError("a newer life of this process has registered");
    }
    process.heard = clock_->SteadyNow();
    std::set<std::string> reported;
    for (const GroupReport& report : request.groups()) {
      TOTORA_RETURN_IF_ERROR(TakeGroup(process, report, &update));
      reported.insert(report.group_name());
      TopicVersion* version = reply.add_topic_versions();
      version->set_group_name(report.group_name());
      version->set_version(groups_[report.group_name()].topic_version);
    }
    if (request.is_full()) {
      for (auto& [name, group] : groups_) {
        if (reported.count(name) > 0) continue;
        for (auto& [id, replica] : group.replicas) {
          if (replica.process() != it->second || !replica.is_alive()) continue;
          replica.set_is_alive(false);
          ChooseServing(&group);
          *update.add_groups() = Describe(group);
        }
      }
    }
  }
  if (update.groups_size() > 0) Publish(std::move(update));
  return reply;
}

absl::Status RouteTable::TakeHello(StreamId stream, const ProcessHello& hello) {
  if (hello.process().empty() || hello.process().size() > limits_.text_bytes_max ||
      hello.cluster().size() > limits_.text_bytes_max) {
    return absl::InvalidArgumentError("a process needs a name of at most 512 bytes");
  }
  auto it = processes_.find(hello.process());
  if (it == processes_.end()) {
    if (processes_.size() >= limits_.processes_max) {
      return absl::ResourceExhaustedError("too many processes are registered");
    }
    it = processes_.emplace(hello.process(), Process()).first;
  } else if (it->second.stream != 0 && it->second.hello.incarnation() > hello.incarnation()) {
    return absl::AlreadyExistsError("a newer life of this process has registered");
  }
  if (it->second.stream != 0) streams_.erase(it->second.stream);
  it->second.hello = hello;
  it->second.stream = stream;
  streams_[stream] = hello.process();
  return absl::OkStatus();
}

absl::Status RouteTable::TakeGroup(const Process& process, const GroupReport& report,
                                   TableUpdate* update) {
  if (report.group_name().empty() || report.group_name().size() > limits_.text_bytes_max ||
      report.replica_id() == 0) {
    return absl::InvalidArgumentError("a report needs a group name and a replica id");
  }
  auto it = groups_.find(report.group_name());
  if (it == groups_.end()) {
    if (groups_.size() >= limits_.groups_max) {
      return absl::ResourceExhaustedError("too many groups are registered");
    }
    it = groups_.emplace(report.group_name(), Group()).first;
    it->second.route.set_cluster(process.hello.cluster());
    it->second.route.set_group_id(report.group_id());
    it->second.route.set_group_name(report.group_name());
  }
  Group& group = it->second;
  if (group.replicas.count(report.replica_id()) == 0 &&
      group.replicas.size() >= limits_.replicas_per_group_max) {
    return absl::ResourceExhaustedError("too many replicas of one group");
  }
  const GroupRoute before = Describe(group);
  ReplicaRoute& replica = group.replicas[report.replica_id()];
  replica.set_replica_id(report.replica_id());
  replica.set_process(process.hello.process());
  replica.set_role(report.role());
  *replica.mutable_listeners() = report.listeners();
  *replica.mutable_internal_address() = process.hello.internal_address();
  replica.set_is_alive(true);
  replica.set_is_draining(report.is_draining());
  if (report.leader_id() != 0 && report.term() >= group.route.term()) {
    group.route.set_term(report.term());
    group.route.set_leader_id(report.leader_id());
  }
  ChooseServing(&group);
  GroupRoute after = Describe(group);
  const bool has_route_changed = after.SerializeAsString() != before.SerializeAsString();
  TopicChanges applied;
  if (report.has_topic_changes()) {
    TOTORA_RETURN_IF_ERROR(TakeTopics(&group, report.topic_changes(), &applied));
  }
  if (applied.version() != 0) *after.mutable_topic_changes() = std::move(applied);
  if (has_route_changed || after.has_topic_changes()) *update->add_groups() = std::move(after);
  return absl::OkStatus();
}

absl::Status RouteTable::TakeTopics(Group* group, const TopicChanges& changes, TopicChanges* out) {
  // Another replica told the same, or more, already.
  if (changes.version() <= group->topic_version && changes.base_version() != 0) {
    return absl::OkStatus();
  }
  if (changes.base_version() == 0 && changes.version() < group->topic_version) {
    return absl::OkStatus();
  }
  if (changes.base_version() != 0 && changes.base_version() != group->topic_version) {
    return absl::OkStatus();  // A gap: the reply names our version, the broker sends the rest.
  }
  if (group->partial.version() != changes.version() ||
      group->partial.base_version() != changes.base_version()) {
    group->partial.Clear();
    group->partial.set_version(changes.version());
    group->partial.set_base_version(changes.base_version());
  }
  if (group->topics.size() + static_cast<size_t>(group->partial.topics_size()) +
          static_cast<size_t>(changes.topics_size()) >
      2 * limits_.topics_per_group_max) {
    return absl::ResourceExhaustedError("too many topics in one group");
  }
  for (const TopicDelta& delta : changes.topics()) {
    if (delta.topic().name().empty() || delta.topic().name().size() > limits_.text_bytes_max) {
      return absl::InvalidArgumentError("a topic needs a name of at most 512 bytes");
    }
    *group->partial.add_topics() = delta;
  }
  if (changes.has_more()) return absl::OkStatus();
  if (changes.base_version() == 0) group->topics.clear();
  for (const TopicDelta& delta : group->partial.topics()) {
    if (delta.is_deleted()) {
      group->topics.erase(delta.topic().name());
    } else {
      group->topics[delta.topic().name()] = delta.topic();
    }
  }
  group->topic_version = changes.version();
  *out = std::move(group->partial);
  group->partial.Clear();
  return absl::OkStatus();
}

void RouteTable::ChooseServing(Group* group) {
  uint32_t serving = 0;
  int best = -1;
  for (const auto& [id, replica] : group->replicas) {
    if (!replica.is_alive()) continue;
    const int score =
        (id == group->route.leader_id() ? 1 : 0) + (replica.is_draining() ? 0 : 2);
    if (score > best) {
      best = score;
      serving = id;
    }
  }
  group->route.set_serving_replica_id(serving);
}

GroupRoute RouteTable::Describe(const Group& group) {
  GroupRoute route = group.route;
  for (const auto& [id, replica] : group.replicas) *route.add_replicas() = replica;
  return route;
}

void RouteTable::StreamClosed(StreamId stream) {
  TableUpdate update;
  {
    MutexLock lock(&mu_);
    const auto it = streams_.find(stream);
    if (it == streams_.end()) return;
    const std::string process = it->second;
    streams_.erase(it);
    if (processes_[process].stream != stream) return;
    processes_[process].stream = 0;
    ProcessGone(process, &update);
  }
  if (update.groups_size() > 0) Publish(std::move(update));
}

void RouteTable::ExpireSilent() {
  TableUpdate update;
  {
    MutexLock lock(&mu_);
    const absl::Duration now = clock_->SteadyNow();
    for (auto it = processes_.begin(); it != processes_.end();) {
      if (now - it->second.heard <= kSilence) {
        ++it;
        continue;
      }
      ProcessGone(it->first, &update);
      streams_.erase(it->second.stream);
      it = processes_.erase(it);
    }
  }
  if (update.groups_size() > 0) Publish(std::move(update));
}

void RouteTable::ProcessGone(const std::string& process, TableUpdate* update) {
  for (auto& [name, group] : groups_) {
    bool has_changed = false;
    for (auto& [id, replica] : group.replicas) {
      if (replica.process() != process || !replica.is_alive()) continue;
      replica.set_is_alive(false);
      has_changed = true;
    }
    if (!has_changed) continue;
    ChooseServing(&group);
    *update->add_groups() = Describe(group);
  }
}

TableUpdate RouteTable::FullLocked() const {
  TableUpdate update;
  update.set_table_id(table_id_);
  update.set_version(version_);
  for (const auto& [name, group] : groups_) {
    GroupRoute* route = update.add_groups();
    *route = Describe(group);
    TopicChanges* topics = route->mutable_topic_changes();
    topics->set_version(group.topic_version);
    for (const auto& [topic_name, topic] : group.topics) {
      *topics->add_topics()->mutable_topic() = topic;
    }
  }
  return update;
}

TableUpdate RouteTable::Query(const QueryRoutesRequest& request) const {
  MutexLock lock(&mu_);
  const std::set<std::string> names(request.group_names().begin(), request.group_names().end());
  TableUpdate update;
  update.set_table_id(table_id_);
  update.set_version(version_);
  for (const auto& [name, group] : groups_) {
    if (!names.empty() && names.count(name) == 0) continue;
    GroupRoute route = Describe(group);
    route.mutable_topic_changes()->set_version(group.topic_version);
    if (request.topics_size() > 0) {
      for (const std::string& topic_name : request.topics()) {
        const auto it = group.topics.find(topic_name);
        if (it == group.topics.end()) continue;
        *route.mutable_topic_changes()->add_topics()->mutable_topic() = it->second;
      }
      if (route.topic_changes().topics_size() == 0) continue;
    } else if (!request.omit_topics()) {
      for (const auto& [topic_name, topic] : group.topics) {
        *route.mutable_topic_changes()->add_topics()->mutable_topic() = topic;
      }
    }
    if (request.omit_topics()) route.clear_topic_changes();
    *update.add_groups() = std::move(route);
  }
  return update;
}

void RouteTable::Publish(TableUpdate update) {
  MutexLock watch_lock(&watch_mu_);
  {
    MutexLock lock(&mu_);
    update.set_table_id(table_id_);
    update.set_base_version(version_);
    update.set_version(++version_);
  }
  for (const auto& [id, watcher] : watchers_) watcher(update);
}

void RouteTable::Watch(StreamId id, Watcher watcher) {
  MutexLock watch_lock(&watch_mu_);
  TableUpdate full;
  {
    MutexLock lock(&mu_);
    full = FullLocked();
  }
  watcher(full);
  watchers_[id] = std::move(watcher);
}

void RouteTable::Unwatch(StreamId id) {
  MutexLock lock(&watch_mu_);
  watchers_.erase(id);
}

size_t RouteTable::processes() const {
  MutexLock lock(&mu_);
  return processes_.size();
}

size_t RouteTable::groups() const {
  MutexLock lock(&mu_);
  return groups_.size();
}

}  // namespace totora::namesrv
