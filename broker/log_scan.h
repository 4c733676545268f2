// ScanLog of the admin protocol: every message of every queue, without bodies.
#ifndef TOTORA_BROKER_LOG_SCAN_H_
#define TOTORA_BROKER_LOG_SCAN_H_

#include "broker/admin_service.h"
#include "net/grpc_call.h"
#include "proto/admin.pb.h"

namespace totora::broker {

// Answers `request` about `group` by `call`. What was applied at the start of
// the call is in the answer. Index entries are looked up on the group's
// executor, messages are read on its background executor.
void StartLogScan(const HostedGroup& group, const admin::ScanLogRequest& request,
                  GrpcCallPtr call);

}  // namespace totora::broker

#endif  // TOTORA_BROKER_LOG_SCAN_H_
