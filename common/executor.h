// Where an actor's work runs: one thread in production, the seeded scheduler
// of the simulator in tests.
//
// An object that is "confined to an executor" is touched only by tasks of that
// executor. Tasks of one executor never overlap and run in the order posted.
#ifndef TOTORA_COMMON_EXECUTOR_H_
#define TOTORA_COMMON_EXECUTOR_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace totora {

using Task = absl::AnyInvocable<void()>;

// Thread safety: every method may be called from any thread, also from inside
// a task of this executor.
class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `task` soon. Tasks posted after the executor was stopped are
  // destroyed without being run.
  virtual void Post(Task task) = 0;

  // Runs `task` once, when at least `delay` has passed. There is no
  // cancellation: a task that may come too late checks so itself.
  virtual void PostAfter(absl::Duration delay, Task task) = 0;

  // The clock that this executor's delays follow. Lives as long as the executor.
  virtual const Clock& clock() const = 0;
};

}  // namespace totora

#endif  // TOTORA_COMMON_EXECUTOR_H_
