// Index entries of one queue, packed: about 10 bytes for each message instead
// of 24. A full block is one row of the checkpoint store; the tail of a queue,
// shorter than a block, is part of the queue's row.
#ifndef TOTORA_STORE_QUEUE_BLOCK_H_
#define TOTORA_STORE_QUEUE_BLOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace totora::store {

// Blocks begin at multiples of this. Part of the disk format.
inline constexpr uint64_t kBlockEntries = 128;

// Where one message of a queue lies; its offset is its place in the queue.
struct IndexEntry {
  uint64_t position = 0;
  int64_t store_time_ms = 0;
  uint32_t size = 0;
  uint32_t tag_hash = 0;

  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

// At most kBlockEntries of them.
std::string EncodeBlock(absl::Span<const IndexEntry> entries);

// False if `bytes` are not what EncodeBlock makes of exactly `count` entries.
bool DecodeBlock(absl::string_view bytes, size_t count, std::vector<IndexEntry>* entries);

}  // namespace totora::store

#endif  // TOTORA_STORE_QUEUE_BLOCK_H_
