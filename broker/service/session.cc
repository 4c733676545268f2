#include "broker/service/session.h"

#include "common/coding.h"

namespace totora::service {
namespace {

constexpr size_t kListMax = 1 << 16;

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

void AppendSubscriptions(std::string* to, const std::vector<Subscription>& subscriptions) {
  AppendVarint(to, subscriptions.size());
  for (const Subscription& subscription : subscriptions) {
    AppendBytes(to, subscription.topic);
    AppendBytes(to, subscription.expression);
    AppendU8(to, subscription.is_sql ? 1 : 0);
    AppendU64(to, static_cast<uint64_t>(subscription.version));
  }
}

bool ReadSubscriptions(Reader* reader, std::vector<Subscription>* subscriptions) {
  const uint64_t count = reader->Varint();
  if (!reader->ok() || count > kListMax) return false;
  for (uint64_t i = 0; i < count && reader->ok(); ++i) {
    Subscription& subscription = subscriptions->emplace_back();
    subscription.topic = std::string(reader->Prefixed());
    subscription.expression = std::string(reader->Prefixed());
    subscription.is_sql = reader->U8() != 0;
    subscription.version = static_cast<int64_t>(reader->U64());
  }
  return reader->ok();
}

void AppendMembership(std::string* to, const GroupMembership& membership) {
  AppendBytes(to, membership.consumer_group);
  AppendU8(to, static_cast<uint8_t>(membership.model));
  AppendU8(to, static_cast<uint8_t>(membership.type));
  AppendU8(to, static_cast<uint8_t>(membership.from));
  AppendSubscriptions(to, membership.subscriptions);
}

bool ReadMemberships(Reader* reader, std::vector<GroupMembership>* memberships) {
  const uint64_t count = reader->Varint();
  if (!reader->ok() || count > kListMax) return false;
  for (uint64_t i = 0; i < count && reader->ok(); ++i) {
    GroupMembership& membership = memberships->emplace_back();
    membership.consumer_group = std::string(reader->Prefixed());
    membership.model = static_cast<MessageModel>(reader->U8());
    membership.type = static_cast<ConsumeType>(reader->U8());
    membership.from = static_cast<ConsumeFrom>(reader->U8());
    if (!ReadSubscriptions(reader, &membership.subscriptions)) return false;
  }
  return reader->ok();
}

size_t SizeOf(const std::vector<Subscription>& subscriptions) {
  size_t size = 0;
  for (const Subscription& subscription : subscriptions) {
    size += subscription.topic.size() + subscription.expression.size() + 64;
  }
  return size;
}

}  // namespace

size_t SizeOf(const ClientSession& session) {
  size_t size = session.client_id.size() + session.language.size() + session.settings.size() +
                session.address.size();
  for (const std::string& group : session.consumer_groups) size += group.size() + 32;
  for (const std::string& topic : session.published_topics) size += topic.size() + 32;
  for (const std::string& group : session.producer_groups) size += group.size() + 32;
  for (const GroupMembership& membership : session.memberships) {
    size += membership.consumer_group.size() + 64 + SizeOf(membership.subscriptions);
  }
  return size + SizeOf(session.subscriptions);
}

std::string EncodeSession(const ClientSession& session) {
  std::string bytes;
  AppendBytes(&bytes, session.client_id);
  AppendU8(&bytes, static_cast<uint8_t>(session.kind));
  AppendBytes(&bytes, session.language);
  AppendList(&bytes, session.consumer_groups);
  AppendList(&bytes, session.published_topics);
  AppendSubscriptions(&bytes, session.subscriptions);
  AppendBytes(&bytes, session.settings);
  AppendList(&bytes, session.producer_groups);
  AppendVarint(&bytes, session.memberships.size());
  for (const GroupMembership& membership : session.memberships) {
    AppendMembership(&bytes, membership);
  }
  AppendBytes(&bytes, session.address);
  AppendU32(&bytes, static_cast<uint32_t>(session.version));
  AppendU32(&bytes, static_cast<uint32_t>(session.fingerprint));
  return bytes;
}

absl::StatusOr<ClientSession> DecodeSession(absl::string_view bytes) {
  Reader reader(bytes);
  ClientSession session;
  session.client_id = std::string(reader.Prefixed());
  session.kind = static_cast<ClientKind>(reader.U8());
  session.language = std::string(reader.Prefixed());
  bool is_good = ReadList(&reader, &session.consumer_groups) &&
                 ReadList(&reader, &session.published_topics) &&
                 ReadSubscriptions(&reader, &session.subscriptions);
  session.settings = std::string(reader.Prefixed());
  is_good = is_good && ReadList(&reader, &session.producer_groups) &&
            ReadMemberships(&reader, &session.memberships);
  session.address = std::string(reader.Prefixed());
  session.version = static_cast<int32_t>(reader.U32());
  session.fingerprint = static_cast<int32_t>(reader.U32());
  if (!is_good || !reader.done() || session.client_id.empty()) {
    return absl::DataLossError("not a session");
  }
  return session;
}

}  // namespace totora::service
