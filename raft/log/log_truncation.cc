// The half of a truncation that comes after its intent; recovery repeats it.
#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "raft/log/log_files.h"
#include "raft/log/log_recovery.h"

namespace totora::raft {
namespace {

// Zeroes what behind `keep` is left in the segment that holds its end.
absl::Status ZeroBehind(FileSystem* fs, const std::string& path, const LogPoint& keep,
                        std::optional<uint64_t> used_end) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(path, OpenMode::kWrite));
  uint32_t key = 0;
  TOTORA_ASSIGN_OR_RETURN(const SegmentHeader header, ReadSegmentHeader(*file, path, &key));
  if (keep.end < header.first_start) {
    return absl::DataLossError(absl::StrCat("truncation intent names position ", keep.end.value(),
                                            ", which lies before ", path));
  }
  const uint64_t from = kSegmentHeaderBytes + (keep.end.value() - header.first_start.value());
  TOTORA_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  TOTORA_RETURN_IF_ERROR(ZeroRange(file.get(), from, std::min(size, used_end.value_or(size))));
  return file->Sync();
}

}  // namespace

absl::Status ZeroRange(File* file, uint64_t from, uint64_t to) {
  constexpr uint64_t kChunk = 1 << 20;
  static const std::string zeros(kChunk, '\0');
  std::string bytes(std::min(kChunk, to > from ? to - from : 0), '\0');
  while (from < to) {
    const size_t size = std::min<uint64_t>(bytes.size(), to - from);
    TOTORA_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(from, size, bytes.data()));
    if (got == 0) break;
    // What is zero already stays as it is: most of a prepared segment.
    if (std::memcmp(bytes.data(), zeros.data(), got) != 0) {
      TOTORA_RETURN_IF_ERROR(file->WriteAt(from, {absl::string_view(zeros).substr(0, got)}));
    }
    from += got;
  }
  return absl::OkStatus();
}

absl::Status CarryOutTruncation(FileSystem* fs, const std::string& directory, const LogPoint& keep,
                                std::optional<uint64_t> used_end, SlotPair* closing,
                                SlotPair* truncation) {
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
    TOTORA_RETURN_IF_ERROR(ZeroBehind(fs, SegmentPath(directory, *kept), keep, used_end));
  } else if (keep.index.value() != 0) {
    return absl::DataLossError(absl::StrCat("truncation intent keeps frame ", keep.index.value(),
                                            ", but no segment in ", directory, " has it"));
  }
  TOTORA_RETURN_IF_ERROR(fs->SyncDirectory(directory));
  TOTORA_RETURN_IF_ERROR(closing->WriteBoth(EncodeClosingMark(keep)));
  return truncation->WriteBoth(EncodeTruncation(std::nullopt));
}

}  // namespace totora::raft
