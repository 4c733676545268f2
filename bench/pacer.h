// When each request of an open-loop run is meant to start.
#ifndef TOTORA_BENCH_PACER_H_
#define TOTORA_BENCH_PACER_H_

#include <cstdint>

#include "absl/time/time.h"

namespace totora::bench {

// Request n is due at start + n / rate, whatever became of the ones before: a
// server that stalls makes later requests late, and their latency, counted from
// the time they were due, says so. (No coordinated omission.)
//
// Thread safety: confined.
class Pacer {
 public:
  // `per_second` > 0. Times are of a steady clock.
  Pacer(absl::Duration start, double per_second) : start_(start), per_second_(per_second) {}

  // When the next request is due.
  absl::Duration due() const {
    return start_ + absl::Seconds(static_cast<double>(taken_) / per_second_);
  }
  // Moves on to the one after it. Returns when the one taken was due.
  absl::Duration Take() {
    const absl::Duration was = due();
    ++taken_;
    return was;
  }

 private:
  const absl::Duration start_;
  const double per_second_;
  uint64_t taken_ = 0;
};

}  // namespace totora::bench

#endif  // TOTORA_BENCH_PACER_H_
