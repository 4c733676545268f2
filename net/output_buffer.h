// Bytes on their way to a socket: small ones copied together, large ones by
// reference, all leaving in one gather write.
#ifndef TOTORA_NET_OUTPUT_BUFFER_H_
#define TOTORA_NET_OUTPUT_BUFFER_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/shared_bytes.h"

namespace totora::net {

// Thread safety: confined.
class OutputBuffer {
 public:
  // A piece at least this long is worth a reference and an iovec of its own.
  static constexpr size_t kReferenceBytesMin = 4096;

  void Append(const void* data, size_t size);
  void Append(absl::string_view bytes) { Append(bytes.data(), bytes.size()); }
  // Copies small pieces.
  void AppendShared(SharedBytes bytes);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Describes the first bytes in at most `max` pieces; returns how many.
  int Gather(iovec* pieces, int max) const;
  // Forgets the first `size` bytes.
  void Consume(size_t size);
  void Clear();
  // Gives back the memory that is kept for the next Append.
  void DropSpare() { spare_.reset(); }

 private:
  static constexpr size_t kBlockBytes = 16 << 10;

  struct Segment {
    std::unique_ptr<char[]> block;  // Set for copied bytes.
    SharedBytes shared;             // Set for referenced ones.
    const char* begin;
    size_t size;
    size_t room;  // Unused bytes at the end of `block`.
  };

  std::vector<Segment> segments_;
  size_t first_ = 0;  // Segments before it are empty and wait for their removal.
  size_t size_ = 0;
  std::unique_ptr<char[]> spare_;  // The block that was emptied last.
};

}  // namespace totora::net

#endif  // TOTORA_NET_OUTPUT_BUFFER_H_
