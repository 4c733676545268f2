// The files of a log's directory: what recovery, truncation and the running log
// all need to know of them.
#ifndef TOTORA_RAFT_LOG_LOG_FILES_H_
#define TOTORA_RAFT_LOG_LOG_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"
#include "common/types.h"
#include "raft/log/segment_format.h"

namespace totora::raft {

std::string SegmentPath(const std::string& directory, LogIndex first_index);

// First indexes of the segments in `directory`, ascending. Errors:
// FailedPrecondition if a file looks like a segment and is not named like one.
absl::StatusOr<std::vector<LogIndex>> ListSegments(FileSystem* fs, const std::string& directory);

// Errors: those of DecodeSegmentHeader, with the path; the file's own.
absl::StatusOr<SegmentHeader> ReadSegmentHeader(const File& file, const std::string& path,
                                                uint32_t* key);

}  // namespace totora::raft

#endif  // TOTORA_RAFT_LOG_LOG_FILES_H_
