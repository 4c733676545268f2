// How commands and rows write what common/coding.h has no word for: names,
// flags and counts. Everything read is bounded by the bytes that are there.
#ifndef TOTORA_STORE_PAYLOAD_H_
#define TOTORA_STORE_PAYLOAD_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/coding.h"

namespace totora::store {

// A u16 length, then the bytes. What is longer is cut: no table takes a name
// of that size, so a cut one is as unknown as the whole would be.
inline void AppendName(std::string* to, absl::string_view name) {
  name = name.substr(0, UINT16_MAX);
  AppendU16(to, static_cast<uint16_t>(name.size()));
  to->append(name.data(), name.size());
}

// A Reader that also refuses what no writer of ours writes.
//
// Thread safety: confined.
class PayloadReader : public Reader {
 public:
  explicit PayloadReader(absl::string_view bytes) : Reader(bytes) {}

  absl::string_view Name() { return Bytes(U16()); }
  std::string NameString() { return std::string(Name()); }

  // One byte of flags; the bits outside of `known` must be zero.
  uint8_t Flags(uint8_t known) {
    const uint8_t flags = U8();
    if ((flags & ~known) != 0) Refuse();
    return flags;
  }
  bool Bool() { return Flags(1) != 0; }

  // A count of things that take at least `bytes_each`, so that a damaged count
  // never makes a reader reserve more than the payload could fill.
  size_t Count(size_t bytes_each) { return Bounded(U32(), bytes_each); }
  size_t Count16(size_t bytes_each) { return Bounded(U16(), bytes_each); }

  // Fails the reader unless `condition` holds.
  void Require(bool condition) {
    if (!condition) Refuse();
  }

  // Everything was read, and nothing was wrong.
  bool done() const { return !refused_ && Reader::done(); }
  bool ok() const { return !refused_ && Reader::ok(); }

 private:
  void Refuse() { refused_ = true; }
  size_t Bounded(size_t count, size_t bytes_each) {
    if (count > rest().size() / bytes_each) {
      Refuse();
      return 0;
    }
    return count;
  }

  bool refused_ = false;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_PAYLOAD_H_
