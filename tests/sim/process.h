// One simulated broker process after the other on one simulated volume: the
// production replica, log, state machine, services and classic server on
// simulated disk, network, clock and executors.
#ifndef TOTORA_TESTS_SIM_PROCESS_H_
#define TOTORA_TESTS_SIM_PROCESS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "broker/remoting_api/remoting_api.h"
#include "broker/service/broker_service.h"
#include "common/memory_file_system.h"
#include "raft/replica.h"
#include "remoting/server.h"
#include "store/state_machine.h"
#include "tests/sim/classic_link.h"
#include "tests/sim/network.h"
#include "tests/sim/scheduler.h"

namespace totora::sim {

// The setting delay.levels of every process, whole seconds: short enough for a run
// to bring messages, attempt after attempt, among the dead letters.
inline constexpr int64_t kSimDelayLevelsMs[] = {1000, 2000, 1000, 1000, 2000, 1000,
                                                2000, 3000, 4000, 5000, 6000, 5000,
                                                4000, 3000, 1000, 2000, 3000, 4000};

// What the checkers hear of.
struct ProcessEvents {
  std::function<void(ReplicaId, const raft::ReplicaStatus&)> on_status;
  std::function<void(ReplicaId, const absl::Status&)> on_fatal;
  // An entry was applied; `answers` is a hash of what was answered meanwhile.
  std::function<void(ReplicaId, const raft::FrameHeader&, uint64_t answers)> on_applied;
  std::function<void(const raft::CommandId&, absl::string_view result)> on_answered;
  // A life begins on a checkpoint; `last` is the log's entry at its end.
  std::function<void(ReplicaId, const raft::FrameHeader& last)> on_started;
};

class Process : public raft::ReplicaObserver, public store::ApplyObserver {
 public:
  // `small_steps` is the share of its lives in which it sends few entries at a time.
  Process(Scheduler* scheduler, SimNetwork* network, ReplicaId self,
          std::vector<ReplicaId> all, double small_steps, ProcessEvents events);
  ~Process() override;

  // Starts a life. Errors: those of opening log and state: on a disk without
  // faults that were injected, there must be none.
  absl::Status Start();
  // The power failed while it was starting.
  void LosePower();
  // kill -9: what was written stays in the page cache.
  void Kill();
  // The power fails: unsynced writes are lost or torn.
  void CutPower();
  // The power fails at the disk step after `steps` more.
  void CutPowerAfter(uint64_t steps);
  void Pause(absl::Duration how_long);
  // The disk takes nothing for so long; what waits is lost if the power fails.
  void StallDisk(absl::Duration how_long);
  // The volume is replaced by an empty one. REQUIRES: not running.
  void EmptyVolume();

  bool is_running() const { return life_ != nullptr && life_->is_alive; }
  bool is_paused() const { return is_running() && life_->paused_until > scheduler_->now(); }
  ReplicaId id() const { return self_; }
  raft::Replica* replica() { return parts_->replica.get(); }
  store::StateMachine* state() { return parts_->state.get(); }
  service::BrokerService* service() { return parts_->service.get(); }
  const raft::ReplicaStatus& status() const { return status_; }
  MemoryFileSystem* disk() { return disk_.get(); }
  SimClock* clock() { return &clock_; }
  // Ends with the process. REQUIRES: is running.
  std::shared_ptr<const Life> life() const { return life_; }
  // A client connects from `host`. `id` is never used again. REQUIRES: is running.
  std::shared_ptr<ClassicLink> Connect(uint64_t id, const std::string& host,
                                       ClassicLink::Client client);
  std::string log_directory() const { return directory_ + "/log"; }

  // raft::ReplicaObserver
  void OnStatus(const raft::ReplicaStatus& status) override;
  void OnPeerMessage(ReplicaId from, Incarnation incarnation, absl::string_view bytes) override;
  void OnPeerUp(ReplicaId peer, Incarnation incarnation) override;
  void OnPeerDown(ReplicaId peer) override;
  void OnFatal(const absl::Status& reason) override;

  // store::ApplyObserver
  void CommandApplied(const raft::CommandId& id, absl::string_view result) override;
  void QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset end) override;
  void LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                      uint32_t queue_id) override;
  void TopicChanged(absl::string_view topic,
                    const std::optional<store::TopicConfig>& config) override;

 private:
  // Stands between the replica and its state machine, and tells what passes.
  class WatchedState;
  // What exists during one life.
  struct Parts {
    Parts();
    ~Parts();
    std::unique_ptr<SimExecutor> executor;
    std::unique_ptr<SimExecutor> log_executor;
    std::unique_ptr<SimExecutor> background;
    std::unique_ptr<SimExecutor> loop;  // Of clients' connections.
    std::unique_ptr<raft::Transport> transport;
    std::unique_ptr<store::CheckpointStore> checkpoints;
    std::unique_ptr<store::StateMachine> state;
    std::unique_ptr<WatchedState> watched;
    std::unique_ptr<raft::Replica> replica;
    std::unique_ptr<service::CommandLog> log;
    std::unique_ptr<service::BrokerService> service;
    std::unique_ptr<remoting_api::RemotingApi> classic_api;
    std::unique_ptr<remoting::RemotingServer> classic_server;
    std::vector<std::shared_ptr<ClassicLink>> links;
  };

  absl::Status StartLife();
  void End(bool host_went);
  // Checkpoints now and then.
  void Housekeeping();

  Scheduler* const scheduler_;
  SimNetwork* const network_;
  const ReplicaId self_;
  const std::vector<ReplicaId> all_;
  const double small_steps_;
  const ProcessEvents events_;
  const std::string directory_ = "/data";
  SimClock clock_;
  std::unique_ptr<MemoryFileSystem> disk_;
  std::shared_ptr<std::map<std::string, std::string>> checkpoints_;
  std::shared_ptr<Life> life_;
  std::unique_ptr<Parts> parts_;
  // Ended lives' parts: tasks that were dropped may still refer to them.
  std::vector<std::unique_ptr<Parts>> graveyard_;
  raft::ReplicaStatus status_;
  uint64_t answers_ = 0;  // Hash of what the entry being applied has answered so far.
  double checkpoint_chance_ = 0;  // Each time that housekeeping looks.
  uint64_t volumes_ = 0;
  uint64_t segment_bytes_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_PROCESS_H_
