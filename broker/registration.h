// Tells every nameserver who leads and which topics there are, and keeps what
// they tell of all groups.
#ifndef TOTORA_BROKER_REGISTRATION_H_
#define TOTORA_BROKER_REGISTRATION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "broker/service/routes.h"
#include "raft/replica.h"
#include "store/commands.h"

namespace totora::admin {
class ClusterStatusReply;
}

namespace totora::broker {

struct ListenerAddress {
  std::string name;                              // "default", "external", …
  service::Address address;                      // Where this replica answers.
  std::optional<service::Address> group_address; // Where any live replica answers.
};

struct RegistrationOptions {
  std::vector<std::string> nameservers;  // host:port.
  std::string process;
  uint64_t incarnation = 0;
  std::string cluster;
  std::string version;
  service::Address internal_address;
  GroupId group;
  std::string group_name;
  ReplicaId self;
  std::vector<ListenerAddress> listeners;
};

// Thread safety: monitor.
class Registration : public service::RouteSource {
 public:
  // `topics` (borrowed) is this group's table as every thread may ask it.
  Registration(const RegistrationOptions& options, const service::TopicDirectory* topics);
  ~Registration() override;

  void Start();
  // Says goodbye by closing the streams.
  void Stop();

  // Who leads, as this replica knows it; told to nameservers at once.
  void SetStatus(const raft::ReplicaStatus& status);

  // The topic table went to `version` by these changes (no config: deleted);
  // told at once. Versions come from the log, so all replicas mean the same.
  struct TopicChange {
    std::string name;
    std::optional<store::TopicConfig> config;
  };
  void TopicsChanged(uint64_t version, std::vector<TopicChange> changes);

  // Runs `done` once every connected nameserver has all topic changes up to
  // now, at the latest after `timeout`. On any thread.
  void WhenTopicsTold(absl::Duration timeout, absl::AnyInvocable<void()> done);

  // service::RouteSource: this group's topics from its own table, the other
  // groups' from the nameservers'.
  std::vector<service::GroupRoute> Find(absl::string_view topic,
                                        absl::string_view listener) const override;
  std::vector<service::GroupMembers> Groups(absl::string_view listener) const override;

  // Does a nameserver name a leader of this group (not us) in a term as new as ours?
  bool NameserverNamesALeader() const;
  bool IsConnected() const;
  void FillClusterStatus(admin::ClusterStatusReply* reply) const;

 private:
  class Link;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace totora::broker

#endif  // TOTORA_BROKER_REGISTRATION_H_
