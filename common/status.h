// Passing absl::Status up: the macros and the words that abseil 20220623 lacks.
//
// What the codes mean everywhere in Totora stands in docs/errors.md.
#ifndef TOTORA_COMMON_STATUS_H_
#define TOTORA_COMMON_STATUS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora {

// `status` with "context: " put before its message; payloads are kept. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// The status of the last failed system call, made from `error_number` (errno):
// ENOENT is NotFound, EEXIST AlreadyExists, ENOSPC and EDQUOT
// ResourceExhausted, EACCES and EPERM PermissionDenied, the rest Internal.
absl::Status ErrnoStatus(int error_number, absl::string_view what);

}  // namespace totora

#define TOTORA_STATUS_CONCAT_INNER(a, b) a##b
#define TOTORA_STATUS_CONCAT(a, b) TOTORA_STATUS_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` is not OK.
#define TOTORA_RETURN_IF_ERROR(expr)                  \
  do {                                                \
    ::absl::Status totora_status_ = (expr);           \
    if (!totora_status_.ok()) return totora_status_;  \
  } while (false)

// TOTORA_ASSIGN_OR_RETURN(Type name, expr): `name` = the value, or return the status.
#define TOTORA_ASSIGN_OR_RETURN(lhs, expr) \
  TOTORA_ASSIGN_OR_RETURN_IMPL(TOTORA_STATUS_CONCAT(totora_or_, __LINE__), lhs, expr)
#define TOTORA_ASSIGN_OR_RETURN_IMPL(statusor, lhs, expr) \
  auto statusor = (expr);                                 \
  if (!statusor.ok()) return statusor.status();           \
  lhs = *std::move(statusor)

#endif  // TOTORA_COMMON_STATUS_H_
