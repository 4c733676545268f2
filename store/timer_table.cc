#include "store/timer_table.h"

#include <algorithm>
#include <limits>

#include "common/check.h"
#include "common/status.h"
#include "message/override.h"
#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

// Rows that RAM takes in at once, and the most that it keeps of durable ones.
constexpr size_t kRefill = 8192;
constexpr size_t kWindowMax = 65536;

constexpr TimerKey kNever{std::numeric_limits<int64_t>::max(),
                          std::numeric_limits<uint64_t>::max()};

std::string RowOf(const Timer& timer) {
  std::string row;
  AppendU32(&row, timer.queue.topic.value());
  AppendU32(&row, timer.queue.queue_id);
  AppendU64(&row, timer.position);
  AppendU32(&row, timer.size);
  AppendU32(&row, timer.tag_hash);
  if (timer.override_record != nullptr) row += *timer.override_record;
  return row;
}

absl::StatusOr<Timer> ReadRow(absl::string_view row_key, absl::string_view value) {
  TOTORA_ASSIGN_OR_RETURN(absl::string_view payload, OpenValue(row_key, value));
  PayloadReader reader(payload);
  Timer timer;
  timer.queue.topic = TopicId(reader.U32());
  timer.queue.queue_id = reader.U32();
  timer.position = reader.U64();
  timer.size = reader.U32();
  timer.tag_hash = reader.U32();
  if (!reader.ok() || reader.rest().size() > message::kOverrideBytesMax) {
    return absl::DataLossError("checkpoint: damaged timer");
  }
  if (!reader.rest().empty()) {
    timer.override_record = std::make_shared<const std::string>(reader.rest());
  }
  return timer;
}

TimerKey Behind(const TimerKey& key) { return {key.due_ms, key.position + 1}; }

}  // namespace

void TimerTable::Add(const TimerKey& key, Timer timer) {
  const bool is_new = new_.emplace(key, std::move(timer)).second;
  TOTORA_DCHECK(is_new);
  ++count_;
}

const TimerTable::Timers* TimerTable::First() const {
  const Timers* first = nullptr;
  for (const Timers* timers : {&new_, &frozen_, &window_}) {
    if (timers->empty()) continue;
    if (first == nullptr || timers->begin()->first < first->begin()->first) first = timers;
  }
  return first;
}

std::optional<int64_t> TimerTable::NextDueMs() const {
  const Timers* const first = First();
  if (first == nullptr) return std::nullopt;
  return first->begin()->first.due_ms;
}

void TimerTable::Erase(const TimerKey& key) {
  --count_;
  if (new_.erase(key) > 0) return;
  frozen_.erase(key);
  window_.erase(key);
  gone_.insert(key);
}

absl::StatusOr<std::optional<std::pair<TimerKey, Timer>>> TimerTable::TakeDue(int64_t now_ms) {
  using Taken = std::optional<std::pair<TimerKey, Timer>>;
  const Timers* const first = First();
  if (first == nullptr || first->begin()->first.due_ms > now_ms) return Taken();
  Taken taken(std::in_place, first->begin()->first, first->begin()->second);
  Erase(taken->first);
  TOTORA_RETURN_IF_ERROR(Refill());
  return taken;
}

absl::StatusOr<std::optional<Timer>> TimerTable::Find(const TimerKey& key) const {
  for (const Timers* timers : {&new_, &frozen_, &window_}) {
    auto it = timers->find(key);
    if (it != timers->end()) return std::optional<Timer>(it->second);
  }
  if (key < window_end_ || is_window_whole_ || gone_.contains(key) ||
      frozen_gone_.contains(key)) {
    return std::optional<Timer>();
  }
  const std::string row_key = TimerRowKey(key.due_ms, key.position);
  TOTORA_ASSIGN_OR_RETURN(std::optional<std::string> row, checkpoints_->Get(row_key));
  if (!row.has_value()) return std::optional<Timer>();
  TOTORA_ASSIGN_OR_RETURN(Timer timer, ReadRow(row_key, *row));
  return std::optional<Timer>(std::move(timer));
}

absl::Status TimerTable::Remove(const TimerKey& key) {
  Erase(key);
  return Refill();
}

absl::Status TimerTable::ScanStore(
    const TimerKey& from,
    absl::FunctionRef<bool(const TimerKey&, std::optional<Timer>)> visit) const {
  absl::Status status;
  const absl::Status scanned = checkpoints_->Scan(
      TimerRowKey(from.due_ms, from.position), RowsOf(RowKind::kTimer).to,
      [&](absl::string_view row_key, absl::string_view value) {
        const absl::StatusOr<std::pair<uint64_t, uint64_t>> parts = ParseTimerKey(row_key);
        if (!parts.ok()) {
          status = parts.status();
          return false;
        }
        const TimerKey key{static_cast<int64_t>(parts->first), parts->second};
        // A checkpoint that was just written has what RAM still calls frozen.
        if (gone_.contains(key) || frozen_gone_.contains(key) || frozen_.contains(key)) {
          return visit(key, std::nullopt);
        }
        absl::StatusOr<Timer> timer = ReadRow(row_key, value);
        if (!timer.ok()) {
          status = timer.status();
          return false;
        }
        return visit(key, *std::move(timer));
      });
  return scanned.ok() ? status : scanned;
}

absl::Status TimerTable::Refill() {
  while (window_.empty() && !is_window_whole_) {
    size_t seen = 0;
    TimerKey last = window_end_;
    TOTORA_RETURN_IF_ERROR(
        ScanStore(window_end_, [&](const TimerKey& key, std::optional<Timer> timer) {
          last = key;
          if (timer.has_value()) window_.emplace(key, *std::move(timer));
          return ++seen < kRefill;
        }));
    is_window_whole_ = seen < kRefill;
    window_end_ = is_window_whole_ ? kNever : Behind(last);
  }
  return absl::OkStatus();
}

absl::Status TimerTable::ForEach(
    absl::FunctionRef<void(const TimerKey&, const Timer&)> visit) const {
  Timers all = new_;
  all.insert(frozen_.begin(), frozen_.end());
  TOTORA_RETURN_IF_ERROR(
      ScanStore(TimerKey(), [&](const TimerKey& key, std::optional<Timer> timer) {
        if (timer.has_value()) all.emplace(key, *std::move(timer));
        return true;
      }));
  for (const auto& [key, timer] : all) visit(key, timer);
  return absl::OkStatus();
}

void TimerTable::Freeze(std::vector<CheckpointWrite>* rows) {
  TOTORA_CHECK(frozen_.empty() && frozen_gone_.empty()) << " two checkpoints at once";
  for (const TimerKey& key : gone_) {
    rows->push_back({TimerRowKey(key.due_ms, key.position), std::nullopt});
  }
  for (const auto& [key, timer] : new_) {
    rows->push_back({TimerRowKey(key.due_ms, key.position), RowOf(timer)});
  }
  frozen_ = std::move(new_);
  frozen_gone_ = std::move(gone_);
  new_.clear();
  gone_.clear();
}

void TimerTable::Thaw() {
  frozen_gone_.clear();
  for (auto& [key, timer] : frozen_) {
    if (key < window_end_ || is_window_whole_) window_.emplace(key, std::move(timer));
  }
  frozen_.clear();
  if (window_.size() <= kWindowMax) return;
  auto end = window_.begin();
  std::advance(end, kWindowMax / 2);
  window_end_ = end->first;
  is_window_whole_ = false;
  window_.erase(end, window_.end());
}

absl::Status TimerTable::Load(uint64_t count) {
  count_ = count;
  is_window_whole_ = count == 0;
  window_end_ = is_window_whole_ ? kNever : TimerKey();
  TOTORA_RETURN_IF_ERROR(Refill());
  if (count > 0 && window_.empty()) {
    return absl::DataLossError("checkpoint: timers are missing");
  }
  return absl::OkStatus();
}

}  // namespace totora::store
