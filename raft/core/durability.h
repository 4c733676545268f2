// How far this replica's own disk has the log, told by completions that may
// be older than the log they arrive at.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_DURABILITY_H_
#define TOTORA_RAFT_CORE_DURABILITY_H_

#include <deque>

#include "raft/core/term_table.h"
#include "raft/core/types.h"

namespace totora::raft {

// Completions say "up to (index, term) is durable" and come in the order of
// the writes. A tail can be overwritten while its write is under way, and a
// later leader can bring the very same (index, term) back, so that a late
// completion of the first write fits the log although the second write of
// these entries is still pending (the ABA race). So every overwritten tail is
// remembered until a completion proves that the disk has moved beyond it, and
// a completion that fits such a tail counts for that tail only.
class Durability {
 public:
  // Everything up to `last` is durable.
  explicit Durability(LogIndex last) : index_(last) {}

  // The log is durable and equal to what the core holds up to here.
  LogIndex index() const { return index_; }

  // The core is about to cut `log` at `first`. Writes up to `written` have been
  // handed to the driver.
  void Cut(const TermTable& log, LogIndex first, LogIndex written);

  // The disk reports (last, term). `log` is the log as it is now.
  void Completed(const TermTable& log, LogIndex last, Term term);

  size_t overwritten_tails() const { return overwritten_.size(); }

 private:
  // Entries whose write was handed over, not yet reported, and then overwritten.
  struct Tail {
    LogIndex cut;                 // The overwriting begins here.
    LogIndex first;               // Of the entries not yet reported.
    LogIndex last;
    std::vector<TermStart> runs;  // Terms of first..last.

    bool Holds(LogIndex index, Term term) const;
  };

  LogIndex index_;
  std::deque<Tail> overwritten_;  // Oldest first.
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_DURABILITY_H_
