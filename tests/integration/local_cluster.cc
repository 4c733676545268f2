#include "tests/integration/local_cluster.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/status.h"
#include "proto/admin.grpc.pb.h"
#include "tests/integration/command.h"

namespace totora::integration {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kStartTimeout = absl::Seconds(90);
constexpr absl::Duration kCommandTimeout = absl::Seconds(60);
constexpr absl::Duration kLookTimeout = absl::Milliseconds(300);
constexpr absl::Duration kScanTimeout = absl::Seconds(180);
constexpr absl::Duration kEndTimeout = absl::Seconds(20);
constexpr absl::Duration kLookInterval = absl::Milliseconds(20);

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

std::string TextOf(const Json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

}  // namespace

// One channel a broker, kept over its restarts.
class LocalCluster::Stubs {
 public:
  totora::admin::Admin::Stub* Of(const BrokerProcess& broker) const {
    return by_address_.at(broker.internal).get();
  }

  void Make(const std::vector<BrokerProcess>& brokers) {
    for (const BrokerProcess& broker : brokers) {
      if (by_address_.contains(broker.internal)) continue;
      grpc::ChannelArguments arguments;
      // A broker that comes back must be seen at once, not after a back-off.
      arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
      arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
      arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
      arguments.SetMaxReceiveMessageSize(-1);
      by_address_[broker.internal] = totora::admin::Admin::NewStub(grpc::CreateCustomChannel(
          broker.internal, grpc::InsecureChannelCredentials(), arguments));
    }
  }

 private:
  std::map<std::string, std::unique_ptr<totora::admin::Admin::Stub>> by_address_;
};

LocalCluster::LocalCluster(const ClusterOptions& options)
    : options_(options), stubs_(std::make_unique<Stubs>()) {}

absl::StatusOr<std::unique_ptr<LocalCluster>> LocalCluster::Start(const ClusterOptions& options) {
  std::unique_ptr<LocalCluster> cluster(new LocalCluster(options));
  std::vector<std::string> words = {"start", "--brokers", "3"};
  if (!options.has_group_address) words.push_back("--no-group-address");
  TOTORA_ASSIGN_OR_RETURN(std::string answer, cluster->Local(words, kStartTimeout));
  TOTORA_RETURN_IF_ERROR(cluster->ReadStatus());
  if (cluster->brokers_.size() != 3) {
    return absl::InternalError(absl::StrCat("`totora local start` says: ", answer));
  }
  return cluster;
}

std::string LocalCluster::DataDirectory(const std::string& cluster_directory, int id) {
  return absl::StrCat(cluster_directory, "/broker-", id, "/data");
}

LocalCluster::~LocalCluster() {
  const absl::Status status = Stop();
  if (status.ok()) return;
  std::fprintf(stderr, "stopping the cluster: %s\n", std::string(status.message()).c_str());
  // What does not stop when asked must not outlive the test.
  for (const BrokerProcess& broker : brokers_) {
    if (broker.pid > 0 && IsRunning(broker.pid)) kill(broker.pid, SIGKILL);
  }
}

absl::StatusOr<std::string> LocalCluster::Local(const std::vector<std::string>& words,
                                                absl::Duration timeout) const {
  std::vector<std::string> argv = {options_.totora, "local"};
  argv.insert(argv.end(), words.begin(), words.end());
  argv.insert(argv.end(), {"--dir", options_.directory});
  if (words[0] == "start" || words[0] == "status") argv.insert(argv.end(), {"--output", "json"});
  return RunAndExpectSuccess(argv, timeout, options_.environment);
}

absl::Status LocalCluster::ReadStatus() {
  TOTORA_ASSIGN_OR_RETURN(std::string text, Local({"status"}, kCommandTimeout));
  const Json status = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto listed = status.is_object() ? status.find("brokers") : status.end();
  if (!status.is_object() || listed == status.end() || !listed->is_array()) {
    return absl::InternalError(absl::StrCat("`totora local status` says: ", text));
  }
  brokers_.clear();
  std::string addresses;
  for (const Json& item : *listed) {
    BrokerProcess broker;
    broker.id = item.value("id", 0);
    if (item.contains("pid") && item["pid"].is_number()) broker.pid = item["pid"].get<pid_t>();
    broker.address = TextOf(item, "address");
    broker.internal = TextOf(item, "internal");
    broker.metrics = TextOf(item, "metrics");
    if (broker.id == 0 || broker.internal.empty()) {
      return absl::InternalError(absl::StrCat("`totora local status` says: ", text));
    }
    absl::StrAppend(&addresses, addresses.empty() ? "" : ";", broker.address);
    brokers_.push_back(std::move(broker));
  }
  const std::string group = TextOf(status, "group_address");
  access_point_ = group.empty() || !options_.has_group_address ? addresses : group;
  stubs_->Make(brokers_);
  return absl::OkStatus();
}

const BrokerProcess& LocalCluster::broker(int id) const {
  const auto at = std::find_if(brokers_.begin(), brokers_.end(),
                               [id](const BrokerProcess& broker) { return broker.id == id; });
  TOTORA_CHECK(at != brokers_.end());
  return *at;
}

absl::Status LocalCluster::CreateTopic(const std::string& topic, int queues) {
  // By the admin port, so that the call says which broker refuses and why.
  totora::admin::CreateTopicRequest request;
  request.mutable_topic()->set_name(topic);
  request.mutable_topic()->set_read_queues(queues);
  request.mutable_topic()->set_write_queues(queues);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
    totora::admin::CreateTopicReply reply;
    const grpc::Status status = stubs_->Of(brokers_[0])->CreateTopic(&context, request, &reply);
    if (status.ok()) return absl::OkStatus();
    if (absl::Now() > deadline) return Annotate(FromGrpc(status), absl::StrCat("topic ", topic));
    absl::SleepFor(absl::Milliseconds(200));
  }
}

void LocalCluster::Kill(const std::vector<int>& ids) {
  for (const int id : ids) {
    const pid_t pid = broker(id).pid;
    TOTORA_CHECK(pid > 0);
    kill(pid, SIGKILL);
  }
}

absl::Status LocalCluster::Restart(const std::vector<int>& ids) {
  for (const int id : ids) {
    TOTORA_RETURN_IF_ERROR(WaitForEnd(broker(id).pid, kEndTimeout));
  }
  for (const int id : ids) {
    TOTORA_RETURN_IF_ERROR(Local({"restart", absl::StrCat(id)}, kStartTimeout).status());
  }
  return ReadStatus();
}

absl::StatusOr<ReplicaView> LocalCluster::Look(int id) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLookTimeout));
  totora::admin::RaftStatusReply reply;
  const grpc::Status status = stubs_->Of(broker(id))->RaftStatus(&context, {}, &reply);
  if (!status.ok()) return Annotate(FromGrpc(status), absl::StrCat("broker ", id));
  if (reply.replicas_size() != 1) {
    return absl::InternalError(absl::StrCat("broker ", id, " names ", reply.replicas_size(),
                                            " replicas"));
  }
  const totora::admin::ReplicaStatus& replica = reply.replicas(0);
  return ReplicaView{.is_leader = replica.role() == totora::model::LEADER,
                     .term = replica.term(),
                     .leader_id = replica.leader_id(),
                     .commit_index = replica.commit_index(),
                     .applied_index = replica.applied_index(),
                     .is_disk_full = replica.is_disk_full()};
}

std::optional<int> LocalCluster::Leader() const {
  std::optional<int> leader;
  uint64_t term = 0;
  for (const BrokerProcess& broker : brokers_) {
    const absl::StatusOr<ReplicaView> view = Look(broker.id);
    if (!view.ok() || !view->is_leader || view->term < term) continue;
    leader = broker.id;
    term = view->term;
  }
  return leader;
}

absl::Status LocalCluster::WaitUntilWhole(absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  std::string problem = "never looked";
  std::optional<uint64_t> goal;
  uint64_t goal_term = 0;
  while (absl::Now() < deadline) {
    std::vector<ReplicaView> views;
    problem.clear();
    for (const BrokerProcess& broker : brokers_) {
      absl::StatusOr<ReplicaView> view = Look(broker.id);
      if (view.ok()) {
        views.push_back(*view);
      } else {
        absl::StrAppend(&problem, " ", view.status().ToString());
      }
    }
    const auto leader = std::find_if(views.begin(), views.end(),
                                     [](const ReplicaView& view) { return view.is_leader; });
    if (problem.empty() && leader == views.end()) problem = "nobody leads";
    if (problem.empty()) {
      if (!goal.has_value() || goal_term != leader->term) {
        goal = leader->commit_index;
        goal_term = leader->term;
      }
      for (const ReplicaView& view : views) {
        if (view.term == leader->term && view.applied_index >= *goal) continue;
        absl::StrAppend(&problem, " a replica is at term ", view.term, " index ",
                        view.applied_index, ", the leader at ", leader->term, " ", *goal);
      }
      if (problem.empty()) return absl::OkStatus();
    }
    absl::SleepFor(kLookInterval);
  }
  return absl::DeadlineExceededError(absl::StrCat("not whole after ",
                                                  absl::FormatDuration(timeout), ":", problem));
}

absl::StatusOr<std::vector<StoredMessage>> LocalCluster::Scan(int id,
                                                              const std::string& topic) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kScanTimeout));
  totora::admin::ScanLogRequest request;
  request.set_topic(topic);
  const auto reader = stubs_->Of(broker(id))->ScanLog(&context, request);
  std::vector<StoredMessage> log;
  totora::admin::ScanLogReply reply;
  while (reader->Read(&reply)) {
    for (const totora::admin::ScannedMessage& message : reply.messages()) {
      log.push_back({.message_id = message.message_id(),
                     .queue_id = message.queue_id(),
                     .queue_offset = message.queue_offset(),
                     .position = message.position(),
                     .body_crc = message.body_crc()});
    }
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return Annotate(FromGrpc(status), absl::StrCat("scan of broker ", id));
  return log;
}

absl::Status LocalCluster::Stop() {
  if (is_stopped_) return absl::OkStatus();
  is_stopped_ = true;
  return Local({"stop"}, kCommandTimeout).status();
}

}  // namespace totora::integration
