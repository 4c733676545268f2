#include "raft/log/frame.h"

#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "raft/log/log_test_support.h"
#include "raft/log/segment_format.h"

namespace totora::raft {
namespace {

FrameHeader Sample() {
  FrameHeader header;
  header.index = LogIndex(0x0102030405060708);
  header.term = Term(9);
  header.start = BytePosition(0x1000);
  header.body_bytes = 5;
  header.body_crc = Crc32c("hello");
  header.chain_crc = ChainCrc(77, header);
  header.type = EntryType::kConfiguration;
  header.begins_segment = true;
  header.timestamp_ms = 0xa1a2a3a4a5a6;
  header.passed_ms = 0xb1b2b3b4b5;
  return header;
}

std::string Encoded(const FrameHeader& header, uint32_t group, uint32_t key) {
  std::string bytes(kFrameHeaderBytes, '\0');
  EncodeFrameHeader(header, group, bytes.data(), key);
  return bytes;
}

TEST(Frame, AHeaderRoundTrips) {
  uint32_t group = 0;
  const absl::StatusOr<FrameHeader> decoded =
      DecodeFrameHeader(Encoded(Sample(), 42, 7), &group, 7);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, Sample());
  EXPECT_EQ(group, 42u);
}

// Golden: a change here is a change of the format on disk and between replicas.
TEST(Frame, TheBytesAreThoseOfTheFormatPage) {
  EXPECT_EQ(absl::BytesToHexString(Encoded(Sample(), 42, 7)),
            "54744602c0bfe6fe01020304050607080000000000000009000000000000100000000005"
            "9a71bb4c4df758bc81a1a2a3a4a5a6b1b2b3b4b50000002abd0fff94");
}

TEST(Frame, EveryFlippedBitIsNoticed) {
  const std::string good = Encoded(Sample(), 42, 7);
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeFrameHeader(bytes, nullptr, 7).status().code(), absl::StatusCode::kDataLoss)
        << bit;
  }
}

TEST(Frame, EveryShorterHeaderIsRefused) {
  const std::string good = Encoded(Sample(), 42, 7);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeFrameHeader(good.substr(0, size), nullptr, 7).ok());
  }
}

// A message body cannot pass as a frame: its sender does not know the key.
TEST(Frame, AHeaderIsValidInItsOwnSegmentOnly) {
  EXPECT_FALSE(DecodeFrameHeader(Encoded(Sample(), 42, 0), nullptr, 7).ok());
  EXPECT_FALSE(DecodeFrameHeader(Encoded(Sample(), 42, 8), nullptr, 7).ok());
}

TEST(Frame, HostileValuesAreRefusedEvenWithGoodChecksums) {
  FrameHeader too_long = Sample();
  too_long.body_bytes = kFrameBodyBytesMax + 1;
  FrameHeader no_index = Sample();
  no_index.index = LogIndex(0);
  FrameHeader overflowing = Sample();
  overflowing.start = BytePosition(~uint64_t{0} - 10);
  FrameHeader unknown = Sample();
  unknown.type = static_cast<EntryType>(9);
  for (const FrameHeader& header : {too_long, no_index, overflowing, unknown}) {
    EXPECT_FALSE(DecodeFrameHeader(Encoded(header, 0, 0), nullptr).ok());
  }
}

TEST(Frame, TimesThatTheFieldsDoNotHoldStopAtTheirEnds) {
  FrameHeader header = Sample();
  for (const auto& [ms, is_above] : {std::pair<int64_t, bool>{INT64_MAX, true}, {-1, false}}) {
    header.timestamp_ms = header.passed_ms = ms;
    const absl::StatusOr<FrameHeader> decoded =
        DecodeFrameHeader(Encoded(header, 0, 0), nullptr);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->timestamp_ms, is_above ? kLogTimeMsMax : 0);
    EXPECT_EQ(decoded->passed_ms, is_above ? kPassedMsMax : 0);
    EXPECT_EQ(decoded->type, header.type);
    EXPECT_TRUE(decoded->begins_segment);
  }
}

TEST(Frame, ABodyOfAnotherLengthOrContentIsRefused) {
  EXPECT_TRUE(CheckFrameBody(Sample(), "hello").ok());
  EXPECT_FALSE(CheckFrameBody(Sample(), "hellO").ok());
  EXPECT_FALSE(CheckFrameBody(Sample(), "hell").ok());
}

TEST(Frame, ChainsDifferWhenAnyIdentityDiffers) {
  FrameHeader other = Sample();
  other.body_crc ^= 1;
  EXPECT_NE(ChainCrc(1, Sample()), ChainCrc(2, Sample()));
  EXPECT_NE(ChainCrc(1, Sample()), ChainCrc(1, other));
}

SegmentHeader SampleSegment() {
  SegmentHeader header;
  header.group_fingerprint = 0x1122334455667788;
  header.first_index = LogIndex((uint64_t{1} << 32) + 3);
  header.first_start = BytePosition(0x2000);
  header.previous_chain_crc = 0xabcdef01;
  header.durable_below = LogIndex((uint64_t{1} << 32) - 2);
  return header;
}

TEST(SegmentFormat, AHeaderRoundTripsAndItsBytesAreThoseOfTheFormatPage) {
  uint32_t key = 0;
  const std::string bytes = EncodeSegmentHeader(SampleSegment(), &key);
  EXPECT_EQ(absl::BytesToHexString(bytes),
            "5474534700020001112233445566778800000001000000030000000000002000abcdef01"
            "fffffffe00000000000000000000000000000000000000008f4793e0");
  uint32_t decoded_key = 0;
  const absl::StatusOr<SegmentHeader> decoded = DecodeSegmentHeader(bytes, &decoded_key);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, SampleSegment());
  EXPECT_EQ(key, decoded_key);
}

TEST(SegmentFormat, EveryFlippedBitIsNoticed) {
  uint32_t key = 0;
  const std::string good = EncodeSegmentHeader(SampleSegment(), &key);
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeSegmentHeader(bytes, &key).ok()) << bit;
  }
}

TEST(SegmentFormat, NamesSortAsIndexesDoAndNothingElseIsAName) {
  EXPECT_EQ(SegmentName(LogIndex(42)), "00000000000000000042.seg");
  EXPECT_EQ(ParseSegmentName("00000000000000000042.seg"), LogIndex(42));
  for (const char* name :
       {"", "42.seg", "00000000000000000000.seg", "0000000000000000004x.seg",
        "+0000000000000000042.seg", "00000000000000000042.tmp", "99999999999999999999.seg"}) {
    EXPECT_EQ(ParseSegmentName(name), std::nullopt) << name;
  }
}

TEST(SegmentFormat, AGroupBeginsAtOrBeforeItsFrameAlsoWhenTheNumberWraps) {
  const LogIndex wrapped((uint64_t{1} << 32) + 5);
  EXPECT_EQ(ExpandGroup(wrapped, GroupNumber(wrapped)), wrapped);
  EXPECT_EQ(ExpandGroup(wrapped, GroupNumber(wrapped.Prev(10))), wrapped.Prev(10));
  EXPECT_EQ(ExpandGroup(LogIndex(3), 4), std::nullopt);
  EXPECT_EQ(ExpandGroup(LogIndex(3), 0), std::nullopt);
}

}  // namespace
}  // namespace totora::raft
