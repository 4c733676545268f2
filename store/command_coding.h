// What the codecs of several commands share. Only files of this folder include it.
#ifndef TOTORA_STORE_COMMAND_CODING_H_
#define TOTORA_STORE_COMMAND_CODING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "store/commands.h"
#include "store/payload.h"

namespace totora::store {

inline absl::Status Damaged(const char* what) {
  return absl::DataLossError(std::string("damaged ") + what);
}

// Payloads that are one after the other parsed to the end, or refused.
template <typename T>
absl::StatusOr<T> Finish(const PayloadReader& reader, T value, const char* what) {
  if (!reader.done()) return Damaged(what);
  return value;
}

inline void AppendStatus(std::string* to, const ResultStatus& status) {
  AppendU8(to, static_cast<uint8_t>(status.code));
  AppendName(to, status.text);
}

inline ResultStatus ReadStatus(PayloadReader* reader) {
  ResultStatus status;
  const uint8_t code = reader->U8();
  reader->Require(code <= static_cast<uint8_t>(absl::StatusCode::kUnauthenticated));
  status.code = static_cast<absl::StatusCode>(code);
  status.text = reader->NameString();
  return status;
}

inline void AppendReceipt(std::string* to, const Receipt& receipt) {
  AppendName(to, receipt.topic);
  AppendU32(to, receipt.queue_id);
  AppendU64(to, receipt.offset.value());
  AppendU64(to, receipt.delivery_id);
}

inline Receipt ReadReceipt(PayloadReader* reader) {
  Receipt receipt;
  receipt.topic = reader->NameString();
  receipt.queue_id = reader->U32();
  receipt.offset = QueueOffset(reader->U64());
  receipt.delivery_id = reader->U64();
  return receipt;
}

}  // namespace totora::store

#endif  // TOTORA_STORE_COMMAND_CODING_H_
