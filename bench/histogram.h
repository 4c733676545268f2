// A histogram of latencies with a bounded relative error, in fixed memory.
//
// Values up to 127 have a bucket each; above, every power of two is split into
// 64 equal buckets, so what a quantile returns is at most 1/64 (1.6 %) above
// the true value and never below it. (The scheme of HdrHistogram.)
#ifndef TOTORA_BENCH_HISTOGRAM_H_
#define TOTORA_BENCH_HISTOGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace totora::bench {

// Thread safety: confined. One per thread, then Merge.
class Histogram {
 public:
  // Any unit; this project records nanoseconds.
  void Record(uint64_t value);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  double mean() const;

  // The smallest bucket bound that at least `quantile` of the values do not
  // exceed, never above max(). 0 when empty. REQUIRES: 0 <= quantile <= 1.
  uint64_t Quantile(double quantile) const;

 private:
  static constexpr int kSubBits = 6;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) << kSubBits;

  static size_t BucketOf(uint64_t value);
  // The highest value that falls into `bucket`.
  static uint64_t UpperBound(size_t bucket);

  std::array<uint64_t, kBuckets> buckets_ = {};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  uint64_t min_ = UINT64_MAX;
  double sum_ = 0;
};

}  // namespace totora::bench

#endif  // TOTORA_BENCH_HISTOGRAM_H_
