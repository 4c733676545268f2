// The commands of the replicated log and their results: what services put
// into it and what every replica does with it. Byte layout:
// docs/formats/command.md; each struct encodes to and decodes from a payload
// of raft/command.h. Integers are big-endian, strings u16- or u32-prefixed.
//
// Decoding is strict: DataLoss on anything that does not add up. Decoded
// string_views point into the payload.
#ifndef TOTORA_STORE_COMMANDS_H_
#define TOTORA_STORE_COMMANDS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "message/override.h"

namespace totora::store {

// What is laid over the stored bytes of a message (message/override.h). Shared,
// because readers keep it while the index forgets it. Null: nothing.
using OverrideRecord = std::shared_ptr<const message::Override>;

// Numbers are part of the disk format: never reuse one.
enum class CommandKind : uint16_t {
  kVoid = 0,  // raft::kVoidCommand
  kSend = 1,
  kReceive = 2,
  kAck = 3,
  kChangeInvisible = 4,
  kDelivered = 5,        // Responses written, or lost on their way to the client.
  kExpire = 6,           // The leader's: leases that log time has passed.
  kClientsAlive = 7,     // The leader's: clients heard of by any replica.
  kReleaseClient = 8,    // A client said goodbye.
  kReplicaStarted = 9,   // First command of each incarnation.
  kPutTopic = 10,
  kDeleteTopic = 11,
  kPutConsumerGroup = 12,
  kDeleteConsumerGroup = 13,
  kUpdateOffsets = 14,
  kSendBack = 15,
  kForwardToDeadLetter = 16,
  kCancelTimer = 17,
  kLockQueues = 18,
  kUnlockQueues = 19,
  kCopyOffsets = 20,
};

// First bytes of every result: did it work, and if not, in which words.
struct ResultStatus {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string text;
  bool ok() const { return code == absl::StatusCode::kOk; }
};

// --- Send -----------------------------------------------------------------

struct SendItem {
  std::string id_hash;           // 16 bytes: hash of topic, message id, body CRC; empty = no dedup.
  bool is_deliberate = false;    // The same id again, on purpose (classic clients).
  uint32_t tag_hash = 0;         // 0 = no tag.
  uint32_t queue_id = 0;
  absl::string_view message;     // Stored layout (message/codec.h); see Stamp.
  // When it gets into its queue, above 0; 0 = at once. One of the two at most:
  // log time, or how long after the log time at which the command is applied
  // (delay levels: nobody's clock but the log's decides).
  int64_t deliver_at_ms = 0;
  int64_t delay_ms = 0;
  // How young, in time passed, the last send of this id must be for this one to be
  // its retry; each retry counts as a send. At most StoreOptions::dedup_window,
  // and 0 stands for that, but counted from the first send.
  uint32_t retry_window_ms = 0;
};
struct SendCommand {
  std::string topic;
  std::vector<SendItem> items;   // 1 to kSendItemsMax.

  // RocketMQ's own split example fills batches of 1 MB, with 13,000 messages. The
  // ids of so many fit into the header of a classic answer, of IPv6 hosts too.
  static constexpr size_t kSendItemsMax = 16'384;
  std::string Encode() const;
  static absl::StatusOr<SendCommand> Decode(absl::string_view payload);
};
struct SendResult {
  struct Item {
    bool is_duplicate = false;   // Answered with what the first send got.
    uint32_t queue_id = 0;
    QueueOffset offset;          // 0 if it waits for its delivery time.
    BytePosition position;       // 0 for a duplicate, unless it waits.
    // Above 0: it waits until then. (topic, due_ms, position) names the timer;
    // see CancelTimerCommand.
    int64_t due_ms = 0;
  };
  // NotFound: no such topic; FailedPrecondition: not writable; ResourceExhausted:
  // as many timers as there may be; InvalidArgument: due later than kDelayMsMax.
  ResultStatus status;
  std::vector<Item> items;       // One for each SendItem if status is OK.
  std::string Encode() const;
  static absl::StatusOr<SendResult> Decode(absl::string_view bytes);
};

// --- Receive (pop) ----------------------------------------------------------

struct ReceiveCommand {
  std::string consumer_group;
  std::string topic;
  int32_t queue_id = -1;         // -1: any queue, beginning at first_queue.
  uint32_t first_queue = 0;
  uint32_t max_messages = 1;     // 1 to 1024 (the dialect asks for at most 32).
  int64_t invisible_ms = 60000;
  bool auto_renew = false;       // The server keeps the lease while the client lives.
  std::string client_id;
  std::vector<uint32_t> tag_hashes;  // Empty: every message. Sorted.

  std::string Encode() const;
  static absl::StatusOr<ReceiveCommand> Decode(absl::string_view payload);
};
struct DeliveredMessage {
  uint32_t queue_id = 0;
  QueueOffset offset;
  BytePosition position;         // Of the stored message in the log.
  uint32_t size = 0;
  uint32_t attempt = 1;          // 1 = first delivery.
  uint64_t delivery_id = 0;      // Names this delivery in handles.
  OverrideRecord override_record = nullptr;
};
struct ReceiveResult {
  ResultStatus status;           // NotFound: no such topic or consumer group.
  std::vector<DeliveredMessage> messages;  // May be empty: somebody else was faster.
  bool has_more = false;         // Stopped at a scan limit: ask again at once.
  int64_t invisible_until_ms = 0;
  std::string Encode() const;
  static absl::StatusOr<ReceiveResult> Decode(absl::string_view bytes);
};

// --- Ack and change of invisible time ----------------------------------------

// What a receipt handle says (broker/service/receipt_handle.h makes it text).
struct Receipt {
  std::string topic;
  uint32_t queue_id = 0;
  QueueOffset offset;
  uint64_t delivery_id = 0;
};
struct AckCommand {
  std::string consumer_group;
  std::vector<Receipt> receipts;
  std::string Encode() const;
  static absl::StatusOr<AckCommand> Decode(absl::string_view payload);
};
struct AckResult {
  ResultStatus status;
  // One a receipt. OK also when it was acked before; FailedPrecondition when
  // another delivery holds the message now or the handle was never given.
  std::vector<absl::StatusCode> codes;
  std::string Encode() const;
  static absl::StatusOr<AckResult> Decode(absl::string_view bytes);
};
struct ChangeInvisibleCommand {
  std::string consumer_group;
  Receipt receipt;
  int64_t invisible_ms = 0;      // From log time now; 0 = available at once.
  std::string Encode() const;
  static absl::StatusOr<ChangeInvisibleCommand> Decode(absl::string_view payload);
};
struct ChangeInvisibleResult {   // The receipt stays the same.
  ResultStatus status;           // FailedPrecondition: the handle does not hold the message.
  std::string Encode() const;
  static absl::StatusOr<ChangeInvisibleResult> Decode(absl::string_view bytes);
};

// The replica that took receive calls says what became of the responses.
struct DeliveredCommand {
  struct Item {
    std::string consumer_group;
    Receipt receipt;             // offset and delivery_id of one message.
    bool was_written = false;    // False: release it, the attempt does not count.
  };
  std::vector<Item> items;
  std::string Encode() const;
  static absl::StatusOr<DeliveredCommand> Decode(absl::string_view payload);
};

struct ExpireCommand {
  uint32_t limit = 10000;        // Leases at most, and as many timers.
  std::string Encode() const;
  static absl::StatusOr<ExpireCommand> Decode(absl::string_view payload);
};
struct ClientsAliveCommand {
  std::vector<std::string> client_ids;
  std::string Encode() const;
  static absl::StatusOr<ClientsAliveCommand> Decode(absl::string_view payload);
};
struct ReleaseClientCommand {
  std::string client_id;
  std::string consumer_group;    // Empty: all of the client's.
  std::string Encode() const;
  static absl::StatusOr<ReleaseClientCommand> Decode(absl::string_view payload);
};
// Payload of kReplicaStarted is empty: the envelope names the new incarnation.
// Earlier incarnations of that replica are over: their ids are forgotten,
// their deliveries not reported as written are released.

// --- Retries and dead letters ------------------------------------------------

// A classic consumer could not handle a message: another attempt in the consumer
// group's retry topic, or an end among its dead letters. The replica that takes
// the call looks the message up (store/find_message.h) and says all that apply
// needs; nobody reads the log to apply the log.
struct SendBackCommand {
  std::string consumer_group;
  BytePosition position;             // Of the stored bytes…
  uint32_t size = 0;
  uint32_t tag_hash = 0;
  int32_t reconsume_times = 0;       // …and as they were delivered.
  int32_t max_reconsume_times = 16;  // From so many on: a dead letter.
  int64_t delay_ms = 0;              // From log time; below 0: a dead letter.
  // As they were delivered, with RETRY_TOPIC and ORIGIN_MESSAGE_ID set if absent.
  message::Override override_record;

  std::string Encode() const;
  static absl::StatusOr<SendBackCommand> Decode(absl::string_view payload);
};
struct SendBackResult {
  // NotFound: no such consumer group; ResourceExhausted: topics or timers;
  // FailedPrecondition: the retry or dead letter topic is not writable.
  ResultStatus status;
  bool is_dead_letter = false;
  int64_t due_ms = 0;                // 0: it is in its topic.
  std::string Encode() const;
  static absl::StatusOr<SendBackResult> Decode(absl::string_view bytes);
};

// A gRPC consumer gives a message up. It is acked and among the dead letters of
// its consumer group after this. PlainResult: OK also when it was acked before;
// FailedPrecondition as in AckResult.
struct ForwardToDeadLetterCommand {
  std::string consumer_group;
  Receipt receipt;
  std::string Encode() const;
  static absl::StatusOr<ForwardToDeadLetterCommand> Decode(absl::string_view payload);
};

// A delayed message is called back before it gets into its queue. PlainResult:
// NotFound if there is no such timer (any more).
struct CancelTimerCommand {
  std::string topic;
  int64_t due_ms = 0;
  BytePosition position;
  std::string Encode() const;
  static absl::StatusOr<CancelTimerCommand> Decode(absl::string_view payload);
};

// --- Tables -----------------------------------------------------------------

enum class TopicType : uint8_t { kNormal = 1, kFifo = 2, kDelay = 3, kTransaction = 4, kMixed = 5 };

struct TopicConfig {
  std::string name;
  TopicType type = TopicType::kNormal;
  uint32_t read_queues = 8;
  uint32_t write_queues = 8;
  uint32_t permission = 6;       // Bits as in RocketMQ: 4 read, 2 write.
  bool is_ordered = false;       // What an administrator noted; changes nothing here.

  std::string Encode() const;    // Also the payload of kPutTopic.
  static absl::StatusOr<TopicConfig> Decode(absl::string_view payload);
  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;
};
struct ConsumerGroupConfig {
  std::string name;
  // Deliveries through receive. A message that is not acked by the end of the last
  // one is a dead letter.
  uint32_t max_attempts = 17;
  bool is_fifo = false;          // consumeMessageOrderly.
  bool is_enabled = true;
  bool may_broadcast = true;     // consumeBroadcastEnable.
  bool hears_of_members = true;  // notifyConsumerIdsChangedEnable.
  uint32_t retry_queues = 1;     // Of its retry topic, when that is made.

  std::string Encode() const;
  static absl::StatusOr<ConsumerGroupConfig> Decode(absl::string_view payload);
  friend bool operator==(const ConsumerGroupConfig&, const ConsumerGroupConfig&) = default;
};
struct NameCommand {             // kDeleteTopic.
  std::string name;
  std::string Encode() const;
  static absl::StatusOr<NameCommand> Decode(absl::string_view payload);
};
// Offsets, leases and locks of a consumer group go with it.
struct DeleteConsumerGroupCommand {
  std::string name;
  bool with_topics = false;      // Its retry and its dead letter topic too.
  std::string Encode() const;
  static absl::StatusOr<DeleteConsumerGroupCommand> Decode(absl::string_view payload);
};
struct UpdateOffsetsCommand {
  struct Item {
    std::string consumer_group;
    std::string topic;
    uint32_t queue_id = 0;
    QueueOffset offset;
    bool is_reset = false;       // Otherwise the higher of old and new counts.
    // A reset that consumers who are at work have to follow: reports mean nothing
    // until an item with ends_hold and the offset of the reset comes, because a
    // consumer was seen there. Only with is_reset.
    bool holds = false;
    bool ends_hold = false;      // Changes nothing else.
  };
  std::vector<Item> items;
  std::string Encode() const;
  static absl::StatusOr<UpdateOffsetsCommand> Decode(absl::string_view payload);
};
// What one consumer group committed becomes, as by a reset, what another did.
// PlainResult: NotFound: a group or the topic.
struct CopyOffsetsCommand {
  std::string from_group;
  std::string to_group;
  std::string topic;             // Empty: all topics.
  std::string Encode() const;
  static absl::StatusOr<CopyOffsetsCommand> Decode(absl::string_view payload);
};

// --- Locks of orderly consumers ------------------------------------------------

struct QueueName {
  std::string topic;
  uint32_t queue_id = 0;
};
struct LockQueuesCommand {       // kLockQueues, kUnlockQueues.
  std::string consumer_group;
  std::string client_id;
  std::vector<QueueName> queues;  // At most kQueuesMax.

  static constexpr size_t kQueuesMax = 10'000;
  std::string Encode() const;
  static absl::StatusOr<LockQueuesCommand> Decode(absl::string_view payload);
};
struct LockQueuesResult {        // Of kLockQueues.
  ResultStatus status;           // NotFound: no such consumer group.
  std::vector<uint32_t> granted;  // Places in LockQueuesCommand::queues, ascending.
  std::string Encode() const;
  static absl::StatusOr<LockQueuesResult> Decode(absl::string_view bytes);
};

// The result of every command that has no result type of its own.
struct PlainResult {
  ResultStatus status;
  std::string Encode() const;
  static absl::StatusOr<PlainResult> Decode(absl::string_view bytes);
};

}  // namespace totora::store

#endif  // TOTORA_STORE_COMMANDS_H_
