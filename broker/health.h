// What /metrics, /healthz and /readyz say, and the signs by which the group
// address opens and closes.
#ifndef TOTORA_BROKER_HEALTH_H_
#define TOTORA_BROKER_HEALTH_H_

#include "broker/group_door.h"
#include "common/mutex.h"
#include "net/budget.h"
#include "net/http_handler.h"
#include "raft/replica.h"
#include "remoting/server.h"

namespace totora::broker {

// Thread safety: monitor.
class Health {
 public:
  void SetStatus(const raft::ReplicaStatus& status, bool is_caught_up) ABSL_LOCKS_EXCLUDED(mu_);
  void SetPeers(size_t up) ABSL_LOCKS_EXCLUDED(mu_);

  // Nameserver signs are left for the caller.
  DoorSigns Signs() const ABSL_LOCKS_EXCLUDED(mu_);

  HttpResponse Answer(absl::string_view target, const NetCounters& net,
                      const remoting::RemotingCounters& classic) const
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;  // Leaf.
  raft::ReplicaStatus status_ ABSL_GUARDED_BY(mu_);
  bool is_caught_up_ ABSL_GUARDED_BY(mu_) = true;
  size_t peers_up_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace totora::broker

#endif  // TOTORA_BROKER_HEALTH_H_
