// Questions from one replica to another: for what only the replica can do that a
// client is connected to.
//
// A question may get no answer: when the peer goes, or the stream to it breaks.
// Both kinds of messages share a stream with heartbeats, so they are bounded in
// size and number.
#ifndef TOTORA_BROKER_SERVICE_PEER_CALLS_H_
#define TOTORA_BROKER_SERVICE_PEER_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "common/executor.h"
#include "common/types.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class PeerCalls {
 public:
  static constexpr size_t kOpenMax = 64;  // Questions without an answer.
  // Of a question, and of an answer: one message of 4 MiB fits.
  static constexpr size_t kBytesMax = 5 << 20;

  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string> answer)>;
  // May be called on any thread, once; if it is dropped, the question times out.
  using Reply = absl::AnyInvocable<void(std::string answer)>;
  using Handler = std::function<void(std::string question, Reply reply)>;

  PeerCalls(CommandLog* log, Executor* executor);

  // What answers questions of peers.
  void SetHandler(Handler handler) { handler_ = std::move(handler); }

  // Calls `done` once. Errors: ResourceExhausted: the question or its answer is too
  // large, or kOpenMax others wait; Unavailable: the peer is gone; DeadlineExceeded.
  void Ask(ReplicaId peer, absl::string_view question, absl::Duration timeout, Done done);

  static bool IsPeerMessage(absl::string_view bytes);
  void PeerMessage(ReplicaId from, absl::string_view bytes);
  void PeerDown(ReplicaId peer);

 private:
  struct Open {
    ReplicaId peer;
    Done done;
  };

  void Finish(uint64_t id, absl::StatusOr<std::string> answer);
  void Send(ReplicaId to, uint8_t kind, uint64_t id, absl::string_view bytes);

  CommandLog* const log_;
  Executor* const executor_;
  Handler handler_;
  // Numbers of an earlier life of this process are not used again: an answer to
  // one of them must not pass for another.
  uint64_t next_id_;
  absl::flat_hash_map<uint64_t, Open> open_;
  // Guards tasks that outlive this object in the executor's queue.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_PEER_CALLS_H_
