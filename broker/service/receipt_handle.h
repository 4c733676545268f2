// The text by which a client names one delivery of one message.
//
// Opaque to clients, printable ASCII (URL-safe base64), the same through
// renewals and changes of the invisible time: it names the delivery, not its
// deadline. A checksum keeps typing errors and foreign handles out; it is no
// protection against forgery (that is the consumer group's permission).
#ifndef TOTORA_BROKER_SERVICE_RECEIPT_HANDLE_H_
#define TOTORA_BROKER_SERVICE_RECEIPT_HANDLE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "store/commands.h"

namespace totora::service {

inline constexpr size_t kReceiptHandleBytesMax = 512;

struct ReceiptHandle {
  GroupId group;  // The Raft group that holds the message.
  store::Receipt receipt;
};

std::string EncodeReceiptHandle(const ReceiptHandle& handle);

// Errors: InvalidArgument if `text` is no handle that this release has made.
absl::StatusOr<ReceiptHandle> DecodeReceiptHandle(absl::string_view text);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_RECEIPT_HANDLE_H_
