// Where clients find the queues of a topic.
#ifndef TOTORA_BROKER_SERVICE_ROUTES_H_
#define TOTORA_BROKER_SERVICE_ROUTES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "broker/service/topic_directory.h"
#include "common/mutex.h"
#include "common/types.h"
#include "store/commands.h"

namespace totora::service {

struct Address {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

// The queues of one topic in one group. Exactly one address: clients tell
// brokers apart by the text of it.
struct GroupRoute {
  std::string broker_name;  // The group's.
  Address address;          // Of whoever answers for the leader.
  store::TopicConfig config;
};

// The live replicas of one group, each at its own address.
struct GroupMembers {
  std::string cluster;  // Empty: this broker's.
  std::string broker_name;
  Address serving;              // Who answers for the leader; the group address if there is one.
  std::vector<Address> others;  // In the order of their ids.
};

// Thread safety: any thread.
class RouteSource {
 public:
  virtual ~RouteSource() = default;

  // The groups that hold queues of `topic`, ordered by broker name, equal from
  // call to call while the cluster is. Empty: not known here; only a read
  // barrier makes that "no such topic". Addresses are those of the listener
  // that the question came in by.
  virtual std::vector<GroupRoute> Find(absl::string_view topic,
                                       absl::string_view listener) const = 0;

  // Every group with a live replica, ordered by broker name; the own one always.
  virtual std::vector<GroupMembers> Groups(absl::string_view listener) const = 0;
};

// What one listener of the group's replicas is called by its clients.
struct ListenerAddresses {
  // One address behind which any live replica answers; wins when set.
  std::optional<Address> group;
  std::map<ReplicaId, Address> replicas;
};

// Routes out of what this replica knows itself: its own group's topics.
//
// Thread safety: monitor.
class LocalRoutes : public RouteSource {
 public:
  // `by_listener` has at least one listener; questions of an unknown one get
  // the first. `topics` must outlive this object.
  LocalRoutes(const TopicDirectory* topics, std::string broker_name, ReplicaId self,
              std::map<std::string, ListenerAddresses> by_listener);

  // A leader of 0 (nobody) leaves the last one in place: routes never go empty
  // in an election.
  void SetLeader(ReplicaId leader) ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<GroupRoute> Find(absl::string_view topic, absl::string_view listener) const override
      ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<GroupMembers> Groups(absl::string_view listener) const override
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const ListenerAddresses& AddressesOf(absl::string_view listener) const;
  Address AddressFor(absl::string_view listener) const ABSL_LOCKS_EXCLUDED(mu_);

  const TopicDirectory* const topics_;
  const std::string broker_name_;
  const ReplicaId self_;
  const std::map<std::string, ListenerAddresses> by_listener_;

  mutable Mutex mu_;  // Leaf.
  ReplicaId leader_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_ROUTES_H_
