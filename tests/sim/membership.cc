#include "tests/sim/membership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace totora::sim {
namespace {

// On its way between two replicas that hear each other.
constexpr absl::Duration kSettled = absl::Seconds(2);
// What was said before a connection ended may come late: hosts that did not hear
// each other, a process that stood still.
constexpr absl::Duration kUnsure = absl::Seconds(15);
// Sessions::kVanishedGrace, and a little less.
constexpr absl::Duration kGrace = absl::Seconds(38);

}  // namespace

void Membership::Registered(const std::string& id, const std::string& group,
                            const std::shared_ptr<const Life>& life) {
  Client& client = clients_[id];
  client.group = group;
  if (client.is_gone) return;
  const absl::Duration now = scheduler_->now();
  const auto [it, is_new] = client.known.emplace(life.get(), Knowledge{life, now, now, true});
  if (!std::exchange(it->second.is_direct, true)) it->second.since = now;
  it->second.fresh = now;
}

void Membership::Unsure(const std::string& id) {
  const auto it = clients_.find(id);
  if (it == clients_.end()) return;
  it->second.known.clear();
  it->second.unsure_until = scheduler_->now() + kUnsure;
}

void Membership::Departed(const std::string& id) {
  const auto it = clients_.find(id);
  if (it == clients_.end() || it->second.is_gone) return;
  it->second.is_gone = true;
  it->second.gone_at = scheduler_->now();
}

// Whether what `sender` knows must have got to `receiver`.
bool Membership::HasHeard(const Client& client, const Knowledge& from, Process* sender,
                          Process* receiver) const {
  const absl::Duration now = scheduler_->now();
  const absl::Duration linked = network_->LinkedFor(sender->id(), receiver->id());
  if (linked < kSettled || now - from.since < kSettled || now - from.fresh > kGrace) return false;
  // Whoever has the connection tells all; others tell those that come, which one
  // that was only cut off for a while does not.
  return (from.is_direct && client.unsure_until < now) ||
         now - from.since > network_->OpenFor(sender->id(), receiver->id()) + kSettled;
}

bool Membership::MustKnow(const std::string& id, Process* process) const {
  const auto it = clients_.find(id);
  if (it == clients_.end() || it->second.is_gone) return false;
  const Client& client = it->second;
  const absl::Duration now = scheduler_->now();
  const auto here = client.known.find(process->life().get());
  if (here != client.known.end() && now - here->second.fresh < kGrace) return true;
  for (const ReplicaId other : all_) {
    Process* const sender = other == process->id() ? nullptr : reach_(other);
    if (sender == nullptr) continue;
    const auto there = client.known.find(sender->life().get());
    if (there != client.known.end() && HasHeard(client, there->second, sender, process)) {
      return true;
    }
  }
  return false;
}

void Membership::Look() {
  std::map<std::string, std::map<ReplicaId, std::vector<std::string>>> lists;
  for (auto& [id, client] : clients_) {
    std::map<ReplicaId, std::vector<std::string>>& of_group = lists[client.group];
    for (const ReplicaId replica : all_) {
      Process* const process = reach_(replica);
      if (process == nullptr) continue;
      const auto [list, is_new] = of_group.try_emplace(replica);
      if (is_new) list->second = process->service()->sessions().MembersOf(client.group);
      LookFor(id, &client, process,
              std::binary_search(list->second.begin(), list->second.end(), id));
    }
    if (client.is_gone && !client.is_checked &&
        scheduler_->now() - client.gone_at >= kGoneBound) {
      client.is_checked = true;
      ++departures_checked_;
    }
  }
}

void Membership::LookFor(const std::string& id, Client* client, Process* process,
                         bool is_listed) {
  const absl::Duration now = scheduler_->now();
  if (client->is_gone) {
    if (!is_listed || now - client->gone_at < kGoneBound) return;
    violation_(absl::StrCat("replica ", process->id().value(), " still lists ", id, ", gone for ",
                            absl::FormatDuration(now - client->gone_at)));
    client->gone_at = now;
    return;
  }
  const auto it = client->known.find(process->life().get());
  if (it == client->known.end()) {
    if (is_listed && now >= client->unsure_until) {
      client->known.emplace(process->life().get(), Knowledge{process->life(), now, now, false});
    }
    return;
  }
  Knowledge& knowledge = it->second;
  if (!is_listed && now - knowledge.fresh < kGrace) {
    violation_(absl::StrCat("replica ", process->id().value(), " forgot ", id,
                            ", which is alive"));
    client->known.erase(it);
    return;
  }
  // Somebody has its connection and says so to this replica.
  for (const ReplicaId other : all_) {
    Process* const sender = reach_(other);
    if (sender == nullptr) continue;
    const auto there = client->known.find(sender->life().get());
    if (there == client->known.end() || !there->second.is_direct) continue;
    if (sender == process || HasHeard(*client, there->second, sender, process)) {
      knowledge.fresh = std::max(knowledge.fresh, there->second.fresh);
    }
  }
}

}  // namespace totora::sim
