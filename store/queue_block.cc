#include "store/queue_block.h"

#include "common/coding.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr uint8_t kFormat = 1;

}  // namespace

// Each entry is told as the difference to what the one before it lets expect:
// the message lies right behind it and was stored at the same time.
std::string EncodeBlock(absl::Span<const IndexEntry> entries) {
  std::string to;
  to.reserve(2 + entries.size() * 12);
  AppendU8(&to, kFormat);
  AppendU8(&to, static_cast<uint8_t>(entries.size()));
  uint64_t expected = 0;
  int64_t time = 0;
  for (const IndexEntry& entry : entries) {
    AppendVarint(&to, ZigZag(static_cast<int64_t>(entry.position - expected)));
    AppendVarint(&to, ZigZag(static_cast<int64_t>(static_cast<uint64_t>(entry.store_time_ms) -
                                                  static_cast<uint64_t>(time))));
    AppendVarint(&to, (uint64_t{entry.size} << 1) | (entry.tag_hash != 0 ? 1 : 0));
    if (entry.tag_hash != 0) AppendU32(&to, entry.tag_hash);
    expected = entry.position + entry.size;
    time = entry.store_time_ms;
  }
  return to;
}

bool DecodeBlock(absl::string_view bytes, size_t count, std::vector<IndexEntry>* entries) {
  entries->clear();
  PayloadReader reader(bytes);
  reader.Require(reader.U8() == kFormat);
  reader.Require(reader.U8() == count);
  if (!reader.ok()) return false;
  entries->reserve(count);
  uint64_t expected = 0;
  uint64_t time = 0;
  for (size_t i = 0; i < count; ++i) {
    IndexEntry& entry = entries->emplace_back();
    entry.position = expected + static_cast<uint64_t>(UnZigZag(reader.Varint()));
    time += static_cast<uint64_t>(UnZigZag(reader.Varint()));
    entry.store_time_ms = static_cast<int64_t>(time);
    const uint64_t size = reader.Varint();
    reader.Require((size >> 1) <= UINT32_MAX);
    entry.size = static_cast<uint32_t>(size >> 1);
    if ((size & 1) != 0) {
      entry.tag_hash = reader.U32();
      reader.Require(entry.tag_hash != 0);
    }
    expected = entry.position + entry.size;
  }
  return reader.done();
}

}  // namespace totora::store
