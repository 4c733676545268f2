// The table against a plain map, with checkpoints that are frozen, written and
// lost at every moment.
#include "store/timer_table.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "store/key_codec.h"

namespace totora::store {
namespace {

using Durable = std::map<std::string, std::string>;

Timer AnyTimer(uint64_t position, bool has_record = false) {
  Timer timer;
  timer.queue = {TopicId(3), 4};
  timer.position = position;
  timer.size = 5;
  timer.tag_hash = 6;
  if (has_record) timer.override_record = std::make_shared<const std::string>("record");
  return timer;
}

// A table over a store in memory, and who writes its checkpoints.
class Keeper {
 public:
  Keeper() { Open(); }

  void Open() {
    checkpoints_ = MakeMemoryCheckpoints(durable_);
    table = std::make_unique<TimerTable>(checkpoints_.get());
    ASSERT_TRUE(table->Load(durable_count_).ok());
    is_frozen_ = is_written_ = false;
  }
  void Freeze() {
    if (is_frozen_) return;
    rows_.clear();
    table->Freeze(&rows_);
    frozen_count_ = table->count();
    is_frozen_ = true;
  }
  void Write() {
    if (!is_frozen_ || is_written_) return;
    for (CheckpointWrite& row : rows_) {
      if (row.value.has_value()) row.value = SealValue(row.key, *row.value);
    }
    ASSERT_TRUE(checkpoints_->Commit(rows_).ok());
    durable_count_ = frozen_count_;
    is_written_ = true;
  }
  void Thaw() {
    if (!is_written_) return;
    table->Thaw();
    is_frozen_ = is_written_ = false;
  }
  void Checkpoint() {
    Thaw();
    Freeze();
    Write();
    Thaw();
  }
  bool is_frozen() const { return is_frozen_; }
  bool is_written() const { return is_written_; }
  size_t durable_rows() const { return durable_->size(); }

  std::unique_ptr<TimerTable> table;

 private:
  const std::shared_ptr<Durable> durable_ = std::make_shared<Durable>();
  std::unique_ptr<CheckpointStore> checkpoints_;
  std::vector<CheckpointWrite> rows_;
  uint64_t durable_count_ = 0;
  uint64_t frozen_count_ = 0;
  bool is_frozen_ = false;
  bool is_written_ = false;
};

TEST(TimerTable, FiresInTheOrderOfDueAndThenOfTheLog) {
  Keeper keeper;
  keeper.table->Add({20, 1}, AnyTimer(1));
  keeper.table->Add({10, 3}, AnyTimer(3, true));
  keeper.table->Add({10, 2}, AnyTimer(2));
  EXPECT_EQ(keeper.table->NextDueMs(), 10);

  EXPECT_FALSE(keeper.table->TakeDue(9)->has_value());
  EXPECT_EQ((*keeper.table->TakeDue(10))->first, (TimerKey{10, 2}));
  const auto second = *keeper.table->TakeDue(10);
  EXPECT_EQ(second->first, (TimerKey{10, 3}));
  EXPECT_EQ(*second->second.override_record, "record");
  EXPECT_FALSE(keeper.table->TakeDue(19)->has_value());
  EXPECT_EQ((*keeper.table->TakeDue(100))->first, (TimerKey{20, 1}));
  EXPECT_EQ(keeper.table->NextDueMs(), std::nullopt);
  EXPECT_EQ(keeper.table->count(), 0u);
}

TEST(TimerTable, WhatFiresBeforeACheckpointNeverGetsIntoOne) {
  Keeper keeper;
  keeper.table->Add({10, 1}, AnyTimer(1));
  ASSERT_TRUE(keeper.table->TakeDue(10)->has_value());
  keeper.Freeze();
  keeper.Write();
  EXPECT_EQ(keeper.durable_rows(), 0u);
}

TEST(TimerTable, WhatIsTakenWhileItsCheckpointIsWrittenIsGoneFromTheNext) {
  Keeper keeper;
  keeper.table->Add({10, 1}, AnyTimer(1));
  keeper.Freeze();
  ASSERT_TRUE(keeper.table->TakeDue(10)->has_value());
  keeper.Write();
  EXPECT_EQ(keeper.durable_rows(), 1u);
  EXPECT_FALSE(keeper.table->TakeDue(10)->has_value());
  EXPECT_FALSE(keeper.table->Find({10, 1})->has_value());
  keeper.Checkpoint();
  EXPECT_EQ(keeper.durable_rows(), 0u);
}

// More than RAM keeps: rows leave it, come back in time and fire once.
TEST(TimerTable, FarTimersLeaveRamAndComeBackInTime) {
  constexpr uint64_t kCount = 150'000;
  Keeper keeper;
  for (uint64_t i = 0; i < kCount; ++i) {
    keeper.table->Add({static_cast<int64_t>(1 + i * 7919 % kCount), i}, AnyTimer(i));
    if (i % 50'000 == 49'999) keeper.Checkpoint();
  }
  for (int life = 0; life < 2; ++life) {
    ASSERT_EQ(keeper.table->count(), kCount);
    ASSERT_TRUE(keeper.table->Find({1, 0})->has_value());
    ASSERT_TRUE(keeper.table->Find({static_cast<int64_t>(1 + (kCount - 1) * 7919 % kCount),
                                    kCount - 1})
                    ->has_value());
    keeper.Open();
  }
  for (uint64_t i = 0; i < kCount; ++i) {
    const auto taken = *keeper.table->TakeDue(INT64_MAX);
    ASSERT_TRUE(taken.has_value()) << i;
    ASSERT_EQ(taken->first.due_ms, static_cast<int64_t>(i + 1));
  }
  EXPECT_FALSE(keeper.table->TakeDue(INT64_MAX)->has_value());
}

TEST(TimerTable, DoesWhatAMapDoes) {
  const char* const given = getenv("TOTORA_SEED");
  const uint64_t first = given == nullptr ? 1 : strtoull(given, nullptr, 10);
  for (uint64_t seed = first; seed < first + (given == nullptr ? 40 : 1); ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    std::mt19937_64 random(seed);
    Keeper keeper;
    std::map<TimerKey, uint64_t> model;
    std::map<TimerKey, uint64_t> frozen;   // The model at the last freeze,
    std::map<TimerKey, uint64_t> durable;  // and of the last checkpoint.
    uint64_t position = 0;
    for (int step = 0; step < 2000; ++step) {
      const uint64_t what = random() % 100;
      if (what < 45) {
        const TimerKey key{static_cast<int64_t>(1 + random() % 3000), ++position};
        keeper.table->Add(key, AnyTimer(position, random() % 2 == 0));
        model[key] = position;
      } else if (what < 70) {
        const auto now = static_cast<int64_t>(random() % 600);
        const auto taken = *keeper.table->TakeDue(now);
        const bool is_due = !model.empty() && model.begin()->first.due_ms <= now;
        ASSERT_EQ(taken.has_value(), is_due) << step;
        if (!is_due) continue;
        ASSERT_EQ(taken->first, model.begin()->first) << step;
        model.erase(model.begin());
      } else if (what < 80 && !model.empty()) {
        auto it = model.lower_bound({static_cast<int64_t>(random() % 3000), 0});
        const TimerKey key = it == model.end() ? TimerKey{1, 999'999} : it->first;
        ASSERT_EQ(keeper.table->Find(key)->has_value(), it != model.end()) << step;
        if (it == model.end()) continue;
        ASSERT_TRUE(keeper.table->Remove(key).ok());
        model.erase(it);
        ASSERT_FALSE(keeper.table->Find(key)->has_value()) << step;
      } else if (what < 86) {
        keeper.Thaw();
        if (!keeper.is_frozen()) frozen = model;
        keeper.Freeze();
      } else if (what < 92) {
        keeper.Write();
        if (keeper.is_written()) durable = frozen;
      } else if (what < 98) {
        keeper.Thaw();
      } else {
        keeper.Open();  // A crash: what the last checkpoint has is what there is.
        model = frozen = durable;
      }
      ASSERT_EQ(keeper.table->count(), model.size()) << step;
      const std::optional<int64_t> next = keeper.table->NextDueMs();
      ASSERT_EQ(next.has_value(), !model.empty()) << step;
      if (next.has_value()) {
        ASSERT_EQ(*next, model.begin()->first.due_ms) << step;
      }
      if (step % 50 != 0) continue;
      std::map<TimerKey, uint64_t> all;
      ASSERT_TRUE(keeper.table
                      ->ForEach([&](const TimerKey& key, const Timer& timer) {
                        all[key] = timer.position;
                      })
                      .ok());
      ASSERT_EQ(all, model) << step;
    }
  }
}

}  // namespace
}  // namespace totora::store
