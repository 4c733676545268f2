#include "raft/log/segment_format.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/coding.h"
#include "common/crc32c.h"

namespace totora::raft {
namespace {
constexpr absl::string_view kMagic = "TtSG";
constexpr size_t kCrcAt = 60;
constexpr size_t kIndexDigits = 20;
}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header, uint32_t* key) {
  std::string bytes(kMagic);
  AppendU16(&bytes, kSegmentFormatVersion);
  AppendU16(&bytes, kLogFeatureLevel);
  AppendU64(&bytes, header.group_fingerprint);
  AppendU64(&bytes, header.first_index.value());
  AppendU64(&bytes, header.first_start.value());
  AppendU32(&bytes, header.previous_chain_crc);
  AppendU32(&bytes, GroupNumber(header.durable_below));
  bytes.resize(kCrcAt, '\0');
  *key = Crc32c(bytes);
  AppendU32(&bytes, *key);
  return bytes;
}

absl::StatusOr<SegmentHeader> DecodeSegmentHeader(absl::string_view bytes, uint32_t* key) {
  if (bytes.size() < kSegmentHeaderBytes || !absl::StartsWith(bytes, kMagic)) {
    return absl::DataLossError("no segment header: wrong magic or cut off");
  }
  *key = GetAt<uint32_t>(bytes.data() + kCrcAt);
  if (*key != Crc32c(bytes.substr(0, kCrcAt))) {
    return absl::DataLossError("segment header has a bad CRC");
  }
  Reader reader(bytes.substr(kMagic.size()));
  const uint16_t version = reader.U16();
  const uint16_t level = reader.U16();
  if (version != kSegmentFormatVersion || level != kLogFeatureLevel) {
    return absl::FailedPreconditionError(
        absl::StrCat("segment has format version ", version, " and feature level ", level,
                     ", this program knows ", kSegmentFormatVersion, " and ", kLogFeatureLevel,
                     ": a newer release wrote it"));
  }
  SegmentHeader header;
  header.group_fingerprint = reader.U64();
  header.first_index = LogIndex(reader.U64());
  header.first_start = BytePosition(reader.U64());
  header.previous_chain_crc = reader.U32();
  const std::optional<LogIndex> group = ExpandGroup(header.first_index, reader.U32());
  if (!group || header.first_index.value() == 0) {
    return absl::DataLossError("segment header names an impossible index");
  }
  header.durable_below = *group;
  return header;
}

std::optional<LogIndex> ExpandGroup(LogIndex index, uint32_t group) {
  const uint32_t behind = static_cast<uint32_t>(index.value()) - group;
  if (behind >= index.value()) return std::nullopt;
  return index.Prev(behind);
}

std::string SegmentName(LogIndex first_index) {
  return absl::StrFormat("%020u%s", first_index.value(), kSegmentSuffix);
}

std::optional<LogIndex> ParseSegmentName(absl::string_view name) {
  if (name.size() != kIndexDigits + kSegmentSuffix.size() ||
      !absl::EndsWith(name, kSegmentSuffix)) {
    return std::nullopt;
  }
  uint64_t index = 0;
  if (!absl::SimpleAtoi(name.substr(0, kIndexDigits), &index) || index == 0) return std::nullopt;
  if (SegmentName(LogIndex(index)) != name) return std::nullopt;
  return LogIndex(index);
}

}  // namespace totora::raft
