// The parts of net that need no socket.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/frame_guard.h"
#include "net/grpc_wire.h"
#include "net/output_buffer.h"
#include "net/sniffer.h"
#include "net/test_server.h"
#include "net/timer_wheel.h"

namespace totora::net {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kTick = TimerWheel::kTickNanos;

struct Probe : TimerNode {
  void OnTimer() override { ++fired; }
  int fired = 0;
};

TEST(TimerWheel, ATimerIsNeverEarlyAndAtMostATickLate) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  TimerWheel wheel(0);
  std::vector<Probe> probes(2000);
  std::vector<int64_t> due(probes.size());
  for (size_t i = 0; i < probes.size(); ++i) {
    due[i] = static_cast<int64_t>(random() % (30 * kSecond));  // Three turns of the wheel.
    wheel.Add(&probes[i], due[i]);
  }

  for (int64_t now = 0; now < 31 * kSecond; now += kTick) {
    ASSERT_GE(wheel.NextWakeNanos(), wheel.size() == 0 ? INT64_MAX : now);
    wheel.Advance(now);
    for (size_t i = 0; i < probes.size(); ++i) {
      if (due[i] > now) {
        ASSERT_EQ(probes[i].fired, 0) << due[i] << " at " << now;
      } else if (due[i] <= now - kTick) {
        ASSERT_EQ(probes[i].fired, 1) << due[i] << " at " << now;
      }
    }
  }
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheel, ALongSleepMissesNothing) {
  TimerWheel wheel(0);
  std::vector<Probe> probes(50);
  for (size_t i = 0; i < probes.size(); ++i) {
    wheel.Add(&probes[i], static_cast<int64_t>(i) * kSecond);
  }

  wheel.Advance(60 * kSecond);

  for (const Probe& probe : probes) EXPECT_EQ(probe.fired, 1);
}

TEST(TimerWheel, ARemovedTimerStaysSilent) {
  TimerWheel wheel(0);
  Probe probe;
  wheel.Add(&probe, kSecond);
  wheel.Remove(&probe);
  wheel.Remove(&probe);

  wheel.Advance(2 * kSecond);

  EXPECT_EQ(probe.fired, 0);
  EXPECT_EQ(wheel.NextWakeNanos(), INT64_MAX);
}

TEST(OutputBuffer, YieldsTheBytesInOrderHoweverTheyWerePutInAndTakenOut) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  OutputBuffer buffer;
  std::string put, taken;
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes(random() % (i % 10 == 0 ? 40'000 : 600), static_cast<char>(random()));
    if (random() % 2 == 0) {
      buffer.Append(bytes);
    } else {
      buffer.AppendShared(SharedBytes(bytes));
    }
    put += bytes;
    if (random() % 2 == 0) continue;
    iovec pieces[8];
    const int count = buffer.Gather(pieces, 8);
    size_t limit = random() % 50'000;
    size_t took = 0;
    for (int p = 0; p < count && limit > 0; ++p) {
      const size_t now = std::min(limit, pieces[p].iov_len);
      taken.append(static_cast<const char*>(pieces[p].iov_base), now);
      took += now;
      limit -= now;
    }
    buffer.Consume(took);
    ASSERT_EQ(buffer.size(), put.size() - taken.size());
  }
  while (!buffer.empty()) {
    iovec piece;
    ASSERT_EQ(buffer.Gather(&piece, 1), 1);
    taken.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    buffer.Consume(piece.iov_len);
  }
  EXPECT_TRUE(put == taken);
}

TEST(GrpcTimeout, IsReadInEveryUnit) {
  EXPECT_EQ(ParseGrpcTimeout("3S"), 3 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("1500m"), 1'500'000'000);
  EXPECT_EQ(ParseGrpcTimeout("2M"), 120 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("1H"), 3600 * kSecond);
  EXPECT_EQ(ParseGrpcTimeout("7u"), 7'000);
  EXPECT_EQ(ParseGrpcTimeout("99999999n"), 99'999'999);
  EXPECT_GT(ParseGrpcTimeout("99999999H").value_or(0), 0);
}

TEST(GrpcTimeout, NothingElseIsATimeout) {
  for (const char* bad : {"", "S", "3", "3s", "-1S", "1.5S", "123456789S", " 3S", "3S "}) {
    EXPECT_EQ(ParseGrpcTimeout(bad), std::nullopt) << bad;
  }
}

TEST(PercentEncode, LeavesPrintableTextAndHidesTheRest) {
  EXPECT_EQ(PercentEncode("plain text"), "plain text");
  EXPECT_EQ(PercentEncode("50% of\ntopic \xc3\xa4"), "50%25 of%0Atopic %C3%A4");
}

TEST(Sniff, RecognisesEachProtocolAtItsFirstDistinctByte) {
  const std::map<std::string, Sniffed> expected = {
      {std::string(kHttp2Preface), Sniffed::kHttp2},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n", Sniffed::kUndecided},
      {"PRI * HTTP/1.0", Sniffed::kBroken},
      {"P", Sniffed::kUndecided},
      {"PO", Sniffed::kUndecided},
      {"PRX", Sniffed::kOther},
      {"GET /metrics", Sniffed::kHttp1},
      {"GE", Sniffed::kUndecided},
      {"GEX", Sniffed::kOther},
      {std::string("\x16\x03\x01", 3), Sniffed::kTls},
      {"\x16", Sniffed::kUndecided},
      {std::string("\0\0\0\xf0", 4), Sniffed::kOther},
  };
  for (const auto& [bytes, kind] : expected) EXPECT_EQ(Sniff(bytes), kind) << bytes;
}

class FrameGuardTest : public testing::Test {
 protected:
  FrameGuardTest() : guard_(limits_) { Feed(kHttp2Preface); }

  FrameGuard::Verdict Feed(absl::string_view bytes) { return guard_.Feed(bytes, now_).verdict; }
  FrameGuard::Verdict Feed(const Frame& frame) { return Feed(Encode(frame)); }
  // How many of `frame` pass at one instant.
  int HowMany(const Frame& frame) {
    int passed = 0;
    while (passed < 100'000 && Feed(frame) == FrameGuard::Verdict::kOk) ++passed;
    guard_.Feed(frame.payload, now_);  // The guard stopped behind the header.
    return passed;
  }

  NetLimits limits_;
  int64_t now_ = kSecond;
  FrameGuard guard_;
};

TEST_F(FrameGuardTest, PingsAreBoundedUnlessDataExplainsThem) {
  const Frame ping{kPingFrame, 0, 0, "12345678"};
  EXPECT_EQ(HowMany(ping), 200);
  for (int i = 0; i < 50; ++i) guard_.OnFrameSent();
  EXPECT_EQ(HowMany(ping), 50);
  now_ += kSecond;
  EXPECT_EQ(HowMany(ping), 20);
}

TEST_F(FrameGuardTest, ASteadyKeepaliveIsNeverAFlood) {
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(Feed(Frame{kPingFrame, 0, 0, "12345678"}), FrameGuard::Verdict::kOk);
    now_ += kSecond / 10;
  }
}

TEST_F(FrameGuardTest, EveryOtherControlFrameIsBounded) {
  EXPECT_EQ(HowMany({kSettingsFrame, 0, 0, ""}), 100);
  EXPECT_EQ(HowMany({kWindowFrame, 0, 0, std::string("\0\0\0\1", 4)}), 1000);
  EXPECT_EQ(HowMany({kPriorityFrame, 0, 1, "12345"}), 500);
  now_ += 5 * kSecond;
  EXPECT_EQ(HowMany({77, 0, 0, "unknown"}), 500);
  now_ += 5 * kSecond;
  EXPECT_EQ(HowMany({kDataFrame, 0, 1, ""}), 500);
}

TEST_F(FrameGuardTest, AHeaderBlockMayHaveEightContinuations) {
  ASSERT_EQ(Feed({kHeadersFrame, 0, 1, "x"}), FrameGuard::Verdict::kOk);
  EXPECT_TRUE(guard_.in_header_block());
  EXPECT_EQ(HowMany({kContinuationFrame, 0, 1, "x"}), 8);
}

TEST_F(FrameGuardTest, AHeaderBlockIsCutAtItsBoundBeforeItsBytesPass) {
  const std::string first = Encode({kHeadersFrame, 0, 1, std::string(16'000, 'x')});
  const std::string second = Encode({kContinuationFrame, 0, 1, std::string(400, 'x')});

  const FrameGuard::Result result = guard_.Feed(first + second, now_);

  EXPECT_EQ(result.verdict, FrameGuard::Verdict::kHeaderBlockTooLarge);
  EXPECT_EQ(result.allowed, first.size());
}

TEST_F(FrameGuardTest, JudgesTheSameHoweverTheBytesAreCut) {
  std::string bytes;
  for (int i = 0; i < 250; ++i) {
    bytes += Encode({kDataFrame, 0, 1, std::string(static_cast<size_t>(i % 40) + 1, 'x')});
    bytes += Encode({kPingFrame, 0, 0, "12345678"});
  }
  for (const size_t step : {size_t{1}, size_t{7}, size_t{64}, bytes.size()}) {
    FrameGuard guard(limits_);
    guard.Feed(kHttp2Preface, now_);
    size_t allowed = 0;
    FrameGuard::Verdict verdict = FrameGuard::Verdict::kOk;
    for (size_t at = 0; at < bytes.size() && verdict == FrameGuard::Verdict::kOk; at += step) {
      const FrameGuard::Result result = guard.Feed(absl::string_view(bytes).substr(at, step), now_);
      verdict = result.verdict;
      allowed += result.allowed;
    }
    EXPECT_EQ(verdict, FrameGuard::Verdict::kControlFlood) << step;
    // 200 pairs pass, and the data before ping 201; a cut header may be partly through.
    EXPECT_LT(allowed, bytes.size()) << step;
  }
}

}  // namespace
}  // namespace totora::net
