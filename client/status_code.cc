#include "client/status_code.h"

#include "absl/strings/str_cat.h"
#include "proto/rocketmq/v2/definition.pb.h"

namespace totora::client {
namespace v2 = apache::rocketmq::v2;
namespace {

absl::StatusCode CanonicalCode(int code) {
  switch (code) {
    case v2::OK:
      return absl::StatusCode::kOk;
    case v2::REQUEST_TIMEOUT:
    case v2::PROXY_TIMEOUT:
    case v2::MASTER_PERSISTENCE_TIMEOUT:
    case v2::SLAVE_PERSISTENCE_TIMEOUT:
      return absl::StatusCode::kDeadlineExceeded;
    case v2::HA_NOT_AVAILABLE:
      return absl::StatusCode::kUnavailable;
    case v2::PRECONDITION_FAILED:
      return absl::StatusCode::kFailedPrecondition;
    case v2::UNAUTHORIZED:
      return absl::StatusCode::kUnauthenticated;
    case v2::FORBIDDEN:
      return absl::StatusCode::kPermissionDenied;
    case v2::NOT_IMPLEMENTED:
      return absl::StatusCode::kUnimplemented;
    default:
      break;
  }
  switch (code / 100) {
    case 404:
      return absl::StatusCode::kNotFound;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 505:
      return absl::StatusCode::kUnimplemented;
    default:
      return code / 10000 == 4 ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status StatusOfCode(int code, absl::string_view message) {
  const absl::StatusCode canonical = CanonicalCode(code);
  if (canonical == absl::StatusCode::kOk) return absl::OkStatus();
  const std::string& name = v2::Code_Name(static_cast<v2::Code>(code));
  return absl::Status(canonical, absl::StrCat(name.empty() ? absl::StrCat("code ", code) : name,
                                              message.empty() ? "" : ": ", message));
}

bool IsRetryableCode(int code) {
  return code == v2::TOO_MANY_REQUESTS || code == v2::REQUEST_TIMEOUT ||
         (code / 10000 == 5 && code / 100 != 501 && code / 100 != 505);
}

}  // namespace totora::client
