// A story about a few replicas, told in lines of text, and what comes of it.
//
//   # Why the story is worth telling.
//   replicas 3
//   campaign 1
//   deliver all
//   show logs
//   ----
//   n1 term=1 commit=1 log=[1:noop] leader
//   ...
//
// Above the line of dashes stand commands, below it what they print. Behind
// four spaces and a # an expected line may carry a remark.
//
// World:   replicas N [key=value …]   the first command; keys are those of CoreConfig
//                                     without _ticks, _max: see scenario.cc
//          logs "1 1 2" "1" ""        starts over with these logs, terms only
// Inputs:  campaign N · propose N "text" [bytes] · suspect N · transfer N TO · read N ID
//          tick N [times] · run TICKS (all replicas, everything delivered after each)
// Network: deliver all · deliver A->B [max] · drop all · drop A->B [max] · duplicate A->B
//          reorder SEED · cut A->B · isolate N · heal [quietly] · reconnect A B
//          (A or B may be *)
// Disks:   hold N · release N · persist N [outputs]
//          mute N (the Core hears late of what its disk has) · report N [completions]
// Lives:   crash N [outputs [entries]]  so much of what waited has reached the disk
//          restart N
// Output:  show logs · show disks · show reads · show network · show match N
//          trace on · trace off · say TEXT
//
// Thread safety: external.
#ifndef TOTORA_TESTS_SCENARIOS_SCENARIO_H_
#define TOTORA_TESTS_SCENARIOS_SCENARIO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::raft {

struct ScenarioText {
  std::vector<std::string> commands;  // Comments included.
  std::vector<std::string> expected;  // Remarks included.
};

// Splits a file at its line of dashes.
ScenarioText ParseScenario(absl::string_view file);

// An expected line without its remark.
std::string WithoutRemark(absl::string_view line);

// Runs the commands and returns the lines they print.
// Errors: InvalidArgument with the line that is no command.
absl::StatusOr<std::vector<std::string>> RunScenario(const std::vector<std::string>& commands);

// The file with `printed` as expectation. Lines that stay the same keep their remarks.
std::string RewriteScenario(const ScenarioText& scenario, const std::vector<std::string>& printed);

}  // namespace totora::raft

#endif  // TOTORA_TESTS_SCENARIOS_SCENARIO_H_
