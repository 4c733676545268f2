// Every number that bounds what classic clients can make this process hold.
//
// docs/protocol/remoting.md lists them with the answer that a client gets at
// each; those of frames are in frame.h, those of sockets in net/limits.h.
#ifndef TOTORA_REMOTING_LIMITS_H_
#define TOTORA_REMOTING_LIMITS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace totora::remoting {

// Thread safety: immutable once a RemotingServer is made of it.
struct RemotingLimits {
  // Requests that handlers hold, parked pulls included: a consumer has one
  // pull under way for each of its queues. Above any of the four the next
  // request is answered SYSTEM_BUSY, or dropped if it is one-way.
  int64_t connection_requests_max = 8192;
  int64_t connection_request_bytes_max = int64_t{64} << 20;
  int64_t requests_max = 200'000;
  int64_t request_bytes_max = int64_t{256} << 20;

  // Requests of ours that wait for a client's answer, per connection.
  int64_t connection_calls_max = 1024;

  // Without a whole frame from the client or a byte to it for so long, a
  // connection is closed. Clients send a heartbeat every 30 s.
  absl::Duration idle_timeout = absl::Seconds(120);
  // How often idle connections and late answers are looked for.
  absl::Duration sweep_interval = absl::Seconds(1);
};

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_LIMITS_H_
