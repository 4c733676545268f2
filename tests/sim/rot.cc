#include "tests/sim/rot.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "raft/log/frame.h"
#include "raft/log/log_files.h"
#include "raft/log/log_point.h"
#include "raft/log/slot_pair.h"

namespace totora::sim {
namespace {

struct PlacedFrame {
  std::string path;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  LogIndex index;
  LogIndex group;  // First index of its sync group.
};

struct Frames {
  std::vector<PlacedFrame> placed;
  LogIndex proven;  // Every frame up to here is.
};

// Adds the frames of one segment; false where the row ends.
bool ReadSegment(FileSystem* fs, const std::string& path, Frames* frames) {
  const auto file = fs->Open(path, OpenMode::kRead);
  TOTORA_CHECK(file.ok()) << file.status();
  uint32_t key = 0;
  const auto header = raft::ReadSegmentHeader(**file, path, &key);
  if (!header.ok()) return false;
  if (header->durable_below.value() > 0) {
    frames->proven = std::max(frames->proven, header->durable_below.Prev());
  }
  std::string bytes(*(*file)->Size(), '\0');
  TOTORA_CHECK((*file)->ReadAt(0, bytes.size(), bytes.data()).ok());
  for (uint64_t at = raft::kSegmentHeaderBytes; at + raft::kFrameHeaderBytes <= bytes.size();) {
    const absl::string_view rest = absl::string_view(bytes).substr(at);
    uint32_t group_number = 0;
    const auto frame =
        raft::DecodeFrameHeader(rest.substr(0, raft::kFrameHeaderBytes), &group_number, key);
    if (!frame.ok()) return true;
    const size_t size = raft::kFrameHeaderBytes + frame->body_bytes;
    const auto group = raft::ExpandGroup(frame->index, group_number);
    const LogIndex expected =
        frames->placed.empty() ? LogIndex(1) : frames->placed.back().index.Next();
    if (frame->index != expected || !group || rest.size() < size ||
        !raft::CheckFrameBody(*frame, rest.substr(raft::kFrameHeaderBytes, frame->body_bytes))
             .ok()) {
      return false;
    }
    frames->placed.push_back({path, at, size, frame->index, *group});
    frames->proven = std::max(frames->proven, group->Prev());
    at += size;
  }
  return true;
}

}  // namespace

std::optional<RottenByte> PickProvenByte(const MemoryFileSystem& disk,
                                         const std::string& log_directory, Random* random) {
  const std::unique_ptr<MemoryFileSystem> copy = disk.Clone();
  const auto slots = [&](const char* name, absl::string_view magic) {
    return raft::SlotPair::Open(copy.get(), absl::StrCat(log_directory, "/", name), magic);
  };
  const auto truncation = slots(raft::kTruncationName, raft::kTruncationMagic);
  const auto closing = slots(raft::kClosingName, raft::kClosingMagic);
  const auto segments = raft::ListSegments(copy.get(), log_directory);
  if (!truncation.ok() || !closing.ok() || !segments.ok()) return std::nullopt;
  const auto intent = raft::DecodeTruncation((*truncation)->payload());
  const auto mark = raft::DecodeClosingMark((*closing)->payload());
  if (!intent.ok() || intent->has_value() || !mark.ok()) return std::nullopt;
  Frames frames;
  for (const LogIndex first : *segments) {
    if (!ReadSegment(copy.get(), raft::SegmentPath(log_directory, first), &frames)) break;
  }
  frames.proven = std::max(frames.proven, mark->index);
  while (!frames.placed.empty() && frames.placed.back().index > frames.proven) {
    frames.placed.pop_back();
  }
  if (frames.placed.empty()) return std::nullopt;
  size_t from = 0;
  if (random->Chance(0.5)) {
    const LogIndex last_group = frames.placed.back().group;
    from = frames.placed.size() - 1;
    while (from > 0 && frames.placed[from - 1].group == last_group) --from;
  }
  const PlacedFrame& victim = frames.placed[from + random->Below(frames.placed.size() - from)];
  return RottenByte{victim.path, victim.offset + random->Below(victim.bytes),
                    static_cast<uint8_t>(uint8_t{1} << random->Below(8)), victim.index};
}

}  // namespace totora::sim
