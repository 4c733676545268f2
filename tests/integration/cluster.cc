#include "tests/integration/cluster.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/status.h"
#include "proto/admin.grpc.pb.h"
#include "tests/integration/evidence.h"

namespace totora::integration {
namespace {

constexpr absl::Duration kLookTimeout = absl::Milliseconds(300);
constexpr absl::Duration kScanTimeout = absl::Seconds(180);
constexpr absl::Duration kLookInterval = absl::Milliseconds(20);

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace

// One channel a broker, kept over its restarts.
class Cluster::Stubs {
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
      arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);  // Also bounds one connect.
      arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
      arguments.SetMaxReceiveMessageSize(-1);
      by_address_[broker.internal] = totora::admin::Admin::NewStub(grpc::CreateCustomChannel(
          broker.internal, grpc::InsecureChannelCredentials(), arguments));
    }
  }

 private:
  std::map<std::string, std::unique_ptr<totora::admin::Admin::Stub>> by_address_;
};

Cluster::Cluster() : stubs_(std::make_unique<Stubs>()) {}
Cluster::~Cluster() = default;

void Cluster::SetBrokers(std::vector<BrokerProcess> brokers, const std::string& group_address) {
  brokers_ = std::move(brokers);
  access_point_ = group_address;
  if (group_address.empty()) {
    for (const BrokerProcess& broker : brokers_) {
      absl::StrAppend(&access_point_, access_point_.empty() ? "" : ";", broker.address);
    }
  }
  stubs_->Make(brokers_);
}

const BrokerProcess& Cluster::broker(int id) const {
  const auto at = std::find_if(brokers_.begin(), brokers_.end(),
                               [id](const BrokerProcess& broker) { return broker.id == id; });
  TOTORA_CHECK(at != brokers_.end());
  return *at;
}

absl::Status Cluster::CreateTopic(const std::string& topic, int queues) const {
  // By the admin port, so that the call says which broker refuses and why.
  totora::admin::CreateTopicRequest request;
  request.mutable_topic()->set_name(topic);
  request.mutable_topic()->set_read_queues(queues);
  request.mutable_topic()->set_write_queues(queues);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
    context.set_wait_for_ready(true);
    totora::admin::CreateTopicReply reply;
    const grpc::Status status = stubs_->Of(brokers_[0])->CreateTopic(&context, request, &reply);
    if (status.ok()) return absl::OkStatus();
    if (absl::Now() > deadline) return Annotate(FromGrpc(status), absl::StrCat("topic ", topic));
    absl::SleepFor(absl::Milliseconds(200));
  }
}

void Cluster::Kill(const std::vector<int>& ids) const {
  for (const int id : ids) {
    const pid_t pid = broker(id).pid;
    TOTORA_CHECK(pid > 0);
    kill(pid, SIGKILL);
  }
}

absl::StatusOr<ReplicaView> Cluster::Look(int id) const {
  grpc::ClientContext context;
  // A call that fails fast leaves nobody to poll for the connection it began.
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLookTimeout));
  context.set_wait_for_ready(true);
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

std::optional<int> Cluster::Leader() const {
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

absl::Status Cluster::WaitUntilWhole(absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  std::string problem = "never looked";
  std::vector<const BrokerProcess*> silent;
  std::optional<uint64_t> goal;
  uint64_t goal_term = 0;
  while (absl::Now() < deadline) {
    std::vector<ReplicaView> views;
    problem.clear();
    silent.clear();
    for (const BrokerProcess& broker : brokers_) {
      absl::StatusOr<ReplicaView> view = Look(broker.id);
      if (view.ok()) {
        views.push_back(*view);
      } else {
        absl::StrAppend(&problem, " ", view.status().ToString());
        silent.push_back(&broker);
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
  for (const BrokerProcess* broker : silent) {
    absl::StrAppend(&problem, "\n  broker ", broker->id, ": ",
                    EvidenceOf(broker->pid, broker->written));
  }
  return absl::DeadlineExceededError(absl::StrCat("not whole after ",
                                                  absl::FormatDuration(timeout), ":", problem));
}

absl::StatusOr<std::vector<StoredMessage>> Cluster::Scan(int id,
                                                              const std::string& topic) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kScanTimeout));
  context.set_wait_for_ready(true);
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

}  // namespace totora::integration
