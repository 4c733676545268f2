// Benchmarks in the classic protocol: send and pull.
#ifndef TOTORA_BENCH_CLASSIC_BENCH_H_
#define TOTORA_BENCH_CLASSIC_BENCH_H_

#include "absl/status/statusor.h"
#include "bench/client_bench.h"
#include "bench/report.h"

namespace totora::bench {

// Sends equal messages under new ids, to the queues in turn: alone (code 310),
// or as batches (320). A message is counted when the answer is success;
// nothing is sent again.
absl::StatusOr<Report> BenchClassicSend(const ClientBenchOptions& options);

// Pulls what the topic's queues hold, from their beginnings on (code 11), one
// pull of a queue at a time, and reports offsets as push consumers do, with the
// next pull. No more requests are in flight than there are queues.
absl::StatusOr<Report> BenchClassicReceive(const ClientBenchOptions& options);

}  // namespace totora::bench

#endif  // TOTORA_BENCH_CLASSIC_BENCH_H_
