// One entry as it lies on disk and travels between replicas: a 64-byte header,
// then the body. docs/formats/segment.md.
#ifndef TOTORA_RAFT_LOG_FRAME_H_
#define TOTORA_RAFT_LOG_FRAME_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/shared_bytes.h"
#include "common/types.h"
#include "raft/core/types.h"

namespace totora::raft {

inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr uint32_t kFrameBodyBytesMax = 32u << 20;
inline constexpr int64_t kLogTimeMsMax = (int64_t{1} << 48) - 1;  // Of the year 10889.
inline constexpr int64_t kPassedMsMax = (int64_t{1} << 40) - 1;   // 34 years.

// The two times of an entry (raft/log_clock.h).
struct LogTimes {
  int64_t log_ms = 0;
  int64_t passed_ms = 0;
  friend bool operator==(const LogTimes&, const LogTimes&) = default;
};

struct FrameHeader {
  LogIndex index;
  Term term;
  // Where this header begins in the group's log. The next frame starts at
  // start + 64 + body_bytes, also across segments, on every replica.
  BytePosition start;
  uint32_t body_bytes = 0;
  uint32_t body_crc = 0;  // CRC-32C of the body, computed once, by the leader.
  // CRC-32C over the previous frame's chain CRC and this frame's identity
  // (header bytes 8..40): equal chains mean equal histories.
  uint32_t chain_crc = 0;
  EntryType type = EntryType::kCommands;
  // The leader began a new segment file with this frame; so does everybody.
  bool begins_segment = false;
  // Both from 0 to the most that is written; neither falls from one entry to the next.
  int64_t timestamp_ms = 0;  // Log time.
  int64_t passed_ms = 0;     // What has passed since the group began, whatever clocks said.

  LogTimes times() const { return {timestamp_ms, passed_ms}; }
  BytePosition body_position() const { return start.Next(kFrameHeaderBytes); }
  BytePosition end() const { return start.Next(kFrameHeaderBytes + body_bytes); }
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

// An entry with its bytes.
struct Frame {
  FrameHeader header;
  SharedBytes body;

  EntryMeta meta() const {
    return {header.index, header.term, header.type,
            static_cast<uint32_t>(kFrameHeaderBytes) + header.body_bytes};
  }
};

// The chain CRC of a frame with this header (its chain_crc field is ignored)
// behind one whose chain CRC is `previous` (0 before the first frame).
uint32_t ChainCrc(uint32_t previous, const FrameHeader& header);

// The 64 bytes for `header`. The last 8 are local to one disk: the number of
// the sync group (0 on the wire) and a CRC that begins with `disk_key` (0 on the
// wire; on disk the key of the segment, so that a frame is valid in no other).
void EncodeFrameHeader(const FrameHeader& header, uint32_t sync_group, char* to,
                       uint32_t disk_key = 0);

// Errors: DataLoss if magic, version, a length or a CRC of the header is wrong.
// Says nothing of the body. `sync_group` may be null.
absl::StatusOr<FrameHeader> DecodeFrameHeader(absl::string_view bytes, uint32_t* sync_group,
                                              uint32_t disk_key = 0);

// DataLoss unless `body` has the length and the CRC that `header` names.
absl::Status CheckFrameBody(const FrameHeader& header, absl::string_view body);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_FRAME_H_
