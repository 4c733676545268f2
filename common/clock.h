// Time, injected: the only way in which anything below a main() learns it.
#ifndef TOTORA_COMMON_CLOCK_H_
#define TOTORA_COMMON_CLOCK_H_

#include "absl/time/time.h"

namespace totora {

// Thread safety: every method may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // Time of day. May jump in both directions.
  virtual absl::Time WallNow() const = 0;

  // Time since an arbitrary start; never goes back (CLOCK_MONOTONIC).
  virtual absl::Duration SteadyNow() const = 0;

  // The machine's clocks. Lives for ever.
  static const Clock* System();
};

// Wall time in milliseconds since 1970, the unit of both wire protocols.
inline int64_t WallMillis(const Clock& clock) { return absl::ToUnixMillis(clock.WallNow()); }

}  // namespace totora

#endif  // TOTORA_COMMON_CLOCK_H_
