// Keeps requests in flight for a while and measures them.
//
// Closed loop (rate 0): `outstanding` slots, each starts its next request when
// the last one ended; latency counts from the start. Open loop: requests are
// due at even distances (pacer.h); latency counts from when a request was due,
// also if it had to wait for a free slot.
#ifndef TOTORA_BENCH_LOAD_LOOP_H_
#define TOTORA_BENCH_LOAD_LOOP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/histogram.h"
#include "bench/report.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace totora::bench {

struct LoadOptions {
  size_t outstanding = 1;
  absl::Duration duration = absl::Seconds(10);
  // No new request after so many messages; 0 is no limit.
  uint64_t messages_max = 0;
  // Messages that one request is expected to carry: what `rate` and
  // messages_max are divided by.
  uint64_t messages_per_request = 1;
  // Messages per second; 0 is a closed loop.
  double rate = 0;
  // Called about once a second, from Run's thread.
  std::function<void(absl::Duration elapsed, uint64_t messages)> progress = {};
};

// Thread safety: Run is called once; outcomes may come from any thread.
class LoadLoop {
 public:
  struct Outcome {
    uint64_t messages = 0;
    uint64_t errors = 0;
    absl::Status first_error = {};
    bool is_last = false;  // Start nothing more.
  };
  using Done = absl::AnyInvocable<void(Outcome)>;
  // Starts a request; `done` is called exactly once. A slot has one request at a time.
  using Start = std::function<void(size_t slot, Done done)>;

  LoadLoop(const LoadOptions& options, Start start, const Clock* clock = Clock::System());

  // Returns when all requests have ended. Fills elapsed, messages, errors,
  // latency (of requests that had messages), longest_gap and is_open_loop.
  void Run(Report* report);

 private:
  void StartSlot(size_t slot, absl::Duration due) ABSL_LOCKS_EXCLUDED(mu_);
  void Ended(size_t slot, absl::Duration due, const Outcome& outcome) ABSL_LOCKS_EXCLUDED(mu_);
  // Counts a request as started, if another one may be.
  bool MayStart() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunClosed() ABSL_LOCKS_EXCLUDED(mu_);
  void RunOpen() ABSL_LOCKS_EXCLUDED(mu_);
  void ShowProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const LoadOptions options_;
  const Start start_;
  const Clock* const clock_;
  const absl::Duration began_;
  const absl::Duration end_;

  Mutex mu_;
  CondVar changed_;
  std::vector<size_t> free_slots_ ABSL_GUARDED_BY(mu_);
  size_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t started_ ABSL_GUARDED_BY(mu_) = 0;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  absl::Duration last_ended_ ABSL_GUARDED_BY(mu_);
  absl::Duration last_success_ ABSL_GUARDED_BY(mu_);
  absl::Duration next_progress_ ABSL_GUARDED_BY(mu_);
  Report result_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::bench

#endif  // TOTORA_BENCH_LOAD_LOOP_H_
