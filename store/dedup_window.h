// Ids of messages that were stored lately, each with what its first send was
// answered: a client's retry gets the same answer and no second copy.
//
// An id is remembered for a time and for a number of later ids, whichever ends
// first. Both are decided by the id's own entry and ordinal, so every replica
// forgets it at the same entry of the log, however it came to its state. The time
// is what has passed (raft::FrameHeader::passed_ms), not log time: that may step by
// hours, and a client that tries again a second later must be known.
// Whoever asks may have a shorter time in mind; a repeat that is asked about in
// that way is remembered as a send of its own, with the answer of the first.
//
// Ids lie in chunks in the order in which they came; a checkpoint writes the
// chunks that changed, and removing old ones is only cleaning up.
//
// Thread safety: confined, but for frozen chunks.
#ifndef TOTORA_STORE_DEDUP_WINDOW_H_
#define TOTORA_STORE_DEDUP_WINDOW_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "raft/log/frame.h"
#include "store/checkpoint_store.h"
#include "store/send_items.h"

namespace totora::store {

struct DedupRecord {
  std::array<char, kIdHashBytes> id = {};
  int64_t passed_ms = 0;       // At the send, or at its last repeat that counted.
  int64_t first_log_ms = 0;    // Log time of the send.
  uint64_t offset = 0;
  uint32_t queue_id = 0;
};

// Part of the disk format: a row is a chunk.
inline constexpr uint64_t kDedupChunkRecords = 4096;

// Written once, from front to back; the part that was written never changes,
// so another thread may read it while the rest is being filled.
using DedupChunk = std::array<DedupRecord, kDedupChunkRecords>;

// The first `size` records of a chunk. Any thread.
struct FrozenDedupChunk {
  uint64_t number = 0;
  size_t size = 0;
  std::shared_ptr<const DedupChunk> records;

  void AppendRow(std::vector<CheckpointWrite>* rows) const;
};

class DedupWindow {
 public:
  // REQUIRES: ids_max > 0.
  DedupWindow(int64_t window_ms, uint64_t ids_max)
      : window_ms_(window_ms), ids_max_(ids_max), by_id_(0, Hash{this}, Equal{this}) {}
  DedupWindow(const DedupWindow&) = delete;
  DedupWindow& operator=(const DedupWindow&) = delete;

  // The record of `id` if it is inside the window when `passed_ms` have passed, and
  // younger than `younger_than_ms` unless that is 0. Valid until Add or Refresh.
  const DedupRecord* Find(absl::string_view id, int64_t passed_ms,
                          int64_t younger_than_ms = 0) const;

  // Remembers `id`, in place of an earlier record of the same id.
  void Add(absl::string_view id, const raft::LogTimes& now, uint32_t queue_id, uint64_t offset);

  // Remembers what Find gave as if it had been sent now.
  void Refresh(const DedupRecord& record, int64_t passed_ms);

  // Ids inside the window, oldest first.
  std::vector<DedupRecord> Inside(int64_t passed_ms) const;
  // Of the next id; ids are counted from 0.
  uint64_t next_ordinal() const { return next_; }
  // Ids that were pushed out by later ones when they were younger than 30 s.
  uint64_t forgotten_young() const { return forgotten_young_; }

  // What changed since the last call: chunks to write, and rows that delete others.
  std::vector<FrozenDedupChunk> Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in a chunk of the last checkpoint. Chunks come in ascending order.
  absl::Status LoadRow(uint64_t number, absl::string_view payload);
  // After all rows. DataLoss if the records do not end where the counter does.
  absl::Status FinishLoad(uint64_t next_ordinal);

 private:
  // by_id_ holds ordinals (their low half: the window is far smaller) and finds
  // their ids in the chunks: 5 bytes an id instead of a second copy of it.
  struct Hash {
    using is_transparent = void;
    const DedupWindow* window;
    size_t operator()(absl::string_view id) const;
    size_t operator()(uint32_t ordinal) const;
  };
  struct Equal {
    using is_transparent = void;
    const DedupWindow* window;
    bool operator()(uint32_t a, uint32_t b) const {
      return a == b || (*this)(a, window->IdAt(window->Widen(b)));
    }
    bool operator()(uint32_t ordinal, absl::string_view id) const;
    bool operator()(absl::string_view id, uint32_t ordinal) const { return (*this)(ordinal, id); }
  };

  // The full ordinal of one whose low half is given.
  uint64_t Widen(uint32_t ordinal) const;
  const DedupRecord& At(uint64_t ordinal) const;
  absl::string_view IdAt(uint64_t ordinal) const;
  bool IsInside(uint64_t ordinal, int64_t passed_ms) const;
  void Forget(int64_t passed_ms);
  void Push(const DedupRecord& record);

  const int64_t window_ms_;
  const uint64_t ids_max_;
  std::deque<std::shared_ptr<DedupChunk>> chunks_;
  uint64_t first_chunk_ = 0;   // Number of chunks_[0].
  uint64_t first_ = 0;         // Ordinal of the oldest record that is not forgotten.
  uint64_t next_ = 0;
  uint64_t frozen_ = 0;        // Records below it are in a checkpoint.
  uint64_t frozen_first_chunk_ = 0;  // No chunk below it is in the store.
  uint64_t forgotten_young_ = 0;
  absl::flat_hash_set<uint32_t, Hash, Equal> by_id_;  // The newest of each id.
};

}  // namespace totora::store

#endif  // TOTORA_STORE_DEDUP_WINDOW_H_
