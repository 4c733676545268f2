#include "raft/log/log_recovery.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "raft/log/log_files.h"

namespace totora::raft {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

// A window over a file that moves forward.
class Window {
 public:
  explicit Window(const File& file) : file_(file) {}

  // `size` bytes at `offset`, fewer at the end of the file; valid until the next call.
  absl::StatusOr<absl::string_view> View(uint64_t offset, size_t size) {
    if (offset < at_ || offset + size > at_ + bytes_.size()) {
      bytes_.resize(std::max(size, kChunkBytes));
      TOTORA_ASSIGN_OR_RETURN(const size_t got, file_.ReadAt(offset, bytes_.size(), bytes_.data()));
      bytes_.resize(got);
      at_ = offset;
    }
    return absl::string_view(bytes_).substr(offset - at_, size);
  }

 private:
  const File& file_;
  uint64_t at_ = 0;
  std::string bytes_;
};

// Where the row of good frames ends.
struct Break {
  size_t segment = 0;
  uint64_t offset = 0;
  std::string reason;
};

// One opening of one log.
class Recovery {
 public:
  Recovery(FileSystem* fs, const LogOptions& options) : fs_(fs), options_(options) {}

  absl::StatusOr<OpenedLog> Run();

 private:
  absl::Status OpenSlots(bool has_segments);
  absl::Status FinishTruncation();
  absl::Status Truncate(const Truncation& truncation);
  absl::Status OpenSegments();
  absl::Status ScanAll();
  // Reads frames from the segment until one is not good.
  absl::Status ScanSegment(size_t at);
  // Empty if the frame with this header continues the log, else why not.
  std::string WhyNotNext(const FrameHeader& header, LogIndex group, bool is_first_in_file) const;
  absl::Status Accept(const FrameHeader& header, LogIndex group, size_t segment, uint64_t offset);
  absl::Status CheckContinues(size_t next) const;
  absl::Status Judge();
  absl::Status SearchProof(size_t segment, uint64_t from);
  void WeighCandidate(const Segment& segment, uint64_t offset, absl::string_view bytes);
  absl::Status Refusal(absl::string_view proof) const;
  absl::Status Cut();
  absl::Status RewriteUnproven();
  absl::Status Rewrite(Segment* segment, uint64_t from, uint64_t to);

  LogIndex expected() const { return log_.last.index.Next(); }
  std::string Path(const char* name) const { return absl::StrCat(options_.directory, "/", name); }

  FileSystem* const fs_;
  const LogOptions& options_;
  OpenedLog log_;
  LogPoint mark_;
  // The sync group of the last good frame, and where it begins.
  LogIndex group_;
  size_t group_segment_ = 0;
  uint64_t group_offset_ = 0;
  Break break_;
  // What lies behind the break: everything below this index was durable once.
  LogIndex proven_below_;
  std::vector<uint64_t> used_end_;  // Per segment: offset behind the last byte that is not zero.
};

absl::StatusOr<OpenedLog> Recovery::Run() {
  TOTORA_RETURN_IF_ERROR(CreateDirectoryDurably(fs_, options_.directory));
  TOTORA_ASSIGN_OR_RETURN(const std::vector<LogIndex> segments,
                          ListSegments(fs_, options_.directory));
  TOTORA_RETURN_IF_ERROR(OpenSlots(!segments.empty()));
  TOTORA_RETURN_IF_ERROR(FinishTruncation());
  TOTORA_RETURN_IF_ERROR(OpenSegments());
  TOTORA_RETURN_IF_ERROR(ScanAll());
  TOTORA_RETURN_IF_ERROR(Judge());
  // From here on files change.
  TOTORA_RETURN_IF_ERROR(RewriteUnproven());
  TOTORA_RETURN_IF_ERROR(Cut());
  if (fs_->Exists(Path(kRollingName))) TOTORA_RETURN_IF_ERROR(fs_->Remove(Path(kRollingName)));
  if (!options_.prepare_segments && fs_->Exists(Path(kPreparedName))) {
    TOTORA_RETURN_IF_ERROR(fs_->Remove(Path(kPreparedName)));
  }
  TOTORA_RETURN_IF_ERROR(fs_->SyncDirectory(options_.directory));
  // All of it is durable now, and from here on that is known.
  const std::string mark = EncodeClosingMark(PointBehind(log_.last));
  if (mark != log_.closing->payload()) TOTORA_RETURN_IF_ERROR(log_.closing->Write(mark));
  return std::move(log_);
}

absl::Status Recovery::OpenSlots(bool has_segments) {
  struct Row {
    const char* name;
    absl::string_view magic;
    std::string empty;
    std::unique_ptr<SlotPair>* to;
  };
  const Row rows[] = {
      {kTruncationName, kTruncationMagic, EncodeTruncation(std::nullopt), &log_.truncation},
      {kClosingName, kClosingMagic, EncodeClosingMark(LogPoint()), &log_.closing}};
  for (const Row& row : rows) {
    const std::string path = Path(row.name);
    absl::StatusOr<std::unique_ptr<SlotPair>> pair = SlotPair::Open(fs_, path, row.magic);
    if (absl::IsNotFound(pair.status())) {
      if (has_segments || !options_.is_new_volume) {
        return absl::DataLossError(absl::StrCat(
            path, " is missing: files of the log were removed, and what it proved is unknown"));
      }
      pair = SlotPair::Create(fs_, path, row.magic, row.empty);
    }
    if (!pair.ok()) return pair.status();
    *row.to = *std::move(pair);
  }
  return absl::OkStatus();
}

absl::Status Recovery::FinishTruncation() {
  TOTORA_ASSIGN_OR_RETURN(const std::optional<Truncation> truncation,
                          DecodeTruncation(log_.truncation->payload()));
  if (truncation) {
    TOTORA_RETURN_IF_ERROR(Truncate(*truncation));
  } else {
    // Also if there is none: a failed sync may have left that in the cache
    // alone, and an intent that comes back would cut what is written from now on.
    TOTORA_RETURN_IF_ERROR(log_.truncation->WriteBoth(EncodeTruncation(std::nullopt)));
  }
  TOTORA_ASSIGN_OR_RETURN(mark_, DecodeClosingMark(log_.closing->payload()));
  return absl::OkStatus();
}

absl::Status Recovery::Truncate(const Truncation& truncation) {
  // Written also if it was read: it must be on the disk before anything changes.
  TOTORA_RETURN_IF_ERROR(log_.truncation->Write(EncodeTruncation(truncation)));
  return CarryOutTruncation(fs_, options_.directory, truncation, log_.closing.get(),
                            log_.truncation.get());
}

absl::Status Recovery::OpenSegments() {
  TOTORA_ASSIGN_OR_RETURN(const std::vector<LogIndex> segments,
                          ListSegments(fs_, options_.directory));
  for (LogIndex first : segments) {
    const std::string path = SegmentPath(options_.directory, first);
    TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs_->Open(path, OpenMode::kWrite));
    TOTORA_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    uint32_t key = 0;
    TOTORA_ASSIGN_OR_RETURN(const SegmentHeader header, ReadSegmentHeader(*file, path, &key));
    if (header.group_fingerprint != options_.group_fingerprint) {
      return absl::FailedPreconditionError(absl::StrCat(path, " belongs to another group"));
    }
    if (header.first_index != first) {
      return absl::DataLossError(
          absl::StrCat(path, " says that it begins with frame ", header.first_index.value()));
    }
    log_.segments.push_back(std::make_shared<Segment>(path, header, key, std::move(file), size));
  }
  used_end_.assign(log_.segments.size(), 0);
  return absl::OkStatus();
}

absl::Status Recovery::ScanAll() {
  for (size_t i = 0; i < log_.segments.size(); ++i) {
    if (i == 0) {
      const SegmentHeader& first = log_.segments[0]->header;
      if (first.first_index.value() != 1 || first.first_start.value() != 0) {
        return absl::DataLossError(absl::StrCat(
            "the log's first segment, with frame 1, is missing: ", log_.segments[0]->path,
            " comes first"));
      }
    }
    TOTORA_RETURN_IF_ERROR(ScanSegment(i));
    if (i + 1 == log_.segments.size()) break;
    if (log_.segments[i + 1]->header.first_index > expected()) break;  // Torn, or a gap.
    TOTORA_RETURN_IF_ERROR(CheckContinues(i + 1));
  }
  return absl::OkStatus();
}

absl::Status Recovery::CheckContinues(size_t next) const {
  const Segment& segment = *log_.segments[next];
  const BytePosition end = log_.segments[next - 1]->end;
  if (segment.header.first_index == expected() && segment.header.first_start == end &&
      segment.header.previous_chain_crc == log_.last.chain_crc) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(segment.path, " does not continue ",
                                          log_.segments[next - 1]->path, ", which ends with frame ",
                                          log_.last.index.value(), " at position ", end.value()));
}

absl::Status Recovery::ScanSegment(size_t at) {
  Segment& segment = *log_.segments[at];
  Window window(*segment.file);
  uint64_t offset = kSegmentHeaderBytes;
  while (true) {
    break_ = {at, offset, ""};
    TOTORA_ASSIGN_OR_RETURN(const absl::string_view head, window.View(offset, kFrameHeaderBytes));
    uint32_t group_number = 0;
    const absl::StatusOr<FrameHeader> header = DecodeFrameHeader(head, &group_number, segment.key);
    if (!header.ok()) {
      break_.reason = std::string(header.status().message());
      return absl::OkStatus();
    }
    const std::optional<LogIndex> group = ExpandGroup(header->index, group_number);
    break_.reason = group ? WhyNotNext(*header, *group, offset == kSegmentHeaderBytes)
                          : "its sync group is impossible";
    if (break_.reason.empty() && header->start != segment.end) {
      break_.reason = absl::StrCat("it says that it lies at position ", header->start.value());
    }
    if (!break_.reason.empty()) return absl::OkStatus();
    TOTORA_ASSIGN_OR_RETURN(const absl::string_view body,
                            window.View(offset + kFrameHeaderBytes, header->body_bytes));
    const absl::Status checked = CheckFrameBody(*header, body);
    if (!checked.ok()) {
      break_.reason = std::string(checked.message());
      return absl::OkStatus();
    }
    TOTORA_RETURN_IF_ERROR(Accept(*header, *group, at, offset));
    offset += kFrameHeaderBytes + header->body_bytes;
  }
}

std::string Recovery::WhyNotNext(const FrameHeader& header, LogIndex group,
                                 bool is_first_in_file) const {
  if (header.index != expected()) {
    return absl::StrCat("it says that it is frame ", header.index.value());
  }
  if (header.term < log_.last.term) return "its term is below its predecessor's";
  if (header.chain_crc != ChainCrc(log_.last.chain_crc, header)) {
    return "its chain CRC does not continue the log";
  }
  if (group != group_ && group != header.index) return "its sync group does not continue the log";
  // The very first frame begins a segment, whatever its leader noted.
  if (header.index.value() > 1 && header.begins_segment != is_first_in_file) {
    return "it lies on the wrong side of a segment's border";
  }
  return "";
}

absl::Status Recovery::Accept(const FrameHeader& header, LogIndex group, size_t segment,
                              uint64_t offset) {
  if (header.index == mark_.index && header.chain_crc != mark_.chain_crc) {
    return absl::DataLossError(
        absl::StrCat("the closing mark names another history up to frame ", header.index.value(),
                     " than ", log_.segments[segment]->path, " holds at offset ", offset));
  }
  if (group != group_) {
    group_ = group;
    group_segment_ = segment;
    group_offset_ = offset;
  }
  if (log_.terms.empty() || header.term != log_.last.term) {
    log_.terms.push_back({header.term, header.index});
  }
  Segment& in = *log_.segments[segment];
  in.index.Add(header.index, offset);
  in.end = header.end();
  in.last = header.index;
  log_.last = header;
  return absl::OkStatus();
}

absl::Status Recovery::Refusal(absl::string_view proof) const {
  if (log_.segments.empty()) {
    return absl::DataLossError(
        absl::StrCat("no segment is left in ", options_.directory, ", but ", proof));
  }
  return absl::DataLossError(absl::StrCat(log_.segments[break_.segment]->path,
                                          " is damaged or incomplete at offset ", break_.offset,
                                          ", where frame ", expected().value(), " should be (",
                                          break_.reason, "): ", proof, ". Nothing was changed"));
}

// Rot, or the end? The closing mark and everything behind the break are asked.
absl::Status Recovery::Judge() {
  if (mark_.index >= expected()) {
    return Refusal(absl::StrCat("the closing mark proves that frames up to ", mark_.index.value(),
                                " were durable"));
  }
  for (size_t i = break_.segment; i < log_.segments.size(); ++i) {
    const Segment& segment = *log_.segments[i];
    if (i > break_.segment) {
      proven_below_ = std::max(proven_below_, segment.header.durable_below);
    }
    uint64_t from = i > break_.segment ? kSegmentHeaderBytes : break_.offset;
    if (proven_below_ <= expected()) TOTORA_RETURN_IF_ERROR(SearchProof(i, from));
    if (proven_below_ > expected()) {
      return Refusal(absl::StrCat(segment.path, " proves that frames below ", proven_below_.value(),
                                  " were durable"));
    }
  }
  return absl::OkStatus();
}

absl::Status Recovery::SearchProof(size_t at, uint64_t from) {
  static const std::string zeros(kChunkBytes, '\0');
  const absl::string_view magic = "TtF";
  const Segment& segment = *log_.segments[at];
  Window window(*segment.file);
  used_end_[at] = from;
  while (true) {
    TOTORA_ASSIGN_OR_RETURN(const absl::string_view bytes, window.View(from, kChunkBytes));
    if (bytes.empty()) return absl::OkStatus();
    if (std::memcmp(bytes.data(), zeros.data(), bytes.size()) != 0) {
      used_end_[at] = from + bytes.find_last_not_of('\0') + 1;
      for (size_t i = bytes.find(magic); i != absl::string_view::npos;
           i = bytes.find(magic, i + 1)) {
        WeighCandidate(segment, from + i, bytes.substr(i));
      }
    }
    if (bytes.size() < kFrameHeaderBytes) return absl::OkStatus();
    // A header may lie across the border of two chunks.
    from += bytes.size() - (kFrameHeaderBytes - 1);
  }
}

void Recovery::WeighCandidate(const Segment& segment, uint64_t offset, absl::string_view bytes) {
  uint32_t group_number = 0;
  const absl::StatusOr<FrameHeader> header =
      DecodeFrameHeader(bytes.substr(0, kFrameHeaderBytes), &group_number, segment.key);
  if (!header.ok() || segment.OffsetOf(header->start) != offset) return;
  if (header->index < expected()) return;
  const std::optional<LogIndex> group = ExpandGroup(header->index, group_number);
  if (group) proven_below_ = std::max(proven_below_, *group);
}

// Which frames are good is known from the page cache; that the disk has them is
// known only of those that somebody proves.
absl::Status Recovery::RewriteUnproven() {
  if (log_.segments.empty() || mark_.index >= log_.last.index) return absl::OkStatus();
  for (size_t i = group_segment_; i < log_.segments.size(); ++i) {
    Segment* const segment = log_.segments[i].get();
    if (segment->is_empty()) break;
    const uint64_t from = i == group_segment_ ? group_offset_ : kSegmentHeaderBytes;
    TOTORA_RETURN_IF_ERROR(Rewrite(segment, from, segment->OffsetOf(segment->end)));
  }
  return absl::OkStatus();
}

absl::Status Recovery::Rewrite(Segment* segment, uint64_t from, uint64_t to) {
  std::string bytes;
  while (from < to) {
    bytes.resize(std::min<uint64_t>(kChunkBytes, to - from));
    TOTORA_ASSIGN_OR_RETURN(const size_t got,
                            segment->file->ReadAt(from, bytes.size(), bytes.data()));
    if (got != bytes.size()) {
      return absl::DataLossError(absl::StrCat(segment->path, " became shorter"));
    }
    TOTORA_RETURN_IF_ERROR(segment->file->WriteAt(from, {bytes}));
    from += got;
  }
  return segment->file->Sync();
}

// A torn end goes like any truncated one, behind an intent: if a sync fails on
// the way, the next start finishes it, whatever the page cache shows then.
absl::Status Recovery::Cut() {
  std::vector<std::shared_ptr<Segment>>& segments = log_.segments;
  if (segments.empty()) return absl::OkStatus();
  const size_t at = break_.segment;
  const bool is_clean =
      at + 1 == segments.size() && !segments[at]->is_empty() && used_end_[at] == break_.offset;
  if (is_clean) return absl::OkStatus();
  log_.cut_bytes = used_end_[at] - break_.offset;
  for (size_t i = at + 1; i < segments.size(); ++i) {
    log_.cut_bytes += used_end_[i] - std::min<uint64_t>(used_end_[i], kSegmentHeaderBytes);
  }
  Truncation truncation;
  truncation.keep = PointBehind(log_.last);
  truncation.old_end = truncation.keep.end;
  if (!segments[at]->is_empty()) {
    truncation.old_end = truncation.old_end.Next(used_end_[at] - break_.offset);
  }
  while (!segments.empty() && segments.back()->is_empty()) segments.pop_back();
  return Truncate(truncation);
}

}  // namespace

absl::StatusOr<OpenedLog> RecoverLog(FileSystem* fs, const LogOptions& options) {
  return Recovery(fs, options).Run();
}

}  // namespace totora::raft
