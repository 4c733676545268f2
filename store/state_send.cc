#include "common/coding.h"
#include "message/codec.h"
#include "message/topic.h"
#include "store/state.h"

namespace totora::store {
namespace {

// When the message gets into its queue; not above `now_ms`: at once.
int64_t DueOf(const SendItemView& item, int64_t now_ms) {
  if (item.delay_ms > kDelayMsMax) return INT64_MAX;
  return item.delay_ms > 0 ? now_ms + item.delay_ms : item.deliver_at_ms;
}

// Checked by every replica before anything of the command is done: a queue must
// never hold what its readers cannot parse. Notes where the properties are, and
// counts the messages that are to wait.
absl::Status CheckItems(const Topic& topic, int64_t now_ms, std::vector<SendItemView>* items,
                        uint64_t* delayed) {
  for (SendItemView& item : *items) {
    if (item.queue_id >= topic.queues.size()) {
      return absl::InvalidArgumentError("no such queue");
    }
    const auto message = message::StoredMessageView::Parse(item.message);
    if (!message.ok() || message->size() != item.message.size()) {
      return absl::InvalidArgumentError("damaged message");
    }
    item.properties = message->properties();
    const int64_t due_ms = DueOf(item, now_ms);
    if (due_ms - now_ms > kDelayMsMax) {
      return absl::InvalidArgumentError("no delivery time is so far away");
    }
    if (due_ms > now_ms) ++*delayed;
  }
  return absl::OkStatus();
}

// In the queue id of a record of the window of ids: the message waits for its
// delivery time, and the record has its position in the place of its offset.
constexpr uint32_t kWaitingBit = uint32_t{1} << 31;
static_assert(kQueuesPerTopicMax < kWaitingBit);

// What the first send of this id was answered.
SendResult::Item AnswerAgain(const DedupRecord& first, const SendItemView& item) {
  SendResult::Item answer;
  answer.is_duplicate = true;
  answer.queue_id = first.queue_id & ~kWaitingBit;
  if ((first.queue_id & kWaitingBit) == 0) {
    answer.offset = QueueOffset(first.offset);
  } else {
    answer.position = BytePosition(first.offset);
    // A retry says the same delivery time, and the record when it was counted from.
    answer.due_ms = DueOf(item, first.first_log_ms);
  }
  return answer;
}

message::Host StoreHost(uint32_t ip, uint16_t port, bool is_ipv6) {
  message::Host host;
  host.is_ipv6 = is_ipv6;
  host.port = port;
  if (is_ipv6) host.ip[10] = host.ip[11] = 0xff;  // ::ffff:a.b.c.d
  PutAt(reinterpret_cast<char*>(host.ip.data()) + (is_ipv6 ? 12 : 0), ip);
  return host;
}

}  // namespace

std::string State::Send(absl::string_view payload, BytePosition position) {
  absl::string_view name;
  if (!ReadSendItems(payload, &name, &send_items)) {
    return StatusResult(absl::InvalidArgumentError("damaged send command"));
  }
  Topic* const topic = topics.Find(name);
  if (topic == nullptr) return StatusResult(absl::NotFoundError("no such topic"));
  if ((topic->config.permission & message::kPermissionWrite) == 0 ||
      topic->config.write_queues == 0) {
    return StatusResult(absl::FailedPreconditionError("the topic is not writable"));
  }
  uint64_t delayed = 0;
  const absl::Status checked = CheckItems(*topic, log_time_ms, &send_items, &delayed);
  if (!checked.ok()) return StatusResult(checked);
  if (delayed > 0 && timers.count() + delayed > options.timers_max) {
    return StatusResult(absl::ResourceExhaustedError("too many messages wait to be delivered"));
  }

  SendResult result;
  result.items.reserve(send_items.size());
  for (const SendItemView& item : send_items) {
    SendResult::Item& answer = result.items.emplace_back();
    if (!item.id_hash.empty() && !item.is_deliberate) {
      const DedupRecord* const first =
          dedup.Find(item.id_hash, passed_ms, item.retry_window_ms);
      if (first != nullptr) {
        answer = AnswerAgain(*first, item);
        // Whoever goes on trying may need longer than the window of one send.
        if (item.retry_window_ms > 0) dedup.Refresh(*first, passed_ms);
        continue;
      }
    }
    IndexEntry entry;
    entry.position =
        position.value() + static_cast<uint64_t>(item.message.data() - payload.data());
    entry.store_time_ms = log_time_ms;
    entry.size = static_cast<uint32_t>(item.message.size());
    entry.tag_hash = item.tag_hash;
    answer.queue_id = item.queue_id;
    answer.position = BytePosition(entry.position);
    // Also of one that waits: whoever looks for it may know that it does.
    keys.Add(topic->id, item.properties, {answer.position, entry.size, log_time_ms});
    const int64_t due_ms = DueOf(item, log_time_ms);
    if (due_ms > log_time_ms) {
      answer.due_ms = due_ms;
      timers.Add({due_ms, entry.position}, {{topic->id, item.queue_id}, entry.position, entry.size,
                                            entry.tag_hash, nullptr});
      if (log_time_ms >= growth_from_ms) ++timers_added;
      if (!item.id_hash.empty()) {
        dedup.Add(item.id_hash, {log_time_ms, passed_ms}, item.queue_id | kWaitingBit,
                  entry.position);
      }
      continue;
    }
    const uint64_t offset = topic->queues[item.queue_id].end;
    AppendEntry(topic, item.queue_id, entry);
    if (!item.id_hash.empty()) {
      dedup.Add(item.id_hash, {log_time_ms, passed_ms}, item.queue_id, offset);
    }
    answer.offset = QueueOffset(offset);
  }
  return result.Encode();
}

void StateMachine::Stamp(uint16_t kind, char* payload, size_t size, BytePosition position,
                         int64_t log_time_ms) const {
  if (kind != static_cast<uint16_t>(CommandKind::kSend)) return;
  absl::string_view topic;
  std::vector<SendItemView>& items = state_->send_items;
  // What cannot be read is left as it is: apply refuses it.
  if (!ReadSendItems({payload, size}, &topic, &items)) return;
  for (const SendItemView& item : items) {
    const auto message = message::StoredMessageView::Parse(item.message);
    if (!message.ok() || message->size() != item.message.size()) continue;
    const auto offset = static_cast<uint64_t>(item.message.data() - payload);
    char* const at = payload + offset;
    message::PatchPosition(at, position.Next(offset));
    message::PatchStoreTime(at, log_time_ms);
    const bool is_ipv6 = (message->system_flags() & message::kStoreHostIpv6Flag) != 0;
    message::PatchStoreHost(at, StoreHost(state_->options.store_host_ip,
                                          state_->options.store_host_port, is_ipv6));
  }
}

}  // namespace totora::store
