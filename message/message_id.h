// Names of messages: where one lies, and what its producer calls it.
// docs/formats/message.md (MessageDecoder.java, MessageClientIDSetter.java, and
// MessageIdCodec.java of the gRPC clients).
#ifndef TOTORA_MESSAGE_MESSAGE_ID_H_
#define TOTORA_MESSAGE_MESSAGE_ID_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "message/message.h"

namespace totora::message {

// Store host and position: what classic clients call offsetMsgId. Tools dial
// the host to get the message.
struct OffsetMessageId {
  Host store_host;
  BytePosition position;

  // 32 (IPv4) or 56 (IPv6) upper-case hexadecimal digits.
  std::string Encode() const;
  // Takes digits of either case. Errors: InvalidArgument.
  static absl::StatusOr<OffsetMessageId> Decode(absl::string_view id);

  friend bool operator==(const OffsetMessageId&, const OffsetMessageId&) = default;
};

// What tells the ids of two processes apart.
struct IdOrigin {
  Host host;                        // Only its address counts.
  std::array<uint8_t, 6> mac = {};  // Or six random bytes.
  uint32_t process_id = 0;
  uint32_t salt = 0;                // In place of Java's class-loader hash: random.
};

// Makes the ids that classic (UNIQ_KEY) and gRPC v2 producers make; a broker
// needs them for messages that come without one.
//
// Unique within one maker as long as it makes fewer than 65,536 classic ids a
// millisecond and fewer than 2^32 v2 ids a second.
//
// Thread safety: any thread.
class MessageIdMaker {
 public:
  explicit MessageIdMaker(const IdOrigin& origin) : origin_(origin) {}

  // 32 or 56 digits. `now_ms` is wall time in milliseconds since 1970. It
  // carries the time within the month (UTC), so ids of one process repeat only
  // if counter and month-time both do.
  std::string NextUniqueId(int64_t now_ms);

  // 34 digits.
  std::string NextV2Id(int64_t now_ms);

 private:
  // Constant after construction.
  const IdOrigin origin_;
  std::atomic<uint32_t> counter_{0};
};

// True for ids that gRPC v2 clients made: 34 hexadecimal digits, version 1.
bool IsV2Id(absl::string_view id);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_MESSAGE_ID_H_
