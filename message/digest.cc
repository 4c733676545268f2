#include "message/digest.h"

#include <libdeflate.h>
#include <openssl/evp.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/check.h"

namespace totora::message {
namespace {

// Fetched once: a look-up by name in every call costs more than hashing 1 KiB.
// "-fips": these digests guard against accidents, and the protocol fixes them.
const EVP_MD* Algorithm(DigestKind kind) {
  static const EVP_MD* const kMd5 = EVP_MD_fetch(nullptr, "MD5", "-fips");
  static const EVP_MD* const kSha1 = EVP_MD_fetch(nullptr, "SHA1", "-fips");
  return kind == DigestKind::kMd5 ? kMd5 : kSha1;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string HashOf(DigestKind kind, absl::string_view body) {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TOTORA_CHECK(EVP_DigestInit_ex(context.get(), Algorithm(kind), nullptr) == 1);
  TOTORA_CHECK(EVP_DigestUpdate(context.get(), body.data(), body.size()) == 1);
  TOTORA_CHECK(EVP_DigestFinal_ex(context.get(), hash, &size) == 1);
  return UpperHex(absl::string_view(reinterpret_cast<const char*>(hash), size));
}

}  // namespace

uint32_t Crc32(absl::string_view bytes) {
  // libdeflate takes a null buffer as the question for the initial value.
  return bytes.empty() ? 0 : libdeflate_crc32(0, bytes.data(), bytes.size());
}

std::string BodyDigest(DigestKind kind, absl::string_view body) {
  if (kind == DigestKind::kCrc32) return absl::StrFormat("%X", Crc32(body));
  return HashOf(kind, body);
}

bool DigestMatches(DigestKind kind, absl::string_view checksum, absl::string_view body) {
  if (kind == DigestKind::kCrc32) {
    if (checksum.empty() || checksum.size() > 8) return false;
    while (checksum.size() > 1 && absl::ConsumePrefix(&checksum, "0")) {
    }
  }
  return absl::EqualsIgnoreCase(checksum, BodyDigest(kind, body));
}

std::string UpperHex(absl::string_view bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    hex.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return hex;
}

bool ParseHex(absl::string_view hex, std::string* bytes) {
  bytes->clear();
  if (hex.size() % 2 != 0) return false;
  const auto value = [](char c) {
    return absl::ascii_isdigit(c) ? c - '0' : absl::ascii_toupper(c) - 'A' + 10;
  };
  for (size_t i = 0; i < hex.size(); i += 2) {
    if (!absl::ascii_isxdigit(hex[i]) || !absl::ascii_isxdigit(hex[i + 1])) return false;
    bytes->push_back(static_cast<char>(value(hex[i]) << 4 | value(hex[i + 1])));
  }
  return true;
}

}  // namespace totora::message
