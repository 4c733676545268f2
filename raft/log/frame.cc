#include "raft/log/frame.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/crc32c.h"

namespace totora::raft {
namespace {

// Offsets in the header: docs/formats/segment.md.
constexpr char kMagic[] = {'T', 't', 'F'};
constexpr uint8_t kVersion = 2;
constexpr size_t kVersionAt = 3;
constexpr size_t kHeaderCrcAt = 4;
constexpr size_t kIndexAt = 8;
constexpr size_t kTermAt = 16;
constexpr size_t kStartAt = 24;
constexpr size_t kBodyBytesAt = 32;
constexpr size_t kBodyCrcAt = 36;
constexpr size_t kChainCrcAt = 40;
constexpr size_t kTypeAndTimesAt = 44;  // 1 byte, then 6 of log time and 5 of what passed.
constexpr size_t kPassedLowAt = 52;
constexpr size_t kSyncGroupAt = 56;
constexpr size_t kLocalCrcAt = 60;

constexpr uint8_t kBeginsSegmentBit = 1u << 7;
constexpr uint8_t kTypeMask = kBeginsSegmentBit - 1;
// Far from overflow, whatever a hostile header says.
constexpr uint64_t kPositionMax = uint64_t{1} << 62;

uint64_t Within(int64_t ms, int64_t max) {
  return static_cast<uint64_t>(std::clamp(ms, int64_t{0}, max));
}

void PutIdentity(const FrameHeader& header, char* to) {
  PutAt<uint64_t>(to + kIndexAt, header.index.value());
  PutAt<uint64_t>(to + kTermAt, header.term.value());
  PutAt<uint64_t>(to + kStartAt, header.start.value());
  PutAt<uint32_t>(to + kBodyBytesAt, header.body_bytes);
  PutAt<uint32_t>(to + kBodyCrcAt, header.body_crc);
}

}  // namespace

uint32_t ChainCrc(uint32_t previous, const FrameHeader& header) {
  char bytes[kFrameHeaderBytes];
  PutIdentity(header, bytes);
  char seed[4];
  PutAt<uint32_t>(seed, previous);
  return Crc32c(absl::string_view(bytes + kIndexAt, kChainCrcAt - kIndexAt),
                Crc32c(absl::string_view(seed, sizeof(seed))));
}

void EncodeFrameHeader(const FrameHeader& header, uint32_t sync_group, char* to,
                       uint32_t disk_key) {
  std::memcpy(to, kMagic, sizeof(kMagic));
  to[kVersionAt] = static_cast<char>(kVersion);
  PutIdentity(header, to);
  PutAt<uint32_t>(to + kChainCrcAt, header.chain_crc);
  uint8_t type = static_cast<uint8_t>(header.type);
  if (header.begins_segment) type |= kBeginsSegmentBit;
  const uint64_t log_time = Within(header.timestamp_ms, kLogTimeMsMax);
  const uint64_t passed = Within(header.passed_ms, kPassedMsMax);
  PutAt<uint64_t>(to + kTypeAndTimesAt, uint64_t{type} << 56 | log_time << 8 | passed >> 32);
  PutAt<uint32_t>(to + kPassedLowAt, static_cast<uint32_t>(passed));
  PutAt<uint32_t>(to + kHeaderCrcAt,
                  Crc32c(absl::string_view(to + kIndexAt, kSyncGroupAt - kIndexAt)));
  PutAt<uint32_t>(to + kSyncGroupAt, sync_group);
  PutAt<uint32_t>(to + kLocalCrcAt, Crc32c(absl::string_view(to, kLocalCrcAt), disk_key));
}

absl::StatusOr<FrameHeader> DecodeFrameHeader(absl::string_view bytes, uint32_t* sync_group,
                                              uint32_t disk_key) {
  if (bytes.size() < kFrameHeaderBytes) return absl::DataLossError("frame header is cut off");
  const char* const from = bytes.data();
  if (std::memcmp(from, kMagic, sizeof(kMagic)) != 0) {
    return absl::DataLossError("no frame header: wrong magic");
  }
  if (static_cast<uint8_t>(from[kVersionAt]) != kVersion) {
    return absl::DataLossError(absl::StrCat("frame header has version ",
                                            static_cast<uint8_t>(from[kVersionAt]), ", known is ",
                                            kVersion));
  }
  if (GetAt<uint32_t>(from + kHeaderCrcAt) !=
      Crc32c(bytes.substr(kIndexAt, kSyncGroupAt - kIndexAt))) {
    return absl::DataLossError("frame header has a bad CRC");
  }
  if (GetAt<uint32_t>(from + kLocalCrcAt) != Crc32c(bytes.substr(0, kLocalCrcAt), disk_key)) {
    return absl::DataLossError("local part of a frame header has a bad CRC");
  }
  FrameHeader header;
  header.index = LogIndex(GetAt<uint64_t>(from + kIndexAt));
  header.term = Term(GetAt<uint64_t>(from + kTermAt));
  header.start = BytePosition(GetAt<uint64_t>(from + kStartAt));
  header.body_bytes = GetAt<uint32_t>(from + kBodyBytesAt);
  header.body_crc = GetAt<uint32_t>(from + kBodyCrcAt);
  header.chain_crc = GetAt<uint32_t>(from + kChainCrcAt);
  const uint64_t type_and_times = GetAt<uint64_t>(from + kTypeAndTimesAt);
  const auto type_byte = static_cast<uint8_t>(type_and_times >> 56);
  const uint32_t type = type_byte & kTypeMask;
  header.begins_segment = (type_byte & kBeginsSegmentBit) != 0;
  header.timestamp_ms = static_cast<int64_t>(type_and_times >> 8) & kLogTimeMsMax;
  header.passed_ms = static_cast<int64_t>((type_and_times & 0xff) << 32 |
                                          GetAt<uint32_t>(from + kPassedLowAt));
  if (header.body_bytes > kFrameBodyBytesMax) {
    return absl::DataLossError(
        absl::StrCat("frame body of ", header.body_bytes, " bytes, limit ", kFrameBodyBytesMax));
  }
  if (type > static_cast<uint32_t>(EntryType::kFeatureLevel)) {
    return absl::DataLossError(absl::StrCat("frame of unknown type ", type));
  }
  if (header.index.value() == 0 || header.start.value() > kPositionMax) {
    return absl::DataLossError("frame with an impossible index or position");
  }
  header.type = static_cast<EntryType>(type);
  if (sync_group != nullptr) *sync_group = GetAt<uint32_t>(from + kSyncGroupAt);
  return header;
}

absl::Status CheckFrameBody(const FrameHeader& header, absl::string_view body) {
  if (body.size() != header.body_bytes) {
    return absl::DataLossError(absl::StrCat("body of frame ", header.index.value(), " has ",
                                            body.size(), " bytes instead of ", header.body_bytes));
  }
  if (Crc32c(body) != header.body_crc) {
    return absl::DataLossError(
        absl::StrCat("body of frame ", header.index.value(), " has a bad CRC"));
  }
  return absl::OkStatus();
}

}  // namespace totora::raft
