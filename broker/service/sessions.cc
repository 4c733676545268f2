#include "broker/service/sessions.h"

#include <algorithm>
#include <utility>

#include "broker/service/refusal.h"
#include "common/coding.h"
#include "common/log.h"

namespace totora::service {
namespace {

// Messages between replicas: u8 version, u8 kind, payload.
constexpr uint8_t kVersion = 2;
enum : uint8_t {
  kPut = 1,       // A session.
  kRemove = 2,    // A client id: unregistered.
  kAlive = 3,     // Client ids that gave a sign of life.
  kClosed = 4,    // A client id: its last connection to the sender is closed.
  kSentAway = 5,  // Likewise, but the sender closed it.
  // All that the sender knows follows: what it had said before and does not say
  // again is as of a replica that vanished.
  kAllFollows = 6,
  kAllSaid = 7,
  // u32 replica, u32 ms, a session: it was seen there, and is kept for so long.
  kKept = 8,
};
constexpr size_t kAliveIdsPerMessage = 2000;

std::string Head(uint8_t kind) {
  std::string bytes;
  AppendU8(&bytes, kVersion);
  AppendU8(&bytes, kind);
  return bytes;
}

const GroupMembership* MembershipOf(const ClientSession& session, absl::string_view group) {
  for (const GroupMembership& membership : session.memberships) {
    if (membership.consumer_group == group) return &membership;
  }
  return nullptr;
}

std::vector<absl::string_view> TopicsOf(const GroupMembership& membership) {
  std::vector<absl::string_view> topics;
  for (const Subscription& subscription : membership.subscriptions) {
    topics.push_back(subscription.topic);
  }
  std::sort(topics.begin(), topics.end());
  return topics;
}

// Whether the other members of the membership's group have to know.
bool IsNewsTo(const GroupMembership& membership, const ClientSession& other) {
  if (membership.model == MessageModel::kBroadcasting) return false;
  const GroupMembership* const same = MembershipOf(other, membership.consumer_group);
  return same == nullptr || TopicsOf(*same) != TopicsOf(membership);
}

absl::string_view HostOf(absl::string_view address) {
  return address.substr(0, address.rfind(':'));
}

bool IsMemberFrom(const ClientSession& session, absl::string_view group,
                  const Sessions::Origin& origin) {
  return session.version == origin.version && session.language == origin.language &&
         HostOf(session.address) == HostOf(origin.address) &&
         MembershipOf(session, group) != nullptr;
}

// Groups to which the one or the other means something that the other does not.
std::vector<std::string> ChangedGroups(const ClientSession& before, const ClientSession& after) {
  std::vector<std::string> changed;
  for (const GroupMembership& membership : before.memberships) {
    if (IsNewsTo(membership, after)) changed.push_back(membership.consumer_group);
  }
  for (const GroupMembership& membership : after.memberships) {
    if (IsNewsTo(membership, before)) changed.push_back(membership.consumer_group);
  }
  std::sort(changed.begin(), changed.end());
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  return changed;
}

const Subscription* SubscriptionOf(const ClientSession& session, absl::string_view group,
                                   absl::string_view topic) {
  const GroupMembership* const membership = MembershipOf(session, group);
  if (membership == nullptr) return nullptr;
  for (const Subscription& subscription : membership->subscriptions) {
    if (subscription.topic == topic) return &subscription;
  }
  return nullptr;
}

}  // namespace

bool Sessions::Entry::IsLost() const {
  return std::all_of(seen_by.begin(), seen_by.end(),
                     [](const Presence& presence) { return presence.is_over(); });
}

Sessions::Presence* Sessions::Entry::Find(ReplicaId replica) {
  for (Presence& presence : seen_by) {
    if (presence.replica == replica) return &presence;
  }
  return nullptr;
}

// --- Changes ----------------------------------------------------------------------

absl::Status Sessions::Put(ClientSession session) {
  if (SizeOf(session) > kSessionBytesMax) {
    return absl::InvalidArgumentError("these settings are too large");
  }
  auto it = sessions_.find(session.client_id);
  if (it == sessions_.end()) {
    if (sessions_.size() >= kSessionsMax) {
      return Refuse(Refusal::kTooManySessions, "too many clients");
    }
    it = sessions_.emplace(session.client_id, Entry()).first;
  }
  Entry& entry = it->second;
  lost_.erase(session.client_id);
  SeenBy(log_->self(), &entry);
  if (entry.session == session) return absl::OkStatus();
  Change(&entry, std::move(session));
  ShareSession(&entry, executor_->clock().SteadyNow());
  return absl::OkStatus();
}

void Sessions::Change(Entry* entry, ClientSession session) {
  const ClientSession before = std::exchange(entry->session, std::move(session));
  const ClientSession& after = entry->session;
  const std::string& client_id = after.client_id.empty() ? before.client_id : after.client_id;
  for (const std::string& group : before.consumer_groups) {
    auto it = by_group_.find(group);
    if (it == by_group_.end()) continue;
    it->second.erase(client_id);
    if (it->second.empty()) by_group_.erase(it);
  }
  for (const std::string& group : after.consumer_groups) by_group_[group].insert(client_id);
  if (group_changed_ == nullptr) return;
  for (const std::string& group : ChangedGroups(before, after)) group_changed_(group);
}

void Sessions::Erase(EntryMap::iterator it) {
  Change(&it->second, ClientSession());
  sessions_.erase(it);
}

void Sessions::SeenBy(ReplicaId replica, Entry* entry) {
  const absl::Duration now = executor_->clock().SteadyNow();
  if (replica == log_->self()) entry->here_seen = now;
  // Where it is not any more does not count once it is seen.
  std::erase_if(entry->seen_by, [replica](const Presence& presence) {
    return presence.replica == replica || presence.is_over();
  });
  entry->seen_by.push_back({replica, now});
}

void Sessions::Touch(absl::string_view client_id, ClientKind kind,
                     absl::string_view consumer_group) {
  if (client_id.empty()) return;
  auto it = sessions_.find(client_id);
  if (it != sessions_.end()) {
    SeenBy(log_->self(), &it->second);
    return;
  }
  ClientSession thin;
  thin.client_id = std::string(client_id);
  thin.kind = kind;
  if (!consumer_group.empty()) thin.consumer_groups.emplace_back(consumer_group);
  if (absl::Status status = Put(std::move(thin)); !status.ok()) {
    TOTORA_LOG_LIMITED(kWarn, "service") << status.message();
  }
}

void Sessions::StreamOpened(absl::string_view client_id) {
  Touch(client_id, ClientKind::kUnknown, "");
  auto it = sessions_.find(client_id);
  if (it != sessions_.end()) ++it->second.streams;
}

void Sessions::StreamClosed(absl::string_view client_id) {
  auto it = sessions_.find(client_id);
  if (it != sessions_.end() && it->second.streams > 0) --it->second.streams;
}

void Sessions::SetConnections(absl::string_view client_id, size_t count, ClosedBy closed_by) {
  auto it = sessions_.find(client_id);
  if (it == sessions_.end()) return;
  Entry& entry = it->second;
  entry.connections = count;
  if (entry.IsConnectedHere()) {
    SeenBy(log_->self(), &entry);
    return;
  }
  if (closed_by == ClosedBy::kReplica) {
    if (Presence* const here = entry.Find(log_->self())) {
      here->drop_at = executor_->clock().SteadyNow() + kVanishedGrace;
      NoteLoss();
    }
    SendToPeers(kSentAway, client_id);
    return;
  }
  SendToPeers(kClosed, client_id);
  Gone(it, log_->self());
}

void Sessions::Gone(EntryMap::iterator it, ReplicaId replica) {
  std::erase_if(it->second.seen_by,
                [replica](const Presence& presence) { return presence.replica == replica; });
  if (!it->second.seen_by.empty()) return;
  if (!it->second.session.memberships.empty() && lost_.size() < kLostMax) {
    lost_[it->first] = {it->second.session, executor_->clock().SteadyNow() + kVanishedGrace};
    NoteLoss();
  }
  Erase(it);
}

void Sessions::NoteLoss() { lost_until_ = executor_->clock().SteadyNow() + kVanishedGrace; }

bool Sessions::LostSomeLately() const { return executor_->clock().SteadyNow() < lost_until_; }

std::optional<std::string> Sessions::FindLostMember(absl::string_view consumer_group,
                                                    const Origin& origin) const {
  std::vector<absl::string_view> found;
  const absl::Duration now = executor_->clock().SteadyNow();
  for (const auto& [client_id, lost] : lost_) {
    if (now < lost.until && IsMemberFrom(lost.session, consumer_group, origin)) {
      found.push_back(client_id);
    }
    if (found.size() > 1) return std::nullopt;
  }
  auto group = by_group_.find(consumer_group);
  if (group != by_group_.end()) {
    for (const std::string& client_id : group->second) {
      const Entry& entry = sessions_.find(client_id)->second;
      if (!entry.IsConnectedHere() && entry.IsLost() &&
          IsMemberFrom(entry.session, consumer_group, origin)) {
        found.push_back(client_id);
      }
      if (found.size() > 1) return std::nullopt;
    }
  }
  if (found.empty()) return std::nullopt;
  return std::string(found.front());
}

void Sessions::CameBack(absl::string_view client_id, absl::string_view address) {
  ClientSession session;
  if (auto lost = lost_.find(client_id); lost != lost_.end()) {
    session = lost->second.session;
  } else if (const ClientSession* const known = Find(client_id)) {
    session = *known;
  } else {
    return;
  }
  session.address = std::string(address);
  Put(std::move(session)).IgnoreError();  // Too many clients: it has to wait.
}

void Sessions::Remove(absl::string_view client_id) {
  lost_.erase(client_id);
  auto it = sessions_.find(client_id);
  if (it == sessions_.end()) return;
  SendToPeers(kRemove, client_id);
  Erase(it);
}

void Sessions::Leave(absl::string_view client_id, absl::string_view producer_group,
                     absl::string_view consumer_group) {
  auto it = sessions_.find(client_id);
  if (it == sessions_.end()) return;
  ClientSession session = it->second.session;
  std::erase(session.producer_groups, producer_group);
  std::erase(session.consumer_groups, consumer_group);
  std::erase_if(session.memberships, [&](const GroupMembership& membership) {
    return membership.consumer_group == consumer_group;
  });
  if (session.producer_groups.empty() && session.memberships.empty()) {
    Remove(client_id);
    return;
  }
  // Connections are counted on, and a later heartbeat makes it whole again.
  if (session == it->second.session) return;
  Change(&it->second, std::move(session));
  ShareSession(&it->second, executor_->clock().SteadyNow());
}

// --- Questions --------------------------------------------------------------------

const ClientSession* Sessions::Find(absl::string_view client_id) const {
  auto it = sessions_.find(client_id);
  return it == sessions_.end() ? nullptr : &it->second.session;
}

bool Sessions::WasSeenSince(absl::string_view client_id, absl::Duration since) const {
  auto it = sessions_.find(client_id);
  if (it == sessions_.end()) return false;
  const Entry& entry = it->second;
  return entry.IsConnectedHere() ||
         std::any_of(entry.seen_by.begin(), entry.seen_by.end(),
                     [since](const Presence& presence) { return presence.last_seen >= since; });
}

std::vector<ClientSession> Sessions::All() const {
  std::vector<ClientSession> all;
  all.reserve(sessions_.size());
  for (const auto& [id, entry] : sessions_) all.push_back(entry.session);
  return all;
}

std::vector<ClientSession> Sessions::OfConsumerGroup(absl::string_view consumer_group) const {
  std::vector<ClientSession> members;
  auto group = by_group_.find(consumer_group);
  if (group == by_group_.end()) return members;
  for (const std::string& client_id : group->second) {
    members.push_back(sessions_.find(client_id)->second.session);
  }
  return members;
}

std::vector<std::string> Sessions::MembersOf(absl::string_view consumer_group) const {
  std::vector<std::string> members;
  auto group = by_group_.find(consumer_group);
  if (group == by_group_.end()) return members;
  for (const std::string& client_id : group->second) {
    if (MembershipOf(sessions_.find(client_id)->second.session, consumer_group) != nullptr) {
      members.push_back(client_id);
    }
  }
  return members;
}

const Subscription* Sessions::FindSubscription(absl::string_view consumer_group,
                                               absl::string_view topic,
                                               const std::vector<std::string>& clients) const {
  for (const std::string& client_id : clients) {
    auto it = sessions_.find(client_id);
    if (it == sessions_.end()) continue;
    const Subscription* const own = SubscriptionOf(it->second.session, consumer_group, topic);
    if (own != nullptr) return own;
  }
  const Subscription* newest = nullptr;
  auto group = by_group_.find(consumer_group);
  if (group == by_group_.end()) return nullptr;
  for (const std::string& client_id : group->second) {
    const Subscription* const one =
        SubscriptionOf(sessions_.find(client_id)->second.session, consumer_group, topic);
    if (one != nullptr && (newest == nullptr || one->version > newest->version)) newest = one;
  }
  return newest;
}

std::vector<std::string> Sessions::ConsumerGroupsOf(absl::string_view topic) const {
  absl::btree_set<std::string> groups;
  const auto wants = [topic](const std::vector<Subscription>& subscriptions) {
    return std::any_of(
        subscriptions.begin(), subscriptions.end(),
        [topic](const Subscription& subscription) { return subscription.topic == topic; });
  };
  for (const auto& [id, entry] : sessions_) {
    for (const GroupMembership& membership : entry.session.memberships) {
      if (wants(membership.subscriptions)) groups.insert(membership.consumer_group);
    }
    if (!wants(entry.session.subscriptions)) continue;
    groups.insert(entry.session.consumer_groups.begin(), entry.session.consumer_groups.end());
  }
  return {groups.begin(), groups.end()};
}

bool Sessions::HasSubscriptions(absl::string_view consumer_group) const {
  auto group = by_group_.find(consumer_group);
  if (group == by_group_.end()) return false;
  for (const std::string& client_id : group->second) {
    const GroupMembership* const membership =
        MembershipOf(sessions_.find(client_id)->second.session, consumer_group);
    if (membership != nullptr && !membership->subscriptions.empty()) return true;
  }
  return false;
}

std::vector<ReplicaId> Sessions::ReplicasOf(absl::string_view client_id) const {
  std::vector<ReplicaId> replicas;
  auto it = sessions_.find(client_id);
  if (it == sessions_.end()) return replicas;
  std::vector<Presence> seen = it->second.seen_by;
  std::stable_sort(seen.begin(), seen.end(), [](const Presence& a, const Presence& b) {
    return a.last_seen > b.last_seen;
  });
  for (const Presence& presence : seen) replicas.push_back(presence.replica);
  return replicas;
}

void Sessions::ForEach(
    absl::FunctionRef<void(const ClientSession& session, absl::Duration seen)> visit) const {
  for (const auto& [id, entry] : sessions_) {
    absl::Duration seen = -absl::InfiniteDuration();
    for (const Presence& presence : entry.seen_by) seen = std::max(seen, presence.last_seen);
    visit(entry.session, seen);
  }
}

// --- Between replicas -----------------------------------------------------------

void Sessions::PeerMessage(ReplicaId from, absl::string_view bytes) {
  Reader reader(bytes);
  const uint8_t version = reader.U8();
  const uint8_t kind = reader.U8();
  if (!reader.ok() || version != kVersion) return;  // Another release's: its refresh will do.
  if (kind == kPut) {
    absl::StatusOr<ClientSession> session = DecodeSession(reader.rest());
    if (!session.ok()) return;
    if (!sessions_.contains(session->client_id) && sessions_.size() >= kSessionsMax) return;
    lost_.erase(session->client_id);
    Entry& entry = sessions_[session->client_id];
    SeenBy(from, &entry);
    if (!(entry.session == *session)) Change(&entry, *std::move(session));
    return;
  }
  if (kind == kAllFollows) {
    Vanished(from);
    return;
  }
  if (kind == kAllSaid) {
    heard_all_.insert(from);
    return;
  }
  if (kind == kKept) {
    const ReplicaId seen_at(reader.U32());
    const absl::Duration rest = std::min(absl::Milliseconds(reader.U32()), kVanishedGrace);
    absl::StatusOr<ClientSession> session = DecodeSession(reader.rest());
    if (!session.ok()) return;
    Keep(seen_at, executor_->clock().SteadyNow() + rest, *std::move(session));
    return;
  }
  if (kind == kAlive) {
    while (reader.ok() && !reader.done()) {
      auto it = sessions_.find(reader.Prefixed());
      if (it != sessions_.end()) SeenBy(from, &it->second);
    }
    return;
  }
  const absl::string_view client_id = reader.Prefixed();
  if (!reader.done()) return;
  if (kind == kRemove) lost_.erase(client_id);
  auto it = sessions_.find(client_id);
  if (it == sessions_.end()) return;
  if (kind == kRemove) {
    Erase(it);
  } else if (kind == kClosed) {
    Gone(it, from);
  } else if (kind == kSentAway) {
    if (Presence* const there = it->second.Find(from)) {
      there->drop_at = executor_->clock().SteadyNow() + kVanishedGrace;
      NoteLoss();
    }
  }
}

void Sessions::PeerUp(ReplicaId peer) { ShareAll(peer); }

void Sessions::PeerDown(ReplicaId peer) {
  Vanished(peer);
  // It may have told only one of us of a client before it went.
  const absl::Duration now = executor_->clock().SteadyNow();
  for (const auto& [id, entry] : sessions_) {
    if (!entry.IsLost()) continue;
    for (const ReplicaId other : log_->peers()) {
      if (other != peer) ShareKept(entry, other, now);
    }
  }
}

void Sessions::Vanished(ReplicaId replica) {
  const absl::Duration drop_at = executor_->clock().SteadyNow() + kVanishedGrace;
  NoteLoss();
  for (auto& [id, entry] : sessions_) {
    if (Presence* const there = entry.Find(replica))
      there->drop_at = std::min(there->drop_at, drop_at);
  }
}

// A peer knows a client that has no connection to it. Counts only as long as
// nobody here knows better, and never longer than where it was first noticed.
void Sessions::Keep(ReplicaId replica, absl::Duration drop_at, ClientSession session) {
  auto it = sessions_.find(session.client_id);
  if (it == sessions_.end()) {
    if (sessions_.size() >= kSessionsMax) return;
    it = sessions_.emplace(session.client_id, Entry()).first;
    Change(&it->second, std::move(session));
  }
  NoteLoss();
  if (!it->second.IsLost()) return;
  if (Presence* const there = it->second.Find(replica)) {
    there->drop_at = std::max(there->drop_at, drop_at);
  } else {
    it->second.seen_by.push_back({replica, executor_->clock().SteadyNow(), drop_at});
  }
}

// Whether this replica may still speak for the client.
bool Sessions::IsHere(Entry* entry) const {
  const Presence* const here = entry->Find(log_->self());
  return here != nullptr && !here->is_over();
}

void Sessions::ShareAll(ReplicaId peer) {
  log_->SendToPeer(peer, Head(kAllFollows));
  const absl::Duration now = executor_->clock().SteadyNow();
  for (auto& [id, entry] : sessions_) {
    if (IsHere(&entry)) {
      log_->SendToPeer(peer, Head(kPut) + EncodeSession(entry.session));
      continue;
    }
    // The peer may have started a moment ago, and those that this client was
    // connected to may be gone: without it the client would be forgotten.
    ShareKept(entry, peer, now);
  }
  log_->SendToPeer(peer, Head(kAllSaid));
}

void Sessions::ShareKept(const Entry& entry, ReplicaId peer, absl::Duration now) {
  absl::Duration drop_at = -absl::InfiniteDuration();
  ReplicaId seen_at = peer;
  for (const Presence& presence : entry.seen_by) {
    if (presence.replica == peer && !presence.is_over()) return;  // It knows better.
    if (presence.drop_at < drop_at) continue;
    drop_at = presence.drop_at;
    seen_at = presence.replica;
  }
  const absl::Duration rest = std::min(drop_at - now, kVanishedGrace);
  if (rest <= absl::ZeroDuration()) return;
  std::string bytes = Head(kKept);
  AppendU32(&bytes, seen_at.value());
  AppendU32(&bytes, static_cast<uint32_t>(absl::ToInt64Milliseconds(rest)));
  log_->SendToPeer(peer, bytes + EncodeSession(entry.session));
}

void Sessions::ShareSession(Entry* entry, absl::Duration now) {
  entry->last_shared = now;
  SendToPeers(Head(kPut) + EncodeSession(entry->session));
}

void Sessions::ShareAlive(absl::Duration now) {
  std::string bytes = Head(kAlive);
  size_t ids = 0;
  for (auto& [id, entry] : sessions_) {
    if (entry.IsConnectedHere()) SeenBy(log_->self(), &entry);
    if (!IsHere(&entry) || entry.here_seen < last_share_) continue;
    if (now - entry.last_shared >= kRefreshInterval) {
      ShareSession(&entry, now);
      continue;
    }
    AppendBytes(&bytes, id);
    if (++ids % kAliveIdsPerMessage == 0) {
      SendToPeers(bytes);
      bytes = Head(kAlive);
    }
  }
  if (ids % kAliveIdsPerMessage != 0) SendToPeers(bytes);
}

void Sessions::DropSilent(absl::Duration now) {
  std::vector<std::string> gone;
  for (auto& [id, entry] : sessions_) {
    const bool is_connected_here = entry.IsConnectedHere();
    std::erase_if(entry.seen_by, [&](const Presence& presence) {
      if (presence.drop_at <= now) return true;
      const bool is_open = is_connected_here && presence.replica == log_->self();
      return !is_open && now - presence.last_seen > kSilence;
    });
    if (entry.seen_by.empty()) gone.push_back(id);
  }
  for (const std::string& client_id : gone) Erase(sessions_.find(client_id));
  absl::erase_if(lost_, [now](const auto& lost) { return lost.second.until <= now; });
}

void Sessions::Tick(absl::Duration now) {
  if (now - last_share_ < kShareInterval) return;
  ShareAlive(now);
  DropSilent(now);
  last_share_ = now;
}

void Sessions::SendToPeers(const std::string& bytes) {
  for (ReplicaId peer : log_->peers()) log_->SendToPeer(peer, bytes);
}

void Sessions::SendToPeers(uint8_t kind, absl::string_view client_id) {
  std::string bytes = Head(kind);
  AppendBytes(&bytes, client_id);
  SendToPeers(bytes);
}

}  // namespace totora::service
