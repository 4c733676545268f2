// Replays every tests/scenarios/*.txt and compares what it prints.
#include "tests/scenarios/scenario.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace totora::raft {
namespace {

// TOTORA_SCENARIO_DIR in the environment wins, so that a test binary built
// elsewhere (mutations.sh) finds the files.
std::string Directory() {
  const char* directory = std::getenv("TOTORA_SCENARIO_DIR");
  return directory != nullptr ? directory : TOTORA_SCENARIO_DIR;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(Directory())) {
    // CMake calls its own file .txt, too.
    if (file.path().extension() == ".txt" && file.path().stem() != "CMakeLists") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Scenario : public ::testing::TestWithParam<std::string> {};

TEST_P(Scenario, EndsAsWritten) {
  const std::string path = Directory() + "/" + GetParam() + ".txt";
  std::ifstream in(path);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  const ScenarioText scenario = ParseScenario(file);

  const absl::StatusOr<std::vector<std::string>> printed = RunScenario(scenario.commands);

  ASSERT_TRUE(printed.ok()) << path << ": " << printed.status();
  if (std::getenv("TOTORA_UPDATE_SCENARIOS") != nullptr) {
    std::ofstream(path) << RewriteScenario(scenario, *printed);
    return;
  }
  std::vector<std::string> expected;
  for (const std::string& line : scenario.expected) expected.push_back(WithoutRemark(line));
  EXPECT_EQ(*printed, expected) << path;
  EXPECT_FALSE(printed->empty()) << path << " shows nothing";
}

INSTANTIATE_TEST_SUITE_P(Text, Scenario, ::testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

TEST(ScenarioText, ALineThatIsNoCommandIsAnError) {
  EXPECT_FALSE(RunScenario({"replicas 3", "elect 1"}).ok());
  EXPECT_FALSE(RunScenario({"campaign 1"}).ok()) << "no replicas yet";
  EXPECT_FALSE(RunScenario({"replicas 3", "campaign 4"}).ok());
  EXPECT_FALSE(RunScenario({"replicas 3", "deliver 1>2"}).ok());
  EXPECT_FALSE(RunScenario({"replicas 3 colour=2"}).ok());
}

TEST(ScenarioText, RewritingKeepsRemarksOfLinesThatStay) {
  const ScenarioText scenario = ParseScenario("# why\nreplicas 1\n----\na    # because\nb    # old\n");

  EXPECT_EQ(RewriteScenario(scenario, {"a", "c"}), "# why\nreplicas 1\n----\na    # because\nc\n");
}

}  // namespace
}  // namespace totora::raft
