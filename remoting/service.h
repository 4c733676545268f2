// Which handler answers which request code.
#ifndef TOTORA_REMOTING_SERVICE_H_
#define TOTORA_REMOTING_SERVICE_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/check.h"
#include "remoting/connection.h"
#include "remoting/request_code.h"

namespace totora::remoting {

// Thread safety: filled by one thread before a listener that uses it starts;
// immutable from then on.
class RemotingService {
 public:
  // Called on the connection's loop; must not block. The request is answered
  // by RemotingRequest::Reply, from any thread, now or later.
  using RequestHandler = std::function<void(RemotingRequestPtr request)>;
  using ConnectionEvent = std::function<void(const RemotingConnectionPtr& connection)>;

  void Add(RequestCode code, RequestHandler handler) {
    const bool fresh = handlers_.emplace(static_cast<int32_t>(code), std::move(handler)).second;
    TOTORA_CHECK(fresh) << "two handlers for request code " << static_cast<int32_t>(code);
  }

  // The connection is gone, whoever ended it. Called once for each connection
  // that sent at least one byte, on its loop, after all its requests were handed out.
  void SetOnClosed(ConnectionEvent event) { on_closed_ = std::move(event); }
  // The listener wants to go away: answer what is parked. The connection is
  // closed as soon as no request of it is held any more.
  void SetOnDrain(ConnectionEvent event) { on_drain_ = std::move(event); }

  // Null if nobody answers `code`.
  const RequestHandler* Find(int32_t code) const {
    const auto found = handlers_.find(code);
    return found == handlers_.end() ? nullptr : &found->second;
  }
  const ConnectionEvent& on_closed() const { return on_closed_; }
  const ConnectionEvent& on_drain() const { return on_drain_; }

 private:
  absl::flat_hash_map<int32_t, RequestHandler> handlers_;
  ConnectionEvent on_closed_;
  ConnectionEvent on_drain_;
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_SERVICE_H_
