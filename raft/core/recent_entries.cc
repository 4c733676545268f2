#include "raft/core/recent_entries.h"

#include <algorithm>

#include "common/check.h"

namespace totora::raft {

void RecentEntries::Append(EntryType type, uint32_t bytes) {
  const uint64_t before = slots_.empty() ? 0 : slots_.back().bytes_before + slots_.back().bytes;
  slots_.push_back({before, bytes, type});
  last_ = last_.Next();
  if (slots_.size() > entries_max_) slots_.pop_front();
}

void RecentEntries::TruncateFrom(LogIndex first) {
  if (first > last_) return;
  TOTORA_CHECK(first != LogIndex());
  const uint64_t cut = last_.value() - first.value() + 1;
  slots_.resize(slots_.size() - std::min<uint64_t>(cut, slots_.size()));
  last_ = first.Prev();
}

std::optional<RecentEntries::Entry> RecentEntries::Find(LogIndex index) const {
  if (index > last_) return std::nullopt;
  const uint64_t from_end = last_.value() - index.value();
  if (from_end >= slots_.size()) return std::nullopt;
  const Slot& slot = slots_[slots_.size() - 1 - from_end];
  return Entry{slot.type, slot.bytes};
}

size_t RecentEntries::CountBehind(LogIndex index) const {
  if (index >= last_) return 0;
  return std::min<uint64_t>(last_.value() - index.value(), slots_.size());
}

uint64_t RecentEntries::BytesBehind(LogIndex index) const {
  const size_t count = CountBehind(index);
  if (count == 0) return 0;
  const Slot& last = slots_.back();
  return last.bytes_before + last.bytes - slots_[slots_.size() - count].bytes_before;
}

}  // namespace totora::raft
