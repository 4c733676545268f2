#include "message/digest.h"

#include <gtest/gtest.h>

namespace totora::message {
namespace {

TEST(Digest, Crc32HasZlibsCheckValue) { EXPECT_EQ(Crc32("123456789"), 0xcbf43926u); }

TEST(Digest, AnEmptyBodyHasCrcZero) {
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32(absl::string_view()), 0u);
}

TEST(Digest, TheStoredCrcLacksTheTopBit) {
  EXPECT_EQ(BodyCrc("123456789"), 0x4bf43926u);
  EXPECT_EQ(BodyCrc("hi"), 0x58932aacu);
}

TEST(Digest, IsUpperCaseHexadecimal) {
  EXPECT_EQ(BodyDigest(DigestKind::kMd5, "abc"), "900150983CD24FB0D6963F7D28E17F72");
  EXPECT_EQ(BodyDigest(DigestKind::kMd5, ""), "D41D8CD98F00B204E9800998ECF8427E");
  EXPECT_EQ(BodyDigest(DigestKind::kSha1, "abc"), "A9993E364706816ABA3E25717850C26C9CD0D89D");
  EXPECT_EQ(BodyDigest(DigestKind::kCrc32, "123456789"), "CBF43926");
}

TEST(Digest, MatchesInEitherCaseAndACrcAlsoWithLeadingZeros) {
  EXPECT_TRUE(DigestMatches(DigestKind::kMd5, "900150983cd24fb0d6963f7d28e17f72", "abc"));
  EXPECT_FALSE(DigestMatches(DigestKind::kMd5, "900150983cd24fb0d6963f7d28e17f72", "abd"));
  EXPECT_FALSE(DigestMatches(DigestKind::kMd5, "", ""));
  EXPECT_TRUE(DigestMatches(DigestKind::kCrc32, "cbf43926", "123456789"));
  EXPECT_TRUE(DigestMatches(DigestKind::kCrc32, "00000000", ""));
  EXPECT_TRUE(DigestMatches(DigestKind::kCrc32, "0", ""));
  EXPECT_FALSE(DigestMatches(DigestKind::kCrc32, "", ""));
  EXPECT_FALSE(DigestMatches(DigestKind::kCrc32, "000000000", ""));
  EXPECT_EQ(BodyDigest(DigestKind::kCrc32, "a70"), "8AE89D");
  EXPECT_TRUE(DigestMatches(DigestKind::kCrc32, "008ae89d", "a70"));
  EXPECT_TRUE(DigestMatches(DigestKind::kCrc32, "8AE89D", "a70"));
}

TEST(Hex, RoundTripsEveryByteAndTakesEitherCase) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::string back;

  ASSERT_TRUE(ParseHex(UpperHex(all), &back));
  EXPECT_EQ(back, all);
  ASSERT_TRUE(ParseHex("aBcD", &back));
  EXPECT_EQ(back, "\xab\xcd");
  EXPECT_FALSE(ParseHex("abc", &back));
  EXPECT_FALSE(ParseHex("0g", &back));
  EXPECT_FALSE(ParseHex("0\xff", &back));
}

}  // namespace
}  // namespace totora::message
