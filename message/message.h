// One message: its fields, flags and the names of its system properties.
//
// Names and numbers are RocketMQ's (MessageSysFlag.java, MessageConst.java);
// classic and gRPC producers end up in the same fields, so that each kind of
// consumer can read what the other kind of producer sent.
#ifndef TOTORA_MESSAGE_MESSAGE_H_
#define TOTORA_MESSAGE_MESSAGE_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"

namespace totora::message {

inline constexpr size_t kBodyBytesMax = 4u << 20;
// The stored length is a signed short.
inline constexpr size_t kPropertiesBytesMax = 32767;
// Of names that only the broker makes (retry and dead letter topics); what
// users may choose is in message/topic.h.
inline constexpr size_t kStoredTopicBytesMax = 255;
// The largest stored message that any reader accepts: docs/formats/message.md.
inline constexpr size_t kStoredBytesMax =
    72 + 2 * 20 + kBodyBytesMax + 2 + kStoredTopicBytesMax + 2 + kPropertiesBytesMax;

// IP address and port of a producer or of the replica that stored a message.
struct Host {
  std::array<uint8_t, 16> ip = {};  // An IPv4 address in the first four.
  bool is_ipv6 = false;
  uint32_t port = 0;

  // `ip` is in numbers, no name. An IPv4 address mapped into IPv6 becomes IPv4.
  // Errors: InvalidArgument.
  static absl::StatusOr<Host> Parse(absl::string_view ip, uint32_t port);

  // As stored.
  size_t address_bytes() const { return is_ipv6 ? 16 : 4; }
  size_t stored_bytes() const { return address_bytes() + 4; }
  // "10.0.0.1:10911", "[::1]:10911".
  std::string ToString() const;
  std::string IpToString() const;

  friend bool operator==(const Host&, const Host&) = default;
};

// Bits of Message::system_flags.
inline constexpr uint32_t kCompressedFlag = 0x1;
inline constexpr uint32_t kMultiTagsFlag = 0x2;
inline constexpr uint32_t kTransactionMask = 0xC;
inline constexpr uint32_t kTransactionPrepared = 0x4;
inline constexpr uint32_t kTransactionCommit = 0x8;
inline constexpr uint32_t kTransactionRollback = 0xC;
inline constexpr uint32_t kBornHostIpv6Flag = 0x10;
inline constexpr uint32_t kStoreHostIpv6Flag = 0x20;
inline constexpr uint32_t kNeedUnwrapFlag = 0x40;
inline constexpr uint32_t kInnerBatchFlag = 0x80;
inline constexpr uint32_t kCompressionMask = 0x700;

enum class Compression { kNone, kZlib, kLz4, kZstd, kUnknown };

// How a body is packed. The broker stores bodies as they came.
constexpr Compression CompressionOf(uint32_t system_flags) {
  if ((system_flags & kCompressedFlag) == 0) return Compression::kNone;
  switch ((system_flags & kCompressionMask) >> 8) {
    case 0:  // From before there was a choice.
    case 3:
      return Compression::kZlib;
    case 1:
      return Compression::kLz4;
    case 2:
      return Compression::kZstd;
    default:
      return Compression::kUnknown;
  }
}

// A message to be stored, or one that was read. Owns nothing: topic, body and
// properties belong to whoever filled them in (a request, a segment).
//
// Thread safety: value.
struct Message {
  absl::string_view topic;
  absl::string_view body;        // As stored, maybe compressed.
  absl::string_view properties;  // Packed; see message/properties.h.
  uint32_t queue_id = 0;
  QueueOffset queue_offset;
  BytePosition position;         // Of this message in the group's log.
  int32_t flag = 0;              // The application's.
  // The two IPv6 bits follow the hosts; encoding sets them itself.
  uint32_t system_flags = 0;
  int64_t born_time_ms = 0;      // Producer's clock.
  Host born_host;
  int64_t store_time_ms = 0;     // Log time.
  Host store_host;
  int32_t reconsume_times = 0;
  BytePosition prepared_position;
};

// Names of the properties that the broker or the clients themselves use.
inline constexpr char kKeysProperty[] = "KEYS";  // Words separated by a space.
inline constexpr char kTagsProperty[] = "TAGS";
inline constexpr char kWaitProperty[] = "WAIT";
inline constexpr char kDelayLevelProperty[] = "DELAY";
inline constexpr char kUniqueKeyProperty[] = "UNIQ_KEY";
inline constexpr char kTransactionIdProperty[] = "__transactionId__";
inline constexpr char kTransactionPreparedProperty[] = "TRAN_MSG";
inline constexpr char kProducerGroupProperty[] = "PGROUP";
inline constexpr char kTransactionCheckTimesProperty[] = "TRANSACTION_CHECK_TIMES";
inline constexpr char kCheckImmunitySecondsProperty[] = "CHECK_IMMUNITY_TIME_IN_SECONDS";
inline constexpr char kPreparedQueueOffsetProperty[] = "TRAN_PREPARED_QUEUE_OFFSET";
inline constexpr char kRealTopicProperty[] = "REAL_TOPIC";
inline constexpr char kRealQueueIdProperty[] = "REAL_QID";
inline constexpr char kRetryTopicProperty[] = "RETRY_TOPIC";
inline constexpr char kReconsumeTimeProperty[] = "RECONSUME_TIME";
inline constexpr char kMaxReconsumeTimesProperty[] = "MAX_RECONSUME_TIMES";
inline constexpr char kOriginMessageIdProperty[] = "ORIGIN_MESSAGE_ID";
inline constexpr char kRegionProperty[] = "MSG_REGION";
inline constexpr char kTraceSwitchProperty[] = "TRACE_ON";
inline constexpr char kTraceContextProperty[] = "TRACE_CONTEXT";
inline constexpr char kClusterProperty[] = "CLUSTER";
inline constexpr char kMessageTypeProperty[] = "MSG_TYPE";
inline constexpr char kInstanceIdProperty[] = "INSTANCE_ID";
inline constexpr char kCorrelationIdProperty[] = "CORRELATION_ID";
inline constexpr char kReplyToClientProperty[] = "REPLY_TO_CLIENT";
inline constexpr char kTtlProperty[] = "TTL";
inline constexpr char kArriveTimeProperty[] = "ARRIVE_TIME";
inline constexpr char kPushReplyTimeProperty[] = "PUSH_REPLY_TIME";
// Java's and gRPC's message group; Go's classic client has a name of its own.
inline constexpr char kShardingKeyProperty[] = "__SHARDINGKEY";
inline constexpr char kGoShardingKeyProperty[] = "SHARDING_KEY";
inline constexpr char kTimerDelaySecondsProperty[] = "TIMER_DELAY_SEC";
inline constexpr char kTimerDelayMillisProperty[] = "TIMER_DELAY_MS";
inline constexpr char kTimerDeliverMillisProperty[] = "TIMER_DELIVER_MS";
inline constexpr char kTimerOutMillisProperty[] = "TIMER_OUT_MS";
inline constexpr char kTimerDeleteKeyProperty[] = "TIMER_DEL_UNIQKEY";
inline constexpr char kDeadLetterTopicProperty[] = "DLQ_ORIGIN_TOPIC";
inline constexpr char kDeadLetterMessageIdProperty[] = "DLQ_ORIGIN_MESSAGE_ID";
inline constexpr char kPopCheckProperty[] = "POP_CK";
inline constexpr char kFirstPopTimeProperty[] = "1ST_POP_TIME";
inline constexpr char kBornHostProperty[] = "__BORNHOST";
inline constexpr char kBornTimestampProperty[] = "BORN_TIMESTAMP";
inline constexpr char kPriorityProperty[] = "_SYS_MSG_PRIORITY_";
inline constexpr char kLiteTopicProperty[] = "__LITE_TOPIC";
// Properties that begin so are between client and broker and are not stored.
inline constexpr char kTransientPrefix[] = "__RMQ.TRANSIENT.";

// True for names that applications may not use for properties of their own.
bool IsReservedProperty(absl::string_view name);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_MESSAGE_H_
