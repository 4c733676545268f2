// What absl::Status and Refusal are called in the classic protocol: the only
// place that knows both.
#ifndef TOTORA_BROKER_REMOTING_API_RESPONSE_MAPPING_H_
#define TOTORA_BROKER_REMOTING_API_RESPONSE_MAPPING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "remoting/response_code.h"

namespace totora::remoting_api {

// Clients react to a code by what they were doing.
enum class Doing {
  // Clients try again after 1, 14, 16 and 17, and after no other code that all
  // of them know.
  kSend,
  kPull,  // Any code that is no pull status makes the client wait 1 to 3 s.
  kAsk,   // Offsets, locks, send-backs, groups.
};

remoting::ResponseCode CodeFor(const absl::Status& status, Doing doing);

// Text for a remark: short and printable, whatever the client's names hold.
std::string RemarkText(absl::string_view text);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_RESPONSE_MAPPING_H_
