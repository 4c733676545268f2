// What a benchmark run found.
#ifndef TOTORA_BENCH_REPORT_H_
#define TOTORA_BENCH_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "bench/cpu_meter.h"
#include "bench/histogram.h"

namespace totora::bench {

struct Report {
  std::string name;
  absl::Duration elapsed;
  // Sent and stored, or received, or echoed.
  uint64_t messages = 0;
  uint64_t errors = 0;
  // Requests that were sent again; not errors.
  uint64_t retries = 0;
  std::string first_error;
  // Of requests, in nanoseconds; from the intended time when the loop is open.
  Histogram latency;
  bool is_open_loop = false;
  // The longest time in which no request succeeded; a failover shows here.
  absl::Duration longest_gap;
  std::vector<CpuUse> cpu;
  // Further results by name.
  std::map<std::string, double> extra;

  double MessagesPerSecond() const;
};

// {"messages_per_second": …, "latency_us": {"p50": …}, "cpu_us_per_message":
// {"total": …, "client": …}, "errors": …, …} on one line.
std::string ReportJson(const Report& report);

// The same for people, a few lines.
std::string ReportText(const Report& report);

}  // namespace totora::bench

#endif  // TOTORA_BENCH_REPORT_H_
