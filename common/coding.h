// Big-endian integers to and from bytes: the byte order of every format of ours.
#ifndef TOTORA_COMMON_CODING_H_
#define TOTORA_COMMON_CODING_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace totora {

template <typename T>
constexpr T ToBigEndian(T value) {
  static_assert(std::is_unsigned_v<T> && std::endian::native == std::endian::little);
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(value));
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

// Writes `value` at `to`, which has room for sizeof(T) bytes.
template <typename T>
void PutAt(char* to, T value) {
  const T big = ToBigEndian(value);
  std::memcpy(to, &big, sizeof(T));
}

// Reads a T at `from`, which has at least sizeof(T) bytes.
template <typename T>
T GetAt(const char* from) {
  T big;
  std::memcpy(&big, from, sizeof(T));
  return ToBigEndian(big);
}

template <typename T>
void Append(std::string* to, T value) {
  const T big = ToBigEndian(value);
  to->append(reinterpret_cast<const char*>(&big), sizeof(T));
}

inline void AppendU8(std::string* to, uint8_t value) { Append(to, value); }
inline void AppendU16(std::string* to, uint16_t value) { Append(to, value); }
inline void AppendU32(std::string* to, uint32_t value) { Append(to, value); }
inline void AppendU64(std::string* to, uint64_t value) { Append(to, value); }
// A u32 length, then the bytes.
inline void AppendBytes(std::string* to, absl::string_view bytes) {
  AppendU32(to, static_cast<uint32_t>(bytes.size()));
  to->append(bytes.data(), bytes.size());
}
// LEB128: 7 bits a byte, lowest first.
void AppendVarint(std::string* to, uint64_t value);
// Small magnitudes of both signs become small varints.
inline uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Reads a buffer from front to back. After the first read beyond the end every
// further read fails too, so a parser may check ok() once, at its end.
//
// Thread safety: confined.
class Reader {
 public:
  // `bytes` must outlive the reader and what it returns.
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint16_t U16() { return Fixed<uint16_t>(); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  uint64_t Varint();
  // The next `size` bytes; empty on failure.
  absl::string_view Bytes(size_t size);
  // A u32 length, then that many bytes.
  absl::string_view Prefixed() { return Bytes(U32()); }

  bool ok() const { return ok_; }
  // True when all was read and nothing failed.
  bool done() const { return ok_ && rest_.empty(); }
  absl::string_view rest() const { return rest_; }

 private:
  template <typename T>
  T Fixed() {
    if (rest_.size() < sizeof(T)) {
      Fail();
      return 0;
    }
    const T value = GetAt<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  void Fail() {
    ok_ = false;
    rest_ = absl::string_view();
  }

  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace totora

#endif  // TOTORA_COMMON_CODING_H_
