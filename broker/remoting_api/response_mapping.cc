#include "broker/remoting_api/response_mapping.h"

#include <optional>

#include "broker/service/refusal.h"

namespace totora::remoting_api {
namespace {

using remoting::ResponseCode;
using service::Refusal;

constexpr size_t kRemarkBytesMax = 512;

std::optional<ResponseCode> CodeOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      break;
    case Refusal::kTopicNotFound:
      return ResponseCode::kTopicNotExist;
    case Refusal::kConsumerGroupNotFound:
      return ResponseCode::kSubscriptionGroupNotExist;
    case Refusal::kIllegalTopic:
    case Refusal::kIllegalConsumerGroup:
    case Refusal::kNoSuchQueue:
      return ResponseCode::kInvalidParameter;
    case Refusal::kTypeMismatch:
      return ResponseCode::kMessageIllegal;
    case Refusal::kNotWritable:
    case Refusal::kNotReadable:
    case Refusal::kConsumerGroupDisabled:
      return ResponseCode::kNoPermission;
    case Refusal::kHandleNotHolding:
      return ResponseCode::kSystemError;
    case Refusal::kTooManyPolls:
    case Refusal::kTooManySessions:
      return ResponseCode::kSystemBusy;
    case Refusal::kIllegalFilter:
      return ResponseCode::kSubscriptionParseFailed;
    case Refusal::kNoSubscription:
      return ResponseCode::kSubscriptionNotExist;
    case Refusal::kSubscriptionNotLatest:
      return ResponseCode::kSubscriptionNotLatest;
  }
  return std::nullopt;
}

}  // namespace

ResponseCode CodeFor(const absl::Status& status, Doing doing) {
  if (const auto code = CodeOf(service::RefusalOf(status))) return *code;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ResponseCode::kSuccess;
    case absl::StatusCode::kInvalidArgument:
      return doing == Doing::kSend ? ResponseCode::kMessageIllegal
                                   : ResponseCode::kInvalidParameter;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ResponseCode::kNoPermission;
    case absl::StatusCode::kResourceExhausted:
      // SYSTEM_BUSY is not tried again by Go and Java 4.9.
      return doing == Doing::kSend ? ResponseCode::kServiceNotAvailable : ResponseCode::kSystemBusy;
    case absl::StatusCode::kUnimplemented:
      return ResponseCode::kRequestCodeNotSupported;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      // Nobody leads, or the outcome is not known: a client that tries again
      // gets the first outcome.
      return ResponseCode::kServiceNotAvailable;
    default:
      return ResponseCode::kSystemError;
  }
}

std::string RemarkText(absl::string_view text) {
  std::string clean(text.substr(0, kRemarkBytesMax));
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return clean;
}

}  // namespace totora::remoting_api
