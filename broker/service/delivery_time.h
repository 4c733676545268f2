// When a message gets into its queue: RocketMQ's delay levels and timer
// properties, for both dialects.
//
// Clients name one of 18 delays by its number (property DELAY), or a time
// (TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS). HookUtils.java decides
// which one counts; the delays themselves are the setting delay.levels.
#ifndef TOTORA_BROKER_SERVICE_DELIVERY_TIME_H_
#define TOTORA_BROKER_SERVICE_DELIVERY_TIME_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace totora::service {

// One of the two at most is above 0; both 0: at once.
struct DeliveryTime {
  int64_t deliver_at_ms = 0;  // Wall time; may be over.
  int64_t delay_ms = 0;       // From the log time at which the message is stored.

  bool is_at_once() const { return deliver_at_ms <= 0 && delay_ms <= 0; }
};

// Thread safety: value, immutable.
class DelayLevels {
 public:
  static constexpr char kDefault[] = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";
  static constexpr size_t kLevelsMax = 64;

  // kDefault.
  DelayLevels();
  // Delays with a unit (s, m, h, d), a blank between.
  // Errors: InvalidArgument.
  static absl::StatusOr<DelayLevels> Parse(absl::string_view text);

  int highest() const { return static_cast<int>(delays_.size()); }
  // Levels begin with 1; one above the highest means the highest.
  // REQUIRES: level > 0.
  absl::Duration Delay(int level) const;

 private:
  explicit DelayLevels(std::vector<absl::Duration> delays) : delays_(std::move(delays)) {}

  std::vector<absl::Duration> delays_;
};

// How far ahead a time may lie that a producer names (timerMaxDelaySec).
inline constexpr absl::Duration kTimerMax = absl::Hours(72);

// Reads the delivery time from packed properties and takes those that asked for
// it out of them: a consumer gets an ordinary message, which it may send on
// without delaying it again. Whether a time is over is decided by log time when
// the message is stored: `now_ms` is one replica's clock, which may be wrong, and
// only bounds how far ahead a time may lie.
//
// Errors: InvalidArgument for what is no number, or too far ahead.
absl::StatusOr<DeliveryTime> TakeDeliveryTime(const DelayLevels& levels, int64_t now_ms,
                                              std::string* properties);

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_DELIVERY_TIME_H_
