#include "client/admin_client.h"

#include "absl/strings/str_cat.h"
#include "client/rpc.h"
#include "common/status.h"
#include "proto/admin.grpc.pb.h"

namespace totora::client {
namespace {

constexpr absl::Duration kScanTimeout = absl::Minutes(10);

}  // namespace

class AdminClient::Core {
 public:
  Core(const std::string& address, absl::Duration timeout)
      : timeout_(timeout), stub_(admin::Admin::NewStub(MakeChannel(address))) {}

  template <typename Request, typename Reply>
  absl::Status Call(grpc::Status (admin::Admin::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Reply*),
                    const Request& request, Reply* reply, const std::string& address) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout_));
    return Annotate(FromGrpcStatus((stub_.get()->*method)(&context, request, reply)),
                    absl::StrCat("broker at ", address));
  }

  admin::Admin::Stub* stub() { return stub_.get(); }

 private:
  const absl::Duration timeout_;
  const std::unique_ptr<admin::Admin::Stub> stub_;
};

AdminClient::AdminClient(const std::string& internal_address, absl::Duration timeout)
    : address_(internal_address), core_(std::make_unique<Core>(internal_address, timeout)) {}
AdminClient::~AdminClient() = default;

// The call `method` with `request`, its reply or its error.
#define TOTORA_ADMIN_CALL(Method, request)                                                  \
  admin::Method##Reply reply;                                                               \
  TOTORA_RETURN_IF_ERROR(                                                                   \
      core_->Call(&admin::Admin::Stub::Method, request, &reply, address_))

absl::StatusOr<admin::ClusterStatusReply> AdminClient::ClusterStatus() {
  TOTORA_ADMIN_CALL(ClusterStatus, admin::ClusterStatusRequest());
  return reply;
}

absl::StatusOr<admin::RaftStatusReply> AdminClient::RaftStatus(const std::string& group_name) {
  admin::RaftStatusRequest request;
  request.set_group_name(group_name);
  TOTORA_ADMIN_CALL(RaftStatus, request);
  return reply;
}

absl::StatusOr<admin::TransferLeadershipReply> AdminClient::TransferLeadership(
    const std::string& group_name, uint32_t to_replica_id) {
  admin::TransferLeadershipRequest request;
  request.set_group_name(group_name);
  request.set_to_replica_id(to_replica_id);
  TOTORA_ADMIN_CALL(TransferLeadership, request);
  return reply;
}

absl::StatusOr<admin::CreateTopicReply> AdminClient::CreateTopic(
    const admin::CreateTopicRequest& request) {
  TOTORA_ADMIN_CALL(CreateTopic, request);
  return reply;
}

absl::StatusOr<admin::ListTopicsReply> AdminClient::ListTopics(admin::ListTopicsRequest request) {
  admin::ListTopicsReply all;
  while (true) {
    TOTORA_ADMIN_CALL(ListTopics, request);
    all.mutable_topics()->MergeFrom(reply.topics());
    if (reply.next_after().empty() || reply.next_after() == request.after()) return all;
    request.set_after(reply.next_after());
  }
}

absl::StatusOr<admin::GetTopicReply> AdminClient::GetTopic(const admin::GetTopicRequest& request) {
  TOTORA_ADMIN_CALL(GetTopic, request);
  return reply;
}

absl::Status AdminClient::DeleteTopic(const admin::DeleteTopicRequest& request) {
  TOTORA_ADMIN_CALL(DeleteTopic, request);
  return absl::OkStatus();
}

absl::StatusOr<admin::CreateConsumerGroupReply> AdminClient::CreateConsumerGroup(
    const admin::CreateConsumerGroupRequest& request) {
  TOTORA_ADMIN_CALL(CreateConsumerGroup, request);
  return reply;
}

absl::StatusOr<admin::ListConsumerGroupsReply> AdminClient::ListConsumerGroups(
    admin::ListConsumerGroupsRequest request) {
  admin::ListConsumerGroupsReply all;
  while (true) {
    TOTORA_ADMIN_CALL(ListConsumerGroups, request);
    all.mutable_consumer_groups()->MergeFrom(reply.consumer_groups());
    if (reply.next_after().empty() || reply.next_after() == request.after()) return all;
    request.set_after(reply.next_after());
  }
}

absl::StatusOr<admin::GetConsumerGroupReply> AdminClient::GetConsumerGroup(
    const admin::GetConsumerGroupRequest& request) {
  TOTORA_ADMIN_CALL(GetConsumerGroup, request);
  return reply;
}

absl::Status AdminClient::DeleteConsumerGroup(const admin::DeleteConsumerGroupRequest& request) {
  TOTORA_ADMIN_CALL(DeleteConsumerGroup, request);
  return absl::OkStatus();
}

absl::StatusOr<admin::ResourceUsageReply> AdminClient::ResourceUsage() {
  TOTORA_ADMIN_CALL(ResourceUsage, admin::ResourceUsageRequest());
  return reply;
}

absl::Status AdminClient::ScanLog(const admin::ScanLogRequest& request,
                                  const std::function<bool(const admin::ScannedMessage&)>& visit) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(kScanTimeout));
  const std::unique_ptr<grpc::ClientReader<admin::ScanLogReply>> reader =
      core_->stub()->ScanLog(&context, request);
  admin::ScanLogReply reply;
  bool wanted = true;
  while (wanted && reader->Read(&reply)) {
    for (const admin::ScannedMessage& message : reply.messages()) {
      wanted = wanted && visit(message);
    }
  }
  if (!wanted) context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (!wanted) return absl::OkStatus();
  return Annotate(FromGrpcStatus(status), absl::StrCat("broker at ", address_));
}

}  // namespace totora::client
