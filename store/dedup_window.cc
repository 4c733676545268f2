#include "store/dedup_window.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/numeric/int128.h"
#include "common/coding.h"
#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr size_t kRecordBytes = kIdHashBytes + 8 + 8 + 8 + 4;
constexpr int64_t kYoungMs = 30'000;

}  // namespace

void FrozenDedupChunk::AppendRow(std::vector<CheckpointWrite>* rows) const {
  std::string row;
  row.reserve(size * kRecordBytes);
  for (size_t i = 0; i < size; ++i) {
    const DedupRecord& record = (*records)[i];
    row.append(record.id.data(), record.id.size());
    AppendU64(&row, static_cast<uint64_t>(record.passed_ms));
    AppendU64(&row, static_cast<uint64_t>(record.first_log_ms));
    AppendU64(&row, record.offset);
    AppendU32(&row, record.queue_id);
  }
  rows->push_back({DedupKey(number), std::move(row)});
}

size_t DedupWindow::Hash::operator()(absl::string_view id) const {
  // The id is a hash already, but one that a client could aim, unless something
  // goes in that only this process knows.
  static const uint64_t secret = absl::HashOf(uint64_t{0x5bd1e995});
  const absl::uint128 product = absl::uint128(GetAt<uint64_t>(id.data()) ^ secret) *
                                (GetAt<uint64_t>(id.data() + 8) ^ ~secret);
  return static_cast<size_t>(absl::Uint128Low64(product) ^ absl::Uint128High64(product));
}

size_t DedupWindow::Hash::operator()(uint32_t ordinal) const {
  return (*this)(window->IdAt(window->Widen(ordinal)));
}

bool DedupWindow::Equal::operator()(uint32_t ordinal, absl::string_view id) const {
  return window->IdAt(window->Widen(ordinal)) == id;
}

uint64_t DedupWindow::Widen(uint32_t ordinal) const {
  return first_ + static_cast<uint32_t>(ordinal - static_cast<uint32_t>(first_));
}

const DedupRecord& DedupWindow::At(uint64_t ordinal) const {
  return (*chunks_[ordinal / kDedupChunkRecords - first_chunk_])[ordinal % kDedupChunkRecords];
}

absl::string_view DedupWindow::IdAt(uint64_t ordinal) const {
  const DedupRecord& record = At(ordinal);
  return {record.id.data(), record.id.size()};
}

bool DedupWindow::IsInside(uint64_t ordinal, int64_t passed_ms) const {
  return next_ - ordinal <= ids_max_ && passed_ms - At(ordinal).passed_ms < window_ms_;
}

const DedupRecord* DedupWindow::Find(absl::string_view id, int64_t passed_ms,
                                     int64_t younger_than_ms) const {
  auto it = by_id_.find(id);
  if (it == by_id_.end()) return nullptr;
  const uint64_t ordinal = Widen(*it);
  if (!IsInside(ordinal, passed_ms)) return nullptr;
  const DedupRecord& record = At(ordinal);
  if (younger_than_ms > 0 && passed_ms - record.passed_ms >= younger_than_ms) return nullptr;
  return &record;
}

void DedupWindow::Forget(int64_t passed_ms) {
  while (first_ < next_ && !IsInside(first_, passed_ms)) {
    if (passed_ms - At(first_).passed_ms < std::min(kYoungMs, window_ms_)) ++forgotten_young_;
    auto it = by_id_.find(IdAt(first_));
    // A later record of the same id stays.
    if (it != by_id_.end() && Widen(*it) == first_) by_id_.erase(it);
    ++first_;
  }
  while (!chunks_.empty() && first_ / kDedupChunkRecords > first_chunk_) {
    chunks_.pop_front();
    ++first_chunk_;
  }
}

void DedupWindow::Push(const DedupRecord& record) {
  if (next_ / kDedupChunkRecords == first_chunk_ + chunks_.size()) {
    chunks_.push_back(std::make_shared<DedupChunk>());
  }
  (*chunks_.back())[next_ % kDedupChunkRecords] = record;
  const auto ordinal = static_cast<uint32_t>(next_++);
  const auto [it, is_new] = by_id_.insert(ordinal);
  // The set sees ids, and this one stays the same.
  if (!is_new) const_cast<uint32_t&>(*it) = ordinal;
}

void DedupWindow::Add(absl::string_view id, const raft::LogTimes& now, uint32_t queue_id,
                      uint64_t offset) {
  Forget(now.passed_ms);
  DedupRecord record;
  std::memcpy(record.id.data(), id.data(), kIdHashBytes);
  record.passed_ms = now.passed_ms;
  record.first_log_ms = now.log_ms;
  record.offset = offset;
  record.queue_id = queue_id;
  Push(record);
}

void DedupWindow::Refresh(const DedupRecord& record, int64_t passed_ms) {
  if (record.passed_ms == passed_ms) return;
  // Forget may free what it points to.
  DedupRecord again = record;
  again.passed_ms = passed_ms;
  Forget(passed_ms);
  Push(again);
}

std::vector<DedupRecord> DedupWindow::Inside(int64_t passed_ms) const {
  std::vector<DedupRecord> inside;
  for (uint64_t ordinal = first_; ordinal < next_; ++ordinal) {
    if (IsInside(ordinal, passed_ms)) inside.push_back(At(ordinal));
  }
  return inside;
}

std::vector<FrozenDedupChunk> DedupWindow::Freeze(std::vector<CheckpointWrite>* rows) {
  for (; frozen_first_chunk_ < first_chunk_; ++frozen_first_chunk_) {
    rows->push_back({DedupKey(frozen_first_chunk_), std::nullopt});
  }
  std::vector<FrozenDedupChunk> frozen;
  uint64_t from = std::max(frozen_ / kDedupChunkRecords, first_chunk_);
  for (; from * kDedupChunkRecords < next_ && frozen_ < next_; ++from) {
    const size_t size =
        static_cast<size_t>(std::min(next_ - from * kDedupChunkRecords, kDedupChunkRecords));
    frozen.push_back({from, size, chunks_[from - first_chunk_]});
  }
  frozen_ = next_;
  return frozen;
}

absl::Status DedupWindow::LoadRow(uint64_t number, absl::string_view payload) {
  const absl::Status damaged = absl::DataLossError("checkpoint: damaged message ids");
  const size_t count = payload.size() / kRecordBytes;
  if (count == 0 || count > kDedupChunkRecords || payload.size() % kRecordBytes != 0) {
    return damaged;
  }
  if (chunks_.empty()) {
    first_chunk_ = frozen_first_chunk_ = number;
    first_ = next_ = number * kDedupChunkRecords;
  }
  // Only the last chunk may be shorter than the others.
  if (next_ != number * kDedupChunkRecords) return damaged;
  PayloadReader reader(payload);
  for (size_t i = 0; i < count; ++i) {
    DedupRecord record;
    std::memcpy(record.id.data(), reader.Bytes(kIdHashBytes).data(), kIdHashBytes);
    record.passed_ms = static_cast<int64_t>(reader.U64());
    record.first_log_ms = static_cast<int64_t>(reader.U64());
    record.offset = reader.U64();
    record.queue_id = reader.U32();
    Push(record);
  }
  return absl::OkStatus();
}

absl::Status DedupWindow::FinishLoad(uint64_t next_ordinal) {
  if (chunks_.empty()) {
    first_ = next_ = next_ordinal;
    first_chunk_ = frozen_first_chunk_ = next_ordinal / kDedupChunkRecords;
  }
  // A chunk stays in the store until the one behind it is begun.
  if (next_ != next_ordinal || (chunks_.empty() && next_ % kDedupChunkRecords != 0)) {
    return absl::DataLossError("checkpoint: message ids are missing");
  }
  frozen_ = next_;
  return absl::OkStatus();
}

}  // namespace totora::store
