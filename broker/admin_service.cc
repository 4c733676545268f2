#include "broker/admin_service.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/log_scan.h"
#include "broker/resource_usage.h"
#include "broker/wire_model.h"
#include "message/topic.h"
#include "net/grpc_typed.h"
#include "proto/admin.pb.h"

namespace totora::broker {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(5);
constexpr double kShareOfDeadline = 0.9;
constexpr uint32_t kPageDefault = 1000;
constexpr uint32_t kPageMax = 10'000;

GrpcCode ToGrpc(absl::StatusCode code) { return static_cast<GrpcCode>(code); }

// One call, its request, and the reply as far as it is known.
template <typename Request, typename Reply>
struct Exchange {
  TypedCall<Reply> call;
  Request request;
  Reply reply{};

  // Any thread.
  void Finish(const absl::Status& status) {
    if (status.ok()) return call.Reply(reply);
    call.Finish(ToGrpc(status.code()), std::string(status.message()));
  }
};
template <typename Request, typename Reply>
using ExchangePtr = std::shared_ptr<Exchange<Request, Reply>>;

bool IsSystemTopic(absl::string_view name) {
  return message::IsRetryTopic(name) || message::IsDeadLetterTopic(name) ||
         message::IsSystemTopic(name);
}

void FillConsumerGroup(const store::ConsumerGroupConfig& config, admin::ConsumerGroup* out) {
  out->set_name(config.name);
  out->set_max_attempts(config.max_attempts);
  out->set_is_fifo(config.is_fifo);
  out->set_is_disabled(!config.is_enabled);
}

uint32_t PageSize(uint32_t asked) { return asked == 0 ? kPageDefault : std::min(asked, kPageMax); }

// Before the client does, so that it hears what happened.
template <typename Request, typename Reply>
absl::Duration GiveUp(const HostedGroup& group, const Exchange<Request, Reply>& exchange) {
  const absl::Duration now = group.executor->clock().SteadyNow();
  const absl::Duration left = exchange.call.call()->deadline() - now;
  return now + std::min(kCallTimeout, kShareOfDeadline * left);
}

// --- Handlers: on the group's executor ------------------------------------------

// No nameserver has told anything: what the group knows itself.
void DescribeGroup(const HostedGroup& group, admin::ClusterStatusReply* reply) {
  const raft::ReplicaStatus& status = group.replica->status();
  admin::GroupOverview* out = reply->add_groups();
  out->set_group_id(group.id.value());
  out->set_group_name(group.name);
  out->set_term(status.term.value());
  out->set_leader_id(status.leader.value());
  out->set_topic_count(static_cast<uint32_t>(group.service->topics().All().size()));
  for (const ReplicaId voter : group.voters) {
    admin::ReplicaOverview* replica = out->add_replicas();
    replica->set_replica_id(voter.value());
    replica->set_role(voter == status.leader ? model::LEADER : model::FOLLOWER);
    replica->set_is_alive(voter == group.self || voter == status.leader);
  }
}

void RaftStatus(const HostedGroup& group,
                const ExchangePtr<admin::RaftStatusRequest, admin::RaftStatusReply>& x) {
  const raft::ReplicaStatus status = group.replica->CurrentStatus();
  admin::ReplicaStatus* out = x->reply.add_replicas();
  out->set_group_id(group.id.value());
  out->set_group_name(group.name);
  out->set_replica_id(group.self.value());
  out->set_role(ToModel(status.role));
  out->set_term(status.term.value());
  out->set_leader_id(status.leader.value());
  for (const ReplicaId voter : group.voters) out->add_voters(voter.value());
  out->set_first_index(status.last.value() == 0 ? 0 : 1);
  out->set_last_index(status.last.value());
  out->set_durable_index(status.durable.value());
  out->set_commit_index(status.commit.value());
  out->set_applied_index(status.applied.value());
  out->set_end_position(group.replica->log().last().end().value());
  out->set_checkpoint_index(group.state->checkpointed().value());
  out->set_incarnation(group.replica->incarnation().value());
  out->set_is_bound(status.is_bound);
  out->set_is_emptied(status.is_emptied);
  out->set_is_disk_full(status.is_disk_full);
  for (const auto& [peer, match] : status.match) {
    admin::PeerProgress* progress = out->add_peers();
    progress->set_replica_id(peer.value());
    progress->set_match_index(match.value());
  }
  x->Finish(absl::OkStatus());
}

void TransferLeadership(
    const HostedGroup& group,
    const ExchangePtr<admin::TransferLeadershipRequest, admin::TransferLeadershipReply>& x) {
  const raft::ReplicaStatus status = group.replica->CurrentStatus();
  ReplicaId to(x->request.to_replica_id());
  if (to.value() == 0) {
    LogIndex best;
    for (const auto& [peer, match] : status.match) {
      if (match >= best) std::tie(to, best) = std::tie(peer, match);
    }
  }
  const absl::Duration began = group.executor->clock().SteadyNow();
  group.replica->TransferLeadership(to, [&group, x, began](const absl::Status& result) {
    const raft::ReplicaStatus now = group.replica->CurrentStatus();
    x->reply.set_leader_id(now.leader.value());
    x->reply.set_term(now.term.value());
    x->reply.set_took_us(absl::ToInt64Microseconds(group.executor->clock().SteadyNow() - began));
    x->Finish(absl::IsDeadlineExceeded(result) ? absl::AbortedError(std::string(result.message()))
                                               : result);
  });
}

void CreateTopic(const HostedGroup& group,
                 const ExchangePtr<admin::CreateTopicRequest, admin::CreateTopicReply>& x) {
  store::TopicConfig config;
  config.name = x->request.topic().name();
  if (x->request.topic().type() != 0) {
    config.type = static_cast<store::TopicType>(x->request.topic().type());
  }
  if (x->request.topic().read_queues() != 0) config.read_queues = x->request.topic().read_queues();
  if (x->request.topic().write_queues() != 0) {
    config.write_queues = x->request.topic().write_queues();
  }
  if (x->request.topic().permission() != 0) config.permission = x->request.topic().permission();
  x->reply.add_group_names(group.name);
  std::vector<std::pair<std::string, service::Topics::Edit>> edits;
  edits.emplace_back(
      config.name,
      [config, may_update = x->request.may_update()](
          const std::optional<store::TopicConfig>& existing) -> absl::StatusOr<store::TopicConfig> {
        store::TopicConfig wanted = config;
        if (!existing.has_value()) return wanted;
        wanted.is_ordered = existing->is_ordered;
        if (wanted == *existing || may_update) return wanted;
        return absl::AlreadyExistsError(
            absl::StrCat("topic '", config.name, "' exists with other values"));
      });
  group.service->topics().Change(std::move(edits), GiveUp(group, *x),
                                 [x](const absl::Status& status) { x->Finish(status); });
}

void ListTopics(const HostedGroup& group,
                const ExchangePtr<admin::ListTopicsRequest, admin::ListTopicsReply>& x) {
  const uint32_t limit = PageSize(x->request.limit());
  for (const store::TopicConfig& config : group.state->Topics()) {
    if (config.name <= x->request.after()) continue;
    if (!x->request.with_system() && IsSystemTopic(config.name)) continue;
    if (static_cast<uint32_t>(x->reply.topics_size()) == limit) {
      x->reply.set_next_after(x->reply.topics(x->reply.topics_size() - 1).topic().name());
      break;
    }
    admin::TopicInGroup* out = x->reply.add_topics();
    out->set_group_name(group.name);
    FillTopic(config, out->mutable_topic());
  }
  x->Finish(absl::OkStatus());
}

void GetTopic(const HostedGroup& group,
              const ExchangePtr<admin::GetTopicRequest, admin::GetTopicReply>& x) {
  group.service->topics().Find(
      x->request.name(), GiveUp(group, *x), [&group, x](absl::StatusOr<store::TopicConfig> config) {
        if (!config.ok()) return x->Finish(config.status());
        admin::TopicInGroup* out = x->reply.add_topics();
        out->set_group_name(group.name);
        FillTopic(*config, out->mutable_topic());
        const uint32_t queues = std::max(config->read_queues, config->write_queues);
        for (uint32_t queue = 0; queue < queues; ++queue) {
          const absl::StatusOr<store::QueueBounds> bounds =
              group.state->Bounds(config->name, queue);
          if (!bounds.ok()) continue;
          admin::QueueStatus* status = x->reply.add_queues();
          status->set_group_name(group.name);
          status->set_queue_id(queue);
          status->set_begin_offset(bounds->begin.value());
          status->set_end_offset(bounds->end.value());
          if (bounds->end == bounds->begin) continue;
          const auto last = group.state->Entries(config->name, queue, bounds->end.Prev(), 1);
          if (last.ok() && !last->empty()) {
            status->set_last_store_time_ms(last->front().store_time_ms);
          }
        }
        x->Finish(absl::OkStatus());
      });
}

void DeleteTopic(const HostedGroup& group,
                 const ExchangePtr<admin::DeleteTopicRequest, admin::DeleteTopicReply>& x) {
  group.service->topics().Delete(x->request.name(), GiveUp(group, *x),
                                 [x](const absl::Status& status) { x->Finish(status); });
}

void CreateConsumerGroup(
    const HostedGroup& group,
    const ExchangePtr<admin::CreateConsumerGroupRequest, admin::CreateConsumerGroupReply>& x) {
  store::ConsumerGroupConfig config;
  config.name = x->request.consumer_group().name();
  if (x->request.consumer_group().max_attempts() != 0) {
    config.max_attempts = x->request.consumer_group().max_attempts();
  }
  config.is_fifo = x->request.consumer_group().is_fifo();
  config.is_enabled = !x->request.consumer_group().is_disabled();
  group.service->consumer_groups().FindConfig(
      config.name, GiveUp(group, *x),
      [&group, x, config](absl::StatusOr<store::ConsumerGroupConfig> existing) mutable {
        x->reply.add_group_names(group.name);
        if (existing.ok()) {
          // What this protocol has no word for stays as it is.
          config.may_broadcast = existing->may_broadcast;
          config.hears_of_members = existing->hears_of_members;
          config.retry_queues = existing->retry_queues;
        }
        if (existing.ok() && *existing == config) return x->Finish(absl::OkStatus());
        if (existing.ok() && !x->request.may_update()) {
          return x->Finish(absl::AlreadyExistsError(
              absl::StrCat("consumer group '", config.name, "' exists with other values")));
        }
        if (!existing.ok() && !absl::IsNotFound(existing.status())) {
          return x->Finish(existing.status());
        }
        group.service->consumer_groups().Put(
            config, GiveUp(group, *x), [x](const absl::Status& status) { x->Finish(status); });
      });
}

void ListConsumerGroups(
    const HostedGroup& group,
    const ExchangePtr<admin::ListConsumerGroupsRequest, admin::ListConsumerGroupsReply>& x) {
  const uint32_t limit = PageSize(x->request.limit());
  for (const store::ConsumerGroupConfig& config : group.state->ConsumerGroups()) {
    if (config.name <= x->request.after()) continue;
    if (static_cast<uint32_t>(x->reply.consumer_groups_size()) == limit) {
      x->reply.set_next_after(
          x->reply.consumer_groups(x->reply.consumer_groups_size() - 1).consumer_group().name());
      break;
    }
    admin::ConsumerGroupInGroup* out = x->reply.add_consumer_groups();
    out->set_group_name(group.name);
    FillConsumerGroup(config, out->mutable_consumer_group());
  }
  x->Finish(absl::OkStatus());
}

void GetConsumerGroup(
    const HostedGroup& group,
    const ExchangePtr<admin::GetConsumerGroupRequest, admin::GetConsumerGroupReply>& x) {
  group.service->consumer_groups().FindConfig(
      x->request.name(), GiveUp(group, *x),
      [&group, x](absl::StatusOr<store::ConsumerGroupConfig> config) {
        if (!config.ok()) return x->Finish(config.status());
        admin::ConsumerGroupInGroup* out = x->reply.add_consumer_groups();
        out->set_group_name(group.name);
        FillConsumerGroup(*config, out->mutable_consumer_group());
        for (const store::TopicConfig& topic : group.state->Topics()) {
          if (!x->request.topic().empty() && topic.name != x->request.topic()) continue;
          for (const store::ConsumerProgress& progress :
               group.state->Progress(config->name, topic.name)) {
            admin::QueueProgress* queue = x->reply.add_queues();
            queue->set_group_name(group.name);
            queue->set_topic(topic.name);
            queue->set_queue_id(progress.queue_id);
            queue->set_begin_offset(progress.bounds.begin.value());
            queue->set_end_offset(progress.bounds.end.value());
            // Classic clients take no leases: what they commit is how far they are.
            queue->set_next_offset(std::max(
                progress.next, group.state
                                   ->ConsumerOffset(config->name, topic.name, progress.queue_id)
                                   .value_or(progress.next))
                                       .value());
            queue->set_in_flight(progress.in_flight);
            queue->set_retrying(progress.ready_again);
          }
        }
        for (const service::ClientSession& session :
             group.service->sessions().OfConsumerGroup(config->name)) {
          admin::ConnectedClient* client = x->reply.add_clients();
          client->set_client_id(session.client_id);
          client->set_language(session.language);
        }
        x->Finish(absl::OkStatus());
      });
}

void DeleteConsumerGroup(
    const HostedGroup& group,
    const ExchangePtr<admin::DeleteConsumerGroupRequest, admin::DeleteConsumerGroupReply>& x) {
  group.service->consumer_groups().Delete(x->request.name(), GiveUp(group, *x),
                                          [x](const absl::Status& status) { x->Finish(status); });
}

}  // namespace

// Thread safety: immutable.
class AdminService::Handlers {
 public:
  Handlers(AdminOptions options, std::vector<HostedGroup> groups, ClusterOverview overview)
      : options_(std::move(options)),
        groups_(std::move(groups)),
        overview_(std::move(overview)),
        started_(absl::Now()) {}

  void AddTo(GrpcService* service) const;

 private:
  // The group of that name; the only one if the name is empty.
  absl::StatusOr<const HostedGroup*> Find(const std::string& name) const {
    for (const HostedGroup& group : groups_) {
      if (group.name == name || (name.empty() && groups_.size() == 1)) return &group;
    }
    if (name.empty()) {
      return absl::InvalidArgumentError("this process hosts several groups: name one");
    }
    return absl::NotFoundError(absl::StrCat("no group '", name, "' here"));
  }

  // Calls of `method` run as `handle` on the executor of the group they name.
  template <typename Request, typename Reply>
  void Add(GrpcService* service, absl::string_view method,
           void (*handle)(const HostedGroup&, const ExchangePtr<Request, Reply>&)) const {
    service->AddRequest(
        absl::StrCat("/totora.admin.Admin/", method),
        TypedRequest<Request, Reply>([this, handle](TypedCall<Reply> call, Request request) {
          const absl::StatusOr<const HostedGroup*> group = Find(request.group_name());
          auto exchange = std::make_shared<Exchange<Request, Reply>>(
              Exchange<Request, Reply>{std::move(call), std::move(request)});
          if (!group.ok()) return exchange->Finish(group.status());
          (*group)->executor->Post([group = *group, handle, exchange = std::move(exchange)] {
            handle(*group, exchange);
          });
        }));
  }

  void ClusterStatus(TypedCall<admin::ClusterStatusReply> call) const;
  void ScanLog(const GrpcCallPtr& call, const admin::ScanLogRequest& request) const;
  admin::ResourceUsageReply ResourceUsage() const;

  const AdminOptions options_;
  const std::vector<HostedGroup> groups_;
  const ClusterOverview overview_;
  const absl::Time started_;
};

void AdminService::Handlers::AddTo(GrpcService* service) const {
  service->AddRequest(
      "/totora.admin.Admin/ClusterStatus",
      TypedRequest<admin::ClusterStatusRequest, admin::ClusterStatusReply>(
          [this](TypedCall<admin::ClusterStatusReply> call, const admin::ClusterStatusRequest&) {
            ClusterStatus(std::move(call));
          }));
  Add(service, "RaftStatus", RaftStatus);
  Add(service, "TransferLeadership", TransferLeadership);
  Add(service, "CreateTopic", CreateTopic);
  Add(service, "ListTopics", ListTopics);
  Add(service, "GetTopic", GetTopic);
  Add(service, "DeleteTopic", DeleteTopic);
  Add(service, "CreateConsumerGroup", CreateConsumerGroup);
  Add(service, "ListConsumerGroups", ListConsumerGroups);
  Add(service, "GetConsumerGroup", GetConsumerGroup);
  Add(service, "DeleteConsumerGroup", DeleteConsumerGroup);
  service->AddRequest(
      "/totora.admin.Admin/ScanLog",
      TypedRequest<admin::ScanLogRequest, admin::ScanLogReply>(
          [this](const TypedCall<admin::ScanLogReply>& call, const admin::ScanLogRequest& request) {
            ScanLog(call.call(), request);
          }));
  service->AddRequest(
      "/totora.admin.Admin/ResourceUsage",
      TypedRequest<admin::ResourceUsageRequest, admin::ResourceUsageReply>(
          [this](TypedCall<admin::ResourceUsageReply> call, const admin::ResourceUsageRequest&) {
            call.Reply(ResourceUsage());
          }));
}

void AdminService::Handlers::ClusterStatus(TypedCall<admin::ClusterStatusReply> call) const {
  admin::ClusterStatusReply reply;
  reply.set_cluster(options_.cluster);
  reply.set_process(options_.process);
  reply.set_version(options_.version);
  if (overview_) overview_(&reply);
  if (reply.groups_size() > 0 || groups_.empty()) return call.Reply(reply);
  const HostedGroup* const first = &groups_.front();
  first->executor->Post([first, call = std::move(call), reply = std::move(reply)]() mutable {
    DescribeGroup(*first, &reply);
    call.Reply(reply);
  });
}

void AdminService::Handlers::ScanLog(const GrpcCallPtr& call,
                                     const admin::ScanLogRequest& request) const {
  const absl::StatusOr<const HostedGroup*> group = Find(request.group_name());
  if (group.ok()) return StartLogScan(**group, request, call);
  call->Finish(ToGrpc(group.status().code()), std::string(group.status().message()));
}

admin::ResourceUsageReply AdminService::Handlers::ResourceUsage() const {
  admin::ResourceUsageReply reply;
  const broker::ResourceUsage usage = ReadResourceUsage();
  reply.set_pid(getpid());
  reply.set_process(options_.process);
  reply.set_cpu_user_us(usage.cpu_user_us);
  reply.set_cpu_system_us(usage.cpu_system_us);
  reply.set_rss_bytes(usage.rss_bytes);
  reply.set_rss_max_bytes(usage.rss_max_bytes);
  reply.set_threads(usage.threads);
  reply.set_open_files(usage.open_files);
  reply.set_disk_read_bytes(usage.disk_read_bytes);
  reply.set_disk_written_bytes(usage.disk_written_bytes);
  reply.set_uptime_us(static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Now() - started_)));
  return reply;
}

AdminService::AdminService(const AdminOptions& options, std::vector<HostedGroup> groups,
                           ClusterOverview overview)
    : handlers_(std::make_unique<Handlers>(options, std::move(groups), std::move(overview))) {}
AdminService::~AdminService() = default;

void AdminService::AddTo(GrpcService* service) const { handlers_->AddTo(service); }

}  // namespace totora::broker
