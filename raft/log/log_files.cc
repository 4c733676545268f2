#include "raft/log/log_files.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace totora::raft {

std::string SegmentPath(const std::string& directory, LogIndex first_index) {
  return absl::StrCat(directory, "/", SegmentName(first_index));
}

absl::StatusOr<std::vector<LogIndex>> ListSegments(FileSystem* fs, const std::string& directory) {
  TOTORA_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs->List(directory));
  std::vector<LogIndex> segments;
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, kSegmentSuffix)) continue;
    const std::optional<LogIndex> first = ParseSegmentName(name);
    if (!first) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory, "/", name, " is no segment's name: move it away"));
    }
    segments.push_back(*first);
  }
  std::sort(segments.begin(), segments.end());
  return segments;
}

absl::StatusOr<SegmentHeader> ReadSegmentHeader(const File& file, const std::string& path,
                                                uint32_t* key) {
  std::string bytes(kSegmentHeaderBytes, '\0');
  TOTORA_ASSIGN_OR_RETURN(const size_t got, file.ReadAt(0, bytes.size(), bytes.data()));
  bytes.resize(got);
  absl::StatusOr<SegmentHeader> header = DecodeSegmentHeader(bytes, key);
  if (!header.ok()) return Annotate(header.status(), path);
  return header;
}

}  // namespace totora::raft
