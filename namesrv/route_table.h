// Which replica of which group answers where, and which topics each group has:
// all that a nameserver knows. Soft state, told by brokers.
//
// A report of a lower term than the one known never changes who leads. A group
// of which one replica lives always has somebody to serve its routes: the
// leader, else the last leader while it lives, else any.
#ifndef TOTORA_NAMESRV_ROUTE_TABLE_H_
#define TOTORA_NAMESRV_ROUTE_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "proto/namesrv.pb.h"

namespace totora::namesrv {

struct RouteTableLimits {
  size_t processes_max = 10'000;
  size_t groups_max = 10'000;
  size_t topics_per_group_max = 1'000'000;
  size_t replicas_per_group_max = 64;
  size_t text_bytes_max = 512;  // Of a name or a host.
};

// Thread safety: monitor. Watchers are called with no lock of the table held,
// in the order of versions.
class RouteTable {
 public:
  using StreamId = uint64_t;
  // Hears every change of the table, whole groups with their topic changes.
  using Watcher = std::function<void(const TableUpdate& update)>;

  // A process that says nothing for this long is gone.
  static constexpr absl::Duration kSilence = absl::Seconds(120);

  // `clock` must outlive the table. `table_id` tells this life from others.
  RouteTable(const Clock* clock, uint64_t table_id, const RouteTableLimits& limits = {});

  // Takes a request of one Register stream in.
  // Errors: InvalidArgument (no hello in the first, names); AlreadyExists (a
  //   newer life of that process registered); ResourceExhausted (a limit).
  absl::StatusOr<RegisterReply> Take(StreamId stream, const RegisterRequest& request)
      ABSL_LOCKS_EXCLUDED(mu_);

  // The stream broke: its process is gone until it comes back.
  void StreamClosed(StreamId stream) ABSL_LOCKS_EXCLUDED(mu_);

  // Marks the silent gone. Called every 10 s.
  void ExpireSilent() ABSL_LOCKS_EXCLUDED(mu_);

  // Everything, or what the request names.
  TableUpdate Query(const QueryRoutesRequest& request) const ABSL_LOCKS_EXCLUDED(mu_);

  // `watcher` hears the whole table now and every change from now on, until Unwatch.
  void Watch(StreamId id, Watcher watcher) ABSL_LOCKS_EXCLUDED(mu_, watch_mu_);
  void Unwatch(StreamId id) ABSL_LOCKS_EXCLUDED(watch_mu_);

  size_t processes() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t groups() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Process {
    ProcessHello hello;
    StreamId stream = 0;  // 0: no stream is open.
    absl::Duration heard;
  };
  struct Group {
    GroupRoute route;  // Without replicas and topics.
    std::map<uint32_t, ReplicaRoute> replicas;
    uint64_t topic_version = 0;
    std::map<std::string, model::Topic> topics;
    // A table that comes in several parts.
    TopicChanges partial;
  };

  absl::Status TakeHello(StreamId stream, const ProcessHello& hello)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status TakeGroup(const Process& process, const GroupReport& report, TableUpdate* update)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Adds the changes to `out` if they changed anything.
  absl::Status TakeTopics(Group* group, const TopicChanges& changes, TopicChanges* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ProcessGone(const std::string& process, TableUpdate* update)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void ChooseServing(Group* group);
  static GroupRoute Describe(const Group& group);
  // Gives the update the next version and hands it to the watchers.
  void Publish(TableUpdate update) ABSL_LOCKS_EXCLUDED(mu_, watch_mu_);
  TableUpdate FullLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  const uint64_t table_id_;
  const RouteTableLimits limits_;

  // Order: watch_mu_ before mu_. watch_mu_ is held while watchers run, so that
  // they hear versions in order; a watcher must not call back into the table.
  mutable Mutex watch_mu_;
  std::map<StreamId, Watcher> watchers_ ABSL_GUARDED_BY(watch_mu_);

  mutable Mutex mu_;
  uint64_t version_ ABSL_GUARDED_BY(mu_) = 1;
  std::map<std::string, Process> processes_ ABSL_GUARDED_BY(mu_);
  std::map<StreamId, std::string> streams_ ABSL_GUARDED_BY(mu_);  // To processes.
  std::map<std::string, Group> groups_ ABSL_GUARDED_BY(mu_);      // By group name.
};

}  // namespace totora::namesrv

#endif  // TOTORA_NAMESRV_ROUTE_TABLE_H_
