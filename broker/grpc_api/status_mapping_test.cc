#include "broker/grpc_api/status_mapping.h"

#include <gtest/gtest.h>

#include <vector>

#include "broker/service/refusal.h"

namespace totora::grpc_api {
namespace {

using absl::StatusCode;
using service::Refusal;

// Every code of absl and what it is called while sending, receiving, settling
// and asking.
TEST(StatusMapping, EveryCodeHasAName) {
  struct Row {
    StatusCode code;
    v2::Code send, receive, settle, ask;
  };
  const v2::Code internal = v2::INTERNAL_SERVER_ERROR;
  const std::vector<Row> table = {
      {StatusCode::kOk, v2::OK, v2::OK, v2::OK, v2::OK},
      {StatusCode::kCancelled, internal, internal, internal, internal},
      {StatusCode::kUnknown, internal, internal, internal, internal},
      {StatusCode::kInvalidArgument, v2::BAD_REQUEST, v2::BAD_REQUEST, v2::BAD_REQUEST,
       v2::BAD_REQUEST},
      {StatusCode::kDeadlineExceeded, v2::SLAVE_PERSISTENCE_TIMEOUT, v2::PROXY_TIMEOUT, internal,
       v2::PROXY_TIMEOUT},
      {StatusCode::kNotFound, v2::NOT_FOUND, v2::NOT_FOUND, v2::NOT_FOUND, v2::NOT_FOUND},
      {StatusCode::kAlreadyExists, internal, internal, internal, internal},
      {StatusCode::kPermissionDenied, v2::FORBIDDEN, v2::FORBIDDEN, v2::FORBIDDEN, v2::FORBIDDEN},
      {StatusCode::kResourceExhausted, v2::TOO_MANY_REQUESTS, v2::TOO_MANY_REQUESTS,
       v2::TOO_MANY_REQUESTS, v2::TOO_MANY_REQUESTS},
      {StatusCode::kFailedPrecondition, internal, internal, internal, internal},
      {StatusCode::kAborted, internal, internal, internal, internal},
      {StatusCode::kOutOfRange, v2::ILLEGAL_OFFSET, v2::ILLEGAL_OFFSET, v2::ILLEGAL_OFFSET,
       v2::ILLEGAL_OFFSET},
      {StatusCode::kUnimplemented, v2::NOT_IMPLEMENTED, v2::NOT_IMPLEMENTED, v2::NOT_IMPLEMENTED,
       v2::NOT_IMPLEMENTED},
      {StatusCode::kInternal, internal, internal, internal, internal},
      {StatusCode::kUnavailable, v2::HA_NOT_AVAILABLE, internal, internal, internal},
      {StatusCode::kDataLoss, internal, internal, internal, internal},
      {StatusCode::kUnauthenticated, v2::UNAUTHORIZED, v2::UNAUTHORIZED, v2::UNAUTHORIZED,
       v2::UNAUTHORIZED},
  };
  ASSERT_EQ(table.size(), 17u);  // As many as absl has.
  for (const Row& row : table) {
    const absl::Status status(row.code, "text");
    EXPECT_EQ(CodeFor(status, Doing::kSend), row.send) << row.code;
    EXPECT_EQ(CodeFor(status, Doing::kReceive), row.receive) << row.code;
    EXPECT_EQ(CodeFor(status, Doing::kSettle), row.settle) << row.code;
    EXPECT_EQ(CodeFor(status, Doing::kAsk), row.ask) << row.code;
  }
}

TEST(StatusMapping, EveryRefusalHasACodeOfItsOwnWhateverWasDone) {
  const std::vector<std::pair<Refusal, v2::Code>> table = {
      {Refusal::kTopicNotFound, v2::TOPIC_NOT_FOUND},
      {Refusal::kConsumerGroupNotFound, v2::CONSUMER_GROUP_NOT_FOUND},
      {Refusal::kIllegalTopic, v2::ILLEGAL_TOPIC},
      {Refusal::kIllegalConsumerGroup, v2::ILLEGAL_CONSUMER_GROUP},
      {Refusal::kTypeMismatch, v2::MESSAGE_PROPERTY_CONFLICT_WITH_TYPE},
      {Refusal::kNotWritable, v2::FORBIDDEN},
      {Refusal::kNotReadable, v2::FORBIDDEN},
      {Refusal::kConsumerGroupDisabled, v2::FORBIDDEN},
      {Refusal::kHandleNotHolding, v2::INVALID_RECEIPT_HANDLE},
      {Refusal::kTooManyPolls, v2::TOO_MANY_REQUESTS},
      {Refusal::kTooManySessions, v2::TOO_MANY_REQUESTS},
      {Refusal::kNoSuchQueue, v2::BAD_REQUEST},
      {Refusal::kIllegalFilter, v2::ILLEGAL_FILTER_EXPRESSION},
      {Refusal::kNoSubscription, v2::BAD_REQUEST},
      {Refusal::kSubscriptionNotLatest, v2::BAD_REQUEST},
  };
  for (const auto& [refusal, code] : table) {
    for (Doing doing : {Doing::kSend, Doing::kReceive, Doing::kSettle, Doing::kAsk}) {
      EXPECT_EQ(CodeFor(service::Refuse(refusal, "text"), doing), code);
    }
  }
}

TEST(StatusMapping, TextIsShortAndPrintable) {
  v2::Status status;

  SetStatus(v2::BAD_REQUEST, std::string(10'000, '\xff'), &status);

  EXPECT_EQ(status.message(), std::string(512, '?'));
}

}  // namespace
}  // namespace totora::grpc_api
