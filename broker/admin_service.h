// The admin protocol (proto/admin.proto) on the internal port: what the
// command line asks of a broker.
#ifndef TOTORA_BROKER_ADMIN_SERVICE_H_
#define TOTORA_BROKER_ADMIN_SERVICE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/service/broker_service.h"
#include "net/grpc_service.h"
#include "raft/replica.h"
#include "store/state_machine.h"

namespace totora::broker {

// One group hosted by this process. Everything is borrowed.
struct HostedGroup {
  GroupId id;
  std::string name;
  ReplicaId self;
  std::vector<ReplicaId> voters;
  Executor* executor = nullptr;
  Executor* background = nullptr;  // For reading messages from the log.
  raft::Replica* replica = nullptr;
  store::StateMachine* state = nullptr;
  service::BrokerService* service = nullptr;
};

struct AdminOptions {
  std::string cluster;
  std::string process;   // This one's name.
  std::string version;
};

// Fills in what the nameservers told; may be null. Takes a
// totora::admin::ClusterStatusReply*, called on any thread.
using ClusterOverview = std::function<void(void* cluster_status_reply)>;

// Thread safety: calls come in on net's loops; all state is asked for on the
// groups' executors.
class AdminService {
 public:
  AdminService(const AdminOptions& options, std::vector<HostedGroup> groups,
               ClusterOverview overview);
  ~AdminService();

  // Adds the methods. This must outlive every listener that serves `service`,
  // and every task of the groups' executors.
  void AddTo(GrpcService* service) const;

 private:
  class Handlers;
  std::unique_ptr<Handlers> handlers_;
};

}  // namespace totora::broker

#endif  // TOTORA_BROKER_ADMIN_SERVICE_H_
