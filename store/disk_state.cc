#include "store/disk_state.h"

#include <utility>

#include "common/log.h"
#include "common/status.h"

namespace totora::store {
namespace {

absl::StatusOr<DiskState> OpenOnce(const StoreOptions& options, const std::string& directory,
                                   const StateExecutors& executors) {
  DiskState disk;
  TOTORA_ASSIGN_OR_RETURN(disk.checkpoints, OpenRocksCheckpoints(directory));
  TOTORA_ASSIGN_OR_RETURN(
      disk.machine, StateMachine::Open(options, disk.checkpoints.get(), executors.background));
  disk.machine->SetExecutor(executors.replica);
  return disk;
}

}  // namespace

absl::StatusOr<DiskState> OpenDiskState(const StoreOptions& options, const std::string& directory,
                                        const StateExecutors& executors) {
  absl::StatusOr<DiskState> disk = OpenOnce(options, directory, executors);
  if (!absl::IsDataLoss(disk.status())) return disk;
  TOTORA_LOG(kError, "store") << Field("directory", directory)
                              << "the checkpoint is damaged, it is set aside as " << directory
                              << ".damaged and rebuilt from the log: " << disk.status().message();
  TOTORA_RETURN_IF_ERROR(SetAsideCheckpoints(directory));
  return OpenOnce(options, directory, executors);
}

}  // namespace totora::store
