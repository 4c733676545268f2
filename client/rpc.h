// Calls over the gRPC library, as callbacks on one polling thread. Private to
// client/: programs include producer.h and its neighbours, which are free of gRPC.
#ifndef TOTORA_CLIENT_RPC_H_
#define TOTORA_CLIENT_RPC_H_

#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "proto/rocketmq/v2/service.grpc.pb.h"

namespace totora::client {

// What waits in the completion queue. Owns itself until Complete.
class Event {
 public:
  virtual ~Event() = default;
  virtual void Complete(bool ok) = 0;
};

// A completion queue and its one thread.
//
// Thread safety: monitor.
class Poller {
 public:
  Poller();
  ~Poller();

  grpc::CompletionQueue* queue() { return &queue_; }

  // Runs `task` on the polling thread when `delay` is over. A task whose time
  // has not come when the poller ends is dropped.
  void RunAfter(absl::Duration delay, absl::AnyInvocable<void()> task);

  bool IsCurrent() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  class Timer;
  void Run();
  void Forget(Timer* timer);

  grpc::CompletionQueue queue_;
  Mutex mu_;  // Leaf.
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::unordered_set<Timer*> timers_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

// Counts what is under way, so that an owner can wait for it before it goes.
//
// Thread safety: monitor.
class Flights {
 public:
  // False once closed.
  bool Enter();
  void Leave();
  // No Enter succeeds after this.
  void Close();
  // REQUIRES: not on the polling thread.
  void WaitUntilEmpty();

 private:
  Mutex mu_;
  CondVar changed_;
  size_t count_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

// A value that one thread sets and another waits for.
template <typename T>
class OneShot {
 public:
  void Set(T value) {
    MutexLock lock(&mu_);
    value_ = std::move(value);
    set_.SignalAll();
  }
  T Take() {
    MutexLock lock(&mu_);
    while (!value_.has_value()) set_.Wait(&mu_);
    return *std::move(value_);
  }

 private:
  Mutex mu_;
  CondVar set_;
  std::optional<T> value_ ABSL_GUARDED_BY(mu_);
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

// One step of a stream: runs `step` and deletes itself.
class StepEvent : public Event {
 public:
  explicit StepEvent(absl::AnyInvocable<void(bool)> step) : step_(std::move(step)) {}
  void Complete(bool ok) override {
    step_(ok);
    delete this;
  }

 private:
  absl::AnyInvocable<void(bool)> step_;
};
inline void* Step(absl::AnyInvocable<void(bool)> step) {
  return static_cast<Event*>(new StepEvent(std::move(step)));
}

// A unary call. Made with new, started once, deletes itself after `done`.
template <typename Response>
class UnaryCall : public Event {
 public:
  using Done = absl::AnyInvocable<void(const grpc::Status&, Response&)>;

  UnaryCall(const Metadata& metadata, absl::Duration timeout, bool wait_for_ready, Done done)
      : done_(std::move(done)) {
    for (const auto& [key, value] : metadata) context_.AddMetadata(key, value);
    context_.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
    context_.set_wait_for_ready(wait_for_ready);
  }

  grpc::ClientContext* context() { return &context_; }

  void Start(std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader) {
    reader_ = std::move(reader);
    reader_->StartCall();
    reader_->Finish(&response_, &status_, static_cast<Event*>(this));
  }

  void Complete(bool) override {
    done_(status_, response_);
    delete this;
  }

 private:
  grpc::ClientContext context_;
  Response response_;
  grpc::Status status_;
  Done done_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
};

// A channel of its own to `address` (host:port, or several parted by ';').
// Connections are made again within tens of milliseconds, since a group address
// answers as soon as any replica lives.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace totora::client

#endif  // TOTORA_CLIENT_RPC_H_
