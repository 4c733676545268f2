// How replicas of one group reach each other.
//
// Each replica dials every peer on three channels, each a TCP connection of
// its own, so that a heartbeat never waits behind data. A stream carries
// messages one way, from who dialled to who accepted; the first message both
// ways is a Hello. Messages of one stream arrive in order and whole, or the
// stream breaks; what was in flight then may be lost.
#ifndef TOTORA_RAFT_TRANSPORT_H_
#define TOTORA_RAFT_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/shared_bytes.h"
#include "common/types.h"
#include "raft/log/identity.h"

namespace totora::raft {

enum class Channel : uint8_t { kControl = 0, kAppend = 1, kBulk = 2 };
inline constexpr int kChannels = 3;

// Who speaks. Sent first on each stream, and again on the control channel when
// something in it changes.
struct Hello {
  std::string cluster;
  GroupId group;
  ReplicaId replica;
  VolumeId volume;
  Incarnation incarnation;
  bool is_leader = false;
  Term term;
  std::vector<BoundVoter> voters;  // Empty until this replica is bound.
};
std::string EncodeHello(const Hello& hello);
// False if `bytes` is none.
bool DecodeHello(absl::string_view bytes, Hello* hello);

// One message: the head, then the parts, none of them copied before the socket.
struct WireMessage {
  std::string head;
  std::vector<SharedBytes> parts;

  size_t size() const {
    size_t total = head.size();
    for (const SharedBytes& part : parts) total += part.size();
    return total;
  }
};

// Hears of peers. Called on any thread; implementations post.
class TransportReceiver {
 public:
  virtual ~TransportReceiver() = default;

  // `from` is the Hello of the stream that the message came by.
  virtual void OnMessage(std::shared_ptr<const Hello> from, Channel channel,
                         SharedBytes bytes) = 0;
  // Our stream to `peer` is open and it has answered with its Hello.
  virtual void OnConnected(ReplicaId peer, Channel channel, const Hello& hello) = 0;
  // Our stream to `peer` broke, or could not be opened. `is_refused`: nobody
  // listens at its address (the process is gone, the host is alive).
  virtual void OnDisconnected(ReplicaId peer, Channel channel, bool is_refused) = 0;
};

// Thread safety: every method may be called from any thread.
class Transport {
 public:
  virtual ~Transport() = default;

  // Begins to dial. Callbacks may come from here on.
  virtual void Start(const Hello& self, TransportReceiver* receiver) = 0;

  // What later streams say first.
  virtual void SetHello(const Hello& self) = 0;

  // Never blocks. Drops the message if there is no stream, or if more than the
  // transport's bound waits on it; both are legal losses to Raft.
  virtual void Send(ReplicaId to, Channel channel, WireMessage message) = 0;

  // No callback runs or comes after it returns.
  virtual void Stop() = 0;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_TRANSPORT_H_
