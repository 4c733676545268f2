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
// Thread safety: Commit belongs to the checkpoint thread; Get and Scan may be
// called from any thread at the same time.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;

  // All of `writes` or nothing, durable on return.
  virtual absl::Status Commit(const std::vector<CheckpointWrite>& writes) = 0;

  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;

  // Calls `visit` for every key in [from, to) in ascending order until it returns false.
  virtual absl::Status Scan(absl::string_view from, absl::string_view to,
                            absl::FunctionRef<bool(absl::string_view key, absl::string_view value)>
                                visit) const = 0;
};

// Opens or creates a RocksDB in `directory`. A database that cannot be opened
// is set aside under another name and a new one made: the log rebuilds it.
absl::StatusOr<std::unique_ptr<CheckpointStore>> OpenRocksCheckpoints(const std::string& directory);

// The in-memory twin. `durable` is shared by the lives of one simulated
// replica: what was committed is there after a crash.
std::unique_ptr<CheckpointStore> MakeMemoryCheckpoints(
    std::shared_ptr<std::map<std::string, std::string>> durable);

}  // namespace totora::store

#endif  // TOTORA_STORE_CHECKPOINT_STORE_H_
