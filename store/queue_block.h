// Index entries of one queue, packed: about 10 bytes for each message instead
// of 24. A full block is one row of the checkpoint store; the tail of a queue,
// shorter than a block, is part of the queue's row.
#ifndef TOTORA_STORE_QUEUE_BLOCK_H_
#define TOTORA_STORE_QUEUE_BLOCK_H_

#include <cstdint>
#include <memory>
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

// An override record (message/override.h), encoded. Shared by whoever has a copy
// of the entry; null: there is none.
using OverrideBytes = std::shared_ptr<const std::string>;

// The override record of one entry, beside the entries: almost none has one.
struct EntryOverride {
  uint64_t at = 0;        // Number of the entry; what it counts from, its holder says.
  OverrideBytes record;
};

// At most kBlockEntries of them. `overrides` count from entries[0], ascending.
std::string EncodeBlock(absl::Span<const IndexEntry> entries,
                        absl::Span<const EntryOverride> overrides = {});

// False if `bytes` are not what EncodeBlock makes of exactly `count` entries.
bool DecodeBlock(absl::string_view bytes, size_t count, std::vector<IndexEntry>* entries,
                 std::vector<EntryOverride>* overrides);

}  // namespace totora::store

#endif  // TOTORA_STORE_QUEUE_BLOCK_H_
