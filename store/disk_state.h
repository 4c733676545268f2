// The state machine of one replica on its disk, opened as a broker wants it.
#ifndef TOTORA_STORE_DISK_STATE_H_
#define TOTORA_STORE_DISK_STATE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/executor.h"
#include "store/checkpoint_store.h"
#include "store/state_machine.h"

namespace totora::store {

struct StateExecutors {
  Executor* replica = nullptr;     // What the state machine is confined to.
  Executor* background = nullptr;  // Writes checkpoints.
};

// In the order of construction: the state machine borrows the store.
struct DiskState {
  std::unique_ptr<CheckpointStore> checkpoints;
  std::unique_ptr<StateMachine> machine;
};

// Opens the checkpoint in `directory`, or an empty one. A checkpoint is worth
// time and nothing else, since the log rebuilds it: one that is damaged is set
// aside (SetAsideCheckpoints), and the state machine begins before entry 1. Whether
// the log still reaches back to there is the log's to say (raft::Replica::Open).
// Borrows the executors, as StateMachine does.
//
// Errors: FailedPrecondition if a newer version wrote it (it is left alone: the
//   newer version can go on with it); those of the file system.
absl::StatusOr<DiskState> OpenDiskState(const StoreOptions& options, const std::string& directory,
                                        const StateExecutors& executors);

}  // namespace totora::store

#endif  // TOTORA_STORE_DISK_STATE_H_
