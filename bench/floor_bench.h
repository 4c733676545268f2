// The floor: what a durable majority write costs on this machine without any
// broker. A client sends a block over TCP to a leader process, which passes it
// on to two follower processes, writes it into a file that was written before,
// calls fdatasync, and answers when itself and one follower have it.
#ifndef TOTORA_BENCH_FLOOR_BENCH_H_
#define TOTORA_BENCH_FLOOR_BENCH_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/report.h"

namespace totora::bench {

struct FloorOptions {
  // Where the three files go; they are removed afterwards.
  std::string directory = {};
  size_t size = 1024;
  absl::Duration duration = absl::Seconds(10);
  uint64_t messages_max = 0;  // 0 is no limit.
  std::function<void(absl::Duration elapsed, uint64_t messages)> progress = {};
};

// One write outstanding. Forks three processes: REQUIRES that this process has
// no other thread yet. Errors: those of the file system and the network.
absl::StatusOr<Report> BenchFloor(const FloorOptions& options);

}  // namespace totora::bench

#endif  // TOTORA_BENCH_FLOOR_BENCH_H_
