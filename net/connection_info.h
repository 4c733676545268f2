// Who is at the other end, and by which door it came.
#ifndef TOTORA_NET_CONNECTION_INFO_H_
#define TOTORA_NET_CONNECTION_INFO_H_

#include <cstdint>
#include <string>

namespace totora {

// Thread safety: immutable.
struct ConnectionInfo {
  uint64_t id;                // Unique in this process; never reused.
  std::string peer;           // ip:port, [ip]:port for IPv6.
  std::string local_address;  // The address that the client connected to, as this host sees it.
  std::string listener_tag;   // ListenerOptions::tag.
};

}  // namespace totora

#endif  // TOTORA_NET_CONNECTION_INFO_H_
