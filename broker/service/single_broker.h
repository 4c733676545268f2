// A broker's services over a state machine in memory, without replication:
// what tests of services and dialects run against.
#ifndef TOTORA_BROKER_SERVICE_SINGLE_BROKER_H_
#define TOTORA_BROKER_SERVICE_SINGLE_BROKER_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "broker/service/broker_service.h"
#include "broker/service/direct_log.h"
#include "broker/service/routes.h"
#include "common/check.h"
#include "common/executor.h"
#include "store/checkpoint_store.h"
#include "store/state_machine.h"

namespace totora::service {

// Thread safety: constructed and destroyed while `executor` is idle.
class SingleBroker {
 public:
  explicit SingleBroker(Executor* executor, BrokerServiceOptions options = Defaults())
      : checkpoints_(
            store::MakeMemoryCheckpoints(std::make_shared<std::map<std::string, std::string>>())) {
    auto opened = store::StateMachine::Open(store::StoreOptions(), checkpoints_.get(), executor);
    TOTORA_CHECK(opened.ok()) << opened.status();
    state_ = *std::move(opened);
    log_ = std::make_unique<DirectLog>(state_.get(), executor);
    service_ = std::make_unique<BrokerService>(options, log_.get(), state_.get(), executor);
    routes_ = std::make_unique<LocalRoutes>(
        &service_->topic_directory(), options.group_name, ReplicaId(1),
        std::map<std::string, ListenerAddresses>{
            {"grpc", {std::nullopt, {{ReplicaId(1), {"127.0.0.1", 8081}}}}}});
    service_->SetRoutes(routes_.get());
  }

  static BrokerServiceOptions Defaults() {
    BrokerServiceOptions options;
    options.group = GroupId(1);
    options.group_name = "broker-a";
    return options;
  }

  DirectLog* log() { return log_.get(); }
  store::StateMachine* state() { return state_.get(); }
  BrokerService* service() { return service_.get(); }
  LocalRoutes* routes() { return routes_.get(); }

 private:
  std::unique_ptr<store::CheckpointStore> checkpoints_;
  std::unique_ptr<store::StateMachine> state_;
  std::unique_ptr<DirectLog> log_;
  std::unique_ptr<BrokerService> service_;
  std::unique_ptr<LocalRoutes> routes_;
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_SINGLE_BROKER_H_
