#include "raft/log/segment.h"

#include <algorithm>

#include "common/check.h"

namespace totora::raft {

SparseIndex::Place SparseIndex::Find(LogIndex index) const {
  TOTORA_CHECK(!places_.empty() && index >= first_) << index;
  const uint32_t behind = static_cast<uint32_t>(index.value() - first_.value());
  auto it = std::upper_bound(places_.begin(), places_.end(), behind,
                             [](uint32_t b, const Noted& noted) { return b < noted.behind; });
  --it;  // The first frame is always noted.
  return {first_.Next(it->behind), it->offset};
}

void SparseIndex::TruncateAfter(LogIndex last_kept) {
  while (!places_.empty() && first_.Next(places_.back().behind) > last_kept) places_.pop_back();
}

}  // namespace totora::raft
