#include "common/clock.h"

#include <ctime>

#include "absl/time/clock.h"

namespace totora {
namespace {

class SystemClock : public Clock {
 public:
  absl::Time WallNow() const override { return absl::Now(); }
  absl::Duration SteadyNow() const override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return absl::DurationFromTimespec(now);
  }
};

}  // namespace

const Clock* Clock::System() {
  static const SystemClock clock;
  return &clock;
}

}  // namespace totora
