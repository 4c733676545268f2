#include "raft/log/log_point.h"

#include "common/coding.h"

namespace totora::raft {
namespace {

void AppendPoint(std::string* to, const LogPoint& point) {
  AppendU64(to, point.index.value());
  AppendU64(to, point.term.value());
  AppendU64(to, point.end.value());
  AppendU32(to, point.chain_crc);
}

LogPoint ReadPoint(Reader* reader) {
  LogPoint point;
  point.index = LogIndex(reader->U64());
  point.term = Term(reader->U64());
  point.end = BytePosition(reader->U64());
  point.chain_crc = reader->U32();
  return point;
}

}  // namespace

LogPoint PointBehind(const FrameHeader& header) {
  if (header.index.value() == 0) return LogPoint();
  return {header.index, header.term, header.end(), header.chain_crc};
}

std::string EncodeClosingMark(const LogPoint& point) {
  std::string payload;
  AppendPoint(&payload, point);
  return payload;
}

absl::StatusOr<LogPoint> DecodeClosingMark(absl::string_view payload) {
  Reader reader(payload);
  const LogPoint point = ReadPoint(&reader);
  if (!reader.done()) return absl::DataLossError("closing mark of a wrong size");
  return point;
}

std::string EncodeTruncation(const std::optional<Truncation>& truncation) {
  const Truncation content = truncation.value_or(Truncation());
  std::string payload;
  AppendU8(&payload, truncation.has_value() ? 1 : 0);
  AppendPoint(&payload, content.keep);
  AppendU64(&payload, content.old_end.value());
  return payload;
}

absl::StatusOr<std::optional<Truncation>> DecodeTruncation(absl::string_view payload) {
  Reader reader(payload);
  const uint8_t state = reader.U8();
  Truncation truncation;
  truncation.keep = ReadPoint(&reader);
  truncation.old_end = BytePosition(reader.U64());
  if (!reader.done() || state > 1) return absl::DataLossError("truncation intent makes no sense");
  if (state == 0) return std::optional<Truncation>();
  return std::optional<Truncation>(truncation);
}

}  // namespace totora::raft
