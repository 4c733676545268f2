// Benchmarks through our own client: send, receive, echo.
#ifndef TOTORA_BENCH_CLIENT_BENCH_H_
#define TOTORA_BENCH_CLIENT_BENCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/load_loop.h"
#include "bench/report.h"

namespace totora::bench {

struct ClientBenchOptions {
  std::string endpoint;
  std::string topic;
  // Body bytes of a message, or bytes of an echo.
  size_t size = 1024;
  // Messages in a request: sent in one, or received at most.
  size_t batch = 1;
  // Clients, each with a connection of its own.
  size_t clients = 1;
  // Requests in flight of each client.
  size_t outstanding = 1;
  LoadOptions load;  // Its outstanding and messages_per_request are filled in.
  // Measured besides this process.
  std::vector<WatchedProcess> processes;

  // Receive only.
  std::string consumer_group;
  absl::Duration invisible = absl::Seconds(60);
  absl::Duration await = absl::Seconds(5);
  // End when a receive comes back empty.
  bool until_empty = false;

  // Classic protocol only (classic_bench.h).
  bool has_json_headers = false;  // As Go and Node write them; Java can write both.
  bool is_direct = false;         // All goes to `endpoint`, wherever the route leads.
};

// What the benchmarks of both protocols share.
std::vector<WatchedProcess> WithSelf(const ClientBenchOptions& options);
LoadOptions LoadOf(const ClientBenchOptions& options, size_t messages_per_request);
// Not compressible, so that no layer below can make the work smaller.
std::string RandomBody(size_t size);

// Sends equal messages under new ids. A message is counted when its receipt is OK.
absl::StatusOr<Report> BenchSend(const ClientBenchOptions& options);

// Receives and acknowledges. A message is counted when its acknowledgement is
// OK; latency is that of receives that brought messages, acknowledgement included.
absl::StatusOr<Report> BenchReceive(const ClientBenchOptions& options);

// Unary calls of /totora.bench.Echo/Echo: the cost of the port without a broker behind it.
absl::StatusOr<Report> BenchEcho(const ClientBenchOptions& options);

}  // namespace totora::bench

#endif  // TOTORA_BENCH_CLIENT_BENCH_H_
