// CommandLog over a Raft replica.
#ifndef TOTORA_BROKER_SERVICE_REPLICA_LOG_H_
#define TOTORA_BROKER_SERVICE_REPLICA_LOG_H_

#include <memory>
#include <vector>

#include "broker/service/command_log.h"
#include "raft/replica.h"

namespace totora::service {

// `replica` must outlive the result. `voters` contains `self`.
std::unique_ptr<CommandLog> MakeReplicaLog(raft::Replica* replica, ReplicaId self,
                                           const std::vector<ReplicaId>& voters);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_REPLICA_LOG_H_
