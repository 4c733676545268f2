// The codecs of retries and dead letters, timers, and locks of queues.
#include <utility>

#include "store/command_coding.h"
#include "store/commands.h"

namespace totora::store {

// --- Retries and dead letters ---------------------------------------------

std::string SendBackCommand::Encode() const {
  std::string to;
  AppendName(&to, consumer_group);
  AppendU64(&to, position.value());
  AppendU32(&to, size);
  AppendU32(&to, tag_hash);
  AppendU32(&to, static_cast<uint32_t>(reconsume_times));
  AppendU32(&to, static_cast<uint32_t>(max_reconsume_times));
  AppendU64(&to, static_cast<uint64_t>(delay_ms));
  AppendBytes(&to, override_record.Encode());
  return to;
}

absl::StatusOr<SendBackCommand> SendBackCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  SendBackCommand command;
  command.consumer_group = reader.NameString();
  command.position = BytePosition(reader.U64());
  command.size = reader.U32();
  command.tag_hash = reader.U32();
  command.reconsume_times = static_cast<int32_t>(reader.U32());
  // One more must have its place in the message.
  reader.Require(command.reconsume_times >= 0 && command.reconsume_times < INT32_MAX);
  command.max_reconsume_times = static_cast<int32_t>(reader.U32());
  command.delay_ms = static_cast<int64_t>(reader.U64());
  absl::StatusOr<message::Override> record = message::Override::Decode(reader.Prefixed());
  reader.Require(record.ok());
  if (record.ok()) command.override_record = *std::move(record);
  return Finish(reader, std::move(command), "send back");
}

std::string SendBackResult::Encode() const {
  std::string to;
  AppendStatus(&to, status);
  if (!status.ok()) return to;
  AppendU8(&to, is_dead_letter ? 1 : 0);
  AppendU64(&to, static_cast<uint64_t>(due_ms));
  return to;
}

absl::StatusOr<SendBackResult> SendBackResult::Decode(absl::string_view bytes) {
  PayloadReader reader(bytes);
  SendBackResult result;
  result.status = ReadStatus(&reader);
  if (reader.ok() && result.status.ok()) {
    result.is_dead_letter = reader.Bool();
    result.due_ms = static_cast<int64_t>(reader.U64());
  }
  return Finish(reader, std::move(result), "result of a send back");
}

std::string ForwardToDeadLetterCommand::Encode() const {
  std::string to;
  AppendName(&to, consumer_group);
  AppendReceipt(&to, receipt);
  return to;
}

absl::StatusOr<ForwardToDeadLetterCommand> ForwardToDeadLetterCommand::Decode(
    absl::string_view payload) {
  PayloadReader reader(payload);
  ForwardToDeadLetterCommand command;
  command.consumer_group = reader.NameString();
  command.receipt = ReadReceipt(&reader);
  return Finish(reader, std::move(command), "forward to the dead letters");
}

std::string CancelTimerCommand::Encode() const {
  std::string to;
  AppendName(&to, topic);
  AppendU64(&to, static_cast<uint64_t>(due_ms));
  AppendU64(&to, position.value());
  return to;
}

absl::StatusOr<CancelTimerCommand> CancelTimerCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  CancelTimerCommand command;
  command.topic = reader.NameString();
  command.due_ms = static_cast<int64_t>(reader.U64());
  reader.Require(command.due_ms > 0);
  command.position = BytePosition(reader.U64());
  return Finish(reader, std::move(command), "cancel of a timer");
}

// --- Locks of orderly consumers -------------------------------------------

std::string LockQueuesCommand::Encode() const {
  std::string to;
  AppendName(&to, consumer_group);
  AppendName(&to, client_id);
  AppendU32(&to, static_cast<uint32_t>(queues.size()));
  for (const QueueName& queue : queues) {
    AppendName(&to, queue.topic);
    AppendU32(&to, queue.queue_id);
  }
  return to;
}

absl::StatusOr<LockQueuesCommand> LockQueuesCommand::Decode(absl::string_view payload) {
  PayloadReader reader(payload);
  LockQueuesCommand command;
  command.consumer_group = reader.NameString();
  command.client_id = reader.NameString();
  const size_t count = reader.Count(2 + 4);
  reader.Require(count <= kQueuesMax);
  if (!reader.ok()) return Damaged("locks of queues");
  command.queues.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    QueueName& queue = command.queues.emplace_back();
    queue.topic = reader.NameString();
    queue.queue_id = reader.U32();
  }
  return Finish(reader, std::move(command), "locks of queues");
}

std::string LockQueuesResult::Encode() const {
  std::string to;
  AppendStatus(&to, status);
  if (!status.ok()) return to;
  AppendU32(&to, static_cast<uint32_t>(granted.size()));
  for (uint32_t at : granted) AppendU32(&to, at);
  return to;
}

absl::StatusOr<LockQueuesResult> LockQueuesResult::Decode(absl::string_view bytes) {
  PayloadReader reader(bytes);
  LockQueuesResult result;
  result.status = ReadStatus(&reader);
  if (reader.ok() && result.status.ok()) {
    const size_t count = reader.Count(4);
    result.granted.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const uint32_t at = reader.U32();
      reader.Require(i == 0 || at > result.granted.back());
      result.granted.push_back(at);
    }
  }
  return Finish(reader, std::move(result), "result of locks");
}

}  // namespace totora::store
