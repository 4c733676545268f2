#include "broker/remoting_api/batch.h"

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "store/commands.h"

namespace totora::remoting_api {

absl::StatusOr<std::vector<BatchItem>> ReadBatch(absl::string_view body) {
  std::vector<BatchItem> items;
  Reader reader(body);
  while (!reader.done()) {
    if (items.size() >= store::SendCommand::kSendItemsMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("a batch has at most ", store::SendCommand::kSendItemsMax, " messages"));
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

}  // namespace totora::remoting_api
