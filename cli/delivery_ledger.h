// Who got what: the bookkeeping behind "nothing lost, nothing twice".
#ifndef TOTORA_CLI_DELIVERY_LEDGER_H_
#define TOTORA_CLI_DELIVERY_LEDGER_H_

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace totora::cli {

// A message is *lost* if its send was acknowledged and it was never received.
// It is *duplicated* if it is stored more than once, or if it came again
// although the first delivery was acknowledged, or while the first lease still
// ran and no replica had died since. It is *redelivered* if it came again for
// one of the reasons for which a broker must deliver again: its lease ran out,
// or a replica died while the delivery was open.
//
// Thread safety: monitor.
class DeliveryLedger {
 public:
  struct Totals {
    uint64_t sent = 0;      // Acknowledged sends.
    uint64_t received = 0;  // Different messages of those.
    uint64_t lost = 0;
    uint64_t duplicated = 0;
    uint64_t redelivered = 0;
    uint64_t unacknowledged = 0;  // Received although the send reported an error.
    uint64_t stored_twice = 0;    // Part of `duplicated`.
  };

  void Sent(const std::string& message_id);
  void Received(const std::string& message_id, absl::Duration now, absl::Duration invisible);
  // An acknowledgement was answered with OK.
  void Acknowledged(const std::string& message_id);
  // Deliveries that are open now may come again.
  void ReplicaDied();
  // One message of a log scan. Scan one replica, once.
  void Stored(absl::string_view message_id);

  // Acknowledged sends that were not received yet.
  uint64_t Missing() const;
  std::vector<std::string> MissingIds(size_t limit) const;
  Totals Total() const;

 private:
  struct Entry {
    bool is_sent = false;
    bool is_acknowledged = false;
    uint32_t deliveries = 0;
    uint32_t stored = 0;
    uint64_t deaths_at_delivery = 0;
    absl::Duration lease_end;
  };

  mutable Mutex mu_;
  std::unordered_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
  uint64_t deaths_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t missing_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t duplicated_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t redelivered_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace totora::cli

#endif  // TOTORA_CLI_DELIVERY_LEDGER_H_
