// How far consumer groups have come, as classic consumers say themselves.
//
// What one replica is told while a command is on its way goes into the next
// one: consumers report all their queues at once, every 5 s, one request each.
#ifndef TOTORA_BROKER_SERVICE_CONSUMER_OFFSETS_H_
#define TOTORA_BROKER_SERVICE_CONSUMER_OFFSETS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/consumer_groups.h"
#include "common/executor.h"
#include "store/state_machine.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class ConsumerOffsets {
 public:
  // Reports that may wait for the command after this one.
  static constexpr size_t kWaitingMax = 100'000;
  static constexpr size_t kItemsPerCommand = 4096;
  static constexpr absl::Duration kGiveUp = absl::Milliseconds(2500);

  using Done = absl::AnyInvocable<void(absl::Status)>;
  using Found = absl::AnyInvocable<void(absl::StatusOr<std::optional<QueueOffset>> offset)>;

  ConsumerOffsets(CommandLog* log, const store::StateMachine* state, Executor* executor,
                  ConsumerGroups* consumer_groups)
      : log_(log), state_(state), executor_(executor), consumer_groups_(consumer_groups) {}

  // The group's next message of the queue is the one at `offset`. Never goes
  // back: of two reports the higher one counts.
  // Errors: those of ConsumerGroups::FindForUse; kTopicNotFound, kNoSuchQueue;
  //   ResourceExhausted; those of the log.
  void Update(const std::string& consumer_group, const std::string& topic, int32_t queue_id,
              int64_t offset, Done done);

  // Runs `done` once all that was reported here until now is stored, or given up.
  // A client that leaves reports first: nobody may take its queues over before
  // that counts, at whatever replica it asks.
  void WhenStored(Task done);

  // What was reported last; empty: nothing ever. Asks the log first.
  void Find(const std::string& consumer_group, const std::string& topic, int32_t queue_id,
            absl::Duration give_up, Found found);

 private:
  using Key = std::tuple<std::string, std::string, uint32_t>;
  struct Report {
    uint64_t offset = 0;
    std::vector<Done> done;
  };
  using Reports = absl::btree_map<Key, Report>;

  absl::Status CheckQueue(const std::string& topic, int32_t queue_id, int64_t offset) const;
  void Add(const Key& key, uint64_t offset, Done done);
  void Submit();
  static void Tell(Reports* reports, const absl::Status& status);

  CommandLog* const log_;
  const store::StateMachine* const state_;
  Executor* const executor_;
  ConsumerGroups* const consumer_groups_;
  Reports waiting_;
  Reports sent_;  // In the command that is on its way.
  // Who waits for what is in `waiting_`, and in `sent_`.
  std::vector<Task> waiting_tasks_;
  std::vector<Task> sent_tasks_;
  size_t waiting_count_ = 0;
  bool is_sending_ = false;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_CONSUMER_OFFSETS_H_
