// How readers of any thread find and copy bytes and frames.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "raft/log/segmented_log.h"

namespace totora::raft {
namespace {

// Read ahead on disk; the index notes a frame at least every 64 KiB.
constexpr uint64_t kReadAheadBytes = 128 << 10;
// Frames that are copied from memory under one hold of the mutex.
constexpr size_t kCachedFramesMax = 512;

absl::Status Gone(BytePosition at, size_t size) {
  return absl::NotFoundError(
      absl::StrCat("the log does not hold ", size, " bytes at position ", at.value()));
}

absl::Status ReadExactly(const Segment& segment, uint64_t offset, size_t size, char* to) {
  TOTORA_ASSIGN_OR_RETURN(const size_t got, segment.file->ReadAt(offset, size, to));
  if (got == size) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(segment.path, " ends before offset ", offset + size));
}

}  // namespace

FrameHeader SegmentedLog::last() const {
  MutexLock lock(&mu_);
  return last_;
}

uint64_t SegmentedLog::segment_used_bytes() const {
  MutexLock lock(&mu_);
  if (segments_.empty()) return 0;
  const Segment& segment = *segments_.back();
  return segment.end.value() - segment.header.first_start.value();
}

bool SegmentedLog::IsEpoch(uint64_t epoch) const {
  MutexLock lock(&mu_);
  return epoch_ == epoch;
}

size_t SegmentedLog::SegmentOf(BytePosition position) const {
  const auto it = std::upper_bound(
      segments_.begin(), segments_.end(), position,
      [](BytePosition p, const SegmentPtr& segment) { return p < segment->header.first_start; });
  return static_cast<size_t>(it - segments_.begin()) - 1;
}

absl::StatusOr<std::string> SegmentedLog::Read(BytePosition at, size_t size) const {
  if (size > kReadBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("read of ", size, " bytes, limit ", kReadBytesMax));
  }
  if (size == 0) return std::string();
  while (true) {
    std::vector<Piece> pieces;
    SharedBytes cached;
    uint64_t epoch;
    {
      MutexLock lock(&mu_);
      epoch = epoch_;
      if (segments_.empty() || at < segments_.front()->header.first_start ||
          at >= segments_.back()->end || size > segments_.back()->end.value() - at.value()) {
        return Gone(at, size);
      }
      const Frame* const frame = cache_.FindAt(at);
      if (frame != nullptr && at >= frame->header.body_position() &&
          size <= frame->header.end().value() - at.value()) {
        cached = frame->body.Slice(at.value() - frame->header.body_position().value(), size);
      }
      BytePosition from = at;
      size_t rest = cached.size() == size ? 0 : size;
      for (size_t i = SegmentOf(at); rest > 0; ++i) {
        const SegmentPtr& segment = segments_[i];
        const size_t part = std::min<uint64_t>(rest, segment->end.value() - from.value());
        pieces.push_back({segment, segment->OffsetOf(from), part});
        from = from.Next(part);
        rest -= part;
      }
    }
    if (pieces.empty()) return std::string(cached.view());
    std::string bytes(size, '\0');
    size_t done = 0;
    absl::Status status;
    for (const Piece& piece : pieces) {
      status = ReadExactly(*piece.segment, piece.offset, piece.size, &bytes[done]);
      if (!status.ok()) break;
      done += piece.size;
    }
    // Truncated meanwhile, perhaps written anew: what was read is a mixture.
    if (!IsEpoch(epoch)) continue;
    if (!status.ok()) return status;
    return bytes;
  }
}

absl::StatusOr<SegmentedLog::FrameSource> SegmentedLog::Locate(LogIndex from,
                                                               Budget* budget) const {
  FrameSource source;
  MutexLock lock(&mu_);
  source.epoch = epoch_;
  if (segments_.empty() || from < segments_.front()->header.first_index || from > last_.index) {
    return absl::NotFoundError(absl::StrCat("the log does not hold frame ", from.value()));
  }
  for (LogIndex next = from; source.cached.size() < kCachedFramesMax; next = next.Next()) {
    const Frame* const frame = cache_.Find(next);
    if (frame == nullptr || !budget->Take(next, frame->meta().bytes)) break;
    source.cached.push_back(*frame);
  }
  if (cache_.Find(from) != nullptr) return source;
  auto it = std::upper_bound(segments_.begin(), segments_.end(), from,
                             [](LogIndex index, const SegmentPtr& segment) {
                               return index < segment->header.first_index;
                             });
  --it;
  source.segment = *it;
  source.place = source.segment->index.Find(from);
  source.end_offset = source.segment->OffsetOf(source.segment->end);
  return source;
}

absl::Status SegmentedLog::ReadFromDisk(const FrameSource& source, LogIndex from, Budget* budget,
                                        std::vector<Frame>* frames) {
  const Segment& segment = *source.segment;
  uint64_t offset = source.place.offset;
  LogIndex index = source.place.index;
  uint64_t need = kFrameHeaderBytes;
  while (offset < source.end_offset) {
    const uint64_t size = std::min(source.end_offset - offset, std::max(need, kReadAheadBytes));
    const auto block = std::make_shared<std::string>(size, '\0');
    TOTORA_RETURN_IF_ERROR(ReadExactly(segment, offset, size, block->data()));
    absl::string_view rest = *block;
    need = kFrameHeaderBytes;
    while (rest.size() >= kFrameHeaderBytes) {
      const absl::StatusOr<FrameHeader> header = DecodeFrameHeader(rest, nullptr, segment.key);
      absl::Status good = header.status();
      if (good.ok() && (header->index != index || segment.OffsetOf(header->start) != offset)) {
        good = absl::DataLossError("another frame lies there");
      }
      if (!good.ok()) {
        return Annotate(good,
                        absl::StrCat(segment.path, " offset ", offset, " frame ", index.value()));
      }
      need = kFrameHeaderBytes + header->body_bytes;
      if (rest.size() < need) break;
      if (index >= from) {
        if (!budget->Take(index, need)) return absl::OkStatus();
        const absl::string_view body = rest.substr(kFrameHeaderBytes, header->body_bytes);
        const absl::Status checked = CheckFrameBody(*header, body);
        if (!checked.ok()) {
          return Annotate(checked, absl::StrCat(segment.path, " offset ", offset));
        }
        frames->push_back({*header, SharedBytes(block, body)});
      }
      rest.remove_prefix(need);
      offset += need;
      index = index.Next();
      need = kFrameHeaderBytes;
    }
    if (rest.size() == source.end_offset - offset && !rest.empty()) {
      return absl::DataLossError(absl::StrCat(segment.path, " offset ", offset, ": frame ",
                                              index.value(), " reaches beyond the log's end"));
    }
    if (index > budget->last) return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::vector<Frame>>> SegmentedLog::TryReadFrames(LogIndex from,
                                                                              Budget budget) const {
  std::vector<Frame> frames;
  std::optional<uint64_t> epoch;
  LogIndex next = from;
  while (next <= budget.last) {
    const size_t before = frames.size();
    absl::StatusOr<FrameSource> source = Locate(next, &budget);
    if (!source.ok()) {
      if (frames.empty()) return source.status();
      break;
    }
    if (!epoch) epoch = source->epoch;
    if (*epoch != source->epoch) return std::optional<std::vector<Frame>>();
    absl::Status status;
    if (source->segment == nullptr) {
      frames.insert(frames.end(), std::make_move_iterator(source->cached.begin()),
                    std::make_move_iterator(source->cached.end()));
    } else {
      status = ReadFromDisk(*source, next, &budget, &frames);
      if (!IsEpoch(*epoch)) return std::optional<std::vector<Frame>>();
    }
    TOTORA_RETURN_IF_ERROR(status);
    if (frames.size() == before) break;  // The next frame would exceed the budget.
    next = frames.back().header.index.Next();
  }
  return std::optional<std::vector<Frame>>(std::move(frames));
}

absl::StatusOr<std::vector<Frame>> SegmentedLog::ReadFrames(LogIndex from, LogIndex last,
                                                            uint64_t max_bytes) const {
  if (from > last) {
    return absl::NotFoundError(absl::StrCat("no frames from ", from.value(), " to ", last.value()));
  }
  while (true) {
    Budget budget;
    budget.last = last;
    budget.bytes_max = max_bytes;
    TOTORA_ASSIGN_OR_RETURN(std::optional<std::vector<Frame>> frames, TryReadFrames(from, budget));
    if (frames) return *std::move(frames);
  }
}

}  // namespace totora::raft
