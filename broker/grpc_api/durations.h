// Protobuf's times and ours. What protobuf calls invalid (nanoseconds out of
// range, opposite signs, years beyond its range) becomes the nearest bound.
#ifndef TOTORA_BROKER_GRPC_API_DURATIONS_H_
#define TOTORA_BROKER_GRPC_API_DURATIONS_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace totora::grpc_api {

// Far beyond every time that the protocol allows, far below overflow.
inline constexpr int64_t kSecondsMax = int64_t{1} << 40;

inline absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  const int64_t seconds = std::clamp(duration.seconds(), -kSecondsMax, kSecondsMax);
  return absl::Seconds(seconds) + absl::Nanoseconds(duration.nanos());
}
inline void SetDuration(absl::Duration duration, google::protobuf::Duration* to) {
  const int64_t nanos = absl::ToInt64Nanoseconds(duration);
  to->set_seconds(nanos / 1'000'000'000);
  to->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

inline int64_t MillisOf(const google::protobuf::Timestamp& time) {
  const int64_t seconds = std::clamp(time.seconds(), -kSecondsMax, kSecondsMax);
  return seconds * 1000 + time.nanos() / 1'000'000;
}
inline void SetMillis(int64_t ms, google::protobuf::Timestamp* to) {
  to->set_seconds(ms / 1000);
  to->set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
}

}  // namespace totora::grpc_api

#endif  // TOTORA_BROKER_GRPC_API_DURATIONS_H_
