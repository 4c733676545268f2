// The binary header ("ROCKETMQ"): fixed fields, remark, field block.
// Mirrors RocketMQSerializable.java.
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "remoting/header_codec.h"

namespace totora::remoting {
namespace {

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("compact header: ", what));
}

}  // namespace

absl::Status DecodeCompactHeader(absl::string_view header, Command* command) {
  Reader reader(header);
  command->code = static_cast<int16_t>(reader.U16());
  command->language = LanguageFromCode(reader.U8());
  command->version = static_cast<int16_t>(reader.U16());
  command->opaque = static_cast<int32_t>(reader.U32());
  command->flag = static_cast<int32_t>(reader.U32());
  command->remark = reader.Prefixed();
  const absl::string_view block = reader.Prefixed();
  // Bytes behind the block are ignored, as Java ignores them.
  if (!reader.ok()) return Malformed("lengths beyond its end");

  Reader fields(block);
  size_t count = 0;
  while (fields.ok() && !fields.rest().empty()) {
    const uint16_t name_size = fields.U16();
    if (name_size > FieldBuffer::kNameBytesMax) return Malformed("negative name length");
    const absl::string_view name = fields.Bytes(name_size);
    const absl::string_view value = fields.Prefixed();
    if (!fields.ok()) break;
    if (++count > kFieldsMax) return Malformed("too many fields");
    if (name.empty()) continue;
    if (value.empty()) {
      command->fields.Erase(name);  // Java reads a text of no length as null.
    } else {
      command->fields.Put(name, value);
    }
  }
  if (!fields.ok()) return Malformed("field beyond the end of the block");
  return absl::OkStatus();
}

void AppendCompactHeader(const Head& head, const FieldBuffer& fields, std::string* to) {
  AppendU16(to, static_cast<uint16_t>(head.code));
  AppendU8(to, static_cast<uint8_t>(head.language));
  AppendU16(to, static_cast<uint16_t>(head.version));
  AppendU32(to, static_cast<uint32_t>(head.opaque));
  AppendU32(to, static_cast<uint32_t>(head.flag));
  AppendBytes(to, head.remark);
  AppendBytes(to, fields.bytes());
}

}  // namespace totora::remoting
