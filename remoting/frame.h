// Frames of the classic protocol: where they end in a stream of bytes, what
// they say, and how ours are made.
//
//   0  u32  length of what follows
//   4  u8   serializer of the header
//   5  u24  header length
//   8       header, then body to the end
//
// Sources: RemotingCommand.java, NettyDecoder.java, RocketMQSerializable.java;
// docs/protocol/remoting.md.
#ifndef TOTORA_REMOTING_FRAME_H_
#define TOTORA_REMOTING_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "remoting/command.h"
#include "remoting/field_buffer.h"

namespace totora::remoting {

inline constexpr size_t kFramePrefixBytes = 8;
// A whole frame, both ways: what Java's decoder takes, its length word included.
inline constexpr size_t kFrameBytesMax = 16u << 20;
// A header. The largest that a client of ours makes holds properties of
// 32 KiB, six times as much where JSON escapes them; the rest is for those
// that are to be told that theirs are too long.
inline constexpr size_t kHeaderBytesMax = 1u << 20;
// Custom fields in one header. Clients send at most about 20.
inline constexpr size_t kFieldsMax = 256;

// Looks at the start of `bytes` for a frame. Returns its size, 0 if too few
// bytes are there to know it; the frame itself may still be incomplete.
//
// Errors: InvalidArgument if no frame can begin so (a length that is too small
//   or above the limits, an unknown serializer). There is no way to find the
//   next frame then: the connection must be cut.
absl::StatusOr<size_t> FrameSize(absl::string_view bytes);

// Reads one frame. `block` holds exactly the bytes that FrameSize counted; it
// is taken over and written to (escapes are resolved in place).
//
// Errors: InvalidArgument for a header that cannot be read; Java closes the
//   connection then, and so do we, for its opaque is not known.
absl::StatusOr<Command> DecodeFrame(std::shared_ptr<char[]> block, size_t size);
// The same, of a copy.
absl::StatusOr<Command> DecodeFrame(absl::string_view frame);

// The header of a frame to be sent.
struct Head {
  int32_t code = 0;
  int32_t opaque = 0;
  int32_t flag = 0;
  Serializer serializer = Serializer::kJson;
  Language language = Language::kCpp;
  int32_t version = kVersion5_3_3;
  absl::string_view remark{};
};

// Appends everything of a frame but its body, which must follow and be of
// `body_size` bytes. Makes room once, for `extra` bytes of the caller's too; only
// many escapes in a JSON header make it do so again. A code or version that the
// compact header has no room for makes the header JSON, which every client reads.
//
// Errors: ResourceExhausted if the frame or its header would be above the
//   limits; nothing is appended then.
absl::Status AppendFrameHead(const Head& head, const FieldBuffer& fields, size_t body_size,
                             std::string* to, size_t extra = 0);

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_FRAME_H_
