// Which commands were applied, and what they were answered: the log may hold a
// command twice, because a replica proposes again to a new leader whatever it
// does not know to be committed (raft/command.h).
//
// Thread safety: confined.
#ifndef TOTORA_STORE_COMMAND_WINDOW_H_
#define TOTORA_STORE_COMMAND_WINDOW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "raft/command.h"
#include "store/checkpoint_store.h"

namespace totora::store {

class CommandWindow {
 public:
  enum class Verdict {
    kNew,        // Apply it, then Store its result.
    kRepeated,   // Applied before; `result` says how it went.
    kForgotten,  // Applied before, and answered: nobody waits for it.
    kStale,      // Of an incarnation that is over: nobody waits for it either.
  };
  struct Entry {
    Verdict verdict = Verdict::kNew;
    // This is the first sign of a new incarnation: the earlier ones are over.
    bool is_new_incarnation = false;
    absl::string_view result;
  };

  // What is one life of one replica.
  struct Life {
    Incarnation incarnation;
    uint64_t low_watermark = 0;   // Everything up to here is over.
    uint64_t highest = 0;         // Sequence seen.
    // Above the low watermark, by sequence.
    absl::btree_map<uint64_t, std::string> results;
  };

  // Takes note of a command of the log.
  Entry See(const raft::Command& command);

  // Keeps the result of a command that See called new. The view it returns is
  // valid until the next call of See.
  absl::string_view Store(const raft::CommandId& id, std::string result);

  const absl::btree_map<ReplicaId, Life>& lives() const { return lives_; }

  // Rows of all that changed since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has.
  absl::Status LoadRow(ReplicaId replica, absl::string_view payload);

 private:
  absl::btree_map<ReplicaId, Life> lives_;
  absl::flat_hash_set<ReplicaId> dirty_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_COMMAND_WINDOW_H_
