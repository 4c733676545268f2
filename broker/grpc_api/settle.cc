#include "broker/grpc_api/settle.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/client_settings.h"
#include "broker/grpc_api/durations.h"
#include "broker/grpc_api/names.h"
#include "broker/service/receipt_handle.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {
namespace {

constexpr int kAckEntriesMax = 1024;
constexpr absl::Duration kInvisibleMax = absl::Hours(12);
constexpr absl::Duration kNodeRetryMin = absl::Seconds(1);

// The receipt, if `text` is a handle of this group.
absl::StatusOr<store::Receipt> ReceiptOf(const HandlerContext& context, absl::string_view text) {
  absl::StatusOr<service::ReceiptHandle> handle = service::DecodeReceiptHandle(text);
  if (!handle.ok()) return handle.status();
  if (handle->group != context.broker->options().group) {
    return absl::InvalidArgumentError("a receipt handle of another broker group");
  }
  return std::move(handle->receipt);
}

// The code that all entries share, or MULTIPLE_RESULTS.
void SetOverall(v2::AckMessageResponse* reply) {
  const v2::Status& first = reply->entries(0).status();
  for (const v2::AckMessageResultEntry& entry : reply->entries()) {
    if (entry.status().code() != first.code()) {
      SetStatus(v2::MULTIPLE_RESULTS, "see the entries", reply->mutable_status());
      return;
    }
  }
  *reply->mutable_status() = first;
}

void AckMessage(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                v2::AckMessageRequest request) {
  const std::string group = StoredName(request.group(), caller.default_namespace);
  if (const absl::Status legal = CheckConsumerGroup(group); !legal.ok()) {
    ReplyStatus<v2::AckMessageResponse>(call, v2::ILLEGAL_CONSUMER_GROUP, legal.message());
    return;
  }
  if (request.entries().empty() || request.entries_size() > kAckEntriesMax) {
    ReplyStatus<v2::AckMessageResponse>(
        call, v2::BAD_REQUEST, absl::StrCat("a request acks 1 to ", kAckEntriesMax, " messages"));
    return;
  }
  v2::AckMessageResponse reply;
  std::vector<store::Receipt> receipts;
  std::vector<int> entry_of;  // Where the answer for each receipt goes.
  for (v2::AckMessageEntry& entry : *request.mutable_entries()) {
    v2::AckMessageResultEntry* result = reply.add_entries();
    absl::StatusOr<store::Receipt> receipt = ReceiptOf(context, entry.receipt_handle());
    if (receipt.ok()) {
      entry_of.push_back(reply.entries_size() - 1);
      receipts.push_back(*std::move(receipt));
    } else {
      SetStatus(v2::INVALID_RECEIPT_HANDLE, receipt.status().message(), result->mutable_status());
    }
    result->set_message_id(std::move(*entry.mutable_message_id()));
    result->set_receipt_handle(std::move(*entry.mutable_receipt_handle()));
  }
  if (receipts.empty()) {
    SetOverall(&reply);
    call->Reply(reply.SerializeAsString());
    return;
  }
  context.broker->acks().Ack(
      group, std::move(receipts), GiveUp(context, *call),
      [call, reply = std::move(reply),
       entry_of = std::move(entry_of)](absl::StatusOr<std::vector<absl::Status>> codes) mutable {
        for (size_t i = 0; i < entry_of.size(); ++i) {
          SetStatus(codes.ok() ? (*codes)[i] : codes.status(), Doing::kSettle,
                    reply.mutable_entries(entry_of[i])->mutable_status());
        }
        SetOverall(&reply);
        call->Reply(reply.SerializeAsString());
      });
}

void ChangeInvisibleDuration(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                             v2::ChangeInvisibleDurationRequest request) {
  // Java takes the handle of the reply before it looks at the status, so every
  // reply has one. Ours never changes.
  v2::ChangeInvisibleDurationResponse reply;
  reply.set_receipt_handle(request.receipt_handle());
  const auto refuse = [&](v2::Code code, absl::string_view text) {
    SetStatus(code, text, reply.mutable_status());
    call->Reply(reply.SerializeAsString());
  };
  const std::string group = StoredName(request.group(), caller.default_namespace);
  if (const absl::Status legal = CheckConsumerGroup(group); !legal.ok()) {
    refuse(v2::ILLEGAL_CONSUMER_GROUP, legal.message());
    return;
  }
  absl::Duration invisible = DurationOf(request.invisible_duration());
  if (invisible < absl::ZeroDuration() || invisible > kInvisibleMax) {
    refuse(v2::ILLEGAL_INVISIBLE_TIME, "the invisible time is from 0 to 12 hours");
    return;
  }
  // The Node client reads seconds as milliseconds where it computes the delay
  // of a retry.
  if (caller.language == "HTTP" && invisible < kNodeRetryMin) invisible = kNodeRetryMin;
  const absl::StatusOr<store::Receipt> receipt = ReceiptOf(context, request.receipt_handle());
  if (!receipt.ok()) {
    refuse(v2::INVALID_RECEIPT_HANDLE, receipt.status().message());
    return;
  }
  context.broker->acks().ChangeInvisible(
      group, *receipt, invisible, GiveUp(context, *call),
      [call, reply = std::move(reply)](const absl::Status& status) mutable {
        SetStatus(status, Doing::kSettle, reply.mutable_status());
        call->Reply(reply.SerializeAsString());
      });
}

// What a FIFO consumer does with a message after its last attempt.
void ForwardToDeadLetters(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                          const v2::ForwardMessageToDeadLetterQueueRequest& request) {
  using Reply = v2::ForwardMessageToDeadLetterQueueResponse;
  const std::string group = StoredName(request.group(), caller.default_namespace);
  if (const absl::Status legal = CheckConsumerGroup(group); !legal.ok()) {
    ReplyStatus<Reply>(call, v2::ILLEGAL_CONSUMER_GROUP, legal.message());
    return;
  }
  const absl::StatusOr<store::Receipt> receipt = ReceiptOf(context, request.receipt_handle());
  if (!receipt.ok()) {
    ReplyStatus<Reply>(call, v2::INVALID_RECEIPT_HANDLE, receipt.status().message());
    return;
  }
  context.broker->acks().ForwardToDeadLetters(
      group, *receipt, GiveUp(context, *call),
      [call](const absl::Status& status) { ReplyStatus<Reply>(call, status, Doing::kSettle); });
}

}  // namespace

void AddSettling(const HandlerContext* context, GrpcService* to) {
  to->AddRequest(
      absl::StrCat(kServicePath, "AckMessage"),
      InBand<v2::AckMessageRequest, v2::AckMessageResponse>(
          [context](GrpcCallPtr call, const Caller& caller, v2::AckMessageRequest request) {
            AckMessage(*context, std::move(call), caller, std::move(request));
          }));
  to->AddRequest(absl::StrCat(kServicePath, "ForwardMessageToDeadLetterQueue"),
                 InBand<v2::ForwardMessageToDeadLetterQueueRequest,
                        v2::ForwardMessageToDeadLetterQueueResponse>(
                     [context](GrpcCallPtr call, const Caller& caller,
                               const v2::ForwardMessageToDeadLetterQueueRequest& request) {
                       ForwardToDeadLetters(*context, std::move(call), caller, request);
                     }));
  to->AddRequest(absl::StrCat(kServicePath, "ChangeInvisibleDuration"),
                 InBand<v2::ChangeInvisibleDurationRequest, v2::ChangeInvisibleDurationResponse>(
                     [context](GrpcCallPtr call, const Caller& caller,
                               v2::ChangeInvisibleDurationRequest request) {
                       ChangeInvisibleDuration(*context, std::move(call), caller,
                                               std::move(request));
                     }));
}

}  // namespace totora::grpc_api
