// What absl::Status and Refusal are called in the v2 protocol: the only place
// that knows both.
#ifndef TOTORA_BROKER_GRPC_API_STATUS_MAPPING_H_
#define TOTORA_BROKER_GRPC_API_STATUS_MAPPING_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {

namespace v2 = apache::rocketmq::v2;

// Clients react to a code by what they were doing.
enum class Doing {
  kSend,  // "Not known" and "nobody leads" have codes of their own.
  kReceive,
  kSettle,  // Ack, change of invisible time: retried every second unless the handle is invalid.
  kAsk,     // Routes, assignments and the like.
};

v2::Code CodeFor(const absl::Status& status, Doing doing);

// Fills `to` with code and text. Clients print the text; it is never parsed.
void SetStatus(v2::Code code, absl::string_view text, v2::Status* to);
void SetStatus(const absl::Status& status, Doing doing, v2::Status* to);

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_STATUS_MAPPING_H_
