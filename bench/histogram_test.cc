#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace totora::bench {
namespace {

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.Record(value);

  EXPECT_EQ(histogram.Quantile(0.5), 50u);
  EXPECT_EQ(histogram.Quantile(0.99), 99u);
  EXPECT_EQ(histogram.Quantile(1), 100u);
  EXPECT_EQ(histogram.Quantile(0), 1u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, AnEmptyOneAnswersZero) {
  const Histogram histogram;

  EXPECT_EQ(histogram.Quantile(0.5), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
}

// Every power of two and its neighbours: the places where buckets change width.
TEST(Histogram, ASingleValueComesBackExactlyWhateverItsSize) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const int delta : {-1, 0, 1}) {
      const uint64_t value = (uint64_t{1} << bit) + static_cast<uint64_t>(delta);
      Histogram histogram;
      histogram.Record(value);
      EXPECT_EQ(histogram.Quantile(0.5), value);
    }
  }
}

TEST(Histogram, QuantilesAreNeverBelowAndAtMostOneSixtyFourthAboveTheTruth) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<uint64_t>(std::exp(std::uniform_real_distribution<>(0, 30)(random))));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());

  for (const double quantile : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const size_t rank = static_cast<size_t>(std::ceil(quantile * 20000.0)) - 1;
    const double truth = static_cast<double>(values[rank]);
    const double answer = static_cast<double>(histogram.Quantile(quantile));
    EXPECT_GE(answer, truth);
    EXPECT_LE(answer, truth * (1 + 1.0 / 64) + 1);
  }
}

TEST(Histogram, MergingIsRecordingBoth) {
  Histogram a, b, both;
  for (uint64_t value = 0; value < 5000; value += 7) {
    (value % 2 == 0 ? a : b).Record(value * 1000);
    both.Record(value * 1000);
  }

  a.Merge(b);

  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.min(), both.min());
  EXPECT_EQ(a.max(), both.max());
  EXPECT_EQ(a.Quantile(0.9), both.Quantile(0.9));
}

}  // namespace
}  // namespace totora::bench
