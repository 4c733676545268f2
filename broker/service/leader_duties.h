// What only the leader proposes: that leases end and delayed messages are due
// when log time has passed them, that leases go on for clients that are alive,
// and the topic that others are copied from.
#ifndef TOTORA_BROKER_SERVICE_LEADER_DUTIES_H_
#define TOTORA_BROKER_SERVICE_LEADER_DUTIES_H_

#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "broker/service/sessions.h"
#include "broker/service/topic_creation.h"
#include "common/executor.h"
#include "store/state_machine.h"

namespace totora::service {

// Thread safety: confined to the replica's executor.
class LeaderDuties {
 public:
  static constexpr absl::Duration kRenewInterval = absl::Seconds(10);
  // A new leader gives every client this long to be heard of by it.
  static constexpr absl::Duration kFirstLook = absl::Seconds(60);
  static constexpr size_t kClientsPerCommand = 10'000;
  static constexpr size_t kClientsMax = 100'000;

  LeaderDuties(CommandLog* log, const store::StateMachine* state, const Sessions* sessions,
               TopicCreation* topic_creation)
      : log_(log), state_(state), sessions_(sessions), topic_creation_(topic_creation) {}

  void Tick(absl::Duration now);

 private:
  void Expire(absl::Duration now);
  void RenewLeases(absl::Duration now);
  void EnsureDefaultTopic(absl::Duration now);

  CommandLog* const log_;
  const store::StateMachine* const state_;
  const Sessions* const sessions_;
  TopicCreation* const topic_creation_;
  bool is_leading_ = false;
  bool has_default_topic_ = false;  // Looked at since this replica leads.
  bool is_making_default_topic_ = false;
  bool is_expiring_ = false;     // An ExpireCommand is on its way.
  absl::Duration last_renewal_;  // Valid while leading.
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_LEADER_DUTIES_H_
