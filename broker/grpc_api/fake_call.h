// A gRPC call without a connection, for tests of handlers.
#ifndef TOTORA_BROKER_GRPC_API_FAKE_CALL_H_
#define TOTORA_BROKER_GRPC_API_FAKE_CALL_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/executor.h"
#include "net/grpc_call.h"

namespace totora::grpc_api {

// Thread safety: confined to `executor`, the test's own.
class FakeCall : public GrpcCall {
 public:
  FakeCall(Executor* executor, std::string path, std::map<std::string, std::string> headers,
           absl::Duration timeout)
      : executor_(executor),
        path_(std::move(path)),
        headers_(std::move(headers)),
        deadline_(timeout == absl::InfiniteDuration() ? timeout
                                                      : executor->clock().SteadyNow() + timeout),
        connection_{1, "10.0.0.9:5555", "127.0.0.1:8081", "grpc"} {}

  // --- What the client does ---------------------------------------------------

  void Send(std::string message) { on_message_(std::move(message)); }
  void HalfClose() { on_half_close_(); }
  // The client is gone.
  void Cancel() { End(false); }
  // Write() says "wait" from the n-th message on, until Drain.
  void StallAfter(size_t messages) { stall_after_ = messages; }
  void Drain() {
    stall_after_ = SIZE_MAX;
    on_writable_();
  }

  // --- What the server did ----------------------------------------------------

  const std::vector<std::string>& written() const { return written_; }
  bool has_initial_metadata() const { return has_initial_metadata_; }
  bool is_finished() const { return code_.has_value(); }
  GrpcCode code() const { return *code_; }
  // How long it took, if it is finished.
  absl::Duration took() const { return finished_at_ - started_at_; }

  // GrpcCall
  absl::string_view path() const override { return path_; }
  absl::string_view metadata(absl::string_view name) const override {
    auto it = headers_.find(std::string(name));
    return it == headers_.end() ? absl::string_view() : it->second;
  }
  const ConnectionInfo& connection() const override { return connection_; }
  absl::Duration deadline() const override { return deadline_; }
  Executor* executor() const override { return executor_; }
  bool is_done() const override { return is_done_; }
  void SendInitialMetadata() override { has_initial_metadata_ = true; }
  bool Write(std::string message) override {
    if (!is_done_) written_.push_back(std::move(message));
    return written_.size() < stall_after_;
  }
  void Finish(GrpcCode code, std::string) override {
    if (is_done_) return;
    code_ = code;
    finished_at_ = executor_->clock().SteadyNow();
    End(true);
  }
  void Reply(std::string message) override {
    Write(std::move(message));
    Finish(GrpcCode::kOk, "");
  }
  void OnMessage(MessageCallback callback) override { on_message_ = std::move(callback); }
  void OnHalfClose(Callback callback) override { on_half_close_ = std::move(callback); }
  void OnWritable(Callback callback) override { on_writable_ = std::move(callback); }
  void OnDone(DoneCallback callback) override { on_done_ = std::move(callback); }

 private:
  void End(bool is_written) {
    if (is_done_) return;
    is_done_ = true;
    DoneCallback done = std::move(on_done_);
    executor_->Post([done = std::move(done), message = std::move(on_message_),
                     half = std::move(on_half_close_), writable = std::move(on_writable_),
                     is_written]() mutable {
      if (done) done(is_written);
    });
  }

  Executor* const executor_;
  const std::string path_;
  const std::map<std::string, std::string> headers_;
  const absl::Duration deadline_;
  const ConnectionInfo connection_;
  const absl::Duration started_at_ = executor_->clock().SteadyNow();
  absl::Duration finished_at_;
  std::vector<std::string> written_;
  size_t stall_after_ = SIZE_MAX;
  bool has_initial_metadata_ = false;
  bool is_done_ = false;
  std::optional<GrpcCode> code_;
  MessageCallback on_message_;
  Callback on_half_close_;
  Callback on_writable_;
  DoneCallback on_done_;
};

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_FAKE_CALL_H_
