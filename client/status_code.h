// What the in-band codes of gRPC v2 mean as absl::Status.
#ifndef TOTORA_CLIENT_STATUS_CODE_H_
#define TOTORA_CLIENT_STATUS_CODE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace totora::client {

// `code` is apache.rocketmq.v2.Code. The message begins with the code's name,
// so that a person can look it up.
absl::Status StatusOfCode(int code, absl::string_view message);

// Whether sending again may help: the server's faults and its "too many".
bool IsRetryableCode(int code);

}  // namespace totora::client

#endif  // TOTORA_CLIENT_STATUS_CODE_H_
