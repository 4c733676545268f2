#include "store/entry_places.h"

#include <algorithm>

#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

// Part of the disk format: keys are positions by this.
constexpr uint64_t kSampleBytes = 1 << 20;

}  // namespace

void EntryPlaces::Note(LogIndex index, BytePosition start, BytePosition end) {
  const uint64_t position = start.value();
  if (samples_.empty() || samples_.back().position / kSampleBytes < position / kSampleBytes) {
    samples_.push_back({position, index.value()});
  }
  last_ = index;
  end_ = end;
}

std::optional<EntryRange> EntryPlaces::Around(BytePosition at) const {
  if (at >= end_) return std::nullopt;
  auto next = std::upper_bound(
      samples_.begin(), samples_.end(), at.value(),
      [](uint64_t position, const Sample& sample) { return position < sample.position; });
  if (next == samples_.begin()) return std::nullopt;
  const LogIndex last = next == samples_.end() ? last_ : LogIndex(next->index - 1);
  return EntryRange{LogIndex(std::prev(next)->index), last};
}

void EntryPlaces::Freeze(std::vector<CheckpointWrite>* rows) {
  for (; frozen_ < samples_.size(); ++frozen_) {
    const Sample& sample = samples_[frozen_];
    std::string row;
    AppendU64(&row, sample.index);
    AppendU64(&row, sample.position);
    rows->push_back({EntryPlaceKey(sample.position / kSampleBytes), std::move(row)});
  }
}

absl::Status EntryPlaces::LoadRow(uint64_t number, absl::string_view payload) {
  PayloadReader reader(payload);
  Sample sample;
  sample.index = reader.U64();
  sample.position = reader.U64();
  if (!reader.done() || sample.position / kSampleBytes != number ||
      (!samples_.empty() && (samples_.back().position >= sample.position ||
                             samples_.back().index >= sample.index))) {
    return absl::DataLossError("checkpoint: damaged places in the log");
  }
  samples_.push_back(sample);
  frozen_ = samples_.size();
  return absl::OkStatus();
}

void EntryPlaces::LoadEnd(LogIndex last, BytePosition end) {
  last_ = last;
  end_ = end;
}

}  // namespace totora::store
