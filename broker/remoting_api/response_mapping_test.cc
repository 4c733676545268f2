#include "broker/remoting_api/response_mapping.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "broker/service/refusal.h"

namespace totora::remoting_api {
namespace {

using absl::StatusCode;
using remoting::ResponseCode;
using service::Refusal;

// Every code of absl and what it is called while sending, pulling and asking.
TEST(ResponseMapping, EveryCodeHasANumber) {
  struct Row {
    StatusCode code;
    int send, pull, ask;
  };
  const std::vector<Row> table = {
      {StatusCode::kOk, 0, 0, 0},
      {StatusCode::kCancelled, 1, 1, 1},
      {StatusCode::kUnknown, 1, 1, 1},
      {StatusCode::kInvalidArgument, 13, 29, 29},
      {StatusCode::kDeadlineExceeded, 14, 14, 14},
      {StatusCode::kNotFound, 1, 1, 1},
      {StatusCode::kAlreadyExists, 1, 1, 1},
      {StatusCode::kPermissionDenied, 16, 16, 16},
      {StatusCode::kResourceExhausted, 14, 2, 2},
      {StatusCode::kFailedPrecondition, 1, 1, 1},
      {StatusCode::kAborted, 1, 1, 1},
      {StatusCode::kOutOfRange, 1, 1, 1},
      {StatusCode::kUnimplemented, 3, 3, 3},
      {StatusCode::kInternal, 1, 1, 1},
      {StatusCode::kUnavailable, 14, 14, 14},
      {StatusCode::kDataLoss, 1, 1, 1},
      {StatusCode::kUnauthenticated, 16, 16, 16},
  };
  ASSERT_EQ(table.size(), 17u);  // As many as absl has.
  for (const Row& row : table) {
    const absl::Status status(row.code, "text");
    EXPECT_EQ(static_cast<int>(CodeFor(status, Doing::kSend)), row.send) << row.code;
    EXPECT_EQ(static_cast<int>(CodeFor(status, Doing::kPull)), row.pull) << row.code;
    EXPECT_EQ(static_cast<int>(CodeFor(status, Doing::kAsk)), row.ask) << row.code;
  }
}

TEST(ResponseMapping, EveryRefusalHasANumberWhateverWasDone) {
  const std::vector<std::pair<Refusal, int>> table = {
      {Refusal::kTopicNotFound, 17},         {Refusal::kConsumerGroupNotFound, 26},
      {Refusal::kIllegalTopic, 29},          {Refusal::kIllegalConsumerGroup, 29},
      {Refusal::kTypeMismatch, 13},          {Refusal::kNotWritable, 16},
      {Refusal::kNotReadable, 16},           {Refusal::kConsumerGroupDisabled, 16},
      {Refusal::kHandleNotHolding, 1},       {Refusal::kTooManyPolls, 2},
      {Refusal::kTooManySessions, 2},        {Refusal::kNoSuchQueue, 29},
      {Refusal::kIllegalFilter, 23},         {Refusal::kNoSubscription, 24},
      {Refusal::kSubscriptionNotLatest, 25},
  };
  for (const auto& [refusal, code] : table) {
    for (Doing doing : {Doing::kSend, Doing::kPull, Doing::kAsk}) {
      EXPECT_EQ(static_cast<int>(CodeFor(service::Refuse(refusal, "text"), doing)), code);
    }
  }
}

TEST(ResponseMapping, RemarksAreShortAndPrintable) {
  EXPECT_EQ(RemarkText(std::string(10'000, '\xff')), std::string(512, '?'));
  EXPECT_EQ(RemarkText("no topic \x01t"), "no topic ?t");
}

}  // namespace
}  // namespace totora::remoting_api
