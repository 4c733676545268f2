#include "store/queue_block.h"

#include <array>

#include "common/check.h"
#include "common/coding.h"
#include "message/override.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr uint8_t kPlainFormat = 1;
constexpr uint8_t kOverrideFormat = 2;  // Override records follow the entries.

constexpr size_t kOverrideBytesMin = 1 + 4;
// Of an entry: three varints and a tag.
constexpr size_t kEntryBytesMax = 10 + 10 + 5 + 4;

char* PutVarint(char* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

}  // namespace

// Each entry is told as the difference to what the one before it lets expect:
// the message lies right behind it and was stored at the same time.
std::string EncodeBlock(absl::Span<const IndexEntry> entries,
                        absl::Span<const EntryOverride> overrides) {
  TOTORA_CHECK(entries.size() <= kBlockEntries);
  // Blocks wait in RAM for a checkpoint, so the string has just the size it needs.
  std::array<char, 2 + kBlockEntries * kEntryBytesMax> block;
  char* at = block.data();
  *at++ = static_cast<char>(overrides.empty() ? kPlainFormat : kOverrideFormat);
  *at++ = static_cast<char>(entries.size());
  uint64_t expected = 0;
  int64_t time = 0;
  for (const IndexEntry& entry : entries) {
    at = PutVarint(at, ZigZag(static_cast<int64_t>(entry.position - expected)));
    at = PutVarint(at, ZigZag(static_cast<int64_t>(static_cast<uint64_t>(entry.store_time_ms) -
                                                   static_cast<uint64_t>(time))));
    at = PutVarint(at, (uint64_t{entry.size} << 1) | (entry.tag_hash != 0 ? 1 : 0));
    if (entry.tag_hash != 0) {
      PutAt(at, entry.tag_hash);
      at += sizeof(entry.tag_hash);
    }
    expected = entry.position + entry.size;
    time = entry.store_time_ms;
  }
  std::string to(block.data(), static_cast<size_t>(at - block.data()));
  if (overrides.empty()) return to;
  AppendU8(&to, static_cast<uint8_t>(overrides.size()));
  for (const EntryOverride& override_record : overrides) {
    AppendU8(&to, static_cast<uint8_t>(override_record.at));
    AppendBytes(&to, *override_record.record);
  }
  return to;
}

bool DecodeBlock(absl::string_view bytes, size_t count, std::vector<IndexEntry>* entries,
                 std::vector<EntryOverride>* overrides) {
  entries->clear();
  overrides->clear();
  PayloadReader reader(bytes);
  const uint8_t format = reader.U8();
  reader.Require(format == kPlainFormat || format == kOverrideFormat);
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
  if (format == kPlainFormat) return reader.done();
  const uint8_t records = reader.U8();
  reader.Require(records > 0 && records <= reader.rest().size() / kOverrideBytesMin);
  for (uint8_t i = 0; i < records && reader.ok(); ++i) {
    EntryOverride& override_record = overrides->emplace_back();
    override_record.at = reader.U8();
    reader.Require(override_record.at < count &&
                   (i == 0 || override_record.at > (*overrides)[i - 1u].at));
    const absl::string_view record = reader.Prefixed();
    reader.Require(record.size() <= message::kOverrideBytesMax);
    override_record.record = std::make_shared<const std::string>(record);
  }
  return reader.done();
}

}  // namespace totora::store
