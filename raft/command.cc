#include "raft/command.h"

#include "common/check.h"
#include "common/coding.h"

namespace totora::raft {
namespace {

// What the length field does not count: itself.
constexpr size_t kLengthBytes = 4;
constexpr size_t kLowWatermarkAt = 28;

}  // namespace

void AppendCommand(const Command& command, std::string* to) {
  const size_t length = kCommandHeaderBytes - kLengthBytes + command.payload.size();
  TOTORA_CHECK(length <= UINT32_MAX) << " a command of " << length << " bytes";
  AppendU32(to, static_cast<uint32_t>(length));
  AppendU16(to, command.kind);
  AppendU16(to, 0);
  AppendU32(to, command.id.replica.value());
  AppendU64(to, command.id.incarnation.value());
  AppendU64(to, command.id.sequence);
  AppendU64(to, command.low_watermark);
  to->append(command.payload.data(), command.payload.size());
}

void PatchLowWatermark(char* encoded, uint64_t low_watermark) {
  PutAt(encoded + kLowWatermarkAt, low_watermark);
}

absl::StatusOr<std::vector<Command>> DecodeCommands(absl::string_view body) {
  std::vector<Command> commands;
  Reader reader(body);
  while (!reader.rest().empty()) {
    const uint32_t length = reader.U32();
    Command command;
    command.kind = reader.U16();
    const uint16_t zero = reader.U16();
    command.id.replica = ReplicaId(reader.U32());
    command.id.incarnation = Incarnation(reader.U64());
    command.id.sequence = reader.U64();
    command.low_watermark = reader.U64();
    if (!reader.ok() || zero != 0 || length < kCommandHeaderBytes - kLengthBytes) {
      return absl::DataLossError("damaged command header");
    }
    command.payload_offset = body.size() - reader.rest().size();
    command.payload = reader.Bytes(length - (kCommandHeaderBytes - kLengthBytes));
    if (!reader.ok()) return absl::DataLossError("a command is longer than its entry");
    commands.push_back(command);
  }
  return commands;
}

}  // namespace totora::raft
