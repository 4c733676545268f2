// The header and the name of a segment file. docs/formats/segment.md.
#ifndef TOTORA_RAFT_LOG_SEGMENT_FORMAT_H_
#define TOTORA_RAFT_LOG_SEGMENT_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"

namespace totora::raft {

inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr uint16_t kSegmentFormatVersion = 2;
inline constexpr uint16_t kLogFeatureLevel = 1;
// Frame bytes of one segment, whatever the leader says; offsets fit 32 bits.
inline constexpr uint64_t kSegmentBytesMax = (uint64_t{1} << 32) - (uint64_t{64} << 20);

struct SegmentHeader {
  uint64_t group_fingerprint = 0;
  LogIndex first_index;
  BytePosition first_start;
  uint32_t previous_chain_crc = 0;
  // Everything below was durable when the segment began; kept as 32 bits.
  LogIndex durable_below;

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

// The 64 bytes for `header`; `*key` becomes the CRC among them, which the
// segment's frames are keyed with.
std::string EncodeSegmentHeader(const SegmentHeader& header, uint32_t* key);

// Errors: DataLoss if magic or CRC is wrong; FailedPrecondition if the format
// version or the feature level is newer than this program.
absl::StatusOr<SegmentHeader> DecodeSegmentHeader(absl::string_view bytes, uint32_t* key);

// The first index of the sync group that a frame or segment beginning at
// `index` names by the low 32 bits `group`; empty if that is behind `index`.
std::optional<LogIndex> ExpandGroup(LogIndex index, uint32_t group);

inline uint32_t GroupNumber(LogIndex first) { return static_cast<uint32_t>(first.value()); }

// "00000000000000000042.seg".
std::string SegmentName(LogIndex first_index);
// Empty if `name` is no segment's name.
std::optional<LogIndex> ParseSegmentName(absl::string_view name);

inline constexpr absl::string_view kSegmentSuffix = ".seg";
inline constexpr char kPreparedName[] = "next.seg.tmp";
inline constexpr char kRollingName[] = "roll.seg.tmp";

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_SEGMENT_FORMAT_H_
