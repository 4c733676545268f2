#include "message/tag_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace totora::message {
namespace {

using ::testing::ElementsAre;

constexpr char kOrder[] = "\xe8\xae\xa2\xe5\x8d\x95";  // Two characters of three bytes.

TEST(TagHash, IsJavasForEveryTagAndGosForAscii) {
  EXPECT_EQ(TagHash("TagA"), 2598919u);
  EXPECT_EQ(TagHashOfBytes("TagA"), 2598919u);
  EXPECT_EQ(TagHash(kOrder), 1129459u);
  EXPECT_EQ(static_cast<int32_t>(TagHashOfBytes(kOrder)), -1782228175);
  EXPECT_EQ(TagHash(""), 0u);
}

// Java counts a character beyond U+FFFF as two: 31 * 0xD83D + 0xDE00.
TEST(TagHash, CountsSurrogatePairs) {
  EXPECT_EQ(TagHash("\xf0\x9f\x98\x80"), 1772899u);
  EXPECT_EQ(TagHash("a\xf0\x9f\x98\x80"), 97u * 31 * 31 + 1772899u);
}

TEST(TagHash, BytesThatAreNoTextHaveAHashToo) { EXPECT_EQ(TagHash("\xff"), 0xfffdu); }

TEST(TagFilter, NothingAndAStarTakeEverything) {
  for (absl::string_view all : {"", "*", "  ", " * "}) {
    absl::StatusOr<TagFilter> filter = TagFilter::Parse(all);
    ASSERT_TRUE(filter.ok()) << filter.status();
    EXPECT_TRUE(filter->takes_everything());
    EXPECT_TRUE(filter->MayMatch(0));
    EXPECT_TRUE(filter->Matches(""));
    EXPECT_TRUE(filter->Matches("x"));
  }
}

TEST(TagFilter, TakesTheTagsItNames) {
  absl::StatusOr<TagFilter> filter = TagFilter::Parse(" b ||a|| || b||c d");

  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_THAT(filter->tags(), ElementsAre("a", "b", "c d"));
  EXPECT_EQ(filter->hashes().size(), 3u);
  EXPECT_TRUE(filter->Matches("a") && filter->Matches("b") && filter->Matches("c d"));
  EXPECT_FALSE(filter->Matches("c") || filter->Matches("") || filter->Matches("*"));
  EXPECT_TRUE(filter->MayMatch(TagHash("a")));
  EXPECT_FALSE(filter->MayMatch(TagHash("c")) || filter->MayMatch(0));
}

TEST(TagFilter, TagsWithOneHashAreToldApartByText) {
  ASSERT_EQ(TagHash("Aa"), TagHash("BB"));
  absl::StatusOr<TagFilter> filter = TagFilter::Parse("Aa");

  ASSERT_TRUE(filter.ok());
  EXPECT_TRUE(filter->MayMatch(TagHash("BB")));
  EXPECT_FALSE(filter->Matches("BB"));
}

TEST(TagFilter, AStarAmongTagsAndASingleBarAreOrdinaryText) {
  absl::StatusOr<TagFilter> filter = TagFilter::Parse("* || a|b");

  ASSERT_TRUE(filter.ok());
  EXPECT_THAT(filter->tags(), ElementsAre("*", "a|b"));
  EXPECT_FALSE(filter->takes_everything());
}

TEST(TagFilter, SeparatorsWithoutATagAreRefused) {
  for (absl::string_view bad : {"||", " || ", "||||", "a\x01", "a || b\x7f"}) {
    EXPECT_EQ(TagFilter::Parse(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(TagFilter, TheMaximaHold) {
  EXPECT_TRUE(TagFilter::Parse(std::string(TagFilter::kExpressionBytesMax, 'a')).ok());
  EXPECT_FALSE(TagFilter::Parse(std::string(TagFilter::kExpressionBytesMax + 1, 'a')).ok());
  std::string tags = "0";
  for (size_t i = 1; i < TagFilter::kTagsMax; ++i) absl::StrAppend(&tags, "||", i);
  EXPECT_TRUE(TagFilter::Parse(tags).ok());
  EXPECT_FALSE(TagFilter::Parse(tags + "||one more").ok());
}

}  // namespace
}  // namespace totora::message
