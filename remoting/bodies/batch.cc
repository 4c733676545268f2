#include "remoting/bodies/batch.h"

#include "absl/strings/str_cat.h"
#include "common/coding.h"

namespace totora::remoting {

absl::StatusOr<std::vector<BatchItem>> ReadBatch(absl::string_view body, size_t items_max) {
  std::vector<BatchItem> items;
  Reader reader(body);
  while (!reader.done()) {
    if (items.size() >= items_max) {
      return absl::InvalidArgumentError(
          absl::StrCat("a batch has at most ", items_max, " messages"));
    }
    const size_t before = reader.rest().size();
    const uint32_t size = reader.U32();
    reader.U32();  // Magic.
    reader.U32();  // CRC.
    BatchItem& item = items.emplace_back();
    item.flag = static_cast<int32_t>(reader.U32());
    item.body = reader.Bytes(reader.U32());
    item.properties = reader.Bytes(reader.U16());
    if (!reader.ok() || before - reader.rest().size() != size) {
      return absl::InvalidArgumentError(
          absl::StrCat("message ", items.size(), " of the batch is damaged"));
    }
  }
  if (items.empty()) return absl::InvalidArgumentError("the batch is empty");
  return items;
}

}  // namespace totora::remoting
