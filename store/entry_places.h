// Which entries of the log lie around a position: one sample for each MiB, so
// that whoever is asked for a message by its position reads a MiB of frames and
// finds out whether a message begins there, instead of trusting who asks.
//
// Thread safety: confined.
#ifndef TOTORA_STORE_ENTRY_PLACES_H_
#define TOTORA_STORE_ENTRY_PLACES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "store/checkpoint_store.h"

namespace totora::store {

struct EntryRange {
  LogIndex first;
  LogIndex last;
};

class EntryPlaces {
 public:
  // Every entry, in the order of the log.
  void Note(LogIndex index, BytePosition start, BytePosition end);

  // Entries of which one holds `at`. Empty if none of those noted does.
  std::optional<EntryRange> Around(BytePosition at) const;

  // Calls `visit` with position and index of every sample.
  template <typename Visit>
  void ForEachSample(Visit visit) const {
    for (const Sample& sample : samples_) visit(sample.position, sample.index);
  }

  // One behind the last entry.
  BytePosition end() const { return end_; }

  // Rows of all samples since the last call.
  void Freeze(std::vector<CheckpointWrite>* rows);
  // Takes in what the last checkpoint has: rows in ascending order, then the end.
  absl::Status LoadRow(uint64_t number, absl::string_view payload);
  void LoadEnd(LogIndex last, BytePosition end);

 private:
  struct Sample {
    uint64_t position = 0;
    uint64_t index = 0;
  };
  // The first entry that begins in each MiB, ascending.
  std::vector<Sample> samples_;
  size_t frozen_ = 0;         // So many are in a checkpoint.
  LogIndex last_;
  BytePosition end_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_ENTRY_PLACES_H_
