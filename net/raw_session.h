// A raw connection seen from both sides. Internal to net.
#ifndef TOTORA_NET_RAW_SESSION_H_
#define TOTORA_NET_RAW_SESSION_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "net/connection.h"
#include "net/raw_connection.h"

namespace totora::net {

// The handle that the handler and other threads hold.
class RawPeer : public RawConnection, public std::enable_shared_from_this<RawPeer> {
 public:
  explicit RawPeer(Connection* connection);
  ~RawPeer() override;

  const ConnectionInfo& info() const override { return *info_; }
  Executor* executor() override { return core_.get(); }
  bool Write(std::string bytes) override;
  bool Write(std::vector<SharedBytes> pieces) override;
  void Close() override;
  void PauseReading() override { SetPaused(true); }
  void ResumeReading() override { SetPaused(false); }

 private:
  friend class RawSession;
  void SetPaused(bool paused);
  // Runs `work(connection)` on the loop if the connection still exists then.
  template <typename Work>
  void OnLoop(Work work);
  bool Account(size_t size);
  void Drained(size_t size);

  const std::shared_ptr<LoopCore> core_;
  const std::shared_ptr<Serving> serving_;
  const std::shared_ptr<const ConnectionInfo> info_;
  std::atomic<int64_t> held_{0};  // Written and not yet taken by the kernel.
  std::atomic<bool> wants_writable_{false};
  std::atomic<bool> overflowed_{false};
  Connection* connection_;  // Confined to the loop; null once closed.
};

// Thread safety: confined to the connection's loop.
class RawSession : public Protocol {
 public:
  // Null if the factory refuses.
  static std::unique_ptr<RawSession> Make(Connection* connection, const RawProtocol& protocol);

  void OnBytes(absl::string_view bytes) override;
  void OnWritten(uint64_t total) override;
  void Drain() override { handler_->OnDrain(); }
  void OnClosed() override;

 private:
  RawSession(Connection* connection, size_t unconsumed_max, std::shared_ptr<RawPeer> peer,
             std::unique_ptr<RawHandler> handler);

  Connection* const connection_;
  const size_t unconsumed_max_;
  const std::shared_ptr<RawPeer> peer_;
  const std::unique_ptr<RawHandler> handler_;
  std::string kept_;
  size_t kept_charged_ = 0;
  uint64_t written_seen_ = 0;
};

}  // namespace totora::net

#endif  // TOTORA_NET_RAW_SESSION_H_
