// ScanLog of the admin protocol: every message of every queue, without bodies.
#ifndef TOTORA_BROKER_LOG_SCAN_H_
#define TOTORA_BROKER_LOG_SCAN_H_

#include <grpcpp/grpcpp.h>

#include "broker/admin_service.h"
#include "proto/admin.pb.h"

namespace totora::broker {

// A reactor that answers `request` about `group` and deletes itself when done.
// What was applied at the start of the call is in the answer.
grpc::ServerWriteReactor<admin::ScanLogReply>* StartLogScan(const HostedGroup& group,
                                                            const admin::ScanLogRequest& request);

grpc::ServerWriteReactor<admin::ScanLogReply>* RefuseLogScan(const grpc::Status& status);

}  // namespace totora::broker

#endif  // TOTORA_BROKER_LOG_SCAN_H_
