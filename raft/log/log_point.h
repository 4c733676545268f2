// A place in the log and the history up to it: what the closing mark and the
// truncation intent hold. docs/formats/segment.md.
#ifndef TOTORA_RAFT_LOG_LOG_POINT_H_
#define TOTORA_RAFT_LOG_LOG_POINT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "raft/log/frame.h"

namespace totora::raft {

// The default value is the beginning of the log.
struct LogPoint {
  LogIndex index;
  Term term;
  BytePosition end;  // Behind the frame of `index`.
  uint32_t chain_crc = 0;

  friend bool operator==(const LogPoint&, const LogPoint&) = default;
};

// Behind `header`; the beginning if its index is 0.
LogPoint PointBehind(const FrameHeader& header);

inline constexpr absl::string_view kClosingMagic = "TtCM";
inline constexpr char kClosingName[] = "closing";
std::string EncodeClosingMark(const LogPoint& point);
// Errors: DataLoss if `payload` is none.
absl::StatusOr<LogPoint> DecodeClosingMark(absl::string_view payload);

inline constexpr absl::string_view kTruncationMagic = "TtTI";
inline constexpr char kTruncationName[] = "truncation";
struct Truncation {
  LogPoint keep;
  // Where the log ended before: up to here the kept segment may hold bytes.
  BytePosition old_end;

  friend bool operator==(const Truncation&, const Truncation&) = default;
};
// Empty: no truncation is under way.
std::string EncodeTruncation(const std::optional<Truncation>& truncation);
absl::StatusOr<std::optional<Truncation>> DecodeTruncation(absl::string_view payload);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_LOG_POINT_H_
