// The envelope of a command: who issued it and under which number. An entry of
// type kCommands is a sequence of these. docs/formats/command.md.
//
//   u32 length of all that follows     u16 kind      u16 zero
//   u32 origin replica    u64 origin incarnation     u64 sequence
//   u64 low watermark     payload
//
// (replica, incarnation, sequence) is the command's id. The state machine
// keeps each id with its result until the low watermark that later commands of
// the same incarnation carry has passed it, so a replica may propose again
// whatever it does not know to be committed, and it is applied once.
#ifndef TOTORA_RAFT_COMMAND_H_
#define TOTORA_RAFT_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"

namespace totora::raft {

inline constexpr size_t kCommandHeaderBytes = 36;

// The kind of a command that does nothing: what its replica had taken was given
// up before it was known to be committed. Whichever of the two the log holds
// first is the one outcome of their id.
inline constexpr uint16_t kVoidCommand = 0;

struct CommandId {
  ReplicaId replica;
  Incarnation incarnation;
  uint64_t sequence = 0;  // From 1 in each incarnation.

  friend auto operator<=>(const CommandId&, const CommandId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const CommandId& id) {
    return H::combine(std::move(h), id.replica, id.incarnation, id.sequence);
  }
};

struct Command {
  CommandId id;
  uint64_t low_watermark = 0;  // All sequences up to here are answered for good.
  uint16_t kind = 0;           // The state machine's business (store/command_kinds.h).
  absl::string_view payload;   // Points into the bytes that were decoded.
  size_t payload_offset = 0;   // Of `payload` in the entry's body.
};

void AppendCommand(const Command& command, std::string* to);

// Overwrites the low watermark of an encoded command.
void PatchLowWatermark(char* encoded, uint64_t low_watermark);

// Splits an entry's body. The results point into `body`.
// Errors: DataLoss if the lengths do not add up.
absl::StatusOr<std::vector<Command>> DecodeCommands(absl::string_view body);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_COMMAND_H_
