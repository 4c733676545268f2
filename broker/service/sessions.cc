#include "broker/service/sessions.h"

#include <algorithm>
#include <utility>

#include "broker/service/refusal.h"
#include "common/coding.h"
#include "common/log.h"

namespace totora::service {
namespace {

// Messages between replicas: u8 version, u8 kind, payload.
constexpr uint8_t kVersion = 1;
enum : uint8_t {
  kPut = 1,     // A session.
  kRemove = 2,  // A client id: unregistered.
  kAlive = 3,   // Client ids that gave a sign of life.
};
constexpr size_t kAliveIdsPerMessage = 2000;
constexpr size_t kListMax = 1 << 16;

std::string Head(uint8_t kind) {
  std::string bytes;
  AppendU8(&bytes, kVersion);
  AppendU8(&bytes, kind);
  return bytes;
}

void AppendList(std::string* to, const std::vector<std::string>& list) {
  AppendVarint(to, list.size());
  for (const std::string& item : list) AppendBytes(to, item);
}

bool ReadList(Reader* reader, std::vector<std::string>* list) {
  const uint64_t count = reader->Varint();
  if (!reader->ok() || count > kListMax) return false;
  for (uint64_t i = 0; i < count && reader->ok(); ++i) {
    list->emplace_back(reader->Prefixed());
  }
  return reader->ok();
}

size_t SizeOf(const ClientSession& session) {
  size_t size = session.client_id.size() + session.language.size() + session.settings.size();
  for (const std::string& group : session.consumer_groups) size += group.size() + 32;
  for (const std::string& topic : session.published_topics) size += topic.size() + 32;
  for (const Subscription& subscription : session.subscriptions) {
    size += subscription.topic.size() + subscription.expression.size() + 64;
  }
  return size;
}

}  // namespace

std::string EncodeSession(const ClientSession& session) {
  std::string bytes;
  AppendBytes(&bytes, session.client_id);
  AppendU8(&bytes, static_cast<uint8_t>(session.kind));
  AppendBytes(&bytes, session.language);
  AppendList(&bytes, session.consumer_groups);
  AppendList(&bytes, session.published_topics);
  AppendVarint(&bytes, session.subscriptions.size());
  for (const Subscription& subscription : session.subscriptions) {
    AppendBytes(&bytes, subscription.topic);
    AppendBytes(&bytes, subscription.expression);
    AppendU8(&bytes, subscription.is_sql ? 1 : 0);
  }
  AppendBytes(&bytes, session.settings);
  return bytes;
}

absl::StatusOr<ClientSession> DecodeSession(absl::string_view bytes) {
  Reader reader(bytes);
  ClientSession session;
  session.client_id = std::string(reader.Prefixed());
  session.kind = static_cast<ClientKind>(reader.U8());
  session.language = std::string(reader.Prefixed());
  bool is_good =
      ReadList(&reader, &session.consumer_groups) && ReadList(&reader, &session.published_topics);
  const uint64_t subscriptions = reader.Varint();
  is_good = is_good && subscriptions <= kListMax;
  for (uint64_t i = 0; is_good && i < subscriptions && reader.ok(); ++i) {
    Subscription& subscription = session.subscriptions.emplace_back();
    subscription.topic = std::string(reader.Prefixed());
    subscription.expression = std::string(reader.Prefixed());
    subscription.is_sql = reader.U8() != 0;
  }
  session.settings = std::string(reader.Prefixed());
  if (!is_good || !reader.done() || session.client_id.empty()) {
    return absl::DataLossError("not a session");
  }
  return session;
}

absl::Status Sessions::Put(ClientSession session) {
  if (SizeOf(session) > kSessionBytesMax) {
    return absl::InvalidArgumentError("these settings are too large");
  }
  auto it = sessions_.find(session.client_id);
  if (it == sessions_.end()) {
    if (sessions_.size() >= kSessionsMax) {
      return Refuse(Refusal::kTooManySessions, "too many clients");
    }
    const std::string client_id = session.client_id;
    it = sessions_.emplace(client_id, Entry()).first;
  }
  Entry& entry = it->second;
  SeenHere(&entry);
  const bool is_changed = !(entry.session == session);
  entry.session = std::move(session);
  if (is_changed) ShareSession(&entry, entry.last_seen);
  return absl::OkStatus();
}

void Sessions::SeenHere(Entry* entry) {
  entry->via = log_->self();
  entry->last_seen = executor_->clock().SteadyNow();
  entry->here_seen = entry->last_seen;
  entry->drop_at = absl::InfiniteDuration();
}

void Sessions::Touch(absl::string_view client_id, ClientKind kind,
                     absl::string_view consumer_group) {
  if (client_id.empty()) return;
  auto it = sessions_.find(client_id);
  if (it != sessions_.end()) {
    SeenHere(&it->second);
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

void Sessions::Remove(absl::string_view client_id) {
  if (sessions_.erase(client_id) == 0) return;
  std::string bytes = Head(kRemove);
  AppendBytes(&bytes, client_id);
  SendToPeers(bytes);
}

const ClientSession* Sessions::Find(absl::string_view client_id) const {
  auto it = sessions_.find(client_id);
  return it == sessions_.end() ? nullptr : &it->second.session;
}

bool Sessions::WasSeenSince(absl::string_view client_id, absl::Duration since) const {
  auto it = sessions_.find(client_id);
  return it != sessions_.end() && (it->second.streams > 0 || it->second.last_seen >= since);
}

std::vector<ClientSession> Sessions::All() const {
  std::vector<ClientSession> all;
  all.reserve(sessions_.size());
  for (const auto& [id, entry] : sessions_) all.push_back(entry.session);
  return all;
}

std::vector<ClientSession> Sessions::OfConsumerGroup(absl::string_view consumer_group) const {
  std::vector<ClientSession> members;
  for (const auto& [id, entry] : sessions_) {
    const std::vector<std::string>& groups = entry.session.consumer_groups;
    if (std::find(groups.begin(), groups.end(), consumer_group) != groups.end()) {
      members.push_back(entry.session);
    }
  }
  return members;
}

// --- Between replicas -----------------------------------------------------------

void Sessions::PeerMessage(ReplicaId from, absl::string_view bytes) {
  Reader reader(bytes);
  const uint8_t version = reader.U8();
  const uint8_t kind = reader.U8();
  if (!reader.ok() || version != kVersion) return;  // A newer release's: its refresh will do.
  const absl::Duration now = executor_->clock().SteadyNow();
  const auto seen_there = [&](Entry* entry) {
    entry->via = from;
    entry->last_seen = now;
    entry->drop_at = absl::InfiniteDuration();
  };
  if (kind == kPut) {
    absl::StatusOr<ClientSession> session = DecodeSession(reader.rest());
    if (!session.ok()) return;
    if (!sessions_.contains(session->client_id) && sessions_.size() >= kSessionsMax) return;
    Entry& entry = sessions_[session->client_id];
    seen_there(&entry);
    entry.session = *std::move(session);
  } else if (kind == kRemove) {
    const absl::string_view client_id = reader.Prefixed();
    if (reader.done()) sessions_.erase(client_id);
  } else if (kind == kAlive) {
    while (reader.ok() && !reader.done()) {
      auto it = sessions_.find(reader.Prefixed());
      if (it != sessions_.end()) seen_there(&it->second);
    }
  }
}

void Sessions::PeerUp(ReplicaId peer) { ShareAll(peer); }

void Sessions::PeerDown(ReplicaId peer) {
  const absl::Duration drop_at = executor_->clock().SteadyNow() + kVanishedGrace;
  for (auto& [id, entry] : sessions_) {
    if (entry.via == peer) entry.drop_at = drop_at;
  }
}

void Sessions::ShareAll(ReplicaId peer) {
  for (const auto& [id, entry] : sessions_) {
    if (entry.via != log_->self()) continue;
    log_->SendToPeer(peer, Head(kPut) + EncodeSession(entry.session));
  }
}

void Sessions::ShareSession(Entry* entry, absl::Duration now) {
  entry->last_shared = now;
  SendToPeers(Head(kPut) + EncodeSession(entry->session));
}

void Sessions::ShareAlive(absl::Duration now) {
  std::string bytes = Head(kAlive);
  size_t ids = 0;
  for (auto& [id, entry] : sessions_) {
    if (entry.streams > 0) SeenHere(&entry);
    if (entry.via != log_->self() || entry.here_seen < last_share_) continue;
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
  absl::erase_if(sessions_, [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.drop_at <= now || (entry.streams == 0 && now - entry.last_seen > kSilence);
  });
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

}  // namespace totora::service
