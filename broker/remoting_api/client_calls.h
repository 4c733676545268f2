// What tools ask of a consumer through its broker: GET_CONSUMER_RUNNING_INFO (307)
// and CONSUME_MESSAGE_DIRECTLY (309). A consumer that is connected to another replica
// is asked by that one.
#ifndef TOTORA_BROKER_REMOTING_API_CLIENT_CALLS_H_
#define TOTORA_BROKER_REMOTING_API_CLIENT_CALLS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/remoting_api/handler.h"
#include "remoting/service.h"

namespace totora::remoting_api {

// The body of a client's answer. Errors: NotFound: it is not connected;
// FailedPrecondition: it answered something else than SUCCESS; DeadlineExceeded,
// Unavailable, ResourceExhausted.
using ClientBodyDone = absl::AnyInvocable<void(absl::StatusOr<std::string> body)>;

// Asks a client, at whatever replica it is. On the broker's executor; `done` is
// called once, on any thread.
void AskClientForBody(const HandlerContext& context, RequestCode code,
                      const std::string& client_id,
                      std::vector<std::pair<std::string, std::string>> fields,
                      ClientBodyDone done);

// `context` must outlive the service, and the tasks of the broker's executor.
void AddClientCalls(const HandlerContext* context, remoting::RemotingService* to);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_CLIENT_CALLS_H_
