#include "broker/service/queue_locks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/plain_result.h"

namespace totora::service {
namespace {

absl::Status CheckCount(const store::LockQueuesCommand& command) {
  if (command.queues.size() <= store::LockQueuesCommand::kQueuesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("at most ", store::LockQueuesCommand::kQueuesMax, " queues at a time"));
}

absl::StatusOr<std::vector<uint32_t>> GrantedOf(const absl::StatusOr<absl::string_view>& bytes) {
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<store::LockQueuesResult> result = store::LockQueuesResult::Decode(*bytes);
  if (!result.ok()) return result.status();
  if (!result->status.ok()) return absl::Status(result->status.code, result->status.text);
  return std::move(result->granted);
}

}  // namespace

void QueueLocks::Lock(store::LockQueuesCommand command, absl::Duration give_up, Locked done) {
  if (absl::Status status = CheckCount(command); !status.ok()) {
    executor_->Post([done = std::move(done), status = std::move(status)]() mutable {
      done(std::move(status));
    });
    return;
  }
  executor_->Post([this, command = std::move(command), give_up, done = std::move(done)]() mutable {
    const std::string group = command.consumer_group;
    consumer_groups_->FindForUse(
        group, give_up,
        [this, payload = command.Encode(), give_up,
         done = std::move(done)](const absl::StatusOr<store::ConsumerGroupConfig>& config) mutable {
          if (!config.ok()) {
            done(config.status());
            return;
          }
          log_->Submit(store::CommandKind::kLockQueues, std::move(payload), give_up,
                       [done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                         done(GrantedOf(bytes));
                       });
        });
  });
}

void QueueLocks::Unlock(const store::LockQueuesCommand& command, absl::Duration give_up,
                        absl::AnyInvocable<void(absl::Status)> done) {
  if (absl::Status status = CheckCount(command); !status.ok()) {
    executor_->Post([done = std::move(done), status = std::move(status)]() mutable {
      done(std::move(status));
    });
    return;
  }
  log_->Submit(store::CommandKind::kUnlockQueues, command.Encode(), give_up,
               [done = std::move(done)](absl::StatusOr<absl::string_view> bytes) mutable {
                 absl::Status status = PlainOutcome(bytes);
                 // Nobody holds a lock of a group that is not there.
                 done(absl::IsNotFound(status) ? absl::OkStatus() : status);
               });
}

}  // namespace totora::service
