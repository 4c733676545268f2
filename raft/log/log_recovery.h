// Opening a log: finishing a truncation, reading every frame, and deciding what
// is torn and what is rotten. docs/formats/segment.md, Recovery.
#ifndef TOTORA_RAFT_LOG_LOG_RECOVERY_H_
#define TOTORA_RAFT_LOG_LOG_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "raft/log/log_point.h"
#include "raft/log/log_store.h"
#include "raft/log/segment.h"
#include "raft/log/slot_pair.h"

namespace totora::raft {

// A log whose every frame is good and durable.
struct OpenedLog {
  std::vector<std::shared_ptr<Segment>> segments;  // None of them empty.
  std::unique_ptr<SlotPair> closing;
  std::unique_ptr<SlotPair> truncation;
  FrameHeader last;  // Of zeros if the log is empty.
  std::vector<TermStart> terms;
  uint64_t cut_bytes = 0;
};

// Errors: those of OpenLog.
absl::StatusOr<OpenedLog> RecoverLog(FileSystem* fs, const LogOptions& options);

// Everything behind `truncation.keep` goes from the files in `directory`,
// durably, and the intent, which has been written and synced, goes last.
// REQUIRES: what is kept is durable.
absl::Status CarryOutTruncation(FileSystem* fs, const std::string& directory,
                                const Truncation& truncation, SlotPair* closing, SlotPair* intent);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_LOG_RECOVERY_H_
