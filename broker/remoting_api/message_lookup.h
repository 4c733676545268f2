// A message by its position in the log, as its queue shows it.
#ifndef TOTORA_BROKER_REMOTING_API_MESSAGE_LOOKUP_H_
#define TOTORA_BROKER_REMOTING_API_MESSAGE_LOOKUP_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/remoting_api/handler.h"
#include "common/executor.h"
#include "common/types.h"

namespace totora::remoting_api {

// Reads on `reader`, which may block on the disk; calls `done` once, on the broker's
// executor or on `reader`. A copy that waits in a retry topic is shown as its
// consumers get it, at offset 0 if its place is not known.
// Errors: NotFound: no message begins there; DataLoss; Unavailable.
void FindMessageAt(const HandlerContext& context, BytePosition at, Executor* reader,
                   absl::AnyInvocable<void(absl::StatusOr<std::string> stored)> done);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_MESSAGE_LOOKUP_H_
