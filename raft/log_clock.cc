#include "raft/log_clock.h"

#include <algorithm>

namespace totora::raft {
namespace {
constexpr double kSlewMax = 0.05;
constexpr int64_t kAgreementMs = 1000;
}  // namespace

int64_t LogClock::OwnOffset() const {
  return WallMillis(*clock_) - absl::ToInt64Milliseconds(clock_->SteadyNow());
}

void LogClock::StartLeading(const LogTimes& last) {
  HeardPassed(last.passed_ms);
  log_ms_ = static_cast<double>(std::max(last.log_ms, NowMs()));
  last_steady_ = clock_->SteadyNow();
  is_leading_ = true;
  if (log_ms_ == 0) log_ms_ = static_cast<double>(WallMillis(*clock_));
}

void LogClock::StopLeading() {
  NowMs();  // From here on.
  is_leading_ = false;
  peer_offsets_.clear();
}

void LogClock::HeardLeader(const LogTimes& now) {
  HeardPassed(now.passed_ms);
  // One that was late says less than an earlier one did.
  if (is_leading_ || static_cast<double>(now.log_ms) <= log_ms_) return;
  log_ms_ = static_cast<double>(now.log_ms);
  last_steady_ = clock_->SteadyNow();
}

void LogClock::HeardPassed(int64_t passed_ms) {
  if (passed_ms <= PassedMs()) return;
  passed_ms_ = passed_ms;
  passed_steady_ = clock_->SteadyNow();
}

int64_t LogClock::PassedMs() const {
  return passed_ms_ + absl::ToInt64Milliseconds(clock_->SteadyNow() - passed_steady_);
}

void LogClock::PeerWall(ReplicaId peer, int64_t wall_ms) {
  peer_offsets_[peer] = wall_ms - absl::ToInt64Milliseconds(clock_->SteadyNow());
}

bool LogClock::AgreedOffset(int64_t* offset) const {
  std::vector<int64_t> offsets = {OwnOffset()};
  for (const auto& [peer, peer_offset] : peer_offsets_) offsets.push_back(peer_offset);
  const size_t majority = replicas_ / 2 + 1;
  if (offsets.size() < majority) return false;
  std::sort(offsets.begin(), offsets.end());
  // The first window of a majority that lies within a second; its median.
  for (size_t i = 0; i + majority <= offsets.size(); ++i) {
    if (offsets[i + majority - 1] - offsets[i] <= kAgreementMs) {
      *offset = offsets[i + majority / 2];
      return true;
    }
  }
  return false;
}

int64_t LogClock::NowMs() {
  const absl::Duration steady = clock_->SteadyNow();
  if (!is_leading_) {
    if (log_ms_ == 0) return 0;
    return static_cast<int64_t>(log_ms_ + absl::ToDoubleMilliseconds(steady - last_steady_));
  }
  const double passed = absl::ToDoubleMilliseconds(steady - last_steady_);
  last_steady_ = steady;
  int64_t offset = 0;
  const bool is_agreed = AgreedOffset(&offset);
  if (!is_agreed) offset = OwnOffset();
  const double target = static_cast<double>(offset) + absl::ToDoubleMilliseconds(steady);
  const double next = log_ms_ + passed;
  if (is_agreed && target - next > kAgreementMs) {
    log_ms_ = target;
  } else {
    log_ms_ = next + std::clamp(target - next, -kSlewMax * passed, kSlewMax * passed);
  }
  return static_cast<int64_t>(log_ms_);
}

}  // namespace totora::raft
