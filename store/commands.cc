#include "store/commands.h"

#include <algorithm>
#include <utility>

#include "store/command_coding.h"
#include "store/payload.h"
#include "store/send_items.h"

namespace totora::store {
namespace {

// Flags of a send item.
constexpr uint8_t kDeliberateFlag = 1;
constexpr uint8_t kHasIdFlag = 2;
constexpr uint8_t kDeliverAtFlag = 4;
constexpr uint8_t kDelayFlag = 8;
constexpr uint8_t kRetryWindowFlag = 16;
// Flags of an item of a send result.
constexpr uint8_t kDuplicateFlag = 1;
constexpr uint8_t kWaitsFlag = 2;
// Flags of a receive result.
constexpr uint8_t kHasMoreFlag = 1;
constexpr uint8_t kHasOverridesFlag = 2;
// Flags of a topic's or consumer group's row.
constexpr uint8_t kFifoFlag = 1;
constexpr uint8_t kEnabledFlag = 2;
constexpr uint8_t kNoBroadcastFlag = 4;
constexpr uint8_t kHearsNothingFlag = 8;
constexpr uint8_t kRetryQueuesFlag = 16;
// Beside the type of a topic.
constexpr uint8_t kOrderedFlag = 0x80;
// Flags of an item of consumer offsets.
constexpr uint8_t kResetFlag = 1;
constexpr uint8_t kHoldsFlag = 2;
constexpr uint8_t kEndsHoldFlag = 4;

// Of the deletion of a consumer group.
constexpr uint8_t kWithTopicsFlag = 1;

// The fewest bytes that one of each can take.
constexpr size_t kSendItemBytesMin = 1 + 4 + 4 + 4;
constexpr size_t kSendResultItemBytes = 1 + 4 + 8 + 8;
constexpr size_t kDeliveredBytes = 4 + 8 + 8 + 4 + 4 + 8;
constexpr size_t kReceiptBytesMin = 2 + 4 + 8 + 8;
constexpr size_t kOffsetItemBytesMin = 2 + 2 + 4 + 8 + 1;

constexpr uint32_t kReceiveMessagesMax = 1024;

// The override records of some of the delivered messages.
void ReadOverrides(PayloadReader* reader, std::vector<DeliveredMessage>* messages) {
  const size_t count = reader->Count(4 + 4);
  reader->Require(count > 0);
  uint64_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t at = reader->U32();
    reader->Require(at >= next && at < messages->size());
    absl::StatusOr<message::Override> record = message::Override::Decode(reader->Prefixed());
    reader->Require(record.ok());
    if (!reader->ok()) return;
    (*messages)[at].override_record =
        std::make_shared<const message::Override>(*std::move(record));
    next = uint64_t{at} + 1;
  }
}

}  // namespace

// --- Send -----------------------------------------------------------------

bool ReadSendItems(absl::string_view payload, absl::string_view* topic,
                   std::vector<SendItemView>* items) {
  items->clear();
  PayloadReader reader(payload);
  *topic = reader.Name();
  const size_t count = reader.Count(kSendItemBytesMin);
  if (count == 0 || count > SendCommand::kSendItemsMax) return false;
  for (size_t i = 0; i < count; ++i) {
    SendItemView& item = items->emplace_back();
    const uint8_t flags =
        reader.Flags(kDeliberateFlag | kHasIdFlag | kDeliverAtFlag | kDelayFlag | kRetryWindowFlag);
    item.is_deliberate = (flags & kDeliberateFlag) != 0;
    if ((flags & kHasIdFlag) != 0) item.id_hash = reader.Bytes(kIdHashBytes);
    if ((flags & kRetryWindowFlag) != 0) {
      item.retry_window_ms = reader.U32();
      reader.Require(item.retry_window_ms > 0 && (flags & kHasIdFlag) != 0);
    }
    if ((flags & (kDeliverAtFlag | kDelayFlag)) != 0) {
      const bool is_delay = (flags & kDelayFlag) != 0;
      int64_t& time_ms = is_delay ? item.delay_ms : item.deliver_at_ms;
      time_ms = static_cast<int64_t>(reader.U64());
      reader.Require(time_ms > 0 && !(is_delay && (flags & kDeliverAtFlag) != 0));
    }
    item.tag_hash = reader.U32();
    item.queue_id = reader.U32();
    item.message = reader.Prefixed();
    if (!reader.ok()) return false;
    // Each message begins where nobody has looked yet, and those of one command are
    // mostly alike: the one behind the next is on its way while the next is read.
    if (i + 2 < count) __builtin_prefetch(item.message.data() + 2 * item.message.size());
  }
  return reader.done();
}

std::string SendCommand::Encode() const {
  size_t size = 2 + topic.size() + 4;
  for (const SendItem& item : items) {
    size += kSendItemBytesMin + item.id_hash.size() + 4 + 8 + item.message.size();
  }
  std::string to;
  to.reserve(size);
  AppendName(&to, topic);
  AppendU32(&to, static_cast<uint32_t>(items.size()));
  for (const SendItem& item : items) {
    const bool has_id = item.id_hash.size() == kIdHashBytes;
    const bool is_delayed = item.delay_ms > 0;
    const bool has_time = !is_delayed && item.deliver_at_ms > 0;
    const bool has_window = has_id && item.retry_window_ms > 0;
    AppendU8(&to, static_cast<uint8_t>((item.is_deliberate ? kDeliberateFlag : 0) |
                                       (has_id ? kHasIdFlag : 0) |
                                       (has_time ? kDeliverAtFlag : 0) |
                                       (is_delayed ? kDelayFlag : 0) |
                                       (has_window ? kRetryWindowFlag : 0)));
    if (has_id) to.append(item.id_hash);
    if (has_window) AppendU32(&to, item.retry_window_ms);
    if (is_delayed || has_time) {
      AppendU64(&to, static_cast<uint64_t>(is_delayed ? item.delay_ms : item.deliver_at_ms));
    }
    AppendU32(&to, item.tag_hash);
    AppendU32(&to, item.queue_id);
    AppendBytes(&to, item.message);
  }
  return to;
}

absl::StatusOr<SendCommand> SendCommand::Decode(absl::string_view payload) {
  absl::string_view topic;
  std::vector<SendItemView> items;
  if (!ReadSendItems(payload, &topic, &items)) return Damaged("send command");
  SendCommand command;
  command.topic = std::string(topic);
  command.items.reserve(items.size());
  for (const SendItemView& view : items) {
    SendItem& item = command.items.emplace_back();
    item.id_hash = std::string(view.id_hash);
    item.is_deliberate = view.is_deliberate;
    item.tag_hash = view.tag_hash;
    item.queue_id = view.queue_id;
    item.message = view.message;
    item.deliver_at_ms = view.deliver_at_ms;
    item.delay_ms = view.delay_ms;
    item.retry_window_ms = view.retry_window_ms;
  }
  return command;
}

// Of every message of the log: one look at the string for all of them.
std::string SendResult::Encode() const {
  std::string to;
  AppendStatus(&to, status);
  if (!status.ok()) return to;
  size_t at = to.size();
  size_t size = at + 4 + items.size() * kSendResultItemBytes;
  for (const Item& item : items) size += item.due_ms > 0 ? 8 : 0;
  to.resize(size);
  const auto put = [&to, &at](auto value) {
    PutAt(&to[at], value);
    at += sizeof(value);
  };
  put(static_cast<uint32_t>(items.size()));
  for (const Item& item : items) {
    put(static_cast<uint8_t>((item.is_duplicate ? kDuplicateFlag : 0) |
                             (item.due_ms > 0 ? kWaitsFlag : 0)));
    put(item.queue_id);
    put(item.offset.value());
    put(item.position.value());
    if (item.due_ms > 0) put(static_cast<uint64_t>(item.due_ms));
  }
  return to;
}

absl::StatusOr<SendResult> SendResult::Decode(absl::string_view bytes) {
  PayloadReader reader(bytes);
  SendResult result;
  result.status = ReadStatus(&reader);
  if (reader.ok() && result.status.ok()) {
    const size_t count = reader.Count(kSendResultItemBytes);
    result.items.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      Item& item = result.items.emplace_back();
      const uint8_t flags = reader.Flags(kDuplicateFlag | kWaitsFlag);
      item.is_duplicate = (flags & kDuplicateFlag) != 0;
      item.queue_id = reader.U32();
      item.offset = QueueOffset(reader.U64());
      item.position = BytePosition(reader.U64());
      if ((flags & kWaitsFlag) != 0) {
        item.due_ms = static_cast<int64_t>(reader.U64());
        reader.Require(item.due_ms > 0);
      }
    }
  }
  return Finish(reader, std::move(result), "send result");
}

// --- Receive --------------------------------------------------------------

std::string ReceiveCommand::Encode() const {
  std::string to;
  AppendName(&to, consumer_group);
  AppendName(&to, topic);
  AppendU32(&to, static_cast<uint32_t>(queue_id));
  AppendU32(&to, first_queue);
  AppendU32(&to, max_messages);
  AppendU64(&to, static_cast<uint64_t>(invisible_ms));
  AppendU8(&to, auto_renew ? 1 : 0);
  AppendName(&to, client_id);
  std::vector<uint32_t> tags = tag_hashes;
  std::sort(tags.begin(), tags.end());
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  AppendU32(&to, static_cast<uint32_t>(tags.size()));
  for (uint32_t tag : tags) AppendU32(&to, tag);
  return to;
}

absl::StatusOr<ReceiveCommand> ReceiveCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  ReceiveCommand command;
  command.consumer_group = reader.NameString();
  command.topic = reader.NameString();
  command.queue_id = static_cast<int32_t>(reader.U32());
  reader.Require(command.queue_id >= -1);
  command.first_queue = reader.U32();
  command.max_messages = reader.U32();
  reader.Require(command.max_messages >= 1 && command.max_messages <= kReceiveMessagesMax);
  command.invisible_ms = static_cast<int64_t>(reader.U64());
  command.auto_renew = reader.Bool();
  command.client_id = reader.NameString();
  const size_t tags = reader.Count(4);
  command.tag_hashes.reserve(tags);
  for (size_t i = 0; i < tags; ++i) {
    const uint32_t tag = reader.U32();
    reader.Require(i == 0 || tag > command.tag_hashes.back());
    command.tag_hashes.push_back(tag);
  }
  return Finish(reader, std::move(command), "receive command");
}

std::string ReceiveResult::Encode() const {
  std::string to;
  AppendStatus(&to, status);
  if (!status.ok()) return to;
  to.reserve(to.size() + 13 + messages.size() * kDeliveredBytes);
  uint32_t overrides = 0;
  for (const DeliveredMessage& message : messages) overrides += message.override_record != nullptr;
  AppendU8(&to, static_cast<uint8_t>((has_more ? kHasMoreFlag : 0) |
                                     (overrides > 0 ? kHasOverridesFlag : 0)));
  AppendU64(&to, static_cast<uint64_t>(invisible_until_ms));
  AppendU32(&to, static_cast<uint32_t>(messages.size()));
  for (const DeliveredMessage& message : messages) {
    AppendU32(&to, message.queue_id);
    AppendU64(&to, message.offset.value());
    AppendU64(&to, message.position.value());
    AppendU32(&to, message.size);
    AppendU32(&to, message.attempt);
    AppendU64(&to, message.delivery_id);
  }
  if (overrides == 0) return to;
  AppendU32(&to, overrides);
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].override_record == nullptr) continue;
    AppendU32(&to, static_cast<uint32_t>(i));
    AppendBytes(&to, messages[i].override_record->Encode());
  }
  return to;
}

absl::StatusOr<ReceiveResult> ReceiveResult::Decode(absl::string_view bytes) {
  PayloadReader reader(bytes);
  ReceiveResult result;
  result.status = ReadStatus(&reader);
  if (reader.ok() && result.status.ok()) {
    const uint8_t flags = reader.Flags(kHasMoreFlag | kHasOverridesFlag);
    result.has_more = (flags & kHasMoreFlag) != 0;
    result.invisible_until_ms = static_cast<int64_t>(reader.U64());
    const size_t count = reader.Count(kDeliveredBytes);
    result.messages.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      DeliveredMessage& message = result.messages.emplace_back();
      message.queue_id = reader.U32();
      message.offset = QueueOffset(reader.U64());
      message.position = BytePosition(reader.U64());
      message.size = reader.U32();
      message.attempt = reader.U32();
      message.delivery_id = reader.U64();
    }
    if ((flags & kHasOverridesFlag) != 0) ReadOverrides(&reader, &result.messages);
  }
  return Finish(reader, std::move(result), "receive result");
}

// --- Ack and change of invisible time -------------------------------------

std::string AckCommand::Encode() const {
  std::string to;
  AppendName(&to, consumer_group);
  AppendU32(&to, static_cast<uint32_t>(receipts.size()));
  for (const Receipt& receipt : receipts) AppendReceipt(&to, receipt);
  return to;
}

absl::StatusOr<AckCommand> AckCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  AckCommand command;
  command.consumer_group = reader.NameString();
  const size_t count = reader.Count(kReceiptBytesMin);
  command.receipts.reserve(count);
  for (size_t i = 0; i < count; ++i) command.receipts.push_back(ReadReceipt(&reader));
  return Finish(reader, std::move(command), "ack command");
}

std::string AckResult::Encode() const {
  std::string to;
  AppendStatus(&to, status);
  if (!status.ok()) return to;
  AppendU32(&to, static_cast<uint32_t>(codes.size()));
  for (absl::StatusCode code : codes) AppendU8(&to, static_cast<uint8_t>(code));
  return to;
}

absl::StatusOr<AckResult> AckResult::Decode(absl::string_view bytes) {
  PayloadReader reader(bytes);
  AckResult result;
  result.status = ReadStatus(&reader);
  if (reader.ok() && result.status.ok()) {
    const size_t count = reader.Count(1);
    result.codes.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const uint8_t code = reader.U8();
      reader.Require(code <= static_cast<uint8_t>(absl::StatusCode::kUnauthenticated));
      result.codes.push_back(static_cast<absl::StatusCode>(code));
    }
  }
  return Finish(reader, std::move(result), "ack result");
}

std::string ChangeInvisibleCommand::Encode() const {
  std::string to;
  AppendName(&to, consumer_group);
  AppendReceipt(&to, receipt);
  AppendU64(&to, static_cast<uint64_t>(invisible_ms));
  return to;
}

absl::StatusOr<ChangeInvisibleCommand> ChangeInvisibleCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  ChangeInvisibleCommand command;
  command.consumer_group = reader.NameString();
  command.receipt = ReadReceipt(&reader);
  command.invisible_ms = static_cast<int64_t>(reader.U64());
  return Finish(reader, std::move(command), "change of invisible time");
}

std::string ChangeInvisibleResult::Encode() const { return PlainResult{status}.Encode(); }

absl::StatusOr<ChangeInvisibleResult> ChangeInvisibleResult::Decode(absl::string_view bytes) {
  absl::StatusOr<PlainResult> plain = PlainResult::Decode(bytes);
  if (!plain.ok()) return plain.status();
  return ChangeInvisibleResult{std::move(plain->status)};
}

std::string DeliveredCommand::Encode() const {
  std::string to;
  AppendU32(&to, static_cast<uint32_t>(items.size()));
  for (const Item& item : items) {
    AppendName(&to, item.consumer_group);
    AppendReceipt(&to, item.receipt);
    AppendU8(&to, item.was_written ? 1 : 0);
  }
  return to;
}

absl::StatusOr<DeliveredCommand> DeliveredCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  DeliveredCommand command;
  const size_t count = reader.Count(2 + kReceiptBytesMin + 1);
  command.items.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Item& item = command.items.emplace_back();
    item.consumer_group = reader.NameString();
    item.receipt = ReadReceipt(&reader);
    item.was_written = reader.Bool();
  }
  return Finish(reader, std::move(command), "delivery report");
}

std::string ExpireCommand::Encode() const {
  std::string to;
  AppendU32(&to, limit);
  return to;
}

absl::StatusOr<ExpireCommand> ExpireCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  ExpireCommand command;
  command.limit = reader.U32();
  return Finish(reader, command, "expire command");
}

std::string ClientsAliveCommand::Encode() const {
  std::string to;
  AppendU32(&to, static_cast<uint32_t>(client_ids.size()));
  for (const std::string& client_id : client_ids) AppendName(&to, client_id);
  return to;
}

absl::StatusOr<ClientsAliveCommand> ClientsAliveCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  ClientsAliveCommand command;
  const size_t count = reader.Count(2);
  command.client_ids.reserve(count);
  for (size_t i = 0; i < count; ++i) command.client_ids.push_back(reader.NameString());
  return Finish(reader, std::move(command), "list of clients");
}

std::string ReleaseClientCommand::Encode() const {
  std::string to;
  AppendName(&to, client_id);
  AppendName(&to, consumer_group);
  return to;
}

absl::StatusOr<ReleaseClientCommand> ReleaseClientCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  ReleaseClientCommand command;
  command.client_id = reader.NameString();
  command.consumer_group = reader.NameString();
  return Finish(reader, std::move(command), "release of a client");
}

// --- Tables ---------------------------------------------------------------

std::string TopicConfig::Encode() const {
  std::string to;
  AppendName(&to, name);
  AppendU8(&to, static_cast<uint8_t>(static_cast<uint8_t>(type) | (is_ordered ? kOrderedFlag : 0)));
  AppendU32(&to, read_queues);
  AppendU32(&to, write_queues);
  AppendU32(&to, permission);
  return to;
}

absl::StatusOr<TopicConfig> TopicConfig::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  TopicConfig config;
  config.name = reader.NameString();
  const uint8_t type_and_flag = reader.U8();
  config.is_ordered = (type_and_flag & kOrderedFlag) != 0;
  const uint8_t type = type_and_flag & ~kOrderedFlag;
  reader.Require(type >= static_cast<uint8_t>(TopicType::kNormal) &&
                 type <= static_cast<uint8_t>(TopicType::kMixed));
  config.type = static_cast<TopicType>(type);
  config.read_queues = reader.U32();
  config.write_queues = reader.U32();
  config.permission = reader.U32();
  return Finish(reader, std::move(config), "topic");
}

std::string ConsumerGroupConfig::Encode() const {
  std::string to;
  AppendName(&to, name);
  AppendU32(&to, max_attempts);
  const bool has_retry_queues = retry_queues != ConsumerGroupConfig().retry_queues;
  AppendU8(&to, static_cast<uint8_t>((is_fifo ? kFifoFlag : 0) | (is_enabled ? kEnabledFlag : 0) |
                                     (may_broadcast ? 0 : kNoBroadcastFlag) |
                                     (hears_of_members ? 0 : kHearsNothingFlag) |
                                     (has_retry_queues ? kRetryQueuesFlag : 0)));
  if (has_retry_queues) AppendU32(&to, retry_queues);
  return to;
}

absl::StatusOr<ConsumerGroupConfig> ConsumerGroupConfig::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  ConsumerGroupConfig config;
  config.name = reader.NameString();
  config.max_attempts = reader.U32();
  const uint8_t flags = reader.Flags(kFifoFlag | kEnabledFlag | kNoBroadcastFlag |
                                     kHearsNothingFlag | kRetryQueuesFlag);
  config.is_fifo = (flags & kFifoFlag) != 0;
  config.is_enabled = (flags & kEnabledFlag) != 0;
  config.may_broadcast = (flags & kNoBroadcastFlag) == 0;
  config.hears_of_members = (flags & kHearsNothingFlag) == 0;
  if ((flags & kRetryQueuesFlag) != 0) {
    const uint32_t fallback = std::exchange(config.retry_queues, reader.U32());
    reader.Require(config.retry_queues != fallback);
  }
  return Finish(reader, std::move(config), "consumer group");
}

std::string NameCommand::Encode() const {
  std::string to;
  AppendName(&to, name);
  return to;
}

absl::StatusOr<NameCommand> NameCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  NameCommand command;
  command.name = reader.NameString();
  return Finish(reader, std::move(command), "name");
}

std::string DeleteConsumerGroupCommand::Encode() const {
  std::string to;
  AppendName(&to, name);
  if (with_topics) AppendU8(&to, kWithTopicsFlag);
  return to;
}

absl::StatusOr<DeleteConsumerGroupCommand> DeleteConsumerGroupCommand::Decode(
    absl::string_view payload) {
  PayloadReader reader(payload);
  DeleteConsumerGroupCommand command;
  command.name = reader.NameString();
  if (!reader.rest().empty()) {
    command.with_topics = true;
    reader.Require(reader.U8() == kWithTopicsFlag);
  }
  return Finish(reader, std::move(command), "deletion of a consumer group");
}

std::string CopyOffsetsCommand::Encode() const {
  std::string to;
  AppendName(&to, from_group);
  AppendName(&to, to_group);
  AppendName(&to, topic);
  return to;
}

absl::StatusOr<CopyOffsetsCommand> CopyOffsetsCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  CopyOffsetsCommand command;
  command.from_group = reader.NameString();
  command.to_group = reader.NameString();
  command.topic = reader.NameString();
  return Finish(reader, std::move(command), "copy of consumer offsets");
}

std::string UpdateOffsetsCommand::Encode() const {
  std::string to;
  AppendU32(&to, static_cast<uint32_t>(items.size()));
  for (const Item& item : items) {
    AppendName(&to, item.consumer_group);
    AppendName(&to, item.topic);
    AppendU32(&to, item.queue_id);
    AppendU64(&to, item.offset.value());
    AppendU8(&to, static_cast<uint8_t>((item.is_reset ? kResetFlag : 0) |
                                       (item.holds ? kHoldsFlag : 0) |
                                       (item.ends_hold ? kEndsHoldFlag : 0)));
  }
  return to;
}

absl::StatusOr<UpdateOffsetsCommand> UpdateOffsetsCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  UpdateOffsetsCommand command;
  const size_t count = reader.Count(kOffsetItemBytesMin);
  command.items.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Item& item = command.items.emplace_back();
    item.consumer_group = reader.NameString();
    item.topic = reader.NameString();
    item.queue_id = reader.U32();
    item.offset = QueueOffset(reader.U64());
    const uint8_t flags = reader.Flags(kResetFlag | kHoldsFlag | kEndsHoldFlag);
    item.is_reset = (flags & kResetFlag) != 0;
    item.holds = (flags & kHoldsFlag) != 0;
    item.ends_hold = (flags & kEndsHoldFlag) != 0;
    reader.Require(item.is_reset ? !item.ends_hold : !item.holds);
  }
  return Finish(reader, std::move(command), "consumer offsets");
}

std::string PlainResult::Encode() const {
  std::string to;
  AppendStatus(&to, status);
  return to;
}

absl::StatusOr<PlainResult> PlainResult::Decode(absl::string_view bytes) {
  PayloadReader reader(bytes);
  PlainResult result;
  result.status = ReadStatus(&reader);
  return Finish(reader, std::move(result), "result");
}

}  // namespace totora::store
