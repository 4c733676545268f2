#include "raft/core/term_table.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace totora::raft {

TermTable::TermTable(std::vector<TermStart> terms, LogIndex last)
    : terms_(std::move(terms)), last_(last) {
  TOTORA_CHECK(terms_.empty() == (last_ == LogIndex()))
      << terms_.size() << " terms for a log up to " << last_;
  for (size_t i = 0; i < terms_.size(); ++i) {
    TOTORA_CHECK(terms_[i].term > (i == 0 ? Term() : terms_[i - 1].term))
        << "term " << terms_[i].term << " does not ascend";
    TOTORA_CHECK(i == 0 ? terms_[i].first == LogIndex(1) : terms_[i].first > terms_[i - 1].first)
        << "term " << terms_[i].term << " begins at " << terms_[i].first;
  }
  TOTORA_CHECK(terms_.empty() || terms_.back().first <= last_)
      << "the last term begins behind " << last_;
}

Term TermTable::At(LogIndex index) const {
  if (index > last_ || index == LogIndex()) return Term();
  if (index >= terms_.back().first) return terms_.back().term;
  const auto behind = std::upper_bound(
      terms_.begin(), terms_.end(), index,
      [](LogIndex wanted, const TermStart& run) { return wanted < run.first; });
  return std::prev(behind)->term;
}

LogIndex TermTable::LastAtMost(Term term, LogIndex limit) const {
  limit = std::min(limit, last_);
  if (At(limit) <= term) return limit;
  const auto newer = std::upper_bound(
      terms_.begin(), terms_.end(), term,
      [](Term wanted, const TermStart& run) { return wanted < run.term; });
  return newer->first.Prev();  // The entry at `limit` is newer, so such a run exists.
}

void TermTable::Append(Term term) {
  TOTORA_CHECK(term >= last_term() && term != Term())
      << "term " << term << " behind " << last_term();
  last_ = last_.Next();
  if (term != last_term()) terms_.push_back({term, last_});
}

void TermTable::TruncateFrom(LogIndex first) {
  if (first > last_) return;
  TOTORA_CHECK(first != LogIndex());
  while (!terms_.empty() && terms_.back().first >= first) terms_.pop_back();
  last_ = first.Prev();
}

}  // namespace totora::raft
