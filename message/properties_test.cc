#include "message/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "message/message.h"

namespace totora::message {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::pair<std::string, std::string>> Listed(absl::string_view packed) {
  std::vector<std::pair<std::string, std::string>> list;
  ForEachProperty(packed, [&](absl::string_view name, absl::string_view value) {
    list.emplace_back(name, value);
    return true;
  });
  return list;
}

TEST(Properties, ArePackedAsRocketMqDoes) {
  std::string packed;
  ASSERT_TRUE(AppendProperty(&packed, "TAGS", "TagA").ok());
  EXPECT_EQ(packed, "TAGS\x01TagA\x02");
}

TEST(Properties, ComeBackInTheirOrder) {
  std::string packed;
  ASSERT_TRUE(AppendProperty(&packed, "KEYS", "a b").ok());
  ASSERT_TRUE(AppendProperty(&packed, "empty", "").ok());
  ASSERT_TRUE(AppendProperty(&packed, "\xc3\xa9", "\xe8\xae\xa2").ok());

  EXPECT_THAT(Listed(packed), ElementsAre(Pair("KEYS", "a b"), Pair("empty", ""),
                                          Pair("\xc3\xa9", "\xe8\xae\xa2")));
}

TEST(Properties, AMissingFinalSeparatorDoesNotMatter) {
  EXPECT_THAT(Listed("a\x01" "1\x02" "b\x01" "2"), ElementsAre(Pair("a", "1"), Pair("b", "2")));

  std::string packed = "a\x01" "1";
  ASSERT_TRUE(AppendProperty(&packed, "b", "2").ok());
  EXPECT_THAT(Listed(packed), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(Properties, WhatIsNoPropertyIsSkipped) {
  EXPECT_THAT(Listed(""), IsEmpty());
  EXPECT_THAT(Listed("\x02\x02\x02"), IsEmpty());
  EXPECT_THAT(Listed("no name end\x02\x01no name\x02" "a\x01" "1"), ElementsAre(Pair("a", "1")));
  EXPECT_EQ(FindProperty("\x01value\x02", ""), std::nullopt);
}

TEST(Properties, AValueBeginsBehindTheFirstSeparator) {
  EXPECT_THAT(Listed("a\x01" "1\x01" "2\x02"), ElementsAre(Pair("a", "1\x01" "2")));
}

TEST(FindProperty, TheLastOfOneNameCounts) {
  EXPECT_EQ(FindProperty("a\x01" "1\x02" "a\x01" "2\x02", "a"), "2");
}

TEST(FindProperty, ANameThatEndsInAnotherNameIsNotIt) {
  const char packed[] = "MYKEYS\x01x\x02KEYSET\x01y\x02";
  EXPECT_EQ(FindProperty(packed, "KEYS"), std::nullopt);
  EXPECT_EQ(PropertyOr(packed, "KEYS", "none"), "none");
}

TEST(FindProperty, AValueThatLooksLikeAPropertyIsNot) {
  EXPECT_EQ(FindProperty("a\x01TAGS\x01x\x02", "TAGS"), std::nullopt);
}

// A user who could write separators could forge TRAN_MSG or a receipt.
TEST(AppendProperty, SeparatorsAndEmptyNamesAreRefused) {
  std::string packed = "a\x01" "1\x02";
  const std::string before = packed;
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"", "x"}, {"n\x01", "x"}, {"n\x02", "x"}, {"n", "x\x01"}, {"n", "x\x02TRAN_MSG"}}) {
    EXPECT_EQ(AppendProperty(&packed, name, value).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(SetProperty(&packed, name, value).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(packed, before);
  }
}

TEST(AppendProperty, FillsUpToTheMaximumAndNoFurther) {
  std::string packed;
  ASSERT_TRUE(AppendProperty(&packed, "n", std::string(kPropertiesBytesMax - 3, 'v')).ok());
  EXPECT_EQ(packed.size(), kPropertiesBytesMax);
  EXPECT_TRUE(CheckProperties(packed).ok());

  std::string too_long;
  EXPECT_EQ(AppendProperty(&too_long, "n", std::string(kPropertiesBytesMax - 2, 'v')).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(too_long, "");
  EXPECT_FALSE(CheckProperties(packed + "x").ok());
}

TEST(SetProperty, ReplacesEveryEarlierOne) {
  std::string packed = "a\x01" "1\x02" "b\x01" "2\x02" "a\x01" "3";

  ASSERT_TRUE(SetProperty(&packed, "a", "4").ok());

  EXPECT_THAT(Listed(packed), ElementsAre(Pair("b", "2"), Pair("a", "4")));
}

TEST(RemoveProperty, LeavesTheOthers) {
  std::string packed = "a\x01" "1\x02" "b\x01" "2\x02" "a\x01" "3\x02";

  RemoveProperty(&packed, "a");
  EXPECT_EQ(packed, "b\x01" "2\x02");
  RemoveProperty(&packed, "c");
  EXPECT_EQ(packed, "b\x01" "2\x02");
}

TEST(ForEachProperty, StopsWhenToldTo) {
  int calls = 0;
  ForEachProperty("a\x01" "1\x02" "b\x01" "2\x02", [&](absl::string_view, absl::string_view) {
    ++calls;
    return false;
  });
  EXPECT_EQ(calls, 1);
}

TEST(Utf8, IsCheckedAsProtobufDoes) {
  for (absl::string_view good : {"", "plain", "\xc3\xa9", "\xe8\xae\xa2\xe5\x8d\x95",
                                 "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (absl::string_view bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\xff", "\xe8\xae",
                                "\xf0\x8f\xbf\xbf"}) {
    EXPECT_FALSE(IsValidUtf8(bad));
  }
}

TEST(ReservedProperties, AreThoseThatChangeWhatABrokerDoes) {
  EXPECT_TRUE(IsReservedProperty("TAGS"));
  EXPECT_TRUE(IsReservedProperty(kTransactionPreparedProperty));
  EXPECT_TRUE(IsReservedProperty(kTimerDeliverMillisProperty));
  EXPECT_TRUE(IsReservedProperty(kShardingKeyProperty));
  EXPECT_FALSE(IsReservedProperty("tags"));
  EXPECT_FALSE(IsReservedProperty("order-id"));
}

}  // namespace
}  // namespace totora::message
