#include "broker/health.h"

#include "absl/strings/str_cat.h"
#include "broker/resource_usage.h"

namespace totora::broker {

void Health::SetStatus(const raft::ReplicaStatus& status, bool is_caught_up) {
  MutexLock lock(&mu_);
  status_ = status;
  is_caught_up_ = is_caught_up;
}

void Health::SetPeers(size_t up) {
  MutexLock lock(&mu_);
  peers_up_ = up;
}

DoorSigns Health::Signs() const {
  MutexLock lock(&mu_);
  DoorSigns signs;
  signs.has_leader = status_.leader.value() != 0;
  signs.reaches_a_peer = peers_up_ > 0;
  signs.is_caught_up = is_caught_up_;
  return signs;
}

HttpResponse Health::Answer(absl::string_view target, const NetCounters& net,
                            const remoting::RemotingCounters& classic) const {
  if (target == "/healthz") return {200, "text/plain", "ok\n"};
  raft::ReplicaStatus status;
  bool is_caught_up;
  {
    MutexLock lock(&mu_);
    status = status_;
    is_caught_up = is_caught_up_;
  }
  if (target == "/readyz") {
    if (status.is_emptied) {
      return {503, "text/plain",
              "this volume is empty, but the group knows this replica by another volume: it waits "
              "to be taken in again\n"};
    }
    if (!status.is_bound) {
      return {503, "text/plain", "waiting for every replica of the group to announce itself\n"};
    }
    if (status.leader.value() == 0) return {503, "text/plain", "the group has no leader\n"};
    if (!is_caught_up) return {503, "text/plain", "catching up\n"};
    if (status.is_disk_full) return {200, "text/plain", "ok, but the disk is full: no writes\n"};
    return {200, "text/plain", "ok\n"};
  }
  if (target != "/metrics") {
    return {404, "text/plain", "not found: try /metrics, /healthz or /readyz\n"};
  }
  const ResourceUsage usage = ReadResourceUsage();
  std::string text;
  const auto add = [&text](absl::string_view name, auto value) {
    absl::StrAppend(&text, "totora_", name, " ", value, "\n");
  };
  add("raft_is_leader", status.role == raft::Role::kLeader ? 1 : 0);
  add("raft_term", status.term.value());
  add("raft_leader", status.leader.value());
  add("raft_commit_index", status.commit.value());
  add("raft_applied_index", status.applied.value());
  add("raft_last_index", status.last.value());
  add("raft_durable_index", status.durable.value());
  add("disk_full", status.is_disk_full ? 1 : 0);
  add("net_connections", net.connections.load());
  add("net_streams", net.streams.load());
  add("net_calls_started_total", net.calls_started.load());
  add("net_calls_completed_total", net.calls_completed.load());
  add("net_calls_broken_total", net.calls_broken.load());
  add("net_bytes_in_total", net.bytes_in.load());
  add("net_bytes_out_total", net.bytes_out.load());
  for (size_t i = 0; i < net.refusals.size(); ++i) {
    absl::StrAppend(&text, "totora_net_refusals_total{reason=\"",
                    NetRefusalName(static_cast<NetRefusal>(i)), "\"} ", net.refusals[i].load(),
                    "\n");
  }
  add("classic_connections", classic.connections.load());
  add("classic_requests_held", classic.requests_held.load());
  add("classic_request_bytes_held", classic.request_bytes_held.load());
  add("classic_requests_total", classic.requests.load());
  add("classic_oneways_total", classic.oneways.load());
  add("classic_busy_total", classic.busy.load());
  add("classic_not_supported_total", classic.not_supported.load());
  add("classic_malformed_total", classic.malformed.load());
  add("classic_idle_total", classic.idle.load());
  add("classic_unanswered_total", classic.unanswered.load());
  add("classic_too_large_total", classic.too_large.load());
  add("classic_calls_total", classic.calls.load());
  add("classic_calls_failed_total", classic.calls_failed.load());
  add("process_resident_memory_bytes", usage.rss_bytes);
  add("process_cpu_user_microseconds_total", usage.cpu_user_us);
  add("process_cpu_system_microseconds_total", usage.cpu_system_us);
  return {200, "text/plain; version=0.0.4", text};
}

}  // namespace totora::broker
