// Why a use case says no, in words that each dialect has a code of its own for.
//
// The absl code says what the caller may do next (docs/errors.md); where two
// reasons share a code, the refusal tells them apart.
#ifndef TOTORA_BROKER_SERVICE_REFUSAL_H_
#define TOTORA_BROKER_SERVICE_REFUSAL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace totora::service {

enum class Refusal {
  kNone,                   // Only the code counts.
  kTopicNotFound,          // NotFound.
  kConsumerGroupNotFound,  // NotFound.
  kIllegalTopic,           // InvalidArgument.
  kIllegalConsumerGroup,   // InvalidArgument.
  kTypeMismatch,           // FailedPrecondition: the topic takes other kinds of messages.
  kNotWritable,            // PermissionDenied.
  kNotReadable,            // PermissionDenied.
  kConsumerGroupDisabled,  // PermissionDenied.
  kHandleNotHolding,       // FailedPrecondition: the handle does not hold the message.
  kTooManyPolls,           // ResourceExhausted.
  kTooManySessions,        // ResourceExhausted.
  kNoSuchQueue,            // InvalidArgument.
  kIllegalFilter,          // InvalidArgument: a filter expression that cannot be read.
  kNoSubscription,         // FailedPrecondition: nobody said what the consumer group wants.
  kSubscriptionNotLatest,  // FailedPrecondition: the client's newest one has not come yet.
};

// A status with the code that belongs to `refusal`.
// REQUIRES: `refusal` is not kNone.
absl::Status Refuse(Refusal refusal, absl::string_view text);

// kNone for every status that Refuse() did not make.
Refusal RefusalOf(const absl::Status& status);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_REFUSAL_H_
