// Consumer groups: made by administrators, or by their first use.
#ifndef TOTORA_BROKER_SERVICE_CONSUMER_GROUPS_H_
#define TOTORA_BROKER_SERVICE_CONSUMER_GROUPS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "store/state_machine.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class ConsumerGroups {
 public:
  using Found = absl::AnyInvocable<void(absl::StatusOr<store::ConsumerGroupConfig> config)>;
  using Done = absl::AnyInvocable<void(absl::Status)>;

  static constexpr uint32_t kAttemptsMax = 1'000'000;

  ConsumerGroups(CommandLog* log, const store::StateMachine* state, bool creates_on_use)
      : log_(log), state_(state), creates_on_use_(creates_on_use) {}

  // The setting, from now on.
  void SetCreatesOnUse(bool creates) { creates_on_use_ = creates; }

  // The group's config; makes a group that does not exist, if the setting
  // allows. Errors: kConsumerGroupNotFound, kIllegalConsumerGroup,
  // kConsumerGroupDisabled, those of the log.
  void FindForUse(const std::string& name, absl::Duration give_up, Found found);

  // Errors: kConsumerGroupNotFound, after a read barrier; kConsumerGroupDisabled.
  void Find(const std::string& name, absl::Duration give_up, Found found);
  std::vector<store::ConsumerGroupConfig> All() const { return state_->ConsumerGroups(); }

  // For administrators: whether it may be used or not.
  // Errors: kConsumerGroupNotFound, after a read barrier.
  void FindConfig(const std::string& name, absl::Duration give_up, Found found);

  // Creates or replaces. Errors: kIllegalConsumerGroup; InvalidArgument (attempts,
  // queues); those of the log.
  void Put(const store::ConsumerGroupConfig& config, absl::Duration give_up, Done done);
  // All of them or, if one is refused, none.
  void PutAll(const std::vector<store::ConsumerGroupConfig>& configs, absl::Duration give_up,
              Done done);
  // Its offsets and leases go with it. Errors: kConsumerGroupNotFound, those of the log.
  void Delete(const std::string& name, absl::Duration give_up, Done done);

 private:
  void Create(const std::string& name, absl::Duration give_up);
  void Created(const std::string& name, const absl::Status& status);

  CommandLog* const log_;
  const store::StateMachine* const state_;
  bool creates_on_use_;
  // Who waits for a group that is being made. Each is a call that a client has
  // open, so their number is bounded where calls are.
  absl::flat_hash_map<std::string, std::vector<Found>> creating_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_CONSUMER_GROUPS_H_
