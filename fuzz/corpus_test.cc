// Every input that fuzzing has found worth keeping, in every test run.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "fuzz/targets.h"

namespace totora::fuzz {
namespace {

class Corpus : public ::testing::TestWithParam<Target> {};

TEST_P(Corpus, IsStillHandled) {
  const std::string folder = absl::StrCat(TOTORA_FUZZ_CORPUS, "/", GetParam().name);
  const absl::StatusOr<std::vector<std::string>> names = FileSystem::Posix()->List(folder);
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_FALSE(names->empty()) << "a target without a seed starts from nothing";
  for (const std::string& name : *names) {
    SCOPED_TRACE(name);
    const absl::StatusOr<std::string> input =
        ReadWholeFile(FileSystem::Posix(), absl::StrCat(folder, "/", name));
    ASSERT_TRUE(input.ok()) << input.status();
    GetParam().run(*input);
    // Some of the mistakes that fuzzing would make first.
    for (size_t keep = 0; keep < std::min<size_t>(input->size(), 200); ++keep) {
      GetParam().run(absl::string_view(*input).substr(0, keep));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, ::testing::ValuesIn(Targets().begin(), Targets().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace totora::fuzz
