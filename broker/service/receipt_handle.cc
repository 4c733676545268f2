#include "broker/service/receipt_handle.h"

#include <limits>

#include "absl/strings/escaping.h"
#include "common/coding.h"
#include "common/crc32c.h"

namespace totora::service {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kCrcBytes = 4;

absl::Status NoHandle() { return absl::InvalidArgumentError("not a receipt handle"); }

}  // namespace

std::string EncodeReceiptHandle(const ReceiptHandle& handle) {
  std::string bytes;
  bytes.reserve(handle.receipt.topic.size() + 40);
  AppendU8(&bytes, kVersion);
  AppendVarint(&bytes, handle.group.value());
  AppendVarint(&bytes, handle.receipt.topic.size());
  bytes += handle.receipt.topic;
  AppendVarint(&bytes, handle.receipt.queue_id);
  AppendVarint(&bytes, handle.receipt.offset.value());
  AppendVarint(&bytes, handle.receipt.delivery_id);
  AppendU32(&bytes, Crc32c(bytes));
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<ReceiptHandle> DecodeReceiptHandle(absl::string_view text) {
  std::string bytes;
  if (text.empty() || text.size() > kReceiptHandleBytesMax ||
      !absl::WebSafeBase64Unescape(text, &bytes) || bytes.size() <= kCrcBytes) {
    return NoHandle();
  }
  const absl::string_view body = absl::string_view(bytes).substr(0, bytes.size() - kCrcBytes);
  if (Crc32c(body) != GetAt<uint32_t>(bytes.data() + body.size())) return NoHandle();
  Reader reader(body);
  if (reader.U8() != kVersion) return NoHandle();
  ReceiptHandle handle;
  const uint64_t group = reader.Varint();
  const absl::string_view topic = reader.Bytes(reader.Varint());
  const uint64_t queue_id = reader.Varint();
  handle.receipt.offset = QueueOffset(reader.Varint());
  handle.receipt.delivery_id = reader.Varint();
  if (!reader.done() || group > std::numeric_limits<uint32_t>::max() ||
      queue_id > std::numeric_limits<uint32_t>::max()) {
    return NoHandle();
  }
  handle.group = GroupId(static_cast<uint32_t>(group));
  handle.receipt.topic = std::string(topic);
  handle.receipt.queue_id = static_cast<uint32_t>(queue_id);
  return handle;
}

}  // namespace totora::service
