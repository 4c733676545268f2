// totora cluster | raft | topic | consumer-group | log: questions at the internal port.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/context.h"
#include "cli/output.h"
#include "common/status.h"

namespace totora::cli {
namespace {

using Json = nlohmann::ordered_json;
using client::AdminClient;

struct AdminArguments {
  std::string name;
  std::string group;  // Raft group; RocketMQ's broker name.
  std::string type = "normal";
  std::string topic;
  uint32_t queues = 8;
  uint32_t max_attempts = 0;
  uint32_t to = 0;
  uint64_t from_offset = 0;
  bool may_update = false;
  bool with_system = false;
  bool is_fifo = false;
};

void PrintJson(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

template <typename Reply>
using Question = std::function<absl::StatusOr<Reply>(AdminClient*)>;

// Asks and prints: the reply as JSON, or what `print` makes of it.
template <typename Reply>
absl::Status AskAndPrint(const Context& context, const Question<Reply>& question,
                         const std::function<void(const Reply&)>& print) {
  Reply reply;
  TOTORA_RETURN_IF_ERROR(context.Ask([&](AdminClient* admin) {
    absl::StatusOr<Reply> answer = question(admin);
    if (answer.ok()) reply = *std::move(answer);
    return answer.status();
  }));
  if (context.json()) {
    PrintJson(ToJson(reply));
  } else {
    print(reply);
  }
  return absl::OkStatus();
}

std::string AddressText(const model::Address& address) {
  return absl::StrCat(address.host(), ":", address.port());
}

std::string RoleText(model::Role role) { return absl::AsciiStrToLower(model::Role_Name(role)); }

std::string TypeText(model::TopicType type) {
  return absl::AsciiStrToLower(model::TopicType_Name(type));
}

absl::StatusOr<model::TopicType> ParseType(const std::string& text) {
  model::TopicType type;
  if (!model::TopicType_Parse(absl::AsciiStrToUpper(text), &type) ||
      type == model::TOPIC_TYPE_UNSPECIFIED) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown type ", text, "; use normal, fifo, delay, transaction or mixed"));
  }
  return type;
}

void PrintCluster(const admin::ClusterStatusReply& reply) {
  std::printf("cluster %s, asked %s, version %s\n", reply.cluster().c_str(),
              reply.process().c_str(), reply.version().c_str());
  Table table({"GROUP", "TERM", "REPLICA", "ROLE", "ALIVE", "PUBLIC", "INTERNAL", "TOPICS"});
  for (const admin::GroupOverview& group : reply.groups()) {
    for (const admin::ReplicaOverview& replica : group.replicas()) {
      const std::string listeners =
          absl::StrJoin(replica.listeners(), ",", [](std::string* out, const auto& listener) {
            absl::StrAppend(out, AddressText(listener.address()));
          });
      table.Add({group.group_name(), absl::StrCat(group.term()),
                 absl::StrCat(replica.replica_id()),
                 replica.replica_id() == group.leader_id() ? "leader" : RoleText(replica.role()),
                 replica.is_alive() ? "yes" : "no", listeners,
                 AddressText(replica.internal_address()), absl::StrCat(group.topic_count())});
    }
  }
  std::printf("%s", table.Text().c_str());
}

void PrintRaft(const admin::RaftStatusReply& reply) {
  Table table({"GROUP", "REPLICA", "ROLE", "TERM", "LEADER", "FIRST", "LAST", "DURABLE", "COMMIT",
               "APPLIED", "CHECKPOINT", "STATE"});
  for (const admin::ReplicaStatus& replica : reply.replicas()) {
    std::vector<std::string> state;
    if (!replica.is_bound()) state.push_back("unbound");
    if (replica.is_emptied()) state.push_back("emptied");
    if (replica.is_disk_full()) state.push_back("disk full");
    table.Add({replica.group_name(), absl::StrCat(replica.replica_id()), RoleText(replica.role()),
               absl::StrCat(replica.term()), absl::StrCat(replica.leader_id()),
               absl::StrCat(replica.first_index()), absl::StrCat(replica.last_index()),
               absl::StrCat(replica.durable_index()), absl::StrCat(replica.commit_index()),
               absl::StrCat(replica.applied_index()), absl::StrCat(replica.checkpoint_index()),
               state.empty() ? "ok" : absl::StrJoin(state, ",")});
  }
  std::printf("%s", table.Text().c_str());
}

void PrintTopics(const google::protobuf::RepeatedPtrField<admin::TopicInGroup>& topics) {
  Table table({"TOPIC", "GROUP", "TYPE", "READ QUEUES", "WRITE QUEUES", "PERMISSION"});
  for (const admin::TopicInGroup& entry : topics) {
    const model::Topic& topic = entry.topic();
    table.Add({topic.name(), entry.group_name(), TypeText(topic.type()),
               absl::StrCat(topic.read_queues()), absl::StrCat(topic.write_queues()),
               absl::StrCat(topic.permission() & 4 ? "r" : "", topic.permission() & 2 ? "w" : "")});
  }
  std::printf("%s", table.Text().c_str());
}

void PrintConsumerGroups(
    const google::protobuf::RepeatedPtrField<admin::ConsumerGroupInGroup>& groups) {
  Table table({"CONSUMER GROUP", "GROUP", "ORDER", "MAX ATTEMPTS", "STATE"});
  for (const admin::ConsumerGroupInGroup& entry : groups) {
    const admin::ConsumerGroup& group = entry.consumer_group();
    table.Add({group.name(), entry.group_name(), group.is_fifo() ? "fifo" : "any",
               absl::StrCat(group.max_attempts() == 0 ? 17 : group.max_attempts()),
               group.is_disabled() ? "disabled" : "enabled"});
  }
  std::printf("%s", table.Text().c_str());
}

// Shared by all commands below: a subcommand of `parent` that runs `run`.
class CommandAdder {
 public:
  CommandAdder(CLI::App* app, Context* context, const char* name, const char* help)
      : parent_(app->add_subcommand(name, help)), context_(context) {
    parent_->require_subcommand(1);
    parent_->fallthrough();
  }
  CLI::App* Add(const char* name, const char* help, std::function<absl::Status()> run) {
    CLI::App* const command = parent_->add_subcommand(name, help);
    command->fallthrough();
    command->callback([context = context_, run = std::move(run)] { context->End(run()); });
    return command;
  }

 private:
  CLI::App* const parent_;
  Context* const context_;
};

using Arguments = std::shared_ptr<AdminArguments>;

void AddGroupOption(CLI::App* command, const Arguments& a) {
  command->add_option("--group", a->group, "Raft group (RocketMQ's broker name); default: all here");
}

void AddClusterAndRaft(CLI::App* app, Context* context, const Arguments& a) {
  CommandAdder cluster(app, context, "cluster", "the cluster as a broker sees it");
  cluster.Add("status", "groups, replicas, who leads", [=] {
    return AskAndPrint<admin::ClusterStatusReply>(
        *context, [](AdminClient* admin) { return admin->ClusterStatus(); }, PrintCluster);
  });

  CommandAdder raft(app, context, "raft", "the replicated log");
  CLI::App* command = raft.Add("status", "replicas in detail; with --dir every one that runs", [=]()
                                   -> absl::Status {
    // A process knows only its own replicas: ask all of them.
    TOTORA_ASSIGN_OR_RETURN(const std::vector<std::string> addresses,
                            context->InternalEndpoints());
    admin::RaftStatusReply all;
    absl::Status status;
    for (const std::string& address : addresses) {
      AdminClient admin(address, context->timeout());
      absl::StatusOr<admin::RaftStatusReply> reply = admin.RaftStatus(a->group);
      if (!reply.ok()) {
        status.Update(reply.status());
        continue;
      }
      all.MergeFrom(*reply);
    }
    if (all.replicas().empty()) return status;
    if (context->json()) {
      PrintJson(ToJson(all));
    } else {
      PrintRaft(all);
    }
    return absl::OkStatus();
  });
  AddGroupOption(command, a);

  command = raft.Add("transfer", "hand the lead to another replica", [=] {
    return AskAndPrint<admin::TransferLeadershipReply>(
        *context,
        [&](AdminClient* admin) { return admin->TransferLeadership(a->group, a->to); },
        [](const admin::TransferLeadershipReply& reply) {
          std::printf("replica %u leads in term %lu; it took %.1f ms\n", reply.leader_id(),
                      static_cast<unsigned long>(reply.term()),
                      static_cast<double>(reply.took_us()) / 1000);
        });
  });
  command->add_option("--to", a->to, "replica number; default: whoever is most up to date");
  AddGroupOption(command, a);
}

absl::Status CreateTopic(const Context& context, const AdminArguments& a) {
  admin::CreateTopicRequest request;
  TOTORA_ASSIGN_OR_RETURN(const model::TopicType type, ParseType(a.type));
  request.set_group_name(a.group);
  request.set_may_update(a.may_update);
  model::Topic* topic = request.mutable_topic();
  topic->set_name(a.name);
  topic->set_type(type);
  topic->set_read_queues(a.queues);
  topic->set_write_queues(a.queues);
  topic->set_permission(6);
  return AskAndPrint<admin::CreateTopicReply>(
      context, [&](AdminClient* admin) { return admin->CreateTopic(request); },
      [&](const admin::CreateTopicReply& reply) {
        std::printf("topic %s (%s, %u queues) is in %s\n", a.name.c_str(), a.type.c_str(), a.queues,
                    absl::StrJoin(reply.group_names(), ", ").c_str());
      });
}

absl::Status TopicInfo(const Context& context, const AdminArguments& a) {
  admin::GetTopicRequest request;
  request.set_group_name(a.group);
  request.set_name(a.name);
  return AskAndPrint<admin::GetTopicReply>(
      context, [&](AdminClient* admin) { return admin->GetTopic(request); },
      [](const admin::GetTopicReply& reply) {
        PrintTopics(reply.topics());
        Table table({"GROUP", "QUEUE", "BEGIN", "END", "MESSAGES", "LAST STORED"});
        for (const admin::QueueStatus& queue : reply.queues()) {
          table.Add({queue.group_name(), absl::StrCat(queue.queue_id()),
                     absl::StrCat(queue.begin_offset()), absl::StrCat(queue.end_offset()),
                     absl::StrCat(queue.end_offset() - queue.begin_offset()),
                     queue.last_store_time_ms() == 0
                         ? "-"
                         : absl::FormatTime(absl::FromUnixMillis(queue.last_store_time_ms()))});
        }
        std::printf("\n%s", table.Text().c_str());
      });
}

void AddTopic(CLI::App* app, Context* context, const Arguments& a) {
  CommandAdder topic(app, context, "topic", "topics");
  CLI::App* command =
      topic.Add("create", "make a topic", [=] { return CreateTopic(*context, *a); });
  command->add_option("name", a->name)->required();
  command->add_option("--type", a->type, "normal, fifo, delay, transaction or mixed");
  command->add_option("--queues", a->queues, "queues in each group")->check(CLI::Range(1, 65535));
  command->add_flag("--update", a->may_update, "change it if it exists");
  AddGroupOption(command, a);

  command = topic.Add("list", "all topics", [=] {
    admin::ListTopicsRequest request;
    request.set_group_name(a->group);
    request.set_with_system(a->with_system);
    return AskAndPrint<admin::ListTopicsReply>(
        *context, [&](AdminClient* admin) { return admin->ListTopics(request); },
        [](const admin::ListTopicsReply& reply) { PrintTopics(reply.topics()); });
  });
  command->add_flag("--system", a->with_system, "the broker's own, retry and dead letter topics too");
  AddGroupOption(command, a);

  command = topic.Add("info", "a topic and its queues", [=] { return TopicInfo(*context, *a); });
  command->add_option("name", a->name)->required();
  AddGroupOption(command, a);

  command = topic.Add("delete", "delete a topic and its messages", [=] {
    admin::DeleteTopicRequest request;
    request.set_group_name(a->group);
    request.set_name(a->name);
    const absl::Status status =
        context->Ask([&](AdminClient* admin) { return admin->DeleteTopic(request); });
    if (status.ok() && !context->json()) std::printf("topic %s is deleted\n", a->name.c_str());
    if (status.ok() && context->json()) PrintJson({{"deleted", a->name}});
    return status;
  });
  command->add_option("name", a->name)->required();
  AddGroupOption(command, a);
}

absl::Status ConsumerGroupInfo(const Context& context, const AdminArguments& a) {
  admin::GetConsumerGroupRequest request;
  request.set_group_name(a.group);
  request.set_name(a.name);
  request.set_topic(a.topic);
  return AskAndPrint<admin::GetConsumerGroupReply>(
      context, [&](AdminClient* admin) { return admin->GetConsumerGroup(request); },
      [](const admin::GetConsumerGroupReply& reply) {
        PrintConsumerGroups(reply.consumer_groups());
        Table queues({"TOPIC", "GROUP", "QUEUE", "NEXT", "END", "LAG", "IN FLIGHT", "RETRYING"});
        for (const admin::QueueProgress& queue : reply.queues()) {
          const uint64_t lag = queue.end_offset() < queue.next_offset()
                                   ? 0
                                   : queue.end_offset() - queue.next_offset();
          queues.Add({queue.topic(), queue.group_name(), absl::StrCat(queue.queue_id()),
                      absl::StrCat(queue.next_offset()), absl::StrCat(queue.end_offset()),
                      absl::StrCat(lag), absl::StrCat(queue.in_flight()),
                      absl::StrCat(queue.retrying())});
        }
        Table clients({"CLIENT", "LANGUAGE", "VERSION", "ADDRESS"});
        for (const admin::ConnectedClient& client : reply.clients()) {
          clients.Add({client.client_id(), client.language(), client.version(), client.address()});
        }
        std::printf("\n%s\n%s", queues.Text().c_str(), clients.Text().c_str());
      });
}

void AddConsumerGroup(CLI::App* app, Context* context, const Arguments& a) {
  CommandAdder group(app, context, "consumer-group", "consumer groups");
  CLI::App* command = group.Add("create", "make a consumer group", [=] {
    admin::CreateConsumerGroupRequest request;
    request.set_group_name(a->group);
    request.set_may_update(a->may_update);
    request.mutable_consumer_group()->set_name(a->name);
    request.mutable_consumer_group()->set_max_attempts(a->max_attempts);
    request.mutable_consumer_group()->set_is_fifo(a->is_fifo);
    return AskAndPrint<admin::CreateConsumerGroupReply>(
        *context, [&](AdminClient* admin) { return admin->CreateConsumerGroup(request); },
        [&](const admin::CreateConsumerGroupReply& reply) {
          std::printf("consumer group %s is in %s\n", a->name.c_str(),
                      absl::StrJoin(reply.group_names(), ", ").c_str());
        });
  });
  command->add_option("name", a->name)->required();
  command->add_option("--max-attempts", a->max_attempts,
                      "deliveries before a message is a dead letter; default 17");
  command->add_flag("--fifo", a->is_fifo, "messages in order");
  command->add_flag("--update", a->may_update, "change it if it exists");
  AddGroupOption(command, a);

  command = group.Add("list", "all consumer groups", [=] {
    admin::ListConsumerGroupsRequest request;
    request.set_group_name(a->group);
    return AskAndPrint<admin::ListConsumerGroupsReply>(
        *context, [&](AdminClient* admin) { return admin->ListConsumerGroups(request); },
        [](const admin::ListConsumerGroupsReply& reply) {
          PrintConsumerGroups(reply.consumer_groups());
        });
  });
  AddGroupOption(command, a);

  command = group.Add("info", "progress and connected clients",
                      [=] { return ConsumerGroupInfo(*context, *a); });
  command->add_option("name", a->name)->required();
  command->add_option("--topic", a->topic, "only this topic");
  AddGroupOption(command, a);

  command = group.Add("delete", "delete a consumer group and its progress", [=] {
    admin::DeleteConsumerGroupRequest request;
    request.set_group_name(a->group);
    request.set_name(a->name);
    const absl::Status status =
        context->Ask([&](AdminClient* admin) { return admin->DeleteConsumerGroup(request); });
    if (status.ok() && !context->json()) {
      std::printf("consumer group %s is deleted\n", a->name.c_str());
    }
    if (status.ok() && context->json()) PrintJson({{"deleted", a->name}});
    return status;
  });
  command->add_option("name", a->name)->required();
  AddGroupOption(command, a);
}

void AddLog(CLI::App* app, Context* context, const Arguments& a) {
  CommandAdder log(app, context, "log", "what the log holds");
  CLI::App* command = log.Add("scan", "every message of a topic as one replica has it", [=] {
    admin::ScanLogRequest request;
    request.set_group_name(a->group);
    request.set_topic(a->topic);
    request.set_from_offset(a->from_offset);
    bool printed = false;
    const auto scan = [&](AdminClient* admin) {
      return admin->ScanLog(request, [&](const admin::ScannedMessage& message) {
        printed = true;
        if (context->json()) {
          PrintJson(ToJson(message));
        } else {
          std::printf("%s  queue %u  offset %lu  position %lu  %s\n", message.topic().c_str(),
                      message.queue_id(), static_cast<unsigned long>(message.queue_offset()),
                      static_cast<unsigned long>(message.position()), message.message_id().c_str());
        }
        return std::ferror(stdout) == 0;
      });
    };
    return context->Ask([&](AdminClient* admin) {
      const absl::Status status = scan(admin);
      // Half a scan must not be continued by another replica's whole one.
      if (printed && absl::IsUnavailable(status)) return absl::AbortedError(status.message());
      return status;
    });
  });
  command->add_option("--topic", a->topic, "default: all topics");
  command->add_option("--from", a->from_offset, "queue offset to begin at, in every queue");
  AddGroupOption(command, a);
}

}  // namespace

void AddAdminCommands(CLI::App* app, Context* context) {
  const auto arguments = std::make_shared<AdminArguments>();
  AddClusterAndRaft(app, context, arguments);
  AddTopic(app, context, arguments);
  AddConsumerGroup(app, context, arguments);
  AddLog(app, context, arguments);
}

}  // namespace totora::cli
