// What every handler of the classic protocol shares.
#ifndef TOTORA_BROKER_REMOTING_API_HANDLER_H_
#define TOTORA_BROKER_REMOTING_API_HANDLER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/remoting_api/response_mapping.h"
#include "broker/service/broker_service.h"
#include "broker/service/runtime_settings.h"
#include "remoting/connection.h"
#include "remoting/fields.h"
#include "remoting/remote_admin.h"
#include "remoting/service.h"

namespace totora::remoting_api {

using remoting::Content;
using remoting::RemotingConnectionPtr;
using remoting::RemotingRequestPtr;
using remoting::RequestCode;
using remoting::ResponseCode;

class ClientChannels;

struct DiskFigures {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
};

struct RemotingApiOptions {
  // A request that needs the log is held no longer than this: clients wait 3 s,
  // and a code of ours is worth more than a timeout.
  absl::Duration hold_max = absl::Milliseconds(2500);
  // Of the longest pull, whatever it asks for: clients wait 30 s.
  absl::Duration suspend_max = absl::Seconds(25);
  std::string region = "DefaultRegion";
  bool is_trace_on = true;
  // What clients on other machines may change.
  remoting::RemoteAdmin remote_admin = remoting::RemoteAdmin::kTopics;
  // What may be changed while the broker runs. Borrowed; confined to the broker's
  // executor. Null: nothing, and there is nothing to list.
  service::RuntimeSettings* settings = nullptr;
  // Of the disk that the log lies on; null: not told. Called on any thread.
  std::function<DiskFigures()> disk;
};

// Outlives every request.
struct HandlerContext {
  service::BrokerService* broker = nullptr;
  RemotingApiOptions options;
  ClientChannels* channels = nullptr;
};

inline absl::Duration Now(const HandlerContext& context) {
  return context.broker->executor()->clock().SteadyNow();
}
// When to stop waiting for the log, on the broker executor's clock.
inline absl::Duration GiveUp(const HandlerContext& context) {
  return Now(context) + context.options.hold_max;
}

inline void ReplyStatus(const RemotingRequestPtr& request, const absl::Status& status,
                        Doing doing) {
  request->Reply(CodeFor(status, doing), status.ok() ? "" : RemarkText(status.message()));
}

// Reads the header, or answers in Java's way that it lacks a field.
// `handler(request, header)`.
template <typename Header, typename Handler>
remoting::RemotingService::RequestHandler WithHeader(Handler handler) {
  return [handler = std::move(handler)](RemotingRequestPtr request) {
    const absl::StatusOr<Header> header = remoting::ReadFields<Header>(request->command().fields);
    if (!header.ok()) {
      request->Reply(ResponseCode::kSystemError, RemarkText(header.status().message()));
      return;
    }
    handler(std::move(request), *header);
  };
}

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_HANDLER_H_
