// Messages as bytes: RocketMQ's commit-log layout, byte for byte.
// docs/formats/message.md (MessageDecoder.java, CommitLog.java).
//
// A message is encoded once, by the replica that takes it. What is known only
// later is patched in place; nothing ever changes its length:
//
//     EncodeMessage   ->  bytes in a send command
//     leader          ->  PatchStoreTime, PatchStoreHost
//     reader of a log ->  PatchQueueId, PatchQueueOffset, PatchPosition, ...
//
// Everything read here may come from a damaged disk or a hostile peer: Parse
// checks every length against the bytes that are there, and only what passed it
// may be patched.
#ifndef TOTORA_MESSAGE_CODEC_H_
#define TOTORA_MESSAGE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/coding.h"
#include "common/types.h"
#include "message/message.h"

namespace totora::message {

inline constexpr uint32_t kMagicV1 = 0xDAA320A7;
inline constexpr uint32_t kMagicV2 = 0xDAA320AB;

// Places of fields that do not depend on the hosts' address families.
inline constexpr size_t kTotalSizeAt = 0;
inline constexpr size_t kMagicAt = 4;
inline constexpr size_t kBodyCrcAt = 8;
inline constexpr size_t kQueueIdAt = 12;
inline constexpr size_t kFlagAt = 16;
inline constexpr size_t kQueueOffsetAt = 20;
inline constexpr size_t kPositionAt = 28;
inline constexpr size_t kSystemFlagsAt = 36;
inline constexpr size_t kBornTimeAt = 40;
inline constexpr size_t kBornHostAt = 48;
// The shortest message there can be: two IPv4 hosts, a topic of one byte.
inline constexpr size_t kStoredBytesMin = 88 + 1 + 1 + 2;

// How many bytes EncodeMessage writes.
size_t StoredSize(const Message& message);

// Appends `message` to `*to`. Computes the body CRC and sets the two IPv6 flags
// after the hosts. Writes the second version of the layout only for a topic of
// more than 127 bytes.
//
// Errors (`*to` is as before): InvalidArgument if topic, body or properties are
//   longer than their maximum, or the topic is empty.
absl::Status EncodeMessage(const Message& message, std::string* to);

// A stored message where it lies: fields are read when they are asked for.
//
// Thread safety: value; reading while somebody patches the same bytes is a race.
class StoredMessageView {
 public:
  // Looks at the message that `bytes` begins with; more may follow it. The view
  // and everything it returns points into `bytes`.
  //
  // Errors: DataLoss unless there is a whole message whose parts add up to
  //   its total size. Says nothing of the body's CRC; see CheckBody.
  static absl::StatusOr<StoredMessageView> Parse(absl::string_view bytes);

  // The whole message; the next one may begin behind it.
  absl::string_view bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }

  absl::string_view topic() const { return bytes_.substr(topic_at_, topic_bytes_); }
  absl::string_view body() const { return bytes_.substr(body_at_, body_bytes_); }
  absl::string_view properties() const { return bytes_.substr(properties_at_); }
  // The value of a property, empty if it is absent.
  absl::string_view Property(absl::string_view name) const;

  uint32_t body_crc() const { return Get<uint32_t>(kBodyCrcAt); }
  uint32_t queue_id() const { return Get<uint32_t>(kQueueIdAt); }
  int32_t flag() const { return static_cast<int32_t>(Get<uint32_t>(kFlagAt)); }
  QueueOffset queue_offset() const { return QueueOffset(Get<uint64_t>(kQueueOffsetAt)); }
  BytePosition position() const { return BytePosition(Get<uint64_t>(kPositionAt)); }
  uint32_t system_flags() const { return Get<uint32_t>(kSystemFlagsAt); }
  int64_t born_time_ms() const { return static_cast<int64_t>(Get<uint64_t>(kBornTimeAt)); }
  Host born_host() const;
  int64_t store_time_ms() const;
  Host store_host() const;
  int32_t reconsume_times() const;
  BytePosition prepared_position() const;

  // DataLoss if the body is not the one that the CRC was computed of.
  absl::Status CheckBody() const;

  // All fields at once. Views as above.
  Message ToMessage() const;

 private:
  StoredMessageView() = default;

  template <typename T>
  T Get(size_t at) const {
    return GetAt<T>(bytes_.data() + at);
  }

  absl::string_view bytes_;
  // Constant after Parse, each part inside bytes_.
  uint32_t store_time_at_ = 0;
  uint32_t reconsume_at_ = 0;
  uint32_t body_at_ = 0;
  uint32_t body_bytes_ = 0;
  uint32_t topic_at_ = 0;
  uint32_t topic_bytes_ = 0;
  uint32_t properties_at_ = 0;
};

// Changes of one field of a stored message that begins at `at`.
// REQUIRES: EncodeMessage wrote it, or Parse accepted it.
inline void PatchQueueId(char* at, uint32_t queue_id) { PutAt(at + kQueueIdAt, queue_id); }
inline void PatchQueueOffset(char* at, QueueOffset offset) {
  PutAt(at + kQueueOffsetAt, offset.value());
}
inline void PatchPosition(char* at, BytePosition position) {
  PutAt(at + kPositionAt, position.value());
}
// Keeps the IPv6 flags, which say where the other fields are.
void PatchSystemFlags(char* at, uint32_t system_flags);
void PatchStoreTime(char* at, int64_t store_time_ms);
// REQUIRES: `host` is of the address family that the message was encoded with.
void PatchStoreHost(char* at, const Host& host);
void PatchReconsumeTimes(char* at, int32_t reconsume_times);
void PatchPreparedPosition(char* at, BytePosition position);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_CODEC_H_
