// What all listeners of a process share: limits, what is in use, counters.
#ifndef TOTORA_NET_BUDGET_H_
#define TOTORA_NET_BUDGET_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "net/limits.h"

namespace totora {

// Why a connection, stream or request was turned away or cut off.
enum class NetRefusal : int {
  kConnectionsMax,
  kDescriptorsExhausted,
  kFirstBytesLate,
  kTlsNotServed,
  kProtocolUnknown,
  kProtocolNotServed,
  kHttp2Malformed,
  kHeaderBlockTooLarge,
  kControlFlood,
  kResetFlood,
  kStreamsMax,
  kRequestTooLarge,
  kRequestBytesHeld,
  kResponseBytesHeld,
  kRequestLate,
  kMethodUnknown,
  kNotGrpc,
  kKeepaliveLost,
  kWriteStalled,
  kHttp1Malformed,
  kRawRefused,
  kCount,
};

// snake_case name for metrics and logs.
absl::string_view NetRefusalName(NetRefusal reason);

// Thread safety: every member may be read from any thread; only net writes.
struct NetCounters {
  // Now.
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> streams{0};
  std::atomic<int64_t> request_bytes_held{0};
  std::atomic<int64_t> response_bytes_held{0};
  // Since start.
  std::atomic<uint64_t> connections_accepted{0};
  std::atomic<uint64_t> calls_started{0};
  std::atomic<uint64_t> calls_completed{0};  // Last byte handed to the kernel.
  std::atomic<uint64_t> calls_broken{0};     // Reset, lost or expired before that.
  std::atomic<uint64_t> deadlines_exceeded{0};
  std::atomic<uint64_t> bytes_in{0};
  std::atomic<uint64_t> bytes_out{0};
  std::array<std::atomic<uint64_t>, static_cast<size_t>(NetRefusal::kCount)> refusals{};

  uint64_t refused(NetRefusal reason) const {
    return refusals[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }
  void CountRefusal(NetRefusal reason) {
    refusals[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
};

// Thread safety: every method may be called from any thread.
class NetBudget {
 public:
  explicit NetBudget(NetLimits limits = NetLimits()) : limits_(limits) {}
  NetBudget(const NetBudget&) = delete;
  NetBudget& operator=(const NetBudget&) = delete;

  const NetLimits& limits() const { return limits_; }
  NetCounters& counters() { return counters_; }
  const NetCounters& counters() const { return counters_; }

  // Takes `amount` of `gauge` unless that would pass `max`.
  static bool Take(std::atomic<int64_t>* gauge, int64_t amount, int64_t max) {
    if (gauge->fetch_add(amount, std::memory_order_relaxed) + amount <= max) return true;
    gauge->fetch_sub(amount, std::memory_order_relaxed);
    return false;
  }
  static void Give(std::atomic<int64_t>* gauge, int64_t amount) {
    gauge->fetch_sub(amount, std::memory_order_relaxed);
  }

 private:
  const NetLimits limits_;
  NetCounters counters_;
};

}  // namespace totora

#endif  // TOTORA_NET_BUDGET_H_
