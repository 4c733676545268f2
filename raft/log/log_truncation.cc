// The half of a truncation that comes after its intent; recovery repeats it.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "raft/log/log_files.h"
#include "raft/log/log_recovery.h"

namespace totora::raft {
namespace {

// Zeroes what is left behind the end in the segment that holds it.
absl::Status ZeroBehind(FileSystem* fs, const std::string& path, const Truncation& truncation) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(path, OpenMode::kWrite));
  uint32_t key = 0;
  TOTORA_ASSIGN_OR_RETURN(const SegmentHeader header, ReadSegmentHeader(*file, path, &key));
  const BytePosition end = truncation.keep.end;
  if (end < header.first_start) {
    return absl::DataLossError(absl::StrCat("truncation intent names position ", end.value(),
                                            ", which lies before ", path));
  }
  const uint64_t from = kSegmentHeaderBytes + (end.value() - header.first_start.value());
  TOTORA_ASSIGN_OR_RETURN(uint64_t to, file->Size());
  if (truncation.old_end >= end) {
    to = std::min(to, from + (truncation.old_end.value() - end.value()));
  }
  // Also where zeros are read: after a failed sync the page cache may show zeros
  // that no disk has.
  if (from < to) TOTORA_RETURN_IF_ERROR(file->WriteZeros(from, to - from));
  return file->Sync();
}

}  // namespace

absl::Status CarryOutTruncation(FileSystem* fs, const std::string& directory,
                                const Truncation& truncation, SlotPair* closing, SlotPair* intent) {
  const LogPoint& keep = truncation.keep;
  TOTORA_ASSIGN_OR_RETURN(const std::vector<LogIndex> segments, ListSegments(fs, directory));
  std::optional<LogIndex> kept;
  for (LogIndex first : segments) {
    if (first <= keep.index) {
      kept = first;
      continue;
    }
    TOTORA_RETURN_IF_ERROR(fs->Remove(SegmentPath(directory, first)));
  }
  if (kept) {
    TOTORA_RETURN_IF_ERROR(ZeroBehind(fs, SegmentPath(directory, *kept), truncation));
  } else if (keep.index.value() != 0) {
    return absl::DataLossError(absl::StrCat("truncation intent keeps frame ", keep.index.value(),
                                            ", but no segment in ", directory, " has it"));
  }
  TOTORA_RETURN_IF_ERROR(fs->SyncDirectory(directory));
  TOTORA_RETURN_IF_ERROR(closing->WriteBoth(EncodeClosingMark(keep)));
  return intent->WriteBoth(EncodeTruncation(std::nullopt));
}

}  // namespace totora::raft
