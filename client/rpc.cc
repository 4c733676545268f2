#include "client/rpc.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <pthread.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/runtime.h"

namespace totora::client {
namespace {

// gRPC resolves names of one scheme per target; literal IPv4 addresses need no resolver.
std::string TargetOf(const std::string& address) {
  const std::vector<std::string> parts = absl::StrSplit(address, ';', absl::SkipEmpty());
  bool all_numeric = !parts.empty();
  for (const std::string& part : parts) {
    for (const char c : part) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(c)) && c != '.' && c != ':') {
        all_numeric = false;
      }
    }
  }
  if (all_numeric) return absl::StrCat("ipv4:", absl::StrJoin(parts, ","));
  return absl::StrCat("dns:///", parts.empty() ? address : parts.front());
}

}  // namespace

class Poller::Timer : public Event {
 public:
  Timer(Poller* poller, absl::AnyInvocable<void()> task)
      : poller_(poller), task_(std::move(task)) {}
  void Complete(bool ok) override {
    poller_->Forget(this);
    if (ok) task_();
    delete this;
  }
  grpc::Alarm alarm;

 private:
  Poller* const poller_;
  absl::AnyInvocable<void()> task_;
};

Poller::Poller() : thread_([this] { Run(); }) {}

Poller::~Poller() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    for (Timer* timer : timers_) timer->alarm.Cancel();
  }
  queue_.Shutdown();
  thread_.join();
}

void Poller::Run() {
  pthread_setname_np(pthread_self(), "client-poll");
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) static_cast<Event*>(tag)->Complete(ok);
}

void Poller::RunAfter(absl::Duration delay, absl::AnyInvocable<void()> task) {
  auto* timer = new Timer(this, std::move(task));
  MutexLock lock(&mu_);
  if (ending_) {
    delete timer;
    return;
  }
  timers_.insert(timer);
  timer->alarm.Set(&queue_, std::chrono::system_clock::now() + absl::ToChronoNanoseconds(delay),
                   static_cast<Event*>(timer));
}

void Poller::Forget(Timer* timer) {
  MutexLock lock(&mu_);
  timers_.erase(timer);
}

Runtime::Runtime() : poller_(std::make_unique<Poller>()) {}
Runtime::~Runtime() = default;

bool Flights::Enter() {
  MutexLock lock(&mu_);
  if (closed_) return false;
  ++count_;
  return true;
}

void Flights::Leave() {
  MutexLock lock(&mu_);
  if (--count_ == 0) changed_.SignalAll();
}

void Flights::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
}

void Flights::WaitUntilEmpty() {
  MutexLock lock(&mu_);
  while (count_ > 0) changed_.Wait(&mu_);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // Also bounds one connect.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // We retry ourselves, with the same message id.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel(TargetOf(address), grpc::InsecureChannelCredentials(),
                                   arguments);
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace totora::client
