// A client's connection of the classic protocol, cheap enough to make load with.
#ifndef TOTORA_BENCH_CLASSIC_CONNECTION_H_
#define TOTORA_BENCH_CLASSIC_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/classic_frames.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/raw_connection.h"
#include "remoting/command.h"

namespace totora::bench {

// Dials until it is closed, and again whenever the connection is lost. What
// brokers ask of clients is not answered.
//
// Thread safety: confined to `loop`, unless a method says otherwise.
class ClassicConnection : public std::enable_shared_from_this<ClassicConnection> {
 public:
  // The server's answer, whatever its code.
  using Done = absl::AnyInvocable<void(absl::StatusOr<remoting::Command> answer)>;
  // Called with each change, on the loop.
  using Event = absl::AnyInvocable<void(bool is_up)>;

  // `loop` must outlive every use. Any thread.
  ClassicConnection(EventLoop* loop, std::shared_ptr<NetBudget> budget, std::string address);

  // Begins to dial.
  void Open(Event on_change);
  // Goes on at another address, if it is another one.
  void MoveTo(const std::string& address);

  bool is_up() const { return raw_ != nullptr; }
  int32_t NextOpaque() { return opaques_.Next(); }

  // Sends a whole frame that carries `opaque` and calls `done` once: with the
  // answer; Unavailable when the connection is lost first, or a little later if
  // there is none; DeadlineExceeded after `timeout` (late by at most 0.1 s).
  void Call(int32_t opaque, std::string frame, absl::Duration timeout, Done done);

 private:
  class Handler;
  struct Pending {
    absl::Duration deadline;
    Done done;
  };

  void Dial();
  void DialLater();
  void SweepLater();
  void OnUp(RawConnectionPtr raw);
  void OnAnswer(remoting::Command answer);
  void OnLost(const absl::Status& why);

  EventLoop* const loop_;
  const std::shared_ptr<NetBudget> budget_;
  std::string address_;
  Event on_change_;
  RawConnectionPtr raw_;     // Null while there is no connection.
  uint64_t generation_ = 0;  // Of dials: an earlier one's connection is not wanted any more.
  Opaques opaques_;
  absl::flat_hash_map<int32_t, Pending> pending_;
};

using ClassicConnectionPtr = std::shared_ptr<ClassicConnection>;

}  // namespace totora::bench

#endif  // TOTORA_BENCH_CLASSIC_CONNECTION_H_
