#include "raft/log/segmented_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "raft/log/log_files.h"

namespace totora::raft {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr char kZeroPage[kPageBytes] = {};

// The zeros from `end` to its page's end, as far as the file was prepared. With
// them a write never ends inside a page that the page cache does not hold, which
// the kernel would read from the disk first.
absl::string_view RestOfPage(uint64_t end, uint64_t file_bytes) {
  if (end >= file_bytes) return "";
  return {kZeroPage, std::min(-end % kPageBytes, file_bytes - end)};
}

}  // namespace

SegmentedLog::SegmentedLog(FileSystem* fs, Executor* background, const LogOptions& options,
                           OpenedLog opened)
    : fs_(fs),
      options_(options),
      spare_(options.prepare_segments
                 ? std::make_shared<SpareSegment>(fs, background, options.directory,
                                                  kSegmentHeaderBytes + options.segment_bytes)
                 : nullptr),
      closing_(std::move(opened.closing)),
      truncation_(std::move(opened.truncation)),
      synced_(opened.last),
      segments_(std::move(opened.segments)),
      last_(opened.last),
      cache_(options.tail_cache_bytes) {
  if (spare_ != nullptr) spare_->Request();
}

SegmentedLog::~SegmentedLog() {
  if (spare_ != nullptr) spare_->Stop();
}

absl::Status SegmentedLog::Poison(const absl::Status& status) {
  // Internal whatever the cause: who sees ResourceExhausted would try again.
  failure_ = absl::InternalError(absl::StrCat("the log failed: ", status.message()));
  return failure_;
}

absl::Status SegmentedLog::CheckContinues(absl::Span<const Frame> frames) const {
  FrameHeader previous = last();
  BytePosition segment_start = previous.start;
  {
    MutexLock lock(&mu_);
    if (!segments_.empty()) segment_start = segments_.back()->header.first_start;
  }
  for (const Frame& frame : frames) {
    const FrameHeader& header = frame.header;
    const BytePosition start = previous.index.value() == 0 ? BytePosition(0) : previous.end();
    if (header.begins_segment || previous.index.value() == 0) segment_start = start;
    if (header.index != previous.index.Next() || header.term < previous.term ||
        header.start != start || header.chain_crc != ChainCrc(previous.chain_crc, header)) {
      return absl::InvalidArgumentError(absl::StrCat("frame ", header.index.value(),
                                                     " does not continue the log behind ",
                                                     previous.index.value()));
    }
    if (frame.body.size() != header.body_bytes || header.body_bytes > kFrameBodyBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("body of frame ", header.index.value(), " has a wrong size"));
    }
    if (header.end().value() - segment_start.value() > kSegmentBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("the leader let a segment grow beyond ", kSegmentBytesMax, " bytes"));
    }
    previous = header;
  }
  return absl::OkStatus();
}

absl::Status SegmentedLog::Append(absl::Span<const Frame> frames) {
  TOTORA_RETURN_IF_ERROR(failure_);
  if (frames.empty()) return absl::OkStatus();
  TOTORA_RETURN_IF_ERROR(CheckContinues(frames));
  const LogIndex group = open_group_.value() != 0 ? open_group_ : frames.front().header.index;
  std::vector<Run> runs;
  const absl::Status status = Write(frames, group, &runs);
  if (!status.ok()) return Undo(runs, status);
  open_group_ = group;
  for (const Run& run : runs) {
    if (unsynced_.empty() || unsynced_.back() != run.segment) unsynced_.push_back(run.segment);
  }
  if (spare_ != nullptr) {
    spare_->SegmentHolds(runs.back().segment->OffsetOf(frames.back().header.end()));
  }
  Publish(frames, runs);
  return absl::OkStatus();
}

absl::Status SegmentedLog::Write(absl::Span<const Frame> frames, LogIndex group,
                                 std::vector<Run>* runs) {
  SegmentPtr segment;
  uint32_t chain_crc;
  {
    MutexLock lock(&mu_);
    if (!segments_.empty()) segment = segments_.back();
    chain_crc = last_.chain_crc;
  }
  for (size_t begin = 0; begin < frames.size();) {
    const FrameHeader& first = frames[begin].header;
    const bool is_new = segment == nullptr || first.begins_segment;
    if (is_new) {
      TOTORA_ASSIGN_OR_RETURN(segment, CreateSegment(first, chain_crc, group));
    }
    size_t end = begin + 1;
    while (end < frames.size() && !frames[end].header.begins_segment) ++end;
    runs->push_back(
        {segment, begin, end, segment->OffsetOf(first.start), segment->file_bytes, is_new});
    TOTORA_RETURN_IF_ERROR(WriteRun(frames, group, runs->back()));
    const FrameHeader& last = frames[end - 1].header;
    segment->file_bytes = std::max(segment->file_bytes, segment->OffsetOf(last.end()));
    chain_crc = last.chain_crc;
    begin = end;
  }
  return absl::OkStatus();
}

absl::Status SegmentedLog::WriteRun(absl::Span<const Frame> frames, LogIndex group,
                                    const Run& run) {
  const size_t count = run.end - run.begin;
  std::string heads(count * kFrameHeaderBytes, '\0');
  std::vector<absl::string_view> parts;
  parts.reserve(2 * count);
  for (size_t i = 0; i < count; ++i) {
    const Frame& frame = frames[run.begin + i];
    char* const head = &heads[i * kFrameHeaderBytes];
    EncodeFrameHeader(frame.header, GroupNumber(group), head, run.segment->key);
    parts.emplace_back(head, kFrameHeaderBytes);
    parts.push_back(frame.body.view());
  }
  Segment& segment = *run.segment;
  const uint64_t end = segment.OffsetOf(frames[run.end - 1].header.end());
  segment.written_end = std::max(segment.written_end, end);
  parts.push_back(RestOfPage(end, segment.file_bytes));
  return segment.file->WriteAt(run.offset, parts);
}

absl::StatusOr<SegmentedLog::SegmentPtr> SegmentedLog::CreateSegment(const FrameHeader& first,
                                                                     uint32_t previous_chain_crc,
                                                                     LogIndex group) {
  SegmentHeader header;
  header.group_fingerprint = options_.group_fingerprint;
  header.first_index = first.index;
  header.first_start = first.start;
  header.previous_chain_crc = previous_chain_crc;
  header.durable_below = group;
  uint32_t key = 0;
  const std::string bytes = EncodeSegmentHeader(header, &key);

  std::unique_ptr<File> file = spare_ != nullptr ? spare_->Take() : nullptr;
  std::string path = absl::StrCat(options_.directory, "/", kRollingName);
  uint64_t file_bytes = kSegmentHeaderBytes;
  if (file != nullptr) {
    path = spare_->path();
    file_bytes = spare_->file_bytes();
  } else {
    TOTORA_ASSIGN_OR_RETURN(file, fs_->Open(path, OpenMode::kCreate));
    TOTORA_RETURN_IF_ERROR(file->Truncate(0));
  }
  TOTORA_RETURN_IF_ERROR(file->WriteAt(0, {bytes, RestOfPage(bytes.size(), file_bytes)}));
  // The header is durable before the file has a segment's name, and both are
  // before the first frame: so a named segment with a bad header is rot.
  absl::Status synced = file->Sync();
  if (!synced.ok()) return Poison(synced);
  const std::string named = SegmentPath(options_.directory, first.index);
  TOTORA_RETURN_IF_ERROR(fs_->Rename(path, named));
  synced = fs_->SyncDirectory(options_.directory);
  if (!synced.ok()) return Poison(synced);
  if (spare_ != nullptr) spare_->Request();
  return std::make_shared<Segment>(named, header, key, std::move(file), file_bytes);
}

absl::Status SegmentedLog::Undo(const std::vector<Run>& runs, const absl::Status& why) {
  // A failed device leaves a torn end, which recovery knows how to cut.
  if (!absl::IsResourceExhausted(why)) return failure_.ok() ? Poison(why) : failure_;
  bool is_directory_changed = false;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    absl::Status undone;
    if (run->is_new) {
      undone = fs_->Remove(run->segment->path);
      is_directory_changed = true;
    } else {
      // What may be left on disk if the power goes now claims no later group than
      // this one, so it never looks like proof.
      Segment& segment = *run->segment;
      const absl::StatusOr<uint64_t> size = segment.file->Size();
      undone = size.status();
      if (size.ok() && *size > run->file_bytes) undone = segment.file->Truncate(run->file_bytes);
      if (undone.ok()) {
        const uint64_t end = std::min(run->file_bytes, segment.written_end);
        if (run->offset < end) undone = segment.file->WriteZeros(run->offset, end - run->offset);
      }
      segment.file_bytes = run->file_bytes;
    }
    if (!undone.ok()) return Poison(undone);
  }
  // A segment that got no further gives its space back, too.
  const std::string rolling = absl::StrCat(options_.directory, "/", kRollingName);
  if (fs_->Exists(rolling)) (void)fs_->Remove(rolling);
  if (is_directory_changed) {
    const absl::Status synced = fs_->SyncDirectory(options_.directory);
    if (!synced.ok()) return Poison(synced);
  }
  return why;
}

void SegmentedLog::Publish(absl::Span<const Frame> frames, const std::vector<Run>& runs) {
  MutexLock lock(&mu_);
  for (const Run& run : runs) {
    Segment& segment = *run.segment;
    if (run.is_new) segments_.push_back(run.segment);
    for (size_t i = run.begin; i < run.end; ++i) {
      const FrameHeader& header = frames[i].header;
      segment.index.Add(header.index, segment.OffsetOf(header.start));
      segment.end = header.end();
      segment.last = header.index;
      cache_.Add(frames[i]);
    }
  }
  last_ = frames.back().header;
}

absl::Status SegmentedLog::Sync() {
  TOTORA_RETURN_IF_ERROR(failure_);
  for (const SegmentPtr& segment : unsynced_) {
    const absl::Status synced = segment->file->Sync();
    if (!synced.ok()) return Poison(synced);
  }
  unsynced_.clear();
  open_group_ = LogIndex(0);
  synced_ = last();
  return absl::OkStatus();
}

BytePosition SegmentedLog::OldEnd(LogIndex last_kept) const {
  MutexLock lock(&mu_);
  for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
    const Segment& segment = **it;
    if (segment.header.first_index > last_kept) continue;
    const uint64_t used = std::max(segment.written_end, segment.OffsetOf(segment.end));
    return segment.header.first_start.Next(used - kSegmentHeaderBytes);
  }
  return BytePosition(0);
}

absl::Status SegmentedLog::TruncateAfter(LogIndex last_kept) {
  TOTORA_RETURN_IF_ERROR(failure_);
  const LogIndex last_index = last().index;
  if (last_kept == last_index) return absl::OkStatus();
  if (last_kept > last_index) {
    return absl::InvalidArgumentError(absl::StrCat("cannot keep frames up to ", last_kept.value(),
                                                   ", the last one is ", last_index.value()));
  }
  // What is kept must not depend on a group that is still open.
  TOTORA_RETURN_IF_ERROR(Sync());
  FrameHeader kept;
  if (last_kept.value() != 0) {
    TOTORA_ASSIGN_OR_RETURN(const std::vector<Frame> frames, ReadFrames(last_kept, last_kept, 0));
    kept = frames.front().header;
  }
  const Truncation truncation = {PointBehind(kept), OldEnd(last_kept)};
  const absl::Status intended = truncation_->Write(EncodeTruncation(truncation));
  if (absl::IsResourceExhausted(intended)) return intended;  // Nothing has happened yet.
  if (!intended.ok()) return Poison(intended);
  {
    MutexLock lock(&mu_);
    while (!segments_.empty() && segments_.back()->header.first_index > last_kept) {
      segments_.pop_back();
    }
    if (!segments_.empty()) {
      Segment& segment = *segments_.back();
      segment.index.TruncateAfter(last_kept);
      segment.end = truncation.keep.end;
      segment.last = last_kept;
    }
    cache_.TruncateAfter(last_kept);
    last_ = kept;
    ++epoch_;
  }
  const absl::Status done =
      CarryOutTruncation(fs_, options_.directory, truncation, closing_.get(), truncation_.get());
  if (!done.ok()) return Poison(done);
  synced_ = kept;
  return absl::OkStatus();
}

absl::Status SegmentedLog::WriteClosingMark() {
  TOTORA_RETURN_IF_ERROR(failure_);
  const std::string payload = EncodeClosingMark(PointBehind(synced_));
  if (payload == closing_->payload()) return absl::OkStatus();
  const absl::Status written = closing_->Write(payload);
  if (written.ok() || absl::IsResourceExhausted(written)) return written;
  return Poison(written);
}

absl::StatusOr<RecoveredLog> OpenLog(FileSystem* fs, Executor* background,
                                     const LogOptions& options) {
  if (options.segment_bytes == 0 || options.segment_bytes > kSegmentBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "segments of ", options.segment_bytes, " bytes: 1 to ", kSegmentBytesMax, " are possible"));
  }
  TOTORA_ASSIGN_OR_RETURN(OpenedLog opened, RecoverLog(fs, options));
  RecoveredLog recovered;
  recovered.last_index = opened.last.index;
  recovered.terms = std::move(opened.terms);
  recovered.cut_bytes = opened.cut_bytes;
  recovered.log = std::make_unique<SegmentedLog>(fs, background, options, std::move(opened));
  return recovered;
}

}  // namespace totora::raft
