#include "message/codec.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "message/digest.h"
#include "message/properties.h"

namespace totora::message {
namespace {

// The topic length of version 1 is a signed byte to Java.
constexpr size_t kTopicBytesMaxV1 = 127;

size_t HostBytes(bool is_ipv6) { return is_ipv6 ? 20 : 8; }

size_t StoreTimeAt(uint32_t system_flags) {
  return kBornHostAt + HostBytes((system_flags & kBornHostIpv6Flag) != 0);
}
size_t StoreHostAt(uint32_t system_flags) { return StoreTimeAt(system_flags) + 8; }
size_t ReconsumeAt(uint32_t system_flags) {
  return StoreHostAt(system_flags) + HostBytes((system_flags & kStoreHostIpv6Flag) != 0);
}

uint32_t SystemFlagsOf(const char* at) { return GetAt<uint32_t>(at + kSystemFlagsAt); }

void AppendHost(std::string* to, const Host& host) {
  to->append(reinterpret_cast<const char*>(host.ip.data()), host.address_bytes());
  AppendU32(to, host.port);
}

Host ReadHost(const char* at, bool is_ipv6) {
  Host host;
  host.is_ipv6 = is_ipv6;
  std::memcpy(host.ip.data(), at, host.address_bytes());
  host.port = GetAt<uint32_t>(at + host.address_bytes());
  return host;
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("stored message: ", what));
}

}  // namespace

size_t StoredSize(const Message& message) {
  const size_t topic_length = message.topic.size() > kTopicBytesMaxV1 ? 2 : 1;
  return kBornHostAt + message.born_host.stored_bytes() + 8 + message.store_host.stored_bytes() +
         4 + 8 + 4 + message.body.size() + topic_length + message.topic.size() + 2 +
         message.properties.size();
}

absl::Status EncodeMessage(const Message& message, std::string* to) {
  if (message.topic.empty() || message.topic.size() > kStoredTopicBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("topic of ", message.topic.size(), " bytes, 1 to ", kStoredTopicBytesMax,
                     " are allowed"));
  }
  if (message.body.size() > kBodyBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("body of ", message.body.size(),
                                                   " bytes, at most ", kBodyBytesMax,
                                                   " are allowed"));
  }
  if (absl::Status status = CheckProperties(message.properties); !status.ok()) return status;

  uint32_t flags = message.system_flags & ~(kBornHostIpv6Flag | kStoreHostIpv6Flag);
  if (message.born_host.is_ipv6) flags |= kBornHostIpv6Flag;
  if (message.store_host.is_ipv6) flags |= kStoreHostIpv6Flag;
  const bool is_v2 = message.topic.size() > kTopicBytesMaxV1;
  const size_t size = StoredSize(message);
  const size_t begin = to->size();
  to->reserve(begin + size);

  AppendU32(to, static_cast<uint32_t>(size));
  AppendU32(to, is_v2 ? kMagicV2 : kMagicV1);
  AppendU32(to, BodyCrc(message.body));
  AppendU32(to, message.queue_id);
  AppendU32(to, static_cast<uint32_t>(message.flag));
  AppendU64(to, message.queue_offset.value());
  AppendU64(to, message.position.value());
  AppendU32(to, flags);
  AppendU64(to, static_cast<uint64_t>(message.born_time_ms));
  AppendHost(to, message.born_host);
  AppendU64(to, static_cast<uint64_t>(message.store_time_ms));
  AppendHost(to, message.store_host);
  AppendU32(to, static_cast<uint32_t>(message.reconsume_times));
  AppendU64(to, message.prepared_position.value());
  AppendBytes(to, message.body);
  if (is_v2) {
    AppendU16(to, static_cast<uint16_t>(message.topic.size()));
  } else {
    AppendU8(to, static_cast<uint8_t>(message.topic.size()));
  }
  to->append(message.topic.data(), message.topic.size());
  AppendU16(to, static_cast<uint16_t>(message.properties.size()));
  to->append(message.properties.data(), message.properties.size());
  TOTORA_DCHECK(to->size() - begin == size);
  return absl::OkStatus();
}

absl::StatusOr<StoredMessageView> StoredMessageView::Parse(absl::string_view bytes) {
  if (bytes.size() < kStoredBytesMin) return Damaged("cut off inside its header");
  const uint32_t total = GetAt<uint32_t>(bytes.data() + kTotalSizeAt);
  const uint32_t magic = GetAt<uint32_t>(bytes.data() + kMagicAt);
  if (magic != kMagicV1 && magic != kMagicV2) return Damaged("wrong magic");
  if (total < kStoredBytesMin || total > kStoredBytesMax) return Damaged("impossible size");
  if (total > bytes.size()) return Damaged("cut off");

  StoredMessageView view;
  view.bytes_ = bytes.substr(0, total);
  const uint32_t flags = SystemFlagsOf(bytes.data());
  view.store_time_at_ = static_cast<uint32_t>(StoreTimeAt(flags));
  view.reconsume_at_ = static_cast<uint32_t>(ReconsumeAt(flags));

  const auto position = [&view](const Reader& reader) {
    return static_cast<uint32_t>(view.bytes_.size() - reader.rest().size());
  };
  Reader reader(view.bytes_);
  reader.Bytes(view.reconsume_at_ + 4 + 8);
  view.body_bytes_ = reader.U32();
  view.body_at_ = position(reader);
  reader.Bytes(view.body_bytes_);
  view.topic_bytes_ = magic == kMagicV2 ? reader.U16() : reader.U8();
  view.topic_at_ = position(reader);
  reader.Bytes(view.topic_bytes_);
  const uint16_t properties_bytes = reader.U16();
  view.properties_at_ = position(reader);
  reader.Bytes(properties_bytes);

  if (!reader.done()) return Damaged("its parts do not add up to its size");
  const size_t topic_max = magic == kMagicV2 ? kStoredTopicBytesMax : kTopicBytesMaxV1;
  if (view.topic_bytes_ == 0 || view.topic_bytes_ > topic_max) return Damaged("topic length");
  if (view.body_bytes_ > kBodyBytesMax) return Damaged("body length");
  if (properties_bytes > kPropertiesBytesMax) return Damaged("properties length");
  return view;
}

absl::string_view StoredMessageView::Property(absl::string_view name) const {
  return PropertyOr(properties(), name);
}

Host StoredMessageView::born_host() const {
  return ReadHost(bytes_.data() + kBornHostAt, (system_flags() & kBornHostIpv6Flag) != 0);
}

int64_t StoredMessageView::store_time_ms() const {
  return static_cast<int64_t>(Get<uint64_t>(store_time_at_));
}

Host StoredMessageView::store_host() const {
  return ReadHost(bytes_.data() + store_time_at_ + 8, (system_flags() & kStoreHostIpv6Flag) != 0);
}

int32_t StoredMessageView::reconsume_times() const {
  return static_cast<int32_t>(Get<uint32_t>(reconsume_at_));
}

BytePosition StoredMessageView::prepared_position() const {
  return BytePosition(Get<uint64_t>(reconsume_at_ + 4));
}

absl::Status StoredMessageView::CheckBody() const {
  return BodyCrc(body()) == body_crc() ? absl::OkStatus() : Damaged("wrong body CRC");
}

Message StoredMessageView::ToMessage() const {
  return {.topic = topic(),
          .body = body(),
          .properties = properties(),
          .queue_id = queue_id(),
          .queue_offset = queue_offset(),
          .position = position(),
          .flag = flag(),
          .system_flags = system_flags(),
          .born_time_ms = born_time_ms(),
          .born_host = born_host(),
          .store_time_ms = store_time_ms(),
          .store_host = store_host(),
          .reconsume_times = reconsume_times(),
          .prepared_position = prepared_position()};
}

void PatchSystemFlags(char* at, uint32_t system_flags) {
  constexpr uint32_t kKept = kBornHostIpv6Flag | kStoreHostIpv6Flag;
  PutAt(at + kSystemFlagsAt, (system_flags & ~kKept) | (SystemFlagsOf(at) & kKept));
}

void PatchStoreTime(char* at, int64_t store_time_ms) {
  PutAt(at + StoreTimeAt(SystemFlagsOf(at)), static_cast<uint64_t>(store_time_ms));
}

void PatchStoreHost(char* at, const Host& host) {
  const uint32_t flags = SystemFlagsOf(at);
  TOTORA_CHECK(host.is_ipv6 == ((flags & kStoreHostIpv6Flag) != 0)) << host.ToString();
  char* to = at + StoreHostAt(flags);
  std::memcpy(to, host.ip.data(), host.address_bytes());
  PutAt(to + host.address_bytes(), host.port);
}

void PatchReconsumeTimes(char* at, int32_t reconsume_times) {
  PutAt(at + ReconsumeAt(SystemFlagsOf(at)), static_cast<uint32_t>(reconsume_times));
}

void PatchPreparedPosition(char* at, BytePosition position) {
  PutAt(at + ReconsumeAt(SystemFlagsOf(at)) + 4, position.value());
}

}  // namespace totora::message
