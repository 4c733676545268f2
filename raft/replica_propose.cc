// From commands to entries: forwarding where this replica does not lead,
// batching where it does.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/coding.h"
#include "common/crc32c.h"
#include "raft/replica_state.h"

namespace totora::raft {
namespace {
constexpr uint64_t kForwardBytesMax = 1 << 20;
constexpr size_t kKindOffset = 4;
constexpr size_t kReplicaOffset = 8;
constexpr size_t kIncarnationOffset = 12;
constexpr size_t kSequenceOffset = 20;

CommandId IdOf(absl::string_view encoded) {
  return {ReplicaId(GetAt<uint32_t>(encoded.data() + kReplicaOffset)),
          Incarnation(GetAt<uint64_t>(encoded.data() + kIncarnationOffset)),
          GetAt<uint64_t>(encoded.data() + kSequenceOffset)};
}
}  // namespace

void Replica::State::PostFlush() {
  if (std::exchange(is_flush_posted, true)) return;
  executor->Post([self = shared_from_this()] {
    self->is_flush_posted = false;
    self->Flush();
  });
}

void Replica::State::Flush() {
  if (core == nullptr || is_stopped) return;
  if (core->role() == Role::kLeader) {
    for (const SharedBytes& command : submitter->TakeUnsent(UINT64_MAX)) TakePending(command);
  } else {
    ForwardUnsent();
  }
  Drain();
}

void Replica::State::ForwardUnsent() {
  const ReplicaId leader = core->leader();
  if (leader.value() == 0 || leader == options.self) return;
  if (!peers[leader].is_up) return;  // OnConnected comes back to it.
  while (submitter->has_unsent()) {
    transport->Send(leader, Channel::kAppend,
                    EncodeForward(submitter->TakeUnsent(kForwardBytesMax)));
  }
}

void Replica::State::TakePending(const SharedBytes& command) {
  // A repeat of what is on its way already; a late one is caught at apply.
  if (!in_progress.insert(IdOf(command.view())).second) return;
  pending_bytes += command.size();
  pending.push_back(command);
}

void Replica::State::MaybePropose() {
  if (core->role() != Role::kLeader || is_stopped) return;
  while (!pending.empty() && unwritten.bytes() < kUnwrittenBytesMax) {
    // No timer: whatever arrives while the last entry is on its way to disk and
    // majority becomes the next one.
    const bool is_busy = writer->backlog() > 0 && core->commit_index() < last_proposed;
    if (is_busy && pending_bytes < options.entry_bytes_max) return;
    const LogIndex before = last_proposed;
    ProposeOne();
    if (last_proposed == before) return;  // Refused for now.
    // The core's output is carried out before the next one, so that backlog counts it.
    for (Output output = core->TakeOutput(); !output.empty(); output = core->TakeOutput()) {
      CarryOut(std::move(output));
      if (is_stopped || core->role() != Role::kLeader) return;
    }
  }
}

void Replica::State::ProposeOne() {
  size_t count = 0;
  uint64_t bytes = 0;
  while (count < pending.size() && count < options.entry_commands_max) {
    const uint64_t size = pending[count].size();
    if (count > 0 && bytes + size > options.entry_bytes_max) break;
    bytes += size;
    ++count;
  }
  const absl::StatusOr<EntryMeta> meta =
      core->Propose(EntryType::kCommands, static_cast<uint32_t>(kFrameHeaderBytes + bytes));
  if (!meta.ok()) return;
  std::string body;
  body.reserve(bytes);
  for (size_t i = 0; i < count; ++i) {
    const absl::string_view command = pending.front().view();
    pending_bytes -= command.size();
    body.append(command.data(), command.size());
    pending.pop_front();
  }
  last_proposed = meta->index;
  staged[meta->index] = BuildFrame(*meta, std::move(body));
}

Frame Replica::State::BuildFrame(const EntryMeta& meta, std::string body) {
  FrameHeader header;
  header.index = meta.index;
  header.term = meta.term;
  header.type = meta.type;
  header.start = last_header.index.value() == 0 ? BytePosition(0) : last_header.end();
  header.body_bytes = static_cast<uint32_t>(body.size());
  const LogTimes now = log_clock->Now();
  header.timestamp_ms =
      std::clamp(now.log_ms, last_header.timestamp_ms, kLogTimeMsMax);
  header.passed_ms = std::clamp(now.passed_ms, last_header.passed_ms, kPassedMsMax);
  header.begins_segment =
      meta.index.value() == 1 || segment_used + meta.bytes > options.segment_bytes;
  if (meta.type == EntryType::kCommands) {
    const uint64_t watermark = submitter->low_watermark();
    for (size_t at = 0; at < body.size();) {
      char* const command = &body[at];
      const size_t size = 4 + size_t{GetAt<uint32_t>(command)};
      const CommandId id = IdOf(absl::string_view(command, size));
      if (id.replica == options.self && id.incarnation == identity->incarnation()) {
        PatchLowWatermark(command, watermark);
      }
      const uint16_t kind = GetAt<uint16_t>(command + kKindOffset);
      char* const payload = command + kCommandHeaderBytes;
      const size_t payload_size = size - kCommandHeaderBytes;
      state_machine->Stamp(kind, payload, payload_size,
                           header.body_position().Next(at + kCommandHeaderBytes),
                           header.timestamp_ms);
      at += size;
    }
  }
  header.body_crc = Crc32c(body);
  header.chain_crc = ChainCrc(last_header.chain_crc, header);
  return Frame{header, SharedBytes(std::move(body))};
}

void Replica::State::BecameLeader() {
  log_clock->StartLeading(last_header.times());
  pending.clear();
  pending_bytes = 0;
  in_progress.clear();
  last_proposed = LogIndex();
  // Before anything new, in sequence: what this replica took and does not know
  // to be applied.
  submitter->ResendAll();
  PostFlush();
  if (last_header.index.value() == 0) {
    executor->Post([self = shared_from_this()] {
      self->ProposeConfiguration();
      self->Drain();
    });
  }
}

void Replica::State::ProposeConfiguration() {
  if (core->role() != Role::kLeader) return;
  std::string body;
  AppendU32(&body, static_cast<uint32_t>(identity->voters().size()));
  for (const BoundVoter& voter : identity->voters()) {
    AppendU32(&body, voter.replica.value());
    AppendBytes(&body, voter.volume);
  }
  const absl::StatusOr<EntryMeta> meta = core->Propose(
      EntryType::kConfiguration, static_cast<uint32_t>(kFrameHeaderBytes + body.size()));
  if (!meta.ok()) return;
  staged[meta->index] = BuildFrame(*meta, std::move(body));
}

void Replica::State::LostLead() {
  log_clock->StopLeading();
  pending.clear();
  pending_bytes = 0;
  in_progress.clear();
  submitter->ResendAll();
  PostFlush();
}

}  // namespace totora::raft
