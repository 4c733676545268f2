#include "bench/pacer.h"

#include <gtest/gtest.h>

namespace totora::bench {
namespace {

TEST(Pacer, SpacesRequestsEvenly) {
  Pacer pacer(absl::Seconds(10), 500);

  EXPECT_EQ(pacer.Take(), absl::Seconds(10));
  EXPECT_EQ(pacer.Take(), absl::Seconds(10) + absl::Milliseconds(2));
  EXPECT_EQ(pacer.due(), absl::Seconds(10) + absl::Milliseconds(4));
}

// Adding 1/rate again and again would drift by the rounding of each step.
TEST(Pacer, DoesNotDriftOverManyRequests) {
  Pacer pacer(absl::ZeroDuration(), 3);
  for (int i = 0; i < 3000000; ++i) pacer.Take();

  EXPECT_LT(absl::AbsDuration(pacer.due() - absl::Seconds(1000000)), absl::Microseconds(1));
}

}  // namespace
}  // namespace totora::bench
