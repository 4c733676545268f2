#include "store/find_message.h"

#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/status.h"
#include "raft/command.h"
#include "store/retry.h"
#include "store/send_items.h"

namespace totora::store {
namespace {

constexpr uint64_t kReadBytes = 1 << 20;

absl::Status NotThere() { return absl::NotFoundError("no message begins at this position"); }

absl::StatusOr<FoundMessage> FindInSend(const raft::Command& command, uint64_t at) {
  absl::string_view topic;
  std::vector<SendItemView> items;
  if (!ReadSendItems(command.payload, &topic, &items)) return NotThere();
  for (const SendItemView& item : items) {
    if (static_cast<uint64_t>(item.message.data() - command.payload.data()) != at) continue;
    FoundMessage found;
    found.topic = std::string(topic);
    found.queue_id = item.queue_id;
    found.size = static_cast<uint32_t>(item.message.size());
    found.tag_hash = item.tag_hash;
    return found;
  }
  return NotThere();
}

}  // namespace

absl::StatusOr<FoundMessage> FindMessage(const raft::Frame& entry, BytePosition at) {
  const BytePosition body = entry.header.body_position();
  if (at < body || at >= entry.header.end() ||
      entry.header.type != raft::EntryType::kCommands) {
    return NotThere();
  }
  const uint64_t in_body = at.value() - body.value();
  const auto commands = raft::DecodeCommands(entry.body.view());
  if (!commands.ok()) return NotThere();
  for (const raft::Command& command : *commands) {
    if (in_body < command.payload_offset ||
        in_body >= command.payload_offset + command.payload.size()) {
      continue;
    }
    const uint64_t in_payload = in_body - command.payload_offset;
    if (command.kind == static_cast<uint16_t>(CommandKind::kSend)) {
      TOTORA_ASSIGN_OR_RETURN(FoundMessage found, FindInSend(command, in_payload));
      found.position = at;
      found.store_time_ms = entry.header.timestamp_ms;
      return found;
    }
    if (command.kind != static_cast<uint16_t>(CommandKind::kSendBack) || in_payload != 0) {
      return NotThere();
    }
    const absl::StatusOr<SendBackCommand> back = SendBackCommand::Decode(command.payload);
    if (!back.ok()) return NotThere();
    FoundMessage found;
    found.topic = SendBackTopic(*back);
    found.position = back->position;
    found.size = back->size;
    found.tag_hash = back->tag_hash;
    found.store_time_ms = entry.header.timestamp_ms;
    found.override_record =
        std::make_shared<const message::Override>(SendBackOverride(*back, at));
    return found;
  }
  return NotThere();
}

absl::StatusOr<FoundMessage> FindMessage(const raft::LogStore& log, const EntryRange& around,
                                         BytePosition at) {
  LogIndex from = around.first;
  while (from <= around.last) {
    TOTORA_ASSIGN_OR_RETURN(const std::vector<raft::Frame> frames,
                            log.ReadFrames(from, around.last, kReadBytes));
    if (frames.empty()) break;
    for (const raft::Frame& frame : frames) {
      if (at < frame.header.end()) return FindMessage(frame, at);
    }
    from = frames.back().header.index.Next();
  }
  return NotThere();
}

}  // namespace totora::store
