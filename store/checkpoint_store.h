// Where checkpoints live: RocksDB in production, a map in the simulator.
#ifndef TOTORA_STORE_CHECKPOINT_STORE_H_
#define TOTORA_STORE_CHECKPOINT_STORE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::store {

struct CheckpointWrite {
  std::string key;
  std::optional<std::string> value;  // Empty: delete the key.
};

// Keys and values are bytes; the layout is store/schema.h's business.
//
// Thread safety: every method may be called from any thread; Commits never
// overlap in fact, they are the checkpoint thread's.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;

  // All of `writes` or nothing, durable on return. After an error the same
  // writes may be committed again, by this process or by the next.
  virtual absl::Status Commit(const std::vector<CheckpointWrite>& writes) = 0;

  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;

  // Calls `visit` for every key in [from, to) in ascending order until it returns false.
  virtual absl::Status Scan(absl::string_view from, absl::string_view to,
                            absl::FunctionRef<bool(absl::string_view key, absl::string_view value)>
                                visit) const = 0;
};

// Opens or creates a RocksDB in `directory`. A damaged database is set aside
// (SetAsideCheckpoints) and a new one made: the log rebuilds it.
// Errors: those of the file system, also when another process has it open.
absl::StatusOr<std::unique_ptr<CheckpointStore>> OpenRocksCheckpoints(const std::string& directory);

// Moves the database in `directory` to `directory`.damaged, in place of an older
// one there. For the owner of a state machine that StateMachine::Open refused
// with DataLoss. REQUIRES: no CheckpointStore has it open.
absl::Status SetAsideCheckpoints(const std::string& directory);

// The in-memory twin. `durable` is shared by the lives of one simulated
// replica: what was committed is there after a crash.
std::unique_ptr<CheckpointStore> MakeMemoryCheckpoints(
    std::shared_ptr<std::map<std::string, std::string>> durable);

}  // namespace totora::store

#endif  // TOTORA_STORE_CHECKPOINT_STORE_H_
