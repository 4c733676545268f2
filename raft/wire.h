// Messages between replicas as bytes. docs/formats/replication.md.
#ifndef TOTORA_RAFT_WIRE_H_
#define TOTORA_RAFT_WIRE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "raft/core/types.h"
#include "raft/log/frame.h"
#include "raft/transport.h"

namespace totora::raft {

// What the sender's clocks show; what a message does not carry is 0.
struct WireTimes {
  int64_t wall_ms = 0;    // A VoteReply, a HeartbeatReply.
  int64_t log_ms = 0;     // A Heartbeat.
  int64_t passed_ms = 0;  // A VoteReply, a Heartbeat (raft/log_clock.h).
};

// A protocol message; `frames` are the entries of an AppendRequest.
struct ProtocolMessage {
  Message message;
  std::vector<Frame> frames;
  WireTimes times;
};
// Commands, encoded, from a replica that does not lead.
struct ForwardedCommands {
  std::vector<SharedBytes> commands;
};
// What a program gave to Replica::SendToPeer.
struct PeerMessage {
  SharedBytes bytes;
};
// The sender's Hello changed.
struct Announcement {
  Hello hello;
};
using WireContent =
    std::variant<ProtocolMessage, ForwardedCommands, PeerMessage, Announcement>;

// `frames` must be the entries of an AppendRequest, in order.
WireMessage EncodeProtocol(const Message& message, absl::Span<const Frame> frames,
                           const WireTimes& times);
WireMessage EncodeForward(std::vector<SharedBytes> commands);
WireMessage EncodePeer(std::string bytes);
WireMessage EncodeAnnouncement(const Hello& hello);

// Whether DecodeWire would give a PeerMessage.
bool IsPeerMessage(absl::string_view bytes);

// The content shares `bytes`. Headers and bodies of frames are checked.
// Errors: DataLoss.
absl::StatusOr<WireContent> DecodeWire(const SharedBytes& bytes);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_WIRE_H_
