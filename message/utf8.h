// UTF-8 read code point by code point, as strictly as protobuf and Java do.
#ifndef TOTORA_MESSAGE_UTF8_H_
#define TOTORA_MESSAGE_UTF8_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace totora::message {

inline constexpr uint32_t kInvalidCodePoint = 0xffffffff;

// Takes the first code point off `*text`. If the bytes there are no code point
// (overlong, surrogate, cut off, above U+10FFFF) it takes one byte and returns
// kInvalidCodePoint.
// REQUIRES: `*text` is not empty.
inline uint32_t TakeCodePoint(absl::string_view* text) {
  const auto at = [text](size_t i) { return static_cast<uint8_t>((*text)[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) {
    text->remove_prefix(1);
    return first;
  }

  size_t size = 0;
  uint32_t point = 0;
  uint32_t lowest = 0;  // Below it, fewer bytes would do.
  if ((first & 0xe0) == 0xc0) {
    size = 2, point = first & 0x1f, lowest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    size = 3, point = first & 0x0f, lowest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    size = 4, point = first & 0x07, lowest = 0x10000;
  }
  bool is_valid = size != 0 && text->size() >= size;
  for (size_t i = 1; is_valid && i < size; ++i) {
    is_valid = (at(i) & 0xc0) == 0x80;
    point = point << 6 | (at(i) & 0x3f);
  }
  const bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
  if (!is_valid || point < lowest || point > 0x10ffff || is_surrogate) {
    text->remove_prefix(1);
    return kInvalidCodePoint;
  }
  text->remove_prefix(size);
  return point;
}

}  // namespace totora::message

#endif  // TOTORA_MESSAGE_UTF8_H_
