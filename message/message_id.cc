#include "message/message_id.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "common/coding.h"
#include "message/digest.h"

namespace totora::message {
namespace {

constexpr size_t kOffsetIdBytesV4 = 4 + 4 + 8;
constexpr size_t kOffsetIdBytesV6 = 16 + 4 + 8;
constexpr size_t kV2IdDigits = 34;
constexpr int64_t kV2EpochSeconds = 1609459200;  // 2021-01-01T00:00:00Z.

void AppendAddress(std::string* to, const Host& host) {
  to->append(reinterpret_cast<const char*>(host.ip.data()), host.address_bytes());
}

uint32_t MillisOfMonth(int64_t now_ms) {
  const absl::CivilMonth month =
      absl::ToCivilMonth(absl::FromUnixMillis(now_ms), absl::UTCTimeZone());
  return static_cast<uint32_t>(now_ms -
                               absl::ToUnixMillis(absl::FromCivil(month, absl::UTCTimeZone())));
}

}  // namespace

std::string OffsetMessageId::Encode() const {
  std::string bytes;
  AppendAddress(&bytes, store_host);
  AppendU32(&bytes, store_host.port);
  AppendU64(&bytes, position.value());
  return UpperHex(bytes);
}

absl::StatusOr<OffsetMessageId> OffsetMessageId::Decode(absl::string_view id) {
  std::string bytes;
  const bool has_length = id.size() == 2 * kOffsetIdBytesV4 || id.size() == 2 * kOffsetIdBytesV6;
  if (!has_length || !ParseHex(id, &bytes)) {
    // Not the id itself: it may be long and anything.
    return absl::InvalidArgumentError(
        absl::StrCat("an offset message id has 32 or 56 hexadecimal digits, this text of ",
                     id.size(), " bytes is none"));
  }
  OffsetMessageId decoded;
  decoded.store_host.is_ipv6 = bytes.size() == kOffsetIdBytesV6;
  const size_t address_bytes = decoded.store_host.address_bytes();
  std::memcpy(decoded.store_host.ip.data(), bytes.data(), address_bytes);
  decoded.store_host.port = GetAt<uint32_t>(bytes.data() + address_bytes);
  decoded.position = BytePosition(GetAt<uint64_t>(bytes.data() + address_bytes + 4));
  return decoded;
}

std::string MessageIdMaker::NextUniqueId(int64_t now_ms) {
  std::string bytes;
  AppendAddress(&bytes, origin_.host);
  AppendU16(&bytes, static_cast<uint16_t>(origin_.process_id));
  AppendU32(&bytes, origin_.salt);
  AppendU32(&bytes, MillisOfMonth(now_ms));
  AppendU16(&bytes, static_cast<uint16_t>(counter_.fetch_add(1, std::memory_order_relaxed)));
  return UpperHex(bytes);
}

std::string MessageIdMaker::NextV2Id(int64_t now_ms) {
  std::string bytes;
  AppendU8(&bytes, 1);
  bytes.append(reinterpret_cast<const char*>(origin_.mac.data()), origin_.mac.size());
  AppendU16(&bytes, static_cast<uint16_t>(origin_.process_id));
  AppendU32(&bytes, static_cast<uint32_t>(now_ms / 1000 - kV2EpochSeconds));
  AppendU32(&bytes, counter_.fetch_add(1, std::memory_order_relaxed));
  return UpperHex(bytes);
}

bool IsV2Id(absl::string_view id) {
  return id.size() == kV2IdDigits && id.substr(0, 2) == "01" &&
         std::all_of(id.begin(), id.end(), [](char c) { return absl::ascii_isxdigit(c); });
}

}  // namespace totora::message
