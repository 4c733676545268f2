// Which term each entry of the log has, in a few bytes a term.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_TERM_TABLE_H_
#define TOTORA_RAFT_CORE_TERM_TABLE_H_

#include <vector>

#include "raft/core/types.h"

namespace totora::raft {

// The log 1..last() as runs of equal terms. Every question costs O(log n) in
// the number of terms, and questions about the newest term O(1).
class TermTable {
 public:
  // REQUIRES: `terms` ascends in both fields, begins at index 1 and does not
  //   reach beyond `last`; it is empty exactly when `last` is 0.
  TermTable(std::vector<TermStart> terms, LogIndex last);

  LogIndex last() const { return last_; }
  Term last_term() const { return terms_.empty() ? Term() : terms_.back().term; }

  // The term of the entry at `index`; 0 at 0 and beyond the log.
  Term At(LogIndex index) const;

  // The last index up to `limit` whose term is at most `term`; 0 if there is
  // none. One call skips whole terms (conflict back-off, §5.3 of the paper).
  LogIndex LastAtMost(Term term, LogIndex limit) const;

  // Adds one entry behind the last.
  // REQUIRES: `term` is not below last_term().
  void Append(Term term);

  // Forgets the entry at `first` and everything behind it.
  void TruncateFrom(LogIndex first);

  const std::vector<TermStart>& runs() const { return terms_; }

 private:
  std::vector<TermStart> terms_;
  LogIndex last_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_TERM_TABLE_H_
