// A small record kept twice in one file of fixed size: the votes, the closing
// mark, the truncation intent and the identity. docs/formats/segment.md.
//
// Writes go in place to the older slot, so they need no space, change no
// directory, and leave the newer slot whole whatever happens.
//
// Thread safety: confined.
#ifndef TOTORA_RAFT_LOG_SLOT_PAIR_H_
#define TOTORA_RAFT_LOG_SLOT_PAIR_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/file.h"

namespace totora::raft {

inline constexpr size_t kSlotBytes = 4096;
inline constexpr size_t kSlotPayloadBytesMax = kSlotBytes - 24;

class SlotPair {
 public:
  // Opens the file at `path`, whose slots begin with the 4 bytes `magic`.
  // Errors: NotFound if there is none; DataLoss if both slots are bad;
  //   FailedPrecondition if a slot has a newer format version.
  static absl::StatusOr<std::unique_ptr<SlotPair>> Open(FileSystem* fs, const std::string& path,
                                                        absl::string_view magic);

  // Makes the file with `payload` in both slots; it is durable, name and all,
  // or not there. Replaces what is at `path`.
  static absl::StatusOr<std::unique_ptr<SlotPair>> Create(FileSystem* fs, const std::string& path,
                                                          absl::string_view magic,
                                                          absl::string_view payload);

  // Of the valid slot with the higher sequence.
  const std::string& payload() const { return slots_[newer_].payload; }
  bool has_bad_slot() const { return !slots_[0].is_valid || !slots_[1].is_valid; }

  // Writes one slot and syncs it. REQUIRES: at most kSlotPayloadBytesMax bytes.
  // After an error of the device every later write fails with the same status.
  absl::Status Write(absl::string_view payload);

  // Writes and syncs one slot, then the other: afterwards no rotten slot can
  // bring an older record back.
  absl::Status WriteBoth(absl::string_view payload);

 private:
  struct Slot {
    bool is_valid = false;
    uint64_t sequence = 0;
    std::string payload;
  };

  SlotPair(std::unique_ptr<File> file, absl::string_view magic)
      : file_(std::move(file)), magic_(magic) {}
  absl::Status WriteSlot(int at, uint64_t sequence, absl::string_view payload);

  const std::unique_ptr<File> file_;
  const std::string magic_;
  std::array<Slot, 2> slots_;
  int newer_ = 0;
  absl::Status failure_;
};

// The directory that `path` lies in.
std::string ParentDirectory(const std::string& path);

// Creates `path` and its missing parents so that they survive a power cut.
absl::Status CreateDirectoryDurably(FileSystem* fs, const std::string& path);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_SLOT_PAIR_H_
