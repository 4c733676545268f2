// What listeners and dialers do alike with addresses and sockets. Internal to net.
#ifndef TOTORA_NET_SOCKET_H_
#define TOTORA_NET_SOCKET_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::net {

// "host:port", "[ipv6]:port" → host without brackets, and port.
// Errors: InvalidArgument.
absl::StatusOr<std::pair<std::string, uint16_t>> SplitAddress(absl::string_view address);

// ip:port, [ip]:port for IPv6.
std::string AddressText(const sockaddr_storage& address);
std::string LocalAddress(int fd);

// For every connection: small writes leave at once, and a host that vanished
// without a word is noticed by the kernel's probes.
void SetConnectionOptions(int fd);

// How the kernel ends the connection if nobody does, because the process died:
// with a reset, which the peer notices in the middle of whatever it waits for,
// or with an ordinary end, which unanswered bytes still precede.
void SetResetAtDeath(int fd, bool resets);

// Unique in this process; never reused.
uint64_t NextConnectionId();

}  // namespace totora::net

#endif  // TOTORA_NET_SOCKET_H_
