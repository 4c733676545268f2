#include "broker/service/refusal.h"

#include <string>

#include "absl/strings/cord.h"
#include "common/check.h"

namespace totora::service {
namespace {

constexpr char kPayloadUrl[] = "totora/refusal";

absl::StatusCode CodeOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      break;
    case Refusal::kTopicNotFound:
    case Refusal::kConsumerGroupNotFound:
      return absl::StatusCode::kNotFound;
    case Refusal::kIllegalTopic:
    case Refusal::kIllegalConsumerGroup:
    case Refusal::kNoSuchQueue:
    case Refusal::kIllegalFilter:
      return absl::StatusCode::kInvalidArgument;
    case Refusal::kTypeMismatch:
    case Refusal::kHandleNotHolding:
    case Refusal::kNoSubscription:
    case Refusal::kSubscriptionNotLatest:
      return absl::StatusCode::kFailedPrecondition;
    case Refusal::kNotWritable:
    case Refusal::kNotReadable:
    case Refusal::kConsumerGroupDisabled:
      return absl::StatusCode::kPermissionDenied;
    case Refusal::kTooManyPolls:
    case Refusal::kTooManySessions:
      return absl::StatusCode::kResourceExhausted;
  }
  TOTORA_CHECK(false) << "no refusal";
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::Status Refuse(Refusal refusal, absl::string_view text) {
  absl::Status status(CodeOf(refusal), text);
  status.SetPayload(kPayloadUrl, absl::Cord(std::string(1, static_cast<char>(refusal))));
  return status;
}

Refusal RefusalOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value() || payload->size() != 1) return Refusal::kNone;
  return static_cast<Refusal>((*payload)[0]);
}

}  // namespace totora::service
