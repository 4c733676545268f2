#include "raft/core/progress.h"

#include <algorithm>
#include <limits>

#include "common/check.h"

namespace totora::raft {

uint64_t Progress::Credit(int messages_max, uint64_t bytes_max) const {
  if (is_probing_) return 0;
  if (in_flight_.empty()) return std::numeric_limits<uint64_t>::max();
  if (in_flight_.size() >= static_cast<size_t>(messages_max)) return 0;
  return bytes_in_flight_ >= bytes_max ? 0 : bytes_max - bytes_in_flight_;
}

void Progress::SentProbe(uint64_t now) {
  TOTORA_DCHECK(is_probing_);
  owes_probe_ = false;
  probe_in_flight_ = true;
  moved_at_ = now;
}

void Progress::SentEntries(LogIndex last, uint64_t bytes, uint64_t now) {
  TOTORA_DCHECK(!is_probing_ && last >= next_);
  if (in_flight_.empty()) moved_at_ = now;
  in_flight_.push_back({last, bytes});
  bytes_in_flight_ += bytes;
  next_ = last.Next();
}

void Progress::Acknowledged(LogIndex index, uint64_t now) {
  // An old answer says nothing about the probe that is under way.
  const bool answers_probe = is_probing_ && index.Next() >= next_;
  if (index > match_) {
    match_ = index;
    moved_at_ = now;
  }
  if (answers_probe) {
    is_probing_ = false;
    owes_probe_ = false;
    probe_in_flight_ = false;
    next_ = match_.Next();
  }
  next_ = std::max(next_, match_.Next());
  while (!in_flight_.empty() && in_flight_.front().last <= match_) {
    bytes_in_flight_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
}

bool Progress::IsNewRefusal(LogIndex prev_index) const {
  // While probing exactly one request is unanswered, the one behind next - 1.
  return is_probing_ ? prev_index.Next() == next_ && prev_index > match_ : prev_index > match_;
}

void Progress::Probe(LogIndex next) {
  is_probing_ = true;
  owes_probe_ = true;
  probe_in_flight_ = false;
  next_ = std::max(next, match_.Next());
  in_flight_.clear();
  bytes_in_flight_ = 0;
}

void Progress::ConfirmedRound(uint64_t round) {
  confirmed_round_ = std::max(confirmed_round_, round);
}

void Progress::ToldCommit(LogIndex commit) { told_commit_ = std::max(told_commit_, commit); }

}  // namespace totora::raft
