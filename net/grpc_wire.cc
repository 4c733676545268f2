#include "net/grpc_wire.h"

namespace totora::net {

std::optional<int64_t> ParseGrpcTimeout(absl::string_view value) {
  if (value.size() < 2 || value.size() > 9) return std::nullopt;
  int64_t number = 0;
  for (const char c : value.substr(0, value.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  switch (value.back()) {
    // 99,999,999 hours do not fit; nobody waits for 100,000 either.
    case 'H':
      return (number > 100'000 ? 100'000 : number) * 3'600'000'000'000;
    case 'M':
      return number * 60'000'000'000;
    case 'S':
      return number * 1'000'000'000;
    case 'm':
      return number * 1'000'000;
    case 'u':
      return number * 1'000;
    case 'n':
      return number;
    default:
      return std::nullopt;
  }
}

std::string PercentEncode(absl::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

}  // namespace totora::net
