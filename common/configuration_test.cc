#include "common/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace totora {
namespace {

using testing::HasSubstr;

const std::vector<SettingRow> kRows = {
    {"segment.bytes", SettingKind::kBytes, "256MiB", "1MiB", "4GiB", "Size of a segment.",
     {"mappedFileSizeCommitLog"}},
    {"poll.max", SettingKind::kDuration, "20s", "1s", "1m", "Longest long poll."},
    {"broker.name", SettingKind::kText, "", "", "", "Name of the group.", {"brokerName"}, false},
};
const std::vector<IgnoredKey> kIgnored = {{"flushDiskType", "every acknowledgement is synced"}};

absl::StatusOr<Configuration> Parse(absl::string_view text) {
  return Configuration::Parse("broker.conf", text, kRows, kIgnored);
}

TEST(Configuration, ReadsUnitsAliasesAndComments) {
  const auto configuration =
      Parse("# a comment\nmappedFileSizeCommitLog = 64MiB\nbrokerName=a\npoll.max = 1500ms\n");
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  EXPECT_EQ(configuration->Bytes("segment.bytes"), 64u << 20);
  EXPECT_EQ(configuration->Duration("poll.max"), absl::Milliseconds(1500));
  EXPECT_EQ(configuration->Text("broker.name"), "a");
}

// Scripts look for brokerName= in what tools print.
TEST(Configuration, EverySettingIsToldByBothNames) {
  const auto configuration = Parse("broker.name = a\nmappedFileSizeCommitLog = 64MiB\n");
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  const std::map<std::string, std::string> texts = configuration->Texts();
  EXPECT_EQ(texts.at("broker.name"), "a");
  EXPECT_EQ(texts.at("brokerName"), "a");
  EXPECT_EQ(texts.at("segment.bytes"), "64MiB");
  EXPECT_EQ(texts.at("mappedFileSizeCommitLog"), "67108864");
}

TEST(Configuration, AnUnknownKeyNamesFileLineAndNearestKey) {
  const auto status = Parse("broker.name = a\nsegment.byte = 1MiB\n").status();
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("broker.conf:2"), HasSubstr("'segment.bytes'")));
}

TEST(Configuration, AValueOutOfBoundsNamesTheBound) {
  const auto status = Parse("broker.name = a\npoll.max = 2h\n").status();
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("broker.conf:2"), HasSubstr("at most 1m")));
}

TEST(Configuration, ARequiredKeyThatIsMissingIsAnError) {
  EXPECT_THAT(std::string(Parse("").status().message()), HasSubstr("'broker.name' must be set"));
}

TEST(Configuration, AKeySetTwiceIsAnError) {
  EXPECT_THAT(std::string(Parse("broker.name = a\nbrokerName = b\n").status().message()),
              HasSubstr("line 1 already"));
}

TEST(Configuration, ARocketMqKeyWithoutMeaningIsAWarningThatSaysWhy) {
  const auto configuration = Parse("broker.name = a\nflushDiskType = SYNC_FLUSH\n");
  ASSERT_TRUE(configuration.ok()) << configuration.status();
  ASSERT_EQ(configuration->warnings().size(), 1u);
  EXPECT_THAT(configuration->warnings()[0], HasSubstr("every acknowledgement is synced"));
}

}  // namespace
}  // namespace totora
