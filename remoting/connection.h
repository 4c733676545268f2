// One client's connection: its requests, our answers, and our requests to it.
#ifndef TOTORA_REMOTING_CONNECTION_H_
#define TOTORA_REMOTING_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "common/shared_bytes.h"
#include "net/raw_connection.h"
#include "remoting/command.h"
#include "remoting/field_buffer.h"
#include "remoting/frame.h"
#include "remoting/request_code.h"
#include "remoting/response_code.h"

namespace totora::remoting {

class RemotingCore;
class RemotingConnection;
using RemotingConnectionPtr = std::shared_ptr<RemotingConnection>;

// What a request is answered with, or what a request of ours carries.
struct Content {
  std::string remark{};
  FieldBuffer fields{};
  // Sent one after the other without being copied together, if they are large.
  std::vector<SharedBytes> body{};

  void AddBody(std::string bytes) { body.emplace_back(std::move(bytes)); }
};

// The way to one client. Keeps working as an object, without effect, when the
// connection is gone.
//
// Thread safety: every method may be called from any thread.
class RemotingConnection : public std::enable_shared_from_this<RemotingConnection> {
 public:
  // The client's answer, whatever its code.
  using CallDone = absl::AnyInvocable<void(absl::StatusOr<Command> answer)>;

  RemotingConnection(std::shared_ptr<RemotingCore> core, RawConnectionPtr raw);
  ~RemotingConnection();

  // peer, local_address, listener_tag, and an id that is never used again.
  const ConnectionInfo& info() const { return raw_->info(); }
  // The loop on which handlers and callbacks of this connection run.
  Executor* executor() const { return raw_->executor(); }

  // As the last request said.
  Language language() const { return language_.load(std::memory_order_relaxed); }
  int32_t version() const { return version_.load(std::memory_order_relaxed); }
  // False once the connection is known to be gone.
  bool is_open() const { return is_open_.load(std::memory_order_relaxed); }

  // Sends a one-way request. There is no sign of its arrival.
  // Errors: ResourceExhausted if it is too large for a frame; Unavailable if
  //   the connection is gone.
  absl::Status Notify(RequestCode code, const Content& content);

  // Sends a request and calls `done` once: with the answer, or DeadlineExceeded
  // after `timeout` (late by at most RemotingLimits::sweep_interval), Unavailable
  // when the connection goes first, ResourceExhausted if connection_calls_max
  // others wait or the frame would be too large. `done` runs on executor(),
  // never inside Call; if that loop is stopped it may be dropped instead.
  void Call(RequestCode code, const Content& content, absl::Duration timeout, CallDone done);
  // The same for a request that is passed on, whatever its code.
  void Call(int32_t code, const Content& content, absl::Duration timeout, CallDone done);

  // Closes once what was written before was handed to the kernel. Requests that
  // are here and not handed out yet never will be.
  void Close();

 private:
  friend class RemotingRequest;
  friend class RemotingHandler;
  friend class RemotingCore;

  struct PendingCall {
    absl::Duration deadline;
    CallDone done;
  };

  absl::Status Send(const Head& head, const Content& content);
  void PauseReading(uint64_t epoch);
  // A request object died.
  void OnRequestGone(int64_t bytes);
  void FailLater(CallDone done, absl::Status status);
  // There was a sign of life. The next sweep says when: a clock is too dear to
  // be asked for every frame.
  void Touch() { is_active_.store(true, std::memory_order_relaxed); }

  // On the loop.
  void OnWritable();
  void OnDrain();
  void OnAnswer(Command answer) ABSL_LOCKS_EXCLUDED(mu_);
  void OnClosed() ABSL_LOCKS_EXCLUDED(mu_);
  // By the sweep.
  void Sweep(absl::Duration now) ABSL_LOCKS_EXCLUDED(mu_);

  const std::shared_ptr<RemotingCore> core_;
  const RawConnectionPtr raw_;

  std::atomic<Language> language_{Language::kUnknown};
  std::atomic<int32_t> version_{0};
  std::atomic<Serializer> serializer_{Serializer::kJson};  // Of the last request.
  std::atomic<bool> is_open_{true};
  std::atomic<bool> is_closing_{false};
  std::atomic<bool> is_draining_{false};
  // The sweep before which a whole frame last came from the client or was
  // written to it, on the clock of executor().
  std::atomic<int64_t> active_nanos_;
  std::atomic<bool> is_active_{false};  // Since the last sweep.
  std::atomic<int64_t> requests_{0};
  std::atomic<int64_t> request_bytes_{0};
  // Counts the times the output has drained: tells a pause that comes too late.
  std::atomic<uint64_t> writable_epoch_{0};
  std::atomic<bool> is_paused_{false};

  Mutex mu_;  // Leaf.
  int32_t next_opaque_ ABSL_GUARDED_BY(mu_) = 0;
  bool accepts_calls_ ABSL_GUARDED_BY(mu_) = true;
  absl::flat_hash_map<int32_t, PendingCall> calls_ ABSL_GUARDED_BY(mu_);
};

// One request on its way to an answer.
//
// A handler may keep the pointer and answer later. A request whose last
// pointer goes without an answer is answered SYSTEM_ERROR: no client is left
// to wait for its timeout by mistake.
//
// Thread safety: every method may be called from any thread.
class RemotingRequest {
 public:
  RemotingRequest(RemotingConnectionPtr connection, Command command);
  ~RemotingRequest();
  RemotingRequest(const RemotingRequest&) = delete;

  const Command& command() const { return command_; }
  RequestCode code() const { return static_cast<RequestCode>(command_.code); }
  const RemotingConnectionPtr& connection() const { return connection_; }
  // False: the client said that it waits for nothing. True says little, for
  // Go never sets the flag.
  bool wants_answer() const { return !command_.is_oneway(); }

  // Sends the answer, in the serializer of the question. Only the first one
  // counts; a one-way request is never answered. An answer that is too large
  // for a frame goes out as SYSTEM_ERROR.
  void Reply(ResponseCode code, const Content& content) {
    Reply(static_cast<int32_t>(code), content);
  }
  void Reply(int32_t code, const Content& content);
  // Without fields and body.
  void Reply(ResponseCode code, absl::string_view remark = {});

 private:
  const RemotingConnectionPtr connection_;
  const Command command_;
  std::atomic<bool> is_answered_{false};
};

using RemotingRequestPtr = std::shared_ptr<RemotingRequest>;

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_CONNECTION_H_
