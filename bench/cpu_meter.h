// CPU time that processes use between two moments, from /proc/PID/stat.
#ifndef TOTORA_BENCH_CPU_METER_H_
#define TOTORA_BENCH_CPU_METER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace totora::bench {

struct WatchedProcess {
  std::string name;  // "client", "broker-1", ...
  pid_t pid = 0;
};

struct CpuUse {
  std::string name;
  pid_t pid = 0;
  absl::Duration used;
  // False if the process ended meanwhile: `used` is then zero and no measurement.
  bool is_complete = true;
};

// User and system time in the text of a /proc/PID/stat file, in clock ticks.
// The name in parentheses may itself hold spaces and parentheses.
absl::StatusOr<int64_t> CpuTicksOfStat(absl::string_view stat);

// Counts from construction. Resolution is a clock tick (10 ms) a process, so a
// run should last for seconds.
//
// Thread safety: confined.
class CpuMeter {
 public:
  explicit CpuMeter(std::vector<WatchedProcess> processes);

  std::vector<CpuUse> Read() const;

 private:
  std::vector<WatchedProcess> processes_;
  std::vector<absl::StatusOr<int64_t>> start_ticks_;
};

}  // namespace totora::bench

#endif  // TOTORA_BENCH_CPU_METER_H_
