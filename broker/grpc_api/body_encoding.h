// Packed bodies. The broker stores what it gets; gRPC consumers get every body
// unpacked, because no packed form is read by the clients of all languages.
#ifndef TOTORA_BROKER_GRPC_API_BODY_ENCODING_H_
#define TOTORA_BROKER_GRPC_API_BODY_ENCODING_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::grpc_api {

// No body is unpacked beyond this: a few bytes may claim to be gigabytes.
inline constexpr size_t kUnpackedBytesMax = 32 << 20;

// Looks at the first bytes, not at flags: gRPC clients label zlib as gzip.
// Errors: InvalidArgument if it is no gzip, zlib, LZ4 frame or zstd;
//   ResourceExhausted above kUnpackedBytesMax.
absl::StatusOr<std::string> UnpackBody(absl::string_view packed);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_BODY_ENCODING_H_
