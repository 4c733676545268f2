// What administrators do with the progress of consumer groups: move it, copy it.
//
// Consumers that are at work have to follow, wherever they are connected. So a
// reset holds (store/commands.h): their next pull of the queue, or the one that
// is parked, is answered "the offset has moved", and what they report from
// before it counts for nothing until one pulls where the reset has put them
// (pull.h). RocketMQ's broker forgets the reset with the first pull, and lives
// with what a consumer reports after that.
#ifndef TOTORA_BROKER_SERVICE_OFFSET_RESETS_H_
#define TOTORA_BROKER_SERVICE_OFFSET_RESETS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "store/state_machine.h"

namespace totora::service {

struct OffsetReset {
  std::string consumer_group;
  std::string topic;
  int32_t queue_id = -1;  // Below 0: every queue that is read.
  // Where to, in one queue; without it, by time.
  std::optional<int64_t> offset;
  int64_t time_ms = -1;  // The first message of that time or later; below 0: the end.
};

// Thread safety: confined to the replica's executor.
class OffsetResets {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  using ResetDone =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<store::CommittedOffset>> offsets)>;

  OffsetResets(CommandLog* log, const store::StateMachine* state) : log_(log), state_(state) {}

  // Errors: kTopicNotFound, kConsumerGroupNotFound, kNoSuchQueue; OutOfRange for an
  // offset that the queue has not; those of the log.
  void Reset(OffsetReset reset, absl::Duration give_up, ResetDone done);

  // Sets one offset, consumers or not, back as well as forth: what a tool writes
  // instead of a consumer. Nobody is told.
  // Errors: kTopicNotFound, kConsumerGroupNotFound, kNoSuchQueue; those of the log.
  void Set(const std::string& consumer_group, const std::string& topic, int32_t queue_id,
           int64_t offset, absl::Duration give_up, Done done);

  // `to` goes on where `from` is, in one topic or (empty) in all that `from` has
  // offsets of. Errors: kTopicNotFound, kConsumerGroupNotFound; those of the log.
  void Copy(const std::string& from, const std::string& to, const std::string& topic,
            absl::Duration give_up, Done done);

 private:
  absl::Status CheckNames(const std::string& consumer_group, const std::string& topic) const;
  absl::StatusOr<std::vector<store::CommittedOffset>> Find(const OffsetReset& reset) const;
  absl::StatusOr<QueueOffset> FindIn(const OffsetReset& reset, uint32_t queue_id) const;

  CommandLog* const log_;
  const store::StateMachine* const state_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_OFFSET_RESETS_H_
