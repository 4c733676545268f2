// What is fuzzed: parsers of bytes that come from outside.
//
// Each target takes any bytes, and ends the process where one of its claims
// fails; the sanitizers see to the rest. Built with libFuzzer by the preset
// `fuzz` (tools/fuzz.sh), and replayed over the corpus by every test run.
#ifndef TOTORA_FUZZ_TARGETS_H_
#define TOTORA_FUZZ_TARGETS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace totora::fuzz {

struct Target {
  absl::string_view name;  // Of its folder under fuzz/corpus too.
  void (*run)(absl::string_view input);
};

absl::Span<const Target> Targets();

// Null if there is none of this name.
const Target* FindTarget(absl::string_view name);

}  // namespace totora::fuzz

#endif  // TOTORA_FUZZ_TARGETS_H_
