// The address of a client's connection as messages store it.
#ifndef TOTORA_BROKER_SERVICE_PEER_HOST_H_
#define TOTORA_BROKER_SERVICE_PEER_HOST_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "message/message.h"

namespace totora::service {

// "ip:port", "[ip]:port"; what cannot be read is 0.0.0.0:0.
inline message::Host HostOfPeer(absl::string_view peer) {
  const size_t colon = peer.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(peer.substr(colon + 1), &port)) {
    return message::Host();
  }
  absl::string_view ip = peer.substr(0, colon);
  if (ip.size() > 2 && ip.front() == '[') ip = ip.substr(1, ip.size() - 2);
  const absl::StatusOr<message::Host> host = message::Host::Parse(ip, port);
  return host.ok() ? *host : message::Host();
}

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_PEER_HOST_H_
