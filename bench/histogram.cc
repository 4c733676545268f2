#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/check.h"

namespace totora::bench {

size_t Histogram::BucketOf(uint64_t value) {
  constexpr uint64_t kSubBuckets = uint64_t{1} << kSubBits;
  if (value < 2 * kSubBuckets) return static_cast<size_t>(value);
  const int shift = std::bit_width(value) - kSubBits - 1;
  // value >> shift lies in [64, 128): the highest bit and the next six.
  return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::UpperBound(size_t bucket) {
  constexpr size_t kSubBuckets = size_t{1} << kSubBits;
  if (bucket < 2 * kSubBuckets) return bucket;
  const int shift = static_cast<int>(bucket >> kSubBits) - 1;
  const uint64_t top = (bucket & (kSubBuckets - 1)) + kSubBuckets;
  return (top << shift) + ((uint64_t{1} << shift) - 1);
}

void Histogram::Record(uint64_t value) {
  ++buckets_[BucketOf(value)];
  ++count_;
  max_ = std::max(max_, value);
  min_ = std::min(min_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  min_ = std::min(min_, other.min_);
  sum_ += other.sum_;
}

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

uint64_t Histogram::Quantile(double quantile) const {
  TOTORA_CHECK(quantile >= 0 && quantile <= 1) << quantile;
  if (count_ == 0) return 0;
  const uint64_t wanted =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(UpperBound(i), max_);
  }
  return max_;
}

}  // namespace totora::bench
