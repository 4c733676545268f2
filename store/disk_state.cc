#include "store/disk_state.h"

#include <utility>

#include "common/status.h"

namespace totora::store {

absl::StatusOr<DiskState> OpenDiskState(const StoreOptions& options, const std::string& directory,
                                        const StateExecutors& executors) {
  DiskState disk;
  TOTORA_ASSIGN_OR_RETURN(disk.checkpoints, OpenRocksCheckpoints(directory));
  TOTORA_ASSIGN_OR_RETURN(
      disk.machine, StateMachine::Open(options, disk.checkpoints.get(), executors.background));
  disk.machine->SetExecutor(executors.replica);
  return disk;
}

}  // namespace totora::store
