// A CommandLog without replication, for tests: what is submitted is applied to
// a real state machine by the same executor, in order, out of an entry in
// memory as Raft would have made it.
#ifndef TOTORA_BROKER_SERVICE_DIRECT_LOG_H_
#define TOTORA_BROKER_SERVICE_DIRECT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "broker/service/command_log.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "raft/log/frame.h"
#include "store/state_machine.h"

namespace totora::service {

// Thread safety: as CommandLog; the switches for tests belong to the executor.
class DirectLog : public CommandLog {
 public:
  // Both must outlive the log. Log time is the executor's wall time.
  DirectLog(store::StateMachine* state, Executor* executor);

  // --- Switches for tests ---------------------------------------------------

  // Without a leader commands and barriers wait, until one comes or they give up.
  void SetLeader(bool has_leader);
  // Commands are applied, but nobody hears of it until this is false again.
  void HoldResults(bool holds);
  // Where SendToPeer goes.
  std::function<void(ReplicaId to, std::string bytes)> on_send_to_peer;
  void SetPeers(std::vector<ReplicaId> peers) { peers_ = std::move(peers); }
  // Kinds of all commands that were applied, in order.
  const std::vector<store::CommandKind>& applied_kinds() const { return applied_kinds_; }
  size_t CountApplied(store::CommandKind kind) const;

  // CommandLog
  void Submit(store::CommandKind kind, std::string payload, absl::Duration give_up,
              Done done) override;
  void ReadBarrier(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done) override;
  void SendToPeer(ReplicaId to, std::string bytes) override;
  absl::StatusOr<std::string> ReadMessage(BytePosition at, size_t size) const override
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<store::FoundMessage> FindMessage(const store::EntryRange& around,
                                                  BytePosition at) const override
      ABSL_LOCKS_EXCLUDED(mu_);
  void CommandApplied(const raft::CommandId& id, absl::string_view result) override;
  bool IsLeader() const override { return has_leader_; }
  int64_t LogTimeNowMs() const override;
  ReplicaId self() const override { return ReplicaId(1); }
  const std::vector<ReplicaId>& peers() const override { return peers_; }

 private:
  struct Waiting {
    store::CommandKind kind;
    std::string payload;
    Done done;
    absl::AnyInvocable<void(absl::Status)> barrier;  // Instead of a command.
  };

  void Take(uint64_t ticket, absl::Duration give_up);
  void Apply(Waiting command);
  void DropIfWaiting(uint64_t ticket);

  store::StateMachine* const state_;
  Executor* const executor_;
  std::vector<ReplicaId> peers_;
  bool has_leader_ = true;
  bool holds_results_ = false;
  std::map<uint64_t, Waiting> waiting_;  // By ticket, in the order of submission.
  std::vector<std::pair<Done, std::string>> held_;
  absl::flat_hash_map<uint64_t, Done> pending_;  // By sequence.
  std::vector<store::CommandKind> applied_kinds_;
  uint64_t sequence_ = 0;
  uint64_t index_ = 0;
  uint64_t end_ = 0;  // Position.
  int64_t log_time_ms_ = 0;

  mutable Mutex mu_;                                              // Leaf.
  std::map<uint64_t, raft::Frame> entries_ ABSL_GUARDED_BY(mu_);  // By the body's position.
  uint64_t next_ticket_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_DIRECT_LOG_H_
