#include "raft/core/durability.h"

#include <algorithm>
#include <utility>

namespace totora::raft {

bool Durability::Tail::Holds(LogIndex index, Term term) const {
  if (index < first || index > last) return false;
  Term found;
  for (const TermStart& run : runs) {
    if (run.first <= index) found = run.term;
  }
  return found == term;
}

void Durability::Cut(const TermTable& log, LogIndex first, LogIndex written) {
  Tail tail;
  tail.cut = first;
  tail.first = std::max(first, index_.Next());
  tail.last = written;
  if (tail.first <= tail.last) {
    for (const TermStart& run : log.runs()) {
      if (run.first <= tail.last) tail.runs.push_back(run);
    }
    // Only the run that `first` lies in and later ones matter.
    while (tail.runs.size() > 1 && tail.runs[1].first <= tail.first) {
      tail.runs.erase(tail.runs.begin());
    }
    overwritten_.push_back(std::move(tail));
  }
  index_ = std::min(index_, first.Prev());
}

void Durability::Completed(const TermTable& log, LogIndex last, Term term) {
  for (size_t i = 0; i < overwritten_.size(); ++i) {
    if (!overwritten_[i].Holds(last, term)) continue;
    // The disk stands inside this old tail: what lies before it and before all
    // later cuts is durable in the log of today as well.
    LogIndex shared = last;
    for (size_t j = i; j < overwritten_.size(); ++j) {
      shared = std::min(shared, overwritten_[j].cut.Prev());
    }
    index_ = std::max(index_, std::min(shared, log.last()));
    overwritten_[i].first = last.Next();
    const bool done = overwritten_[i].first > overwritten_[i].last;
    overwritten_.erase(overwritten_.begin(), overwritten_.begin() + i + (done ? 1 : 0));
    return;
  }
  if (last > log.last() || log.At(last) != term) return;
  // No old tail holds this entry, so any cut at or before it is on disk, and
  // with it all earlier ones.
  for (size_t i = overwritten_.size(); i-- > 0;) {
    if (overwritten_[i].cut > last) continue;
    overwritten_.erase(overwritten_.begin(), overwritten_.begin() + i + 1);
    break;
  }
  index_ = std::max(index_, last);
}

}  // namespace totora::raft
