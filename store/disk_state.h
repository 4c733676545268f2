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

// Opens the checkpoint in `directory`, or an empty one, and gives the state machine
// its executors, which are borrowed. Errors: those of StateMachine::Open and of the
// file system.
absl::StatusOr<DiskState> OpenDiskState(const StoreOptions& options, const std::string& directory,
                                        const StateExecutors& executors);

}  // namespace totora::store

#endif  // TOTORA_STORE_DISK_STATE_H_
