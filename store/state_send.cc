#include "common/coding.h"
#include "message/codec.h"
#include "message/topic.h"
#include "store/state.h"

namespace totora::store {
namespace {

// Checked by every replica before anything of the command is done: a queue must
// never hold what its readers cannot parse.
absl::Status CheckItems(const Topic& topic, const std::vector<SendItemView>& items) {
  for (const SendItemView& item : items) {
    if (item.queue_id >= topic.queues.size()) {
      return absl::InvalidArgumentError("no such queue");
    }
    const auto message = message::StoredMessageView::Parse(item.message);
    if (!message.ok() || message->size() != item.message.size()) {
      return absl::InvalidArgumentError("damaged message");
    }
  }
  return absl::OkStatus();
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
  const absl::Status checked = CheckItems(*topic, send_items);
  if (!checked.ok()) return StatusResult(checked);

  SendResult result;
  result.items.reserve(send_items.size());
  for (const SendItemView& item : send_items) {
    SendResult::Item& answer = result.items.emplace_back();
    if (!item.id_hash.empty() && !item.is_deliberate) {
      const DedupRecord* const first = dedup.Find(item.id_hash, log_time_ms);
      if (first != nullptr) {
        answer.is_duplicate = true;
        answer.queue_id = first->queue_id;
        answer.offset = QueueOffset(first->offset);
        continue;
      }
    }
    const uint64_t offset = topic->queues[item.queue_id].end;
    IndexEntry entry;
    entry.position =
        position.value() + static_cast<uint64_t>(item.message.data() - payload.data());
    entry.store_time_ms = log_time_ms;
    entry.size = static_cast<uint32_t>(item.message.size());
    entry.tag_hash = item.tag_hash;
    const absl::Status appended = index.Append(topic, item.queue_id, entry);
    if (!appended.ok()) Die(appended);
    if (!item.id_hash.empty()) dedup.Add(item.id_hash, log_time_ms, item.queue_id, offset);
    answer.queue_id = item.queue_id;
    answer.offset = QueueOffset(offset);
    answer.position = BytePosition(entry.position);
    const QueueKey key{topic->id, item.queue_id};
    if (grown.empty() || grown.back() != key) grown.push_back(key);
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

uint32_t StateMachine::CountMessages(uint16_t kind, absl::string_view payload) const {
  if (kind != static_cast<uint16_t>(CommandKind::kSend)) return 0;
  absl::string_view topic;
  if (!ReadSendItems(payload, &topic, &state_->send_items)) return 0;
  return static_cast<uint32_t>(state_->send_items.size());
}

}  // namespace totora::store
