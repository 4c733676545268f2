// One libFuzzer program for each target; TOTORA_FUZZ_TARGET is its name.
#include <cstddef>
#include <cstdint>

#include "common/check.h"
#include "common/log.h"
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  TOTORA_CHECK(totora::SetLogLevels("off").ok());
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const totora::fuzz::Target* const target = totora::fuzz::FindTarget(TOTORA_FUZZ_TARGET);
  TOTORA_CHECK(target != nullptr) << TOTORA_FUZZ_TARGET;
  target->run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
