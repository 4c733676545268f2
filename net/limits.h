// Every number that bounds what a client can make this process hold or do.
//
// docs/protocol/grpc.md lists them with the answer that a client gets at each.
#ifndef TOTORA_NET_LIMITS_H_
#define TOTORA_NET_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace totora {

// A token bucket: `burst` at once, refilled at `per_second`.
struct RateLimits {
  double per_second;
  double burst;
};

// Thread safety: immutable once a NetBudget is made of it.
struct NetLimits {
  // Whole process.
  int64_t connections_max = 20'000;
  int64_t streams_max = 200'000;
  // Request bytes received and not yet answered (unary, server streaming) or
  // not yet handed to the handler (bidi).
  int64_t request_bytes_held_max = int64_t{256} << 20;
  // Response bytes that handlers wrote and the kernel has not taken.
  int64_t response_bytes_held_max = int64_t{512} << 20;

  // One connection.
  uint32_t connection_streams_max = 10'000;
  int64_t connection_request_bytes_held_max = int64_t{64} << 20;
  int64_t connection_response_bytes_held_max = int64_t{128} << 20;
  uint32_t connection_window_bytes = 16u << 20;
  // Above this, while the peer does not read, the connection is not read either.
  int64_t connection_read_pause_bytes = int64_t{4} << 20;
  // No HEADERS or CONTINUATION block above this, packed or unpacked.
  size_t header_block_bytes_max = 16 << 10;
  int continuations_max = 8;

  // One stream.
  size_t request_bytes_max = 16 << 20;  // One gRPC message.
  uint32_t stream_window_bytes = 1u << 20;
  // Write() says "wait" above this, and resets the stream above the second.
  size_t stream_write_pause_bytes = 1 << 20;
  size_t stream_write_bytes_max = 64 << 20;

  // Frames a client may send without sending requests or getting data. What
  // requests and responses entail (a ping for each response, two window
  // updates for each DATA frame) is credited on top.
  RateLimits resets{100, 200};
  RateLimits settings{10, 100};
  RateLimits pings{20, 200};
  RateLimits window_updates{200, 1000};
  RateLimits other_frames{100, 500};  // PRIORITY, unknown types, empty DATA.
  // A stream that lived this long may be reset at any rate: a client whose
  // deadlines pass together is no attacker, and a stream costs an attacker a slot.
  absl::Duration reset_free_age = absl::Seconds(1);

  // First bytes of a connection; a whole HTTP/1 request.
  absl::Duration first_bytes_timeout = absl::Seconds(10);
  // A request with one message must be complete by then, deadline or not.
  absl::Duration request_timeout = absl::Seconds(30);
  absl::Duration keepalive_interval = absl::Seconds(30);
  // An idle gRPC C++ client looks at its sockets every 5 s only.
  absl::Duration keepalive_timeout = absl::Seconds(20);
  // Bytes are waiting and the kernel took none for so long: the peer is gone.
  absl::Duration write_stall_timeout = absl::Seconds(30);
  // Between our last byte and close(), so that a reset does not overtake it.
  absl::Duration linger = absl::Milliseconds(200);
  // Between the two GOAWAYs of a drain, unless the PING comes back earlier.
  absl::Duration drain_notice = absl::Seconds(1);
  // After EMFILE and the like.
  absl::Duration accept_backoff = absl::Milliseconds(20);
};

}  // namespace totora

#endif  // TOTORA_NET_LIMITS_H_
