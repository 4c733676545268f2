#include "remoting/frame.h"

#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/status.h"
#include "remoting/header_codec.h"

namespace totora::remoting {
namespace {

// The most that a header has besides its remark and its fields.
constexpr size_t HeaderOverheadBytes(bool compact) { return compact ? 21 : 176; }

}  // namespace

absl::StatusOr<size_t> FrameSize(absl::string_view bytes) {
  if (bytes.size() < 4) return size_t{0};
  const uint32_t length = GetAt<uint32_t>(bytes.data());
  if (length < 4) return absl::InvalidArgumentError(absl::StrCat("frame length ", length));
  if (length > kFrameBytesMax - 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("frame length ", length, ", at most ", kFrameBytesMax - 4));
  }
  if (bytes.size() < kFramePrefixBytes) return size_t{0};
  const uint32_t word = GetAt<uint32_t>(bytes.data() + 4);
  const uint32_t header = word & 0xFFFFFF;
  if (word >> 24 > static_cast<uint32_t>(Serializer::kCompact)) {
    return absl::InvalidArgumentError(absl::StrCat("header serializer ", word >> 24));
  }
  if (header > length - 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("header length ", header, " in a frame of length ", length));
  }
  if (header > kHeaderBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("header length ", header, ", at most ", kHeaderBytesMax));
  }
  return size_t{4} + length;
}

absl::StatusOr<Command> DecodeFrame(std::shared_ptr<char[]> block, size_t size) {
  const absl::string_view bytes(block.get(), size);
  TOTORA_ASSIGN_OR_RETURN(const size_t counted, FrameSize(bytes));
  if (counted == 0 || counted != size) return absl::InvalidArgumentError("not one whole frame");
  const uint32_t word = GetAt<uint32_t>(bytes.data() + 4);
  const size_t header_size = word & 0xFFFFFF;
  char* const header = block.get() + kFramePrefixBytes;

  Command command;
  command.serializer = static_cast<Serializer>(word >> 24);
  if (command.serializer == Serializer::kJson) {
    TOTORA_RETURN_IF_ERROR(DecodeJsonHeader(header, header_size, &command));
  } else {
    TOTORA_RETURN_IF_ERROR(DecodeCompactHeader(absl::string_view(header, header_size), &command));
  }
  command.frame = SharedBytes(std::move(block), bytes);
  const size_t body = kFramePrefixBytes + header_size;
  if (body < size) command.body = command.frame.Slice(body, size - body);
  return command;
}

absl::StatusOr<Command> DecodeFrame(absl::string_view frame) {
  std::shared_ptr<char[]> block = std::make_shared_for_overwrite<char[]>(frame.size());
  std::memcpy(block.get(), frame.data(), frame.size());
  return DecodeFrame(std::move(block), frame.size());
}

absl::Status AppendFrameHead(const Head& head, const FieldBuffer& fields, size_t body_size,
                             std::string* to, size_t extra) {
  const auto fits = [](int32_t value) {
    return value >= std::numeric_limits<int16_t>::min() &&
           value <= std::numeric_limits<int16_t>::max();
  };
  const bool compact =
      head.serializer == Serializer::kCompact && fits(head.code) && fits(head.version);
  const auto too_large = [&](size_t header) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a header of ", header, " bytes and a body of ", body_size, "; at most ",
                     kHeaderBytesMax, " and in all ", kFrameBytesMax));
  };
  const auto fits_frame = [body_size](size_t header) {
    return header <= kHeaderBytesMax && body_size <= kFrameBytesMax - kFramePrefixBytes &&
           header <= kFrameBytesMax - kFramePrefixBytes - body_size;
  };
  // Exact for the compact header. JSON adds to a field what the compact one
  // does, six bytes; escapes, which are rare, may make the text longer.
  const size_t expected = HeaderOverheadBytes(compact) + head.remark.size() + fields.bytes().size();
  if (!fits_frame(expected - HeaderOverheadBytes(compact))) return too_large(expected);
  const size_t begin = to->size();
  to->reserve(begin + kFramePrefixBytes + expected + extra);
  to->append(kFramePrefixBytes, '\0');
  if (compact) {
    AppendCompactHeader(head, fields, to);
  } else {
    AppendJsonHeader(head, fields, to);
  }
  const size_t header = to->size() - begin - kFramePrefixBytes;
  if (!fits_frame(header)) {
    to->resize(begin);
    return too_large(header);
  }
  const Serializer used = compact ? Serializer::kCompact : Serializer::kJson;
  PutAt(to->data() + begin, static_cast<uint32_t>(4 + header + body_size));
  PutAt(to->data() + begin + 4, static_cast<uint32_t>(used) << 24 | static_cast<uint32_t>(header));
  return absl::OkStatus();
}

}  // namespace totora::remoting
