#include "broker/service/replica_log.h"

#include <utility>

namespace totora::service {
namespace {

class ReplicaLog : public CommandLog {
 public:
  ReplicaLog(raft::Replica* replica, ReplicaId self, const std::vector<ReplicaId>& voters)
      : replica_(replica), self_(self) {
    for (ReplicaId voter : voters) {
      if (voter != self) peers_.push_back(voter);
    }
  }

  void Submit(store::CommandKind kind, std::string payload, absl::Duration give_up,
              Done done) override {
    replica_->Submit(static_cast<uint16_t>(kind), std::move(payload), give_up, std::move(done));
  }
  void ReadBarrier(absl::Duration give_up, absl::AnyInvocable<void(absl::Status)> done) override {
    replica_->ReadBarrier(give_up, std::move(done));
  }
  void SendToPeer(ReplicaId to, std::string bytes) override {
    replica_->SendToPeer(to, std::move(bytes));
  }
  absl::StatusOr<std::string> ReadMessage(BytePosition at, size_t size) const override {
    return replica_->Read(at, size);
  }
  absl::StatusOr<store::FoundMessage> FindMessage(const store::EntryRange& around,
                                                  BytePosition at) const override {
    return store::FindMessage(replica_->log(), around, at);
  }
  void CommandApplied(const raft::CommandId& id, absl::string_view result) override {
    replica_->CommandApplied(id, result);
  }
  bool IsLeader() const override { return replica_->status().role == raft::Role::kLeader; }
  int64_t LogTimeNowMs() const override { return replica_->LogTimeNowMs(); }
  ReplicaId self() const override { return self_; }
  const std::vector<ReplicaId>& peers() const override { return peers_; }

 private:
  raft::Replica* const replica_;
  const ReplicaId self_;
  std::vector<ReplicaId> peers_;
};

}  // namespace

std::unique_ptr<CommandLog> MakeReplicaLog(raft::Replica* replica, ReplicaId self,
                                           const std::vector<ReplicaId>& voters) {
  return std::make_unique<ReplicaLog>(replica, self, voters);
}

}  // namespace totora::service
