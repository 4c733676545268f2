// Where a byte of a stopped replica's log may rot such that it must be noticed.
#ifndef TOTORA_TESTS_SIM_ROT_H_
#define TOTORA_TESTS_SIM_ROT_H_

#include <optional>
#include <string>

#include "common/memory_file_system.h"
#include "common/types.h"
#include "tests/sim/scheduler.h"

namespace totora::sim {

struct RottenByte {
  std::string path;
  uint64_t offset = 0;
  uint8_t mask = 0;  // What to flip, and to flip back.
  LogIndex index;    // Of the entry that it belongs to.
};

// A byte of a frame that the disk proves to have been durable: the closing mark
// covers it, or a later sync group or segment was begun. Half of the time it is
// one of the last such group, where rot is most like a torn end. Empty if there
// is none, or if a truncation is under way that may cut it.
// REQUIRES: nothing on the disk waits for a sync (the power was cut).
std::optional<RottenByte> PickProvenByte(const MemoryFileSystem& disk,
                                         const std::string& log_directory, Random* random);

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_ROT_H_
