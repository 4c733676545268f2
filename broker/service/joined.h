// One callback for several.
#ifndef TOTORA_BROKER_SERVICE_JOINED_H_
#define TOTORA_BROKER_SERVICE_JOINED_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace totora::service {

// Calls `done` with the first error, or OK, when the last copy of what it
// returns was called. REQUIRES: `count` calls, at least one, all on one thread.
inline auto Joined(size_t count, absl::AnyInvocable<void(absl::Status)> done) {
  struct State {
    size_t left;
    absl::Status status;
    absl::AnyInvocable<void(absl::Status)> done;
  };
  auto state = std::make_shared<State>(State{count, absl::OkStatus(), std::move(done)});
  return [state](const absl::Status& status) {
    state->status.Update(status);
    if (--state->left == 0) state->done(std::move(state->status));
  };
}

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_JOINED_H_
