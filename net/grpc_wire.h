// The small texts of gRPC over HTTP/2. Internal to net.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
#ifndef TOTORA_NET_GRPC_WIRE_H_
#define TOTORA_NET_GRPC_WIRE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace totora::net {

// A length-prefixed message is 1 byte "compressed", 4 bytes size, bytes.
inline constexpr size_t kMessagePrefixBytes = 5;

// Nanoseconds of a grpc-timeout value: 1 to 8 digits and a unit of "HMSmun".
std::optional<int64_t> ParseGrpcTimeout(absl::string_view value);

// `text` with what a grpc-message header cannot carry as %XX.
std::string PercentEncode(absl::string_view text);

}  // namespace totora::net

#endif  // TOTORA_NET_GRPC_WIRE_H_
