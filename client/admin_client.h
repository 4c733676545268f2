// The questions of an operator, asked at a broker's internal port (proto/admin.proto).
//
// Requests and answers are the messages of admin.proto themselves: they are
// plain data, and the command line prints them field by field.
#ifndef TOTORA_CLIENT_ADMIN_CLIENT_H_
#define TOTORA_CLIENT_ADMIN_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/admin.pb.h"

namespace totora::client {

// Blocking. Every call ends within the timeout.
// Errors are those of admin.proto; Unavailable if nobody listens.
//
// Thread safety: any thread.
class AdminClient {
 public:
  explicit AdminClient(const std::string& internal_address,
                       absl::Duration timeout = absl::Seconds(5));
  ~AdminClient();

  const std::string& address() const { return address_; }

  absl::StatusOr<admin::ClusterStatusReply> ClusterStatus();
  absl::StatusOr<admin::RaftStatusReply> RaftStatus(const std::string& group_name);
  absl::StatusOr<admin::TransferLeadershipReply> TransferLeadership(const std::string& group_name,
                                                                    uint32_t to_replica_id);
  absl::StatusOr<admin::CreateTopicReply> CreateTopic(const admin::CreateTopicRequest& request);
  // All pages.
  absl::StatusOr<admin::ListTopicsReply> ListTopics(admin::ListTopicsRequest request);
  absl::StatusOr<admin::GetTopicReply> GetTopic(const admin::GetTopicRequest& request);
  absl::Status DeleteTopic(const admin::DeleteTopicRequest& request);
  absl::StatusOr<admin::CreateConsumerGroupReply> CreateConsumerGroup(
      const admin::CreateConsumerGroupRequest& request);
  absl::StatusOr<admin::ListConsumerGroupsReply> ListConsumerGroups(
      admin::ListConsumerGroupsRequest request);
  absl::StatusOr<admin::GetConsumerGroupReply> GetConsumerGroup(
      const admin::GetConsumerGroupRequest& request);
  absl::Status DeleteConsumerGroup(const admin::DeleteConsumerGroupRequest& request);
  absl::StatusOr<admin::ResourceUsageReply> ResourceUsage();

  // Every message of the answer, in order; ends when `visit` returns false.
  // Has ten minutes, whatever the timeout of other calls is.
  absl::Status ScanLog(const admin::ScanLogRequest& request,
                       const std::function<bool(const admin::ScannedMessage&)>& visit);

 private:
  class Core;
  const std::string address_;
  const std::unique_ptr<Core> core_;
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_ADMIN_CLIENT_H_
