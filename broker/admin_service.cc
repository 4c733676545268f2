#include "broker/admin_service.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/log_scan.h"
#include "broker/resource_usage.h"
#include "proto/admin.grpc.pb.h"

namespace totora::broker {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(5);
constexpr double kShareOfDeadline = 0.9;
constexpr uint32_t kPageDefault = 1000;
constexpr uint32_t kPageMax = 10'000;

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

model::Role ToModel(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return model::FOLLOWER;
    case raft::Role::kPreCandidate:
      return model::PRE_CANDIDATE;
    case raft::Role::kCandidate:
      return model::CANDIDATE;
    case raft::Role::kLeader:
      return model::LEADER;
  }
  return model::ROLE_UNSPECIFIED;
}

void FillTopic(const store::TopicConfig& config, model::Topic* topic) {
  topic->set_name(config.name);
  topic->set_type(static_cast<model::TopicType>(config.type));
  topic->set_read_queues(config.read_queues);
  topic->set_write_queues(config.write_queues);
  topic->set_permission(config.permission);
}

bool IsSystemTopic(absl::string_view name) {
  return absl::StartsWith(name, "%RETRY%") || absl::StartsWith(name, "%DLQ%");
}

void FillConsumerGroup(const store::ConsumerGroupConfig& config, admin::ConsumerGroup* out) {
  out->set_name(config.name);
  out->set_max_attempts(config.max_attempts);
  out->set_is_fifo(config.is_fifo);
  out->set_is_disabled(!config.is_enabled);
}

uint32_t PageSize(uint32_t asked) {
  return asked == 0 ? kPageDefault : std::min(asked, kPageMax);
}

}  // namespace

class AdminService::Service : public admin::Admin::CallbackService {
 public:
  Service(const AdminOptions& options, std::vector<HostedGroup> groups, ClusterOverview overview)
      : options_(options),
        groups_(std::move(groups)),
        overview_(std::move(overview)),
        started_(absl::Now()) {}

  grpc::ServerUnaryReactor* ClusterStatus(grpc::CallbackServerContext* context,
                                          const admin::ClusterStatusRequest*,
                                          admin::ClusterStatusReply* reply) override;
  grpc::ServerUnaryReactor* RaftStatus(grpc::CallbackServerContext* context,
                                       const admin::RaftStatusRequest* request,
                                       admin::RaftStatusReply* reply) override;
  grpc::ServerUnaryReactor* TransferLeadership(grpc::CallbackServerContext* context,
                                               const admin::TransferLeadershipRequest* request,
                                               admin::TransferLeadershipReply* reply) override;
  grpc::ServerUnaryReactor* CreateTopic(grpc::CallbackServerContext* context,
                                        const admin::CreateTopicRequest* request,
                                        admin::CreateTopicReply* reply) override;
  grpc::ServerUnaryReactor* ListTopics(grpc::CallbackServerContext* context,
                                       const admin::ListTopicsRequest* request,
                                       admin::ListTopicsReply* reply) override;
  grpc::ServerUnaryReactor* GetTopic(grpc::CallbackServerContext* context,
                                     const admin::GetTopicRequest* request,
                                     admin::GetTopicReply* reply) override;
  grpc::ServerUnaryReactor* DeleteTopic(grpc::CallbackServerContext* context,
                                        const admin::DeleteTopicRequest* request,
                                        admin::DeleteTopicReply* reply) override;
  grpc::ServerUnaryReactor* CreateConsumerGroup(
      grpc::CallbackServerContext* context, const admin::CreateConsumerGroupRequest* request,
      admin::CreateConsumerGroupReply* reply) override;
  grpc::ServerUnaryReactor* ListConsumerGroups(grpc::CallbackServerContext* context,
                                               const admin::ListConsumerGroupsRequest* request,
                                               admin::ListConsumerGroupsReply* reply) override;
  grpc::ServerUnaryReactor* GetConsumerGroup(grpc::CallbackServerContext* context,
                                             const admin::GetConsumerGroupRequest* request,
                                             admin::GetConsumerGroupReply* reply) override;
  grpc::ServerUnaryReactor* DeleteConsumerGroup(
      grpc::CallbackServerContext* context, const admin::DeleteConsumerGroupRequest* request,
      admin::DeleteConsumerGroupReply* reply) override;
  grpc::ServerWriteReactor<admin::ScanLogReply>* ScanLog(
      grpc::CallbackServerContext* context, const admin::ScanLogRequest* request) override;
  grpc::ServerUnaryReactor* ResourceUsage(grpc::CallbackServerContext* context,
                                          const admin::ResourceUsageRequest*,
                                          admin::ResourceUsageReply* reply) override;

 private:
  // The group of that name; the only one if the name is empty. On error the
  // reactor is finished and null returned.
  const HostedGroup* Find(const std::string& name, grpc::ServerUnaryReactor* reactor) const {
    for (const HostedGroup& group : groups_) {
      if (group.name == name || (name.empty() && groups_.size() == 1)) return &group;
    }
    reactor->Finish(name.empty()
                        ? grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                                       "this process hosts several groups: name one")
                        : grpc::Status(grpc::StatusCode::NOT_FOUND,
                                       absl::StrCat("no group '", name, "' here")));
    return nullptr;
  }
  // Before the client does, so that it hears what happened.
  static absl::Duration GiveUp(const HostedGroup& group, const grpc::CallbackServerContext* call) {
    const absl::Duration left = absl::FromChrono(call->deadline()) - absl::Now();
    return group.executor->clock().SteadyNow() + std::min(kCallTimeout, kShareOfDeadline * left);
  }
  // Runs `work`, which finishes the reactor, on the group's executor.
  template <typename F>
  grpc::ServerUnaryReactor* OnExecutor(grpc::CallbackServerContext* context,
                                       const std::string& group_name, F work) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const HostedGroup* group = Find(group_name, reactor)) {
      group->executor->Post([group, reactor, work = std::move(work)]() mutable {
        work(*group, reactor);
      });
    }
    return reactor;
  }

  const AdminOptions options_;
  const std::vector<HostedGroup> groups_;
  const ClusterOverview overview_;
  const absl::Time started_;
};

grpc::ServerUnaryReactor* AdminService::Service::ClusterStatus(
    grpc::CallbackServerContext* context, const admin::ClusterStatusRequest*,
    admin::ClusterStatusReply* reply) {
  reply->set_cluster(options_.cluster);
  reply->set_process(options_.process);
  reply->set_version(options_.version);
  if (overview_) overview_(reply);
  if (reply->groups_size() > 0 || groups_.empty()) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  // No nameserver has told anything: what the first group knows itself.
  return OnExecutor(context, groups_.front().name,
                    [reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
                      const raft::ReplicaStatus& status = group.replica->status();
                      admin::GroupOverview* out = reply->add_groups();
                      out->set_group_id(group.id.value());
                      out->set_group_name(group.name);
                      out->set_term(status.term.value());
                      out->set_leader_id(status.leader.value());
                      out->set_topic_count(
                          static_cast<uint32_t>(group.service->topics().All().size()));
                      for (const ReplicaId voter : group.voters) {
                        admin::ReplicaOverview* replica = out->add_replicas();
                        replica->set_replica_id(voter.value());
                        replica->set_role(voter == status.leader ? model::LEADER
                                                                 : model::FOLLOWER);
                        replica->set_is_alive(voter == group.self || voter == status.leader);
                      }
                      reactor->Finish(grpc::Status::OK);
                    });
}

grpc::ServerUnaryReactor* AdminService::Service::RaftStatus(
    grpc::CallbackServerContext* context, const admin::RaftStatusRequest* request,
    admin::RaftStatusReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        const raft::ReplicaStatus status = group.replica->CurrentStatus();
        admin::ReplicaStatus* out = reply->add_replicas();
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
        reactor->Finish(grpc::Status::OK);
      });
}

grpc::ServerUnaryReactor* AdminService::Service::TransferLeadership(
    grpc::CallbackServerContext* context, const admin::TransferLeadershipRequest* request,
    admin::TransferLeadershipReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        const raft::ReplicaStatus status = group.replica->CurrentStatus();
        ReplicaId to(request->to_replica_id());
        if (to.value() == 0) {
          LogIndex best;
          for (const auto& [peer, match] : status.match) {
            if (match >= best) std::tie(to, best) = std::tie(peer, match);
          }
        }
        const absl::Duration began = group.executor->clock().SteadyNow();
        group.replica->TransferLeadership(
            to, [&group, reply, reactor, began](const absl::Status& result) {
              const raft::ReplicaStatus now = group.replica->CurrentStatus();
              reply->set_leader_id(now.leader.value());
              reply->set_term(now.term.value());
              reply->set_took_us(
                  absl::ToInt64Microseconds(group.executor->clock().SteadyNow() - began));
              reactor->Finish(absl::IsDeadlineExceeded(result)
                                  ? grpc::Status(grpc::StatusCode::ABORTED,
                                                 std::string(result.message()))
                                  : ToGrpc(result));
            });
      });
}

grpc::ServerUnaryReactor* AdminService::Service::CreateTopic(
    grpc::CallbackServerContext* context, const admin::CreateTopicRequest* request,
    admin::CreateTopicReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [context, request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        store::TopicConfig config;
        config.name = request->topic().name();
        if (request->topic().type() != 0) {
          config.type = static_cast<store::TopicType>(request->topic().type());
        }
        if (request->topic().read_queues() != 0)
          config.read_queues = request->topic().read_queues();
        if (request->topic().write_queues() != 0) {
          config.write_queues = request->topic().write_queues();
        }
        if (request->topic().permission() != 0) config.permission = request->topic().permission();
        group.service->topics().Find(
            config.name, GiveUp(group, context),
            [&group, context, request, reply, reactor,
             config](absl::StatusOr<store::TopicConfig> existing) mutable {
              reply->add_group_names(group.name);
              if (existing.ok() && *existing == config) return reactor->Finish(grpc::Status::OK);
              if (existing.ok() && !request->may_update()) {
                return reactor->Finish(grpc::Status(
                    grpc::StatusCode::ALREADY_EXISTS,
                    absl::StrCat("topic '", config.name, "' exists with other values")));
              }
              if (!existing.ok() && !absl::IsNotFound(existing.status())) {
                return reactor->Finish(ToGrpc(existing.status()));
              }
              group.service->topics().Put(
                  config, GiveUp(group, context), [&group, reactor](const absl::Status& status) {
                    if (!status.ok()) return reactor->Finish(ToGrpc(status));
                    // After the task that tells the nameservers was posted.
                    group.executor->Post([&group, reactor] {
                      group.when_topics_told([reactor] { reactor->Finish(grpc::Status::OK); });
                    });
                  });
            });
      });
}

grpc::ServerUnaryReactor* AdminService::Service::ListTopics(
    grpc::CallbackServerContext* context, const admin::ListTopicsRequest* request,
    admin::ListTopicsReply* reply) {
  return OnExecutor(context, request->group_name(),
                    [request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
                      const uint32_t limit = PageSize(request->limit());
                      for (const store::TopicConfig& config : group.state->Topics()) {
                        if (config.name <= request->after()) continue;
                        if (!request->with_system() && IsSystemTopic(config.name)) continue;
                        if (static_cast<uint32_t>(reply->topics_size()) == limit) {
                          reply->set_next_after(reply->topics(reply->topics_size() - 1)
                                                    .topic()
                                                    .name());
                          break;
                        }
                        admin::TopicInGroup* out = reply->add_topics();
                        out->set_group_name(group.name);
                        FillTopic(config, out->mutable_topic());
                      }
                      reactor->Finish(grpc::Status::OK);
                    });
}

grpc::ServerUnaryReactor* AdminService::Service::GetTopic(grpc::CallbackServerContext* context,
                                                          const admin::GetTopicRequest* request,
                                                          admin::GetTopicReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [context, request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        group.service->topics().Find(
            request->name(), GiveUp(group, context),
            [&group, reply, reactor](absl::StatusOr<store::TopicConfig> config) {
              if (!config.ok()) return reactor->Finish(ToGrpc(config.status()));
              admin::TopicInGroup* out = reply->add_topics();
              out->set_group_name(group.name);
              FillTopic(*config, out->mutable_topic());
              const uint32_t queues = std::max(config->read_queues, config->write_queues);
              for (uint32_t queue = 0; queue < queues; ++queue) {
                const absl::StatusOr<store::QueueBounds> bounds =
                    group.state->Bounds(config->name, queue);
                if (!bounds.ok()) continue;
                admin::QueueStatus* status = reply->add_queues();
                status->set_group_name(group.name);
                status->set_queue_id(queue);
                status->set_begin_offset(bounds->begin.value());
                status->set_end_offset(bounds->end.value());
                if (bounds->end == bounds->begin) continue;
                const auto last =
                    group.state->Entries(config->name, queue, bounds->end.Prev(), 1);
                if (last.ok() && !last->empty()) {
                  status->set_last_store_time_ms(last->front().store_time_ms);
                }
              }
              reactor->Finish(grpc::Status::OK);
            });
      });
}

grpc::ServerUnaryReactor* AdminService::Service::DeleteTopic(
    grpc::CallbackServerContext* context, const admin::DeleteTopicRequest* request,
    admin::DeleteTopicReply*) {
  return OnExecutor(
      context, request->group_name(),
      [context, request](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        group.service->topics().Delete(
            request->name(), GiveUp(group, context),
            [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); });
      });
}

grpc::ServerUnaryReactor* AdminService::Service::CreateConsumerGroup(
    grpc::CallbackServerContext* context, const admin::CreateConsumerGroupRequest* request,
    admin::CreateConsumerGroupReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [context, request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        store::ConsumerGroupConfig config;
        config.name = request->consumer_group().name();
        if (request->consumer_group().max_attempts() != 0) {
          config.max_attempts = request->consumer_group().max_attempts();
        }
        config.is_fifo = request->consumer_group().is_fifo();
        config.is_enabled = !request->consumer_group().is_disabled();
        group.service->consumer_groups().Find(
            config.name, GiveUp(group, context),
            [&group, context, request, reply, reactor,
             config](absl::StatusOr<store::ConsumerGroupConfig> existing) mutable {
              reply->add_group_names(group.name);
              if (existing.ok() && *existing == config) return reactor->Finish(grpc::Status::OK);
              if (existing.ok() && !request->may_update()) {
                return reactor->Finish(grpc::Status(
                    grpc::StatusCode::ALREADY_EXISTS,
                    absl::StrCat("consumer group '", config.name, "' exists with other values")));
              }
              if (!existing.ok() && !absl::IsNotFound(existing.status())) {
                return reactor->Finish(ToGrpc(existing.status()));
              }
              group.service->consumer_groups().Put(
                  config, GiveUp(group, context),
                  [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); });
            });
      });
}

grpc::ServerUnaryReactor* AdminService::Service::ListConsumerGroups(
    grpc::CallbackServerContext* context, const admin::ListConsumerGroupsRequest* request,
    admin::ListConsumerGroupsReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        const uint32_t limit = PageSize(request->limit());
        for (const store::ConsumerGroupConfig& config : group.state->ConsumerGroups()) {
          if (config.name <= request->after()) continue;
          if (static_cast<uint32_t>(reply->consumer_groups_size()) == limit) {
            reply->set_next_after(reply->consumer_groups(reply->consumer_groups_size() - 1)
                                      .consumer_group()
                                      .name());
            break;
          }
          admin::ConsumerGroupInGroup* out = reply->add_consumer_groups();
          out->set_group_name(group.name);
          FillConsumerGroup(config, out->mutable_consumer_group());
        }
        reactor->Finish(grpc::Status::OK);
      });
}

grpc::ServerUnaryReactor* AdminService::Service::GetConsumerGroup(
    grpc::CallbackServerContext* context, const admin::GetConsumerGroupRequest* request,
    admin::GetConsumerGroupReply* reply) {
  return OnExecutor(
      context, request->group_name(),
      [context, request, reply](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        group.service->consumer_groups().Find(
            request->name(), GiveUp(group, context),
            [&group, request, reply, reactor](absl::StatusOr<store::ConsumerGroupConfig> config) {
              if (!config.ok()) return reactor->Finish(ToGrpc(config.status()));
              admin::ConsumerGroupInGroup* out = reply->add_consumer_groups();
              out->set_group_name(group.name);
              FillConsumerGroup(*config, out->mutable_consumer_group());
              for (const store::TopicConfig& topic : group.state->Topics()) {
                if (!request->topic().empty() && topic.name != request->topic()) continue;
                for (const store::ConsumerProgress& progress :
                     group.state->Progress(config->name, topic.name)) {
                  admin::QueueProgress* queue = reply->add_queues();
                  queue->set_group_name(group.name);
                  queue->set_topic(topic.name);
                  queue->set_queue_id(progress.queue_id);
                  queue->set_begin_offset(progress.bounds.begin.value());
                  queue->set_end_offset(progress.bounds.end.value());
                  queue->set_next_offset(progress.next.value());
                  queue->set_in_flight(progress.in_flight);
                  queue->set_retrying(progress.ready_again);
                }
              }
              for (const service::ClientSession& session :
                   group.service->sessions().OfConsumerGroup(config->name)) {
                admin::ConnectedClient* client = reply->add_clients();
                client->set_client_id(session.client_id);
                client->set_language(session.language);
              }
              reactor->Finish(grpc::Status::OK);
            });
      });
}

grpc::ServerUnaryReactor* AdminService::Service::DeleteConsumerGroup(
    grpc::CallbackServerContext* context, const admin::DeleteConsumerGroupRequest* request,
    admin::DeleteConsumerGroupReply*) {
  return OnExecutor(
      context, request->group_name(),
      [context, request](const HostedGroup& group, grpc::ServerUnaryReactor* reactor) {
        group.service->consumer_groups().Delete(
            request->name(), GiveUp(group, context),
            [reactor](const absl::Status& status) { reactor->Finish(ToGrpc(status)); });
      });
}

grpc::ServerWriteReactor<admin::ScanLogReply>* AdminService::Service::ScanLog(
    grpc::CallbackServerContext*, const admin::ScanLogRequest* request) {
  for (const HostedGroup& group : groups_) {
    if (group.name == request->group_name() ||
        (request->group_name().empty() && groups_.size() == 1)) {
      return StartLogScan(group, *request);
    }
  }
  return RefuseLogScan(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such group here"));
}

grpc::ServerUnaryReactor* AdminService::Service::ResourceUsage(
    grpc::CallbackServerContext* context, const admin::ResourceUsageRequest*,
    admin::ResourceUsageReply* reply) {
  const broker::ResourceUsage usage = ReadResourceUsage();
  reply->set_pid(getpid());
  reply->set_process(options_.process);
  reply->set_cpu_user_us(usage.cpu_user_us);
  reply->set_cpu_system_us(usage.cpu_system_us);
  reply->set_rss_bytes(usage.rss_bytes);
  reply->set_rss_max_bytes(usage.rss_max_bytes);
  reply->set_threads(usage.threads);
  reply->set_open_files(usage.open_files);
  reply->set_disk_read_bytes(usage.disk_read_bytes);
  reply->set_disk_written_bytes(usage.disk_written_bytes);
  reply->set_uptime_us(static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Now() - started_)));
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

AdminService::AdminService(const AdminOptions& options, std::vector<HostedGroup> groups,
                           ClusterOverview overview)
    : service_(std::make_unique<Service>(options, std::move(groups), std::move(overview))) {}
AdminService::~AdminService() = default;

void AdminService::Register(grpc::ServerBuilder* builder) {
  builder->RegisterService(service_.get());
}

}  // namespace totora::broker
