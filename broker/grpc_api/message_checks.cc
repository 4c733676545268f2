#include "broker/grpc_api/message_checks.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/grpc_api/durations.h"
#include "broker/grpc_api/names.h"
#include "message/digest.h"
#include "message/message.h"

namespace totora::grpc_api {
namespace {

constexpr int kUserPropertiesMax = 128;
constexpr size_t kPropertiesBytesMax = 16 << 10;
constexpr size_t kMessageIdBytesMax = 255;
constexpr size_t kMessageGroupBytesMax = 63;
constexpr absl::Duration kDelayMax = absl::Hours(24);
constexpr absl::Duration kRecoveryMax = absl::Hours(1);

bool IsBlank(absl::string_view text) { return absl::StripAsciiWhitespace(text).empty(); }

bool HasControls(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c)) != 0;
  });
}

std::optional<Problem> CheckBody(const v2::Message& message) {
  if (message.body().empty()) return Problem{v2::MESSAGE_BODY_EMPTY, "the body is empty"};
  if (message.body().size() > message::kBodyBytesMax) {
    return Problem{v2::MESSAGE_BODY_TOO_LARGE,
                   absl::StrCat("a body has at most ", message::kBodyBytesMax, " bytes")};
  }
  return std::nullopt;
}

std::optional<Problem> CheckUserProperties(const v2::Message& message) {
  if (message.user_properties_size() > kUserPropertiesMax) {
    return Problem{v2::MESSAGE_PROPERTIES_TOO_LARGE,
                   absl::StrCat("a message has at most ", kUserPropertiesMax, " properties")};
  }
  for (const auto& [name, value] : message.user_properties()) {
    if (name.empty() || HasControls(name) || HasControls(value) ||
        message::IsReservedProperty(name)) {
      return Problem{v2::ILLEGAL_MESSAGE_PROPERTY_KEY, absl::StrCat("property ", name)};
    }
  }
  return std::nullopt;
}

std::optional<Problem> CheckTagAndKeys(const v2::SystemProperties& system) {
  if (system.has_tag() && (IsBlank(system.tag()) || HasControls(system.tag()) ||
                           absl::StrContains(system.tag(), '|'))) {
    return Problem{v2::ILLEGAL_MESSAGE_TAG, "a tag is not blank and has no '|' or control codes"};
  }
  for (const std::string& key : system.keys()) {
    if (IsBlank(key) || HasControls(key)) {
      return Problem{v2::ILLEGAL_MESSAGE_KEY, "a key is not blank and has no control codes"};
    }
  }
  return std::nullopt;
}

std::optional<Problem> CheckPropertiesSize(const v2::Message& message) {
  size_t bytes = message.system_properties().tag().size();
  for (const std::string& key : message.system_properties().keys()) bytes += key.size();
  for (const auto& [name, value] : message.user_properties()) bytes += name.size() + value.size();
  if (bytes <= kPropertiesBytesMax) return std::nullopt;
  return Problem{
      v2::MESSAGE_PROPERTIES_TOO_LARGE,
      absl::StrCat("properties, tag and keys have at most ", kPropertiesBytesMax, " bytes")};
}

std::optional<Problem> CheckTimes(const v2::SystemProperties& system, int64_t now_ms) {
  if (system.has_orphaned_transaction_recovery_duration() &&
      DurationOf(system.orphaned_transaction_recovery_duration()) > kRecoveryMax) {
    return Problem{v2::BAD_REQUEST, "a transaction is checked within an hour"};
  }
  if (system.has_delivery_timestamp() &&
      MillisOf(system.delivery_timestamp()) > now_ms + absl::ToInt64Milliseconds(kDelayMax)) {
    return Problem{v2::ILLEGAL_DELIVERY_TIME, "a message is delivered within 24 hours"};
  }
  return std::nullopt;
}

std::optional<Problem> CheckMessageGroup(const v2::SystemProperties& system) {
  if (!system.has_message_group()) return std::nullopt;
  const std::string& group = system.message_group();
  if (!IsBlank(group) && group.size() <= kMessageGroupBytesMax && !HasControls(group)) {
    return std::nullopt;
  }
  return Problem{v2::ILLEGAL_MESSAGE_GROUP,
                 absl::StrCat("a message group is not blank, has at most ", kMessageGroupBytesMax,
                              " bytes and no control codes")};
}

// No client of today sends a digest; one that does means it.
std::optional<Problem> CheckDigest(const v2::Message& message) {
  const v2::SystemProperties& system = message.system_properties();
  if (!system.has_body_digest() || system.body_digest().checksum().empty()) return std::nullopt;
  message::DigestKind kind;
  switch (system.body_digest().type()) {
    case v2::CRC32:
      kind = message::DigestKind::kCrc32;
      break;
    case v2::MD5:
      kind = message::DigestKind::kMd5;
      break;
    case v2::SHA1:
      kind = message::DigestKind::kSha1;
      break;
    default:
      return std::nullopt;
  }
  if (message::DigestMatches(kind, system.body_digest().checksum(), message.body())) {
    return std::nullopt;
  }
  return Problem{v2::MESSAGE_CORRUPTED, "the body does not have this digest"};
}

}  // namespace

std::optional<Problem> CheckMessage(const v2::Message& message, const std::string& stored_topic,
                                    int64_t now_ms) {
  const v2::SystemProperties& system = message.system_properties();
  if (const absl::Status legal = CheckTopic(stored_topic); !legal.ok()) {
    return Problem{v2::ILLEGAL_TOPIC, std::string(legal.message())};
  }
  if (auto problem = CheckBody(message)) return problem;
  if (auto problem = CheckUserProperties(message)) return problem;
  if (auto problem = CheckTagAndKeys(system)) return problem;
  if (auto problem = CheckPropertiesSize(message)) return problem;
  if (IsBlank(system.message_id()) || system.message_id().size() > kMessageIdBytesMax ||
      HasControls(system.message_id())) {
    return Problem{v2::ILLEGAL_MESSAGE_ID, "a message has an id"};
  }
  if (auto problem = CheckTimes(system, now_ms)) return problem;
  if (auto problem = CheckMessageGroup(system)) return problem;
  return CheckDigest(message);
}

std::optional<store::TopicType> TypeOf(const v2::Message& message) {
  const v2::SystemProperties& system = message.system_properties();
  if (system.message_type() == v2::TRANSACTION) return store::TopicType::kTransaction;
  if (system.has_delivery_timestamp()) return store::TopicType::kDelay;
  if (system.has_message_group()) return store::TopicType::kFifo;
  if (system.has_lite_topic() || system.has_priority()) return std::nullopt;
  return store::TopicType::kNormal;
}

}  // namespace totora::grpc_api
