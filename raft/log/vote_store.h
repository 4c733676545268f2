// Term and vote on disk: two copies in separate 4 KiB blocks.
// docs/formats/vote.md.
#ifndef TOTORA_RAFT_LOG_VOTE_STORE_H_
#define TOTORA_RAFT_LOG_VOTE_STORE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "raft/core/types.h"

namespace totora::raft {

// Thread safety: confined to the log thread.
class VoteStore {
 public:
  virtual ~VoteStore() = default;

  // Durable in both copies on return: writes and syncs one, then the other.
  // After an error every later call fails too.
  virtual absl::Status Save(const HardState& state) = 0;

  // What was read at open; a term of 0 on a new volume.
  virtual HardState recovered() const = 0;
};

// Opens `directory`/vote, or creates it if `is_new_volume`. Takes the valid
// copy with the higher sequence number, then writes and syncs both again: after
// a failed sync the page cache may show what no disk has.
// Errors: DataLoss if both copies are bad, or if the file is missing on a
//   volume that is not new (an emptied volume never votes).
absl::StatusOr<std::unique_ptr<VoteStore>> OpenVotes(FileSystem* fs, const std::string& directory,
                                                     bool is_new_volume);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_VOTE_STORE_H_
