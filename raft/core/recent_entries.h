// Kind and size of the newest entries: what flow control needs to know.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_CORE_RECENT_ENTRIES_H_
#define TOTORA_RAFT_CORE_RECENT_ENTRIES_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "raft/core/types.h"

namespace totora::raft {

// A window on the end of the log that remembers at most `entries_max` entries.
// What has slid out of it is known by term only (TermTable); its bytes are on
// disk, and the driver reads their true sizes there.
class RecentEntries {
 public:
  struct Entry {
    EntryType type;
    uint32_t bytes;
  };

  // The log ends at `last`, and nothing of it is remembered.
  RecentEntries(LogIndex last, size_t entries_max) : last_(last), entries_max_(entries_max) {}

  // Adds the entry behind the last.
  void Append(EntryType type, uint32_t bytes);
  // Forgets the entry at `first` and everything behind it.
  void TruncateFrom(LogIndex first);

  // Empty if the entry is older than the window.
  std::optional<Entry> Find(LogIndex index) const;

  // How many remembered entries lie behind `index`, and their bytes together.
  size_t CountBehind(LogIndex index) const;
  uint64_t BytesBehind(LogIndex index) const;

  LogIndex last() const { return last_; }
  size_t entries_max() const { return entries_max_; }

 private:
  struct Slot {
    uint64_t bytes_before;  // Sum over all slots ever appended before this one.
    uint32_t bytes;
    EntryType type;
  };

  std::deque<Slot> slots_;  // The entries last_ - slots_.size() + 1 .. last_.
  LogIndex last_;
  const size_t entries_max_;
};

}  // namespace totora::raft

#endif  // TOTORA_RAFT_CORE_RECENT_ENTRIES_H_
