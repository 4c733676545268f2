// Checksums of message bodies: the one in the stored layout and those that the
// gRPC protocol knows.
//
// Thread safety: functions without state of their own.
#ifndef TOTORA_MESSAGE_DIGEST_H_
#define TOTORA_MESSAGE_DIGEST_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace totora::message {

// CRC-32 with zlib's polynomial (not CRC-32C, which our own formats use).
uint32_t Crc32(absl::string_view bytes);

// What stands in a stored message: Crc32 without its top bit, as Java's ints are signed.
inline uint32_t BodyCrc(absl::string_view body) { return Crc32(body) & 0x7fffffff; }

enum class DigestKind { kCrc32, kMd5, kSha1 };

// Upper-case hexadecimal. CRC-32 without leading zeros, as the Java client writes it.
std::string BodyDigest(DigestKind kind, absl::string_view body);

// True if `checksum` is the digest of `body`, in either case; a CRC-32 may have
// leading zeros.
bool DigestMatches(DigestKind kind, absl::string_view checksum, absl::string_view body);

// Upper-case hexadecimal of any bytes, two digits each.
std::string UpperHex(absl::string_view bytes);

// Bytes of hexadecimal digits in either case. False if there is another
// character or an odd number of them.
bool ParseHex(absl::string_view hex, std::string* bytes);

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_DIGEST_H_
