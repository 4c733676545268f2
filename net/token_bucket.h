// Thread safety: external.
#ifndef TOTORA_NET_TOKEN_BUCKET_H_
#define TOTORA_NET_TOKEN_BUCKET_H_

#include <algorithm>
#include <cstdint>

#include "net/limits.h"

namespace totora::net {

class TokenBucket {
 public:
  explicit TokenBucket(RateLimits limits) : limits_(limits), tokens_(limits.burst) {}

  // False if the rate is exceeded.
  bool Take(int64_t now_nanos) {
    if (last_nanos_ != 0 && now_nanos > last_nanos_) {
      const double passed = static_cast<double>(now_nanos - last_nanos_) * 1e-9;
      tokens_ = std::min(limits_.burst, tokens_ + passed * limits_.per_second);
    }
    last_nanos_ = now_nanos;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  const RateLimits limits_;
  double tokens_;
  int64_t last_nanos_ = 0;
};

// Things that are allowed as often as something else happened.
class Credit {
 public:
  explicit Credit(int64_t max) : max_(max) {}
  void Add(int64_t amount) { amount_ = std::min(max_, amount_ + amount); }
  bool Take() {
    if (amount_ == 0) return false;
    --amount_;
    return true;
  }

 private:
  const int64_t max_;
  int64_t amount_ = 0;
};

}  // namespace totora::net

#endif  // TOTORA_NET_TOKEN_BUCKET_H_
