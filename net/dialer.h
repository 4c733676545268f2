// Dialer: connections that this process opens, spoken on as raw bytes.
#ifndef TOTORA_NET_DIALER_H_
#define TOTORA_NET_DIALER_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/raw_connection.h"

namespace totora {

struct DialOptions {
  // "host:port" or "[ipv6]:port". A name is resolved anew for each dial.
  std::string address{};
  // Resolving and connecting together.
  absl::Duration timeout = absl::Seconds(2);
};

// Why a dial failed.
struct DialFailure {
  absl::Status status;
  // The host answered that nobody listens: the process is gone, the host is alive.
  bool is_refused = false;
};

// Opens one TCP connection on `loop`, which must outlive the connection. On
// success `protocol.factory` is called on the loop, and everything after is as
// for a connection that a listener accepted; `failed` is dropped. On failure
// `failed` is called once, on the loop. If the loop stops first neither happens.
//
// The connection is dropped when the peer's host has not acknowledged anything
// for `timeout` while bytes wait, or is silent to keep-alive probes.
//
// Thread safety: may be called from any thread.
void DialRaw(EventLoop* loop, std::shared_ptr<NetBudget> budget, DialOptions options,
             RawProtocol protocol, absl::AnyInvocable<void(DialFailure)> failed);

}  // namespace totora

#endif  // TOTORA_NET_DIALER_H_
