// The classic clients of a simulated cluster, put together.
#ifndef TOTORA_TESTS_SIM_CLASSIC_WORKLOAD_H_
#define TOTORA_TESTS_SIM_CLASSIC_WORKLOAD_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/classic_consumer.h"
#include "tests/sim/classic_member.h"
#include "tests/sim/classic_producer.h"
#include "tests/sim/classic_records.h"
#include "tests/sim/classic_world.h"
#include "tests/sim/membership.h"

namespace totora::sim {

class ClassicWorkload {
 public:
  ClassicWorkload(Scheduler* scheduler, SimNetwork* network,
                  std::function<Process*(ReplicaId)> reach, std::vector<ReplicaId> all,
                  std::function<void(const std::string&)> violation);

  // `break_chance`: of a connection, at each request.
  void Start(double break_chance);
  void StopProducing() { world_.is_producing = false; }
  void Stop() { world_.is_over = true; }
  // No connection breaks by itself any more.
  void Heal() { world_.break_chance = 0; }

  // By any replica.
  void EntryApplied(const raft::FrameHeader& entry) {
    records_.EntryApplied(entry, world_.scheduler->now());
  }
  // What must hold at the end of what `process` has.
  void CheckEnd(Process* process);
  ClassicCounts counts() const;

 private:
  void Look();
  // Members of one group that come and go.
  void PassBy();

  ClassicRecords records_;
  Membership membership_;
  ClassicWorld world_;
  std::vector<std::unique_ptr<ClassicClient>> clients_;
  uint64_t passersby_ = 0;
  uint64_t dead_letters_ = 0;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_WORKLOAD_H_
