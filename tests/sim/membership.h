// Who is a member of which consumer group, by what the clients did, and whether
// the replicas know it.
#ifndef TOTORA_TESTS_SIM_MEMBERSHIP_H_
#define TOTORA_TESTS_SIM_MEMBERSHIP_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/network.h"
#include "tests/sim/process.h"

namespace totora::sim {

// Two things must hold.
//
// A replica that knows a client goes on knowing it while the client lives, and
// tells it to every replica that comes; what no living replica ever heard of
// nobody can know. A client that ends its connection to a living replica starts
// anew with its next heartbeat.
//
// A client that left, or whose connection ended for good, is in no list any more
// kGoneBound later (40 s after its replica vanished; to which come the time until
// that is noticed, and that between two looks).
//
// Thread safety: confined to the scheduler.
class Membership {
 public:
  static constexpr absl::Duration kLook = absl::Milliseconds(250);
  static constexpr absl::Duration kGoneBound = absl::Seconds(55);

  using Violation = std::function<void(const std::string&)>;
  Membership(Scheduler* scheduler, SimNetwork* network,
             std::function<Process*(ReplicaId)> reach, std::vector<ReplicaId> all,
             Violation violation)
      : scheduler_(scheduler),
        network_(network),
        reach_(std::move(reach)),
        all_(std::move(all)),
        violation_(std::move(violation)) {}

  // A heartbeat was answered by the process of that life.
  void Registered(const std::string& client, const std::string& group,
                  const std::shared_ptr<const Life>& life);
  // Its connection to a living process ended.
  void Unsure(const std::string& client);
  // It said goodbye, or died.
  void Departed(const std::string& client);

  // Whether a list asked for at `process` now must name the client.
  bool MustKnow(const std::string& client, Process* process) const;

  // Looks at all lists of all replicas; call it every kLook.
  void Look();

  uint64_t departures_checked() const { return departures_checked_; }

 private:
  struct Knowledge {
    std::shared_ptr<const Life> life;
    absl::Duration since;
    absl::Duration fresh;     // When a living connection was last known to keep it.
    bool is_direct = false;   // The heartbeat went there.
  };
  struct Client {
    std::string group;
    bool is_gone = false;
    bool is_checked = false;
    absl::Duration gone_at;
    absl::Duration unsure_until;
    std::map<const Life*, Knowledge> known;
  };

  bool HasHeard(const Client& client, const Knowledge& from, Process* sender,
                Process* receiver) const;
  void LookFor(const std::string& id, Client* client, Process* process, bool is_listed);

  Scheduler* const scheduler_;
  SimNetwork* const network_;
  const std::function<Process*(ReplicaId)> reach_;
  const std::vector<ReplicaId> all_;
  const Violation violation_;
  std::map<std::string, Client> clients_;
  uint64_t departures_checked_ = 0;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_MEMBERSHIP_H_
