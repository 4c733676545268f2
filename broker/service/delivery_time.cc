#include "broker/service/delivery_time.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "message/message.h"
#include "message/properties.h"

namespace totora::service {
namespace {

constexpr absl::Duration kLevelMax = absl::Hours(24 * 365);

absl::StatusOr<absl::Duration> ParseDelay(absl::string_view text) {
  const auto refuse = [text] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no delay such as 1s, 5m, 2h or 1d, at most a year"));
  };
  if (text.size() < 2) return refuse();
  absl::Duration unit;
  switch (text.back()) {
    case 's':
      unit = absl::Seconds(1);
      break;
    case 'm':
      unit = absl::Minutes(1);
      break;
    case 'h':
      unit = absl::Hours(1);
      break;
    case 'd':
      unit = absl::Hours(24);
      break;
    default:
      return refuse();
  }
  int64_t count = 0;
  if (!absl::SimpleAtoi(text.substr(0, text.size() - 1), &count) || count < 1 ||
      count > kLevelMax / absl::Seconds(1) || unit * count > kLevelMax) {
    return refuse();
  }
  return unit * count;
}

// The number in property `name`, if it is there.
absl::StatusOr<std::optional<int64_t>> NumberIn(absl::string_view properties,
                                                absl::string_view name) {
  const std::optional<absl::string_view> text = message::FindProperty(properties, name);
  if (!text.has_value() || text->empty()) return std::nullopt;
  int64_t number = 0;
  if (!absl::SimpleAtoi(*text, &number)) {
    return absl::InvalidArgumentError(absl::StrCat("property ", name, " is no number"));
  }
  return number;
}

int64_t MillisOf(int64_t seconds) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max() / 1000;
  return std::clamp(seconds, -kMax, kMax) * 1000;
}

absl::StatusOr<DeliveryTime> TimerOf(absl::string_view properties) {
  DeliveryTime time;
  absl::StatusOr<std::optional<int64_t>> number =
      NumberIn(properties, message::kTimerDelaySecondsProperty);
  if (!number.ok()) return number.status();
  if (number->has_value()) {
    time.delay_ms = std::max<int64_t>(MillisOf(**number), 0);
    return time;
  }
  number = NumberIn(properties, message::kTimerDelayMillisProperty);
  if (!number.ok()) return number.status();
  if (number->has_value()) {
    time.delay_ms = std::max<int64_t>(**number, 0);
    return time;
  }
  number = NumberIn(properties, message::kTimerDeliverMillisProperty);
  if (!number.ok()) return number.status();
  time.deliver_at_ms = std::max<int64_t>(number->value_or(0), 0);
  return time;
}

}  // namespace

DelayLevels::DelayLevels() : delays_(Parse(kDefault)->delays_) {}

absl::StatusOr<DelayLevels> DelayLevels::Parse(absl::string_view text) {
  // Not through the default constructor, which calls this.
  std::vector<absl::Duration> delays;
  for (absl::string_view part : absl::StrSplit(text, ' ', absl::SkipWhitespace())) {
    absl::StatusOr<absl::Duration> delay = ParseDelay(part);
    if (!delay.ok()) return delay.status();
    delays.push_back(*delay);
  }
  if (delays.empty() || delays.size() > kLevelsMax) {
    return absl::InvalidArgumentError(absl::StrCat("there are 1 to ", kLevelsMax, " levels"));
  }
  return DelayLevels(std::move(delays));
}

absl::Duration DelayLevels::Delay(int level) const {
  TOTORA_CHECK(level > 0);
  return delays_[static_cast<size_t>(std::min(level, highest())) - 1];
}

absl::StatusOr<DeliveryTime> TakeDeliveryTime(const DelayLevels& levels, int64_t now_ms,
                                              std::string* properties) {
  DeliveryTime time;
  const absl::StatusOr<std::optional<int64_t>> level =
      NumberIn(*properties, message::kDelayLevelProperty);
  if (!level.ok()) return level.status();
  if (level->value_or(0) > 0) {
    const int bounded = static_cast<int>(std::min<int64_t>(**level, levels.highest()));
    time.delay_ms = absl::ToInt64Milliseconds(levels.Delay(bounded));
  } else {
    const absl::StatusOr<DeliveryTime> timer = TimerOf(*properties);
    if (!timer.ok()) return timer.status();
    const int64_t ahead_ms = std::max(timer->delay_ms, timer->deliver_at_ms - now_ms);
    if (ahead_ms > absl::ToInt64Milliseconds(kTimerMax)) {
      return absl::InvalidArgumentError(absl::StrCat("the delivery time is more than ",
                                                     absl::FormatDuration(kTimerMax), " ahead"));
    }
    time = *timer;
  }
  for (const char* name : {message::kDelayLevelProperty, message::kTimerDelaySecondsProperty,
                           message::kTimerDelayMillisProperty, message::kTimerDeliverMillisProperty,
                           message::kTimerOutMillisProperty}) {
    message::RemoveProperty(properties, name);
  }
  return time;
}

}  // namespace totora::service
