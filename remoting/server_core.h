// What all connections of a RemotingServer share. Internal to remoting.
#ifndef TOTORA_REMOTING_SERVER_CORE_H_
#define TOTORA_REMOTING_SERVER_CORE_H_

#include <atomic>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "net/raw_connection.h"
#include "remoting/connection.h"
#include "remoting/limits.h"
#include "remoting/server.h"
#include "remoting/service.h"

namespace totora::remoting {

// Thread safety: monitor.
class RemotingCore : public std::enable_shared_from_this<RemotingCore> {
 public:
  RemotingCore(const RemotingService* service, Executor* timer, RemotingLimits limits)
      : service_(*service), timer_(timer), limits_(limits) {}

  const RemotingService& service() const { return service_; }
  const RemotingLimits& limits() const { return limits_; }
  RemotingCounters& counters() { return counters_; }

  void Add(RemotingConnectionPtr connection) ABSL_LOCKS_EXCLUDED(mu_);
  void Remove(const RemotingConnectionPtr& connection) ABSL_LOCKS_EXCLUDED(mu_);

  // Looks after all connections every sweep_interval until Stop().
  void SweepLater();
  void Stop() { is_stopped_.store(true); }

 private:
  void Sweep() ABSL_LOCKS_EXCLUDED(mu_);

  const RemotingService& service_;
  Executor* const timer_;
  const RemotingLimits limits_;
  RemotingCounters counters_;
  std::atomic<bool> is_stopped_{false};

  Mutex mu_;  // Leaf.
  absl::flat_hash_set<RemotingConnectionPtr> connections_ ABSL_GUARDED_BY(mu_);
};

// Net's side of a connection: finds the frames.
//
// Thread safety: confined to the connection's loop.
class RemotingHandler : public RawHandler {
 public:
  RemotingHandler(std::shared_ptr<RemotingCore> core, RawConnectionPtr raw);

  size_t OnData(absl::string_view bytes) override;
  void OnWritable() override { connection_->OnWritable(); }
  void OnDrain() override;
  void OnClosed() override;

 private:
  void OnFrame(absl::string_view frame);
  void OnRequest(Command command);
  void RefuseForDrain(const Command& command);
  // True if limits leave room for a request of so many bytes.
  bool HasRoom(int64_t bytes) const;
  void Cut(const absl::Status& why);

  const std::shared_ptr<RemotingCore> core_;
  const RemotingConnectionPtr connection_;
  bool is_over_ = false;  // Cut or closed: what else arrives is not looked at.
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_SERVER_CORE_H_
