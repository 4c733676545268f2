// The commands that this replica took and that are not answered yet, in
// sequence: the memory behind "one request, one outcome". Whoever leads is
// given them again, in sequence and before anything new, until the local state
// machine has applied them.
//
// What was given up is not given to a leader again, for nobody waits for it any
// more, and whoever had sent it may have got it done elsewhere by then, so long ago
// that nobody knows the two for one. Its id is, with nothing in it (kVoidCommand).
//
// Thread safety: confined to the replica's executor.
#ifndef TOTORA_RAFT_SUBMITTER_H_
#define TOTORA_RAFT_SUBMITTER_H_

#include <cstdint>
#include <deque>
#include <queue>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/shared_bytes.h"
#include "raft/command.h"
#include "raft/replica.h"

namespace totora::raft {

class Submitter {
 public:
  Submitter(ReplicaId self, Incarnation incarnation, uint64_t bytes_max, size_t commands_max)
      : self_(self), incarnation_(incarnation), bytes_max_(bytes_max), commands_max_(commands_max) {}

  // Takes a command in. Answers it at once with ResourceExhausted when full.
  void Add(uint16_t kind, absl::string_view payload, absl::Duration give_up, SubmitCallback done);

  // The local state machine applied a command. Ignores ids of others.
  void Applied(const CommandId& id, absl::string_view result);

  // Answers what has waited for too long.
  void GiveUp(absl::Duration now);

  // Commands not yet handed to the present leader, up to `bytes_max` (at least
  // one if there is any); they count as handed over from then on.
  std::vector<SharedBytes> TakeUnsent(uint64_t bytes_max);

  // The leader changed, or may have lost some: everything is unsent again.
  void ResendAll() { next_unsent_ = first_; }

  bool has_unsent() const { return next_unsent_ < first_ + commands_.size(); }
  bool empty() const { return commands_.empty(); }
  // All sequences up to here are answered for good.
  uint64_t low_watermark() const { return first_ - 1; }
  // Grows with each command applied: a leader that answers nothing is noticed.
  uint64_t applied_count() const { return applied_count_; }

  // Answers everything with `status`.
  void Abort(const absl::Status& status);

 private:
  struct Outstanding {
    SharedBytes encoded;      // As it goes to the next leader.
    SubmitCallback done;      // Null once called.
    bool is_settled = false;  // Applied, or never left and given up.
    bool was_sent = false;
  };
  struct Deadline {
    absl::Duration at;
    uint64_t sequence;
    bool operator<(const Deadline& other) const { return at > other.at; }
  };

  SharedBytes Encode(uint64_t sequence, uint16_t kind, absl::string_view payload) const;
  void Settle(uint64_t sequence);
  // The next deadline that is over is taken out; 0 if there is none.
  uint64_t TakeDue(absl::Duration now);

  const ReplicaId self_;
  const Incarnation incarnation_;
  const uint64_t bytes_max_;
  const size_t commands_max_;
  uint64_t first_ = 1;  // Sequence of commands_.front().
  uint64_t next_unsent_ = 1;
  std::deque<Outstanding> commands_;
  // Most commands may wait equally long: their deadlines never fall, and go with
  // the oldest command. A heap of all would keep those of the last seconds.
  std::deque<Deadline> deadlines_in_order_;
  std::priority_queue<Deadline> other_deadlines_;
  uint64_t bytes_ = 0;
  uint64_t applied_count_ = 0;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_SUBMITTER_H_
