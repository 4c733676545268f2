#include "remoting/connection.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "remoting/server_core.h"

namespace totora::remoting {
namespace {

// A body below this is copied behind its header: one piece is cheaper to
// write than two.
constexpr size_t kCopiedBodyBytesMax = 4096;

int64_t SteadyNanos(Executor* executor) {
  return absl::ToInt64Nanoseconds(executor->clock().SteadyNow());
}

}  // namespace

RemotingConnection::RemotingConnection(std::shared_ptr<RemotingCore> core, RawConnectionPtr raw)
    : core_(std::move(core)), raw_(std::move(raw)), active_nanos_(SteadyNanos(raw_->executor())) {}

RemotingConnection::~RemotingConnection() = default;

absl::Status RemotingConnection::Send(const Head& head, const Content& content) {
  size_t body_size = 0;
  for (const SharedBytes& piece : content.body) body_size += piece.size();
  const size_t copied = body_size < kCopiedBodyBytesMax ? body_size : 0;
  std::string bytes;
  const absl::Status status = AppendFrameHead(head, content.fields, body_size, &bytes, copied);
  if (!status.ok()) return status;

  const uint64_t epoch = writable_epoch_.load();
  bool go_on = true;
  if (copied == body_size) {
    for (const SharedBytes& piece : content.body) {
      bytes.append(piece.view().data(), piece.size());
    }
    go_on = raw_->Write(std::move(bytes));
  } else {
    std::vector<SharedBytes> pieces;
    pieces.reserve(1 + content.body.size());
    pieces.emplace_back(std::move(bytes));
    pieces.insert(pieces.end(), content.body.begin(), content.body.end());
    go_on = raw_->Write(std::move(pieces));
  }
  Touch();
  if (!go_on) PauseReading(epoch);
  return absl::OkStatus();
}

// Who does not read answers is not read either. The output may have drained
// meanwhile, and OnWritable been called: then the epoch has moved on, and a
// pause now would never end.
void RemotingConnection::PauseReading(uint64_t epoch) {
  raw_->executor()->Post([self = shared_from_this(), epoch] {
    if (self->writable_epoch_.load() != epoch || self->is_paused_.load()) return;
    self->is_paused_.store(true);
    self->raw_->PauseReading();
  });
}

void RemotingConnection::OnWritable() {
  writable_epoch_.fetch_add(1);
  if (!is_paused_.exchange(false)) return;
  Touch();
  raw_->ResumeReading();
}

absl::Status RemotingConnection::Notify(RequestCode code, const Content& content) {
  if (!is_open()) return absl::UnavailableError("the connection is gone");
  int32_t opaque = 0;
  {
    MutexLock lock(&mu_);
    opaque = next_opaque_++;
  }
  core_->counters().calls.fetch_add(1, std::memory_order_relaxed);
  return Send({.code = static_cast<int32_t>(code),
               .opaque = opaque,
               .flag = kFlagOneway,
               .serializer = serializer_.load(std::memory_order_relaxed),
               .remark = content.remark},
              content);
}

void RemotingConnection::Call(RequestCode code, const Content& content, absl::Duration timeout,
                              CallDone done) {
  Call(static_cast<int32_t>(code), content, timeout, std::move(done));
}

void RemotingConnection::Call(int32_t code, const Content& content, absl::Duration timeout,
                              CallDone done) {
  core_->counters().calls.fetch_add(1, std::memory_order_relaxed);
  const absl::Duration deadline = executor()->clock().SteadyNow() + timeout;
  int32_t opaque = 0;
  absl::Status refusal;
  {
    MutexLock lock(&mu_);
    if (!accepts_calls_) {
      refusal = absl::UnavailableError("the connection is gone");
    } else if (static_cast<int64_t>(calls_.size()) >= core_->limits().connection_calls_max) {
      refusal = absl::ResourceExhaustedError(
          absl::StrCat(calls_.size(), " requests wait for this client"));
    } else {
      // Never the number of a call that still waits.
      do {
        opaque = next_opaque_++;
      } while (calls_.contains(opaque));
      calls_.emplace(opaque, PendingCall{deadline, std::move(done)});
    }
  }
  if (!refusal.ok()) return FailLater(std::move(done), std::move(refusal));
  const absl::Status sent = Send({.code = code,
                                  .opaque = opaque,
                                  .serializer = serializer_.load(std::memory_order_relaxed),
                                  .remark = content.remark},
                                 content);
  if (sent.ok()) return;
  {
    MutexLock lock(&mu_);
    const auto found = calls_.find(opaque);
    if (found == calls_.end()) return;  // Closed meanwhile, and failed by that.
    done = std::move(found->second.done);
    calls_.erase(found);
  }
  FailLater(std::move(done), sent);
}

void RemotingConnection::FailLater(CallDone done, absl::Status status) {
  core_->counters().calls_failed.fetch_add(1, std::memory_order_relaxed);
  executor()->Post(
      [done = std::move(done), status = std::move(status)]() mutable { done(std::move(status)); });
}

void RemotingConnection::OnAnswer(Command answer) {
  CallDone done;
  {
    MutexLock lock(&mu_);
    const auto found = calls_.find(answer.opaque);
    if (found != calls_.end()) {
      done = std::move(found->second.done);
      calls_.erase(found);
    }
  }
  if (done == nullptr) {
    core_->counters().stray_answers.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  done(std::move(answer));
}

void RemotingConnection::Close() {
  is_closing_.store(true);
  raw_->Close();
}

void RemotingConnection::OnDrain() {
  is_draining_.store(true);
  if (requests_.load() == 0) Close();
}

void RemotingConnection::OnRequestGone(int64_t bytes) {
  core_->counters().requests_held.fetch_sub(1, std::memory_order_relaxed);
  core_->counters().request_bytes_held.fetch_sub(bytes, std::memory_order_relaxed);
  request_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (requests_.fetch_sub(1) == 1 && is_draining_.load()) Close();
}

void RemotingConnection::OnClosed() {
  is_open_.store(false);
  absl::flat_hash_map<int32_t, PendingCall> calls;
  {
    MutexLock lock(&mu_);
    accepts_calls_ = false;
    calls.swap(calls_);
  }
  for (auto& [opaque, call] : calls) {
    core_->counters().calls_failed.fetch_add(1, std::memory_order_relaxed);
    call.done(absl::UnavailableError("the connection closed before the client answered"));
  }
}

void RemotingConnection::Sweep(absl::Duration now) {
  std::vector<CallDone> late;
  {
    MutexLock lock(&mu_);
    for (auto call = calls_.begin(); call != calls_.end();) {
      if (call->second.deadline > now) {
        ++call;
        continue;
      }
      late.push_back(std::move(call->second.done));
      calls_.erase(call++);
    }
  }
  for (CallDone& done : late) {
    FailLater(std::move(done), absl::DeadlineExceededError("the client did not answer in time"));
  }
  if (is_active_.exchange(false, std::memory_order_relaxed)) {
    active_nanos_.store(absl::ToInt64Nanoseconds(now), std::memory_order_relaxed);
  }
  const absl::Duration quiet =
      now - absl::Nanoseconds(active_nanos_.load(std::memory_order_relaxed));
  // While we do not read, silence is ours; net cuts who does not take bytes.
  if (quiet <= core_->limits().idle_timeout || is_paused_.load() || !is_open()) return;
  core_->counters().idle.fetch_add(1, std::memory_order_relaxed);
  Touch();  // Counted once; closing takes a moment.
  Close();
}

RemotingRequest::RemotingRequest(RemotingConnectionPtr connection, Command command)
    : connection_(std::move(connection)), command_(std::move(command)) {}

RemotingRequest::~RemotingRequest() {
  if (wants_answer() && !is_answered_.load()) {
    connection_->core_->counters().unanswered.fetch_add(1, std::memory_order_relaxed);
    Reply(ResponseCode::kSystemError, "the request was dropped without an answer");
  }
  connection_->OnRequestGone(static_cast<int64_t>(command_.frame.size()));
}

void RemotingRequest::Reply(ResponseCode code, absl::string_view remark) {
  Content content;
  content.remark = std::string(remark);
  Reply(code, content);
}

void RemotingRequest::Reply(int32_t code, const Content& content) {
  if (is_answered_.exchange(true) || !wants_answer()) return;
  Head head{.code = code,
            .opaque = command_.opaque,
            .flag = kFlagResponse,
            .serializer = command_.serializer,
            .remark = content.remark};
  const absl::Status sent = connection_->Send(head, content);
  if (sent.ok()) return;
  connection_->core_->counters().too_large.fetch_add(1, std::memory_order_relaxed);
  const std::string remark = absl::StrCat("the answer is too large: ", sent.message());
  head.code = static_cast<int32_t>(ResponseCode::kSystemError);
  head.remark = remark;
  connection_->Send(head, Content()).IgnoreError();  // Small, so it fits.
}

}  // namespace totora::remoting
