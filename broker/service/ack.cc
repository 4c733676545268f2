#include "broker/service/ack.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"

namespace totora::service {
namespace {

absl::Status NotHolding() {
  return Refuse(Refusal::kHandleNotHolding, "this handle does not hold the message any more");
}

absl::Status FromResult(const store::ResultStatus& status, const std::string& consumer_group) {
  switch (status.code) {
    case absl::StatusCode::kNotFound:
      return Refuse(Refusal::kConsumerGroupNotFound,
                    absl::StrCat("no consumer group ", consumer_group));
    case absl::StatusCode::kFailedPrecondition:
      return NotHolding();
    default:
      return absl::Status(status.code, status.text);
  }
}

absl::StatusOr<std::vector<absl::Status>> AckOutcome(absl::string_view bytes,
                                                     const std::string& consumer_group,
                                                     size_t count) {
  absl::StatusOr<store::AckResult> result = store::AckResult::Decode(bytes);
  if (!result.ok()) return result.status();
  if (!result->status.ok()) return FromResult(result->status, consumer_group);
  if (result->codes.size() != count) {
    return absl::InternalError("as many results as receipts were expected");
  }
  std::vector<absl::Status> codes;
  codes.reserve(count);
  for (absl::StatusCode code : result->codes) {
    // A queue that is gone (topic deleted) holds nothing either.
    const bool is_gone = code == absl::StatusCode::kFailedPrecondition ||
                         code == absl::StatusCode::kNotFound ||
                         code == absl::StatusCode::kOutOfRange;
    codes.push_back(is_gone ? NotHolding() : absl::Status(code, "ack failed"));
  }
  return codes;
}

}  // namespace

void MessageAcks::Ack(const std::string& consumer_group, std::vector<store::Receipt> receipts,
                      absl::Duration give_up, AckDone done) {
  const size_t count = receipts.size();
  store::AckCommand command{consumer_group, std::move(receipts)};
  log_->Submit(store::CommandKind::kAck, command.Encode(), give_up,
               [consumer_group, count,
                done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                 if (!bytes.ok()) {
                   done(bytes.status());
                   return;
                 }
                 done(AckOutcome(*bytes, consumer_group, count));
               });
}

void MessageAcks::ForwardToDeadLetters(const std::string& consumer_group,
                                       const store::Receipt& receipt, absl::Duration give_up,
                                       absl::AnyInvocable<void(absl::Status)> done) {
  store::ForwardToDeadLetterCommand command{consumer_group, receipt};
  log_->Submit(
      store::CommandKind::kForwardToDeadLetter, command.Encode(), give_up,
      [consumer_group, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
        if (!bytes.ok()) {
          done(bytes.status());
          return;
        }
        const absl::StatusOr<store::PlainResult> result = store::PlainResult::Decode(*bytes);
        done(result.ok() ? FromResult(result->status, consumer_group) : result.status());
      });
}

void MessageAcks::ChangeInvisible(const std::string& consumer_group, const store::Receipt& receipt,
                                  absl::Duration invisible, absl::Duration give_up,
                                  absl::AnyInvocable<void(absl::Status)> done) {
  store::ChangeInvisibleCommand command{consumer_group, receipt,
                                        absl::ToInt64Milliseconds(invisible)};
  log_->Submit(
      store::CommandKind::kChangeInvisible, command.Encode(), give_up,
      [consumer_group, done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
        if (!bytes.ok()) {
          done(bytes.status());
          return;
        }
        absl::StatusOr<store::ChangeInvisibleResult> result =
            store::ChangeInvisibleResult::Decode(*bytes);
        done(result.ok() ? FromResult(result->status, consumer_group) : result.status());
      });
}

}  // namespace totora::service
