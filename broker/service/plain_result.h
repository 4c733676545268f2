// The outcome of commands that answer with nothing but a status.
#ifndef TOTORA_BROKER_SERVICE_PLAIN_RESULT_H_
#define TOTORA_BROKER_SERVICE_PLAIN_RESULT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/commands.h"

namespace totora::service {

inline absl::Status PlainOutcome(const absl::StatusOr<absl::string_view>& bytes) {
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<store::PlainResult> result = store::PlainResult::Decode(*bytes);
  if (!result.ok()) return result.status();
  return absl::Status(result->status.code, result->status.text);
}

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_PLAIN_RESULT_H_
