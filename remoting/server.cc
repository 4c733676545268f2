#include "remoting/server.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "remoting/frame.h"
#include "remoting/server_core.h"

namespace totora::remoting {

RemotingServer::RemotingServer(const RemotingService* service, Executor* timer,
                               RemotingLimits limits)
    : core_(std::make_shared<RemotingCore>(service, timer, limits)) {
  core_->SweepLater();
}

RemotingServer::~RemotingServer() { core_->Stop(); }

RawProtocol RemotingServer::protocol() const {
  RawProtocol protocol;
  protocol.factory = [core = core_](RawConnectionPtr raw) -> std::unique_ptr<RawHandler> {
    return std::make_unique<RemotingHandler>(core, std::move(raw));
  };
  // One frame that is not whole, and what came with its end.
  protocol.unconsumed_bytes_max = kFrameBytesMax + (64 << 10);
  return protocol;
}

const RemotingCounters& RemotingServer::counters() const { return core_->counters(); }

void RemotingCore::Add(RemotingConnectionPtr connection) {
  counters_.connections.fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  connections_.insert(std::move(connection));
}

void RemotingCore::Remove(const RemotingConnectionPtr& connection) {
  counters_.connections.fetch_sub(1, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  connections_.erase(connection);
}

void RemotingCore::SweepLater() {
  timer_->PostAfter(limits_.sweep_interval, [weak = weak_from_this()] {
    const std::shared_ptr<RemotingCore> core = weak.lock();
    if (core == nullptr || core->is_stopped_.load()) return;
    core->Sweep();
    core->SweepLater();
  });
}

void RemotingCore::Sweep() {
  std::vector<RemotingConnectionPtr> connections;
  {
    MutexLock lock(&mu_);
    connections.assign(connections_.begin(), connections_.end());
  }
  const absl::Duration now = timer_->clock().SteadyNow();
  for (const RemotingConnectionPtr& connection : connections) connection->Sweep(now);
}

RemotingHandler::RemotingHandler(std::shared_ptr<RemotingCore> core, RawConnectionPtr raw)
    : core_(std::move(core)),
      connection_(std::make_shared<RemotingConnection>(core_, std::move(raw))) {
  core_->Add(connection_);
}

size_t RemotingHandler::OnData(absl::string_view bytes) {
  size_t done = 0;
  while (!is_over_ && !connection_->is_closing_.load(std::memory_order_relaxed)) {
    const absl::string_view rest = bytes.substr(done);
    const absl::StatusOr<size_t> size = FrameSize(rest);
    if (!size.ok()) {
      Cut(size.status());
      break;
    }
    if (*size == 0 || rest.size() < *size) break;
    OnFrame(rest.substr(0, *size));
    done += *size;
  }
  return is_over_ || connection_->is_closing_.load(std::memory_order_relaxed) ? bytes.size() : done;
}

void RemotingHandler::OnFrame(absl::string_view frame) {
  absl::StatusOr<Command> command = DecodeFrame(frame);
  if (!command.ok()) return Cut(command.status());
  connection_->Touch();
  if (command->is_response()) {
    connection_->OnAnswer(*std::move(command));
  } else {
    OnRequest(*std::move(command));
  }
}

bool RemotingHandler::HasRoom(int64_t bytes) const {
  const RemotingLimits& limits = core_->limits();
  const RemotingCounters& counters = core_->counters();
  return connection_->requests_.load(std::memory_order_relaxed) < limits.connection_requests_max &&
         connection_->request_bytes_.load(std::memory_order_relaxed) + bytes <=
             limits.connection_request_bytes_max &&
         counters.requests_held.load(std::memory_order_relaxed) < limits.requests_max &&
         counters.request_bytes_held.load(std::memory_order_relaxed) + bytes <=
             limits.request_bytes_max;
}

void RemotingHandler::OnRequest(Command command) {
  RemotingCounters& counters = core_->counters();
  counters.requests.fetch_add(1, std::memory_order_relaxed);
  if (command.is_oneway()) counters.oneways.fetch_add(1, std::memory_order_relaxed);
  connection_->language_.store(command.language, std::memory_order_relaxed);
  connection_->version_.store(command.version, std::memory_order_relaxed);
  connection_->serializer_.store(command.serializer, std::memory_order_relaxed);

  // A one-way request has nobody who could send it again.
  if (connection_->is_draining_.load() && !command.is_oneway()) return RefuseForDrain(command);

  const auto bytes = static_cast<int64_t>(command.frame.size());
  const bool has_room = HasRoom(bytes);
  const int32_t code = command.code;
  connection_->requests_.fetch_add(1);
  connection_->request_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  counters.requests_held.fetch_add(1, std::memory_order_relaxed);
  counters.request_bytes_held.fetch_add(bytes, std::memory_order_relaxed);
  auto request = std::make_shared<RemotingRequest>(connection_, std::move(command));

  if (!has_room) {
    counters.busy.fetch_add(1, std::memory_order_relaxed);
    request->Reply(ResponseCode::kSystemBusy, "[OVERLOAD]too many requests are under way");
    return;
  }
  const RemotingService::RequestHandler* const handler = core_->service().Find(code);
  if (handler == nullptr) {
    counters.not_supported.fetch_add(1, std::memory_order_relaxed);
    request->Reply(ResponseCode::kRequestCodeNotSupported,
                   absl::StrCat(" request type ", code, " not supported"));
    return;
  }
  (*handler)(std::move(request));
}

// Java above 5.3.1 takes GO_AWAY as a reason to reconnect and send again. For
// all others no answer is best: the connection is about to close, which Java
// takes as a reason to try again, and Go's own timeout does. Any error code
// would be tried again at once on this same connection, or not at all.
void RemotingHandler::RefuseForDrain(const Command& command) {
  if (command.version <= kVersion5_3_1) return;
  connection_
      ->Send({.code = static_cast<int32_t>(ResponseCode::kGoAway),
              .opaque = command.opaque,
              .flag = kFlagResponse,
              .serializer = command.serializer,
              .remark = "this server is going away"},
             Content())
      .IgnoreError();  // Small, so it fits.
}

void RemotingHandler::Cut(const absl::Status& why) {
  is_over_ = true;
  core_->counters().malformed.fetch_add(1, std::memory_order_relaxed);
  TOTORA_LOG_LIMITED(kInfo, "remoting") << Field("peer", connection_->info().peer)
                                        << Field("reason", why.message()) << "connection cut";
  connection_->Close();
}

void RemotingHandler::OnDrain() {
  if (core_->service().on_drain()) core_->service().on_drain()(connection_);
  connection_->OnDrain();
}

void RemotingHandler::OnClosed() {
  is_over_ = true;
  connection_->OnClosed();
  core_->Remove(connection_);
  if (core_->service().on_closed()) core_->service().on_closed()(connection_);
}

}  // namespace totora::remoting
