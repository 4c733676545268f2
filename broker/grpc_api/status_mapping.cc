#include "broker/grpc_api/status_mapping.h"

#include <string>

#include "broker/service/refusal.h"

namespace totora::grpc_api {
namespace {

using service::Refusal;

constexpr size_t kTextBytesMax = 512;

v2::Code CodeOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      break;
    case Refusal::kTopicNotFound:
      return v2::TOPIC_NOT_FOUND;
    case Refusal::kConsumerGroupNotFound:
      return v2::CONSUMER_GROUP_NOT_FOUND;
    case Refusal::kIllegalTopic:
      return v2::ILLEGAL_TOPIC;
    case Refusal::kIllegalConsumerGroup:
      return v2::ILLEGAL_CONSUMER_GROUP;
    case Refusal::kTypeMismatch:
      return v2::MESSAGE_PROPERTY_CONFLICT_WITH_TYPE;
    case Refusal::kNotWritable:
    case Refusal::kNotReadable:
    case Refusal::kConsumerGroupDisabled:
      return v2::FORBIDDEN;
    case Refusal::kHandleNotHolding:
      return v2::INVALID_RECEIPT_HANDLE;
    case Refusal::kTooManyPolls:
    case Refusal::kTooManySessions:
      return v2::TOO_MANY_REQUESTS;
    case Refusal::kNoSuchQueue:
    case Refusal::kNoSubscription:
    case Refusal::kSubscriptionNotLatest:
      return v2::BAD_REQUEST;
    case Refusal::kIllegalFilter:
      return v2::ILLEGAL_FILTER_EXPRESSION;
  }
  return v2::CODE_UNSPECIFIED;
}

// Nobody leads, and nothing happened.
v2::Code UnavailableCode(Doing doing) {
  return doing == Doing::kSend ? v2::HA_NOT_AVAILABLE : v2::INTERNAL_SERVER_ERROR;
}

// The outcome is not known yet.
v2::Code DeadlineCode(Doing doing) {
  switch (doing) {
    case Doing::kSend:
      return v2::SLAVE_PERSISTENCE_TIMEOUT;
    case Doing::kSettle:
      return v2::INTERNAL_SERVER_ERROR;
    case Doing::kReceive:
    case Doing::kAsk:
      break;
  }
  return v2::PROXY_TIMEOUT;
}

}  // namespace

v2::Code CodeFor(const absl::Status& status, Doing doing) {
  if (const v2::Code code = CodeOf(service::RefusalOf(status)); code != v2::CODE_UNSPECIFIED) {
    return code;
  }
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return v2::OK;
    case absl::StatusCode::kInvalidArgument:
      return v2::BAD_REQUEST;
    case absl::StatusCode::kNotFound:
      return v2::NOT_FOUND;
    case absl::StatusCode::kOutOfRange:
      return v2::ILLEGAL_OFFSET;
    case absl::StatusCode::kPermissionDenied:
      return v2::FORBIDDEN;
    case absl::StatusCode::kUnauthenticated:
      return v2::UNAUTHORIZED;
    case absl::StatusCode::kResourceExhausted:
      return v2::TOO_MANY_REQUESTS;
    case absl::StatusCode::kUnimplemented:
      return v2::NOT_IMPLEMENTED;
    case absl::StatusCode::kUnavailable:
      return UnavailableCode(doing);
    case absl::StatusCode::kDeadlineExceeded:
      return DeadlineCode(doing);
    default:
      return v2::INTERNAL_SERVER_ERROR;
  }
}

void SetStatus(v2::Code code, absl::string_view text, v2::Status* to) {
  to->set_code(code);
  if (text.size() > kTextBytesMax) text = text.substr(0, kTextBytesMax);
  // Names in the text come from requests; cut or foreign bytes must not make
  // the reply unreadable.
  std::string clean(text);
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  to->set_message(std::move(clean));
}

void SetStatus(const absl::Status& status, Doing doing, v2::Status* to) {
  SetStatus(CodeFor(status, doing), status.ok() ? "OK" : status.message(), to);
}

}  // namespace totora::grpc_api
