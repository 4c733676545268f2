// Keys, checksums, packed blocks and windows: what a checkpoint is made of.
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "store/command_window.h"
#include "store/dedup_window.h"
#include "store/key_codec.h"
#include "store/queue_block.h"

namespace totora::store {
namespace {

TEST(Keys, HaveTheBytesThatTheFormatSays) {
  EXPECT_EQ(MetaKey(), "M");
  EXPECT_EQ(absl::BytesToHexString(TopicKey(TopicId(7))), "5400000007");
  EXPECT_EQ(absl::BytesToHexString(QueueRowKey({TopicId(7), 3})), "510000000700000003");
  EXPECT_EQ(absl::BytesToHexString(BlockKey({TopicId(7), 3}, 256)),
            "4200000007000000030000000000000100");
  EXPECT_EQ(absl::BytesToHexString(LeaseRowKey({ConsumerGroupId(1), TopicId(2), 3})),
            "4c000000010000000200000003");
  EXPECT_EQ(absl::BytesToHexString(DedupKey(5)), "440000000000000005");
}

TEST(Keys, ARangeOfATopicHoldsItsRowsAndNoOthers) {
  const KeyRange range = RowsOf(RowKind::kBlock, TopicId(7));
  const auto in = [&](const std::string& key) { return key >= range.from && key < range.to; };
  EXPECT_TRUE(in(BlockKey({TopicId(7), 0}, 0)));
  EXPECT_TRUE(in(BlockKey({TopicId(7), UINT32_MAX}, UINT64_MAX)));
  EXPECT_FALSE(in(BlockKey({TopicId(8), 0}, 0)));
  EXPECT_FALSE(in(BlockKey({TopicId(6), UINT32_MAX}, UINT64_MAX)));
  EXPECT_FALSE(in(QueueRowKey({TopicId(7), 0})));
}

TEST(Values, AnyFlipAndAnyOtherKeyIsDataLoss) {
  const std::string value = SealValue("key", "payload");
  ASSERT_TRUE(OpenValue("key", value).ok());
  EXPECT_EQ(*OpenValue("key", value), "payload");
  EXPECT_EQ(OpenValue("kez", value).status().code(), absl::StatusCode::kDataLoss);
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    std::string flipped = value;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(OpenValue("key", flipped).ok()) << bit;
  }
  for (size_t keep = 0; keep < value.size(); ++keep) {
    EXPECT_FALSE(OpenValue("key", value.substr(0, keep)).ok()) << keep;
  }
}

std::vector<IndexEntry> RandomEntries(uint32_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::vector<IndexEntry> entries;
  uint64_t position = random() >> 20;
  int64_t time = 1'700'000'000'000;
  for (size_t i = 0; i < count; ++i) {
    position += random() % 4 == 0 ? 0 : random() % 100'000;
    time += static_cast<int64_t>(random() % 50) - 5;
    const auto size = static_cast<uint32_t>(random() % 5000);
    entries.push_back({position, time, size,
                       random() % 2 == 0 ? 0 : static_cast<uint32_t>(random())});
    position += size;
  }
  return entries;
}

// Of blocks without override records.
bool DecodeBlock(absl::string_view bytes, size_t count, std::vector<IndexEntry>* entries) {
  std::vector<EntryOverride> overrides;
  return DecodeBlock(bytes, count, entries, &overrides) && overrides.empty();
}

TEST(QueueBlock, RoundTripsWhateverIsInIt) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    const std::vector<IndexEntry> entries = RandomEntries(seed, seed % 129);
    std::vector<IndexEntry> decoded;
    ASSERT_TRUE(DecodeBlock(EncodeBlock(entries), entries.size(), &decoded)) << seed;
    EXPECT_EQ(decoded, entries) << seed;
  }
  const std::vector<IndexEntry> extremes = {{UINT64_MAX, INT64_MIN, UINT32_MAX, UINT32_MAX},
                                            {0, INT64_MAX, 0, 0}};
  std::vector<IndexEntry> decoded;
  ASSERT_TRUE(DecodeBlock(EncodeBlock(extremes), 2, &decoded));
  EXPECT_EQ(decoded, extremes);
}

TEST(QueueBlock, GoldenBytes) {
  // First: position 1000, time 5, size 100, tag 0xabcdef01. Second: right
  // behind it, at the same time, of the same size, without a tag.
  EXPECT_EQ(absl::BytesToHexString(EncodeBlock({{1000, 5, 100, 0xabcdef01}, {1100, 5, 100, 0}})),
            "0102" "d00f" "0a" "c901" "abcdef01" "00" "00" "c801");
}

TEST(QueueBlock, ATruncatedOneIsRefused) {
  const std::string block = EncodeBlock(RandomEntries(7, 20));
  std::vector<IndexEntry> decoded;
  for (size_t keep = 0; keep < block.size(); ++keep) {
    EXPECT_FALSE(DecodeBlock(absl::string_view(block).substr(0, keep), 20, &decoded)) << keep;
  }
  EXPECT_FALSE(DecodeBlock(block, 19, &decoded));
  EXPECT_FALSE(DecodeBlock(block + "x", 20, &decoded));
}

TEST(QueueBlock, OverrideRecordsCostOnlyTheEntriesThatHaveThem) {
  const std::vector<IndexEntry> entries = RandomEntries(7, 128);
  const std::string plain = EncodeBlock(entries);
  std::vector<EntryOverride> overrides;
  for (uint64_t at : {0, 5, 127}) {
    overrides.push_back({at, std::make_shared<const std::string>(at, 'r')});
  }
  const std::string block = EncodeBlock(entries, overrides);

  EXPECT_EQ(block.size(), plain.size() + 1 + 3 * (1 + 4) + 5 + 127);
  EXPECT_EQ(plain[0], 1);
  EXPECT_EQ(block[0], 2);
  std::vector<IndexEntry> decoded;
  std::vector<EntryOverride> records;
  ASSERT_TRUE(DecodeBlock(block, 128, &decoded, &records));
  EXPECT_EQ(decoded, entries);
  ASSERT_EQ(records.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(records[i].at, overrides[i].at);
    EXPECT_EQ(*records[i].record, *overrides[i].record);
  }
  for (size_t keep = 0; keep < block.size(); ++keep) {
    EXPECT_FALSE(DecodeBlock(absl::string_view(block).substr(0, keep), 128, &decoded, &records));
  }
  EXPECT_FALSE(DecodeBlock(block + "x", 128, &decoded, &records));
}

TEST(QueueBlock, AMessageOfAHotQueueTakesFewBytes) {
  std::vector<IndexEntry> entries;
  for (uint64_t i = 0; i < kBlockEntries; ++i) {
    entries.push_back({1'000'000'000 + i * 1'200, 1'700'000'000'000 + static_cast<int64_t>(i / 20),
                       1100, 0xdeadbeef});
  }
  EXPECT_LT(EncodeBlock(entries).size(), kBlockEntries * 11);
}

// --- Message ids ------------------------------------------------------------

std::string Id(uint64_t number) {
  return absl::StrCat("id", absl::Dec(number, absl::kZeroPad14));
}

TEST(DedupWindow, AnIdIsForgottenByTimeAndByCountOfLaterIds) {
  DedupWindow window(1000, 3);
  window.Add(Id(1), {100, 100}, 0, 10);

  ASSERT_NE(window.Find(Id(1), 1099), nullptr);
  EXPECT_EQ(window.Find(Id(1), 1099)->offset, 10u);
  EXPECT_EQ(window.Find(Id(1), 1100), nullptr);

  window.Add(Id(2), {100, 100}, 0, 11);
  window.Add(Id(3), {100, 100}, 0, 12);
  EXPECT_NE(window.Find(Id(1), 100), nullptr);
  window.Add(Id(4), {100, 100}, 0, 13);
  EXPECT_EQ(window.Find(Id(1), 100), nullptr);
  EXPECT_NE(window.Find(Id(2), 100), nullptr);
}

TEST(DedupWindow, TheNewestRecordOfAnIdCountsAndOutlivesTheOlder) {
  DedupWindow window(1000, 3);
  window.Add(Id(1), {0, 0}, 0, 10);
  window.Add(Id(1), {500, 500}, 0, 20);
  window.Add(Id(2), {500, 500}, 0, 21);
  window.Add(Id(3), {500, 500}, 0, 22);  // The first record of id 1 goes.
  ASSERT_NE(window.Find(Id(1), 500), nullptr);
  EXPECT_EQ(window.Find(Id(1), 500)->offset, 20u);
  window.Add(Id(4), {500, 500}, 0, 23);
  EXPECT_EQ(window.Find(Id(1), 500), nullptr);
}

TEST(DedupWindow, ARepeatThatCountsIsRememberedWithItsFirst) {
  DedupWindow window(1000, 3);
  window.Add(Id(1), {7100, 100}, 5, 10);
  EXPECT_EQ(window.Find(Id(1), 400, 300), nullptr);
  window.Refresh(*window.Find(Id(1), 300, 300), 300);
  window.Refresh(*window.Find(Id(1), 500, 300), 500);

  const DedupRecord* const found = window.Find(Id(1), 799, 300);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->first_log_ms, 7100);
  EXPECT_EQ(found->passed_ms, 500);
  EXPECT_EQ(found->offset, 10u);
  EXPECT_EQ(found->queue_id, 5u);
  EXPECT_EQ(window.Find(Id(1), 800, 300), nullptr);
  EXPECT_EQ(window.next_ordinal(), 3u);
}

// Nothing is to be remembered anew within one moment, however often it is asked.
TEST(DedupWindow, RepeatsOfOneMomentPushNobodyOut) {
  DedupWindow window(1000, 3);
  window.Add(Id(1), {100, 100}, 0, 10);
  window.Add(Id(2), {100, 100}, 0, 11);
  for (int i = 0; i < 10; ++i) window.Refresh(*window.Find(Id(2), 100, 300), 100);
  EXPECT_NE(window.Find(Id(1), 100), nullptr);
}

TEST(DedupWindow, CountsIdsThatWerePushedOutYoung) {
  DedupWindow window(300'000, 2);
  window.Add(Id(1), {0, 0}, 0, 0);
  window.Add(Id(2), {0, 0}, 0, 1);
  EXPECT_EQ(window.forgotten_young(), 0u);
  window.Add(Id(3), {10'000, 10'000}, 0, 2);
  window.Add(Id(4), {10'000, 10'000}, 0, 3);
  EXPECT_GE(window.forgotten_young(), 1u);
}

// Ids in rows, chunk by chunk, with checkpoints at any moment, loaded again:
// the same window, and old rows are removed.
TEST(DedupWindow, SurvivesFreezeAndLoadAtAnyMoment) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    DedupWindow window(50'000, 6000 + random() % 3000);
    std::map<std::string, std::string> rows;
    int64_t now = 0;
    const uint64_t total = 30'000;
    uint64_t next_freeze = random() % 5000;
    for (uint64_t i = 0; i < total; ++i) {
      now += static_cast<int64_t>(random() % 10);
      const std::string id = Id(random() % 20'000);
      const DedupRecord* const known = i % 3 == 0 ? window.Find(id, now, 15'000) : nullptr;
      if (known != nullptr) {
        window.Refresh(*known, now);
      } else {
        window.Add(id, {now + 1'000'000, now}, static_cast<uint32_t>(i % 7), i);
      }
      if (i < next_freeze) continue;
      next_freeze = i + random() % 7000;
      std::vector<CheckpointWrite> writes;
      for (const FrozenDedupChunk& chunk : window.Freeze(&writes)) chunk.AppendRow(&writes);
      for (const CheckpointWrite& write : writes) {
        if (write.value.has_value()) {
          rows[write.key] = *write.value;
        } else {
          rows.erase(write.key);
        }
      }
      EXPECT_LE(rows.size(), 4u) << "seed " << seed;

      DedupWindow loaded(50'000, 6000 + 3000);
      for (const auto& [key, value] : rows) {
        ASSERT_TRUE(loaded.LoadRow(*ParseDedupKey(key), value).ok()) << "seed " << seed;
      }
      ASSERT_TRUE(loaded.FinishLoad(window.next_ordinal()).ok()) << "seed " << seed;
      for (uint64_t id = 0; id < 20'000; id += 7) {
        const DedupRecord* const was = window.Find(Id(id), now);
        const DedupRecord* const is = loaded.Find(Id(id), now);
        if (was != nullptr) {
          ASSERT_NE(is, nullptr) << "seed " << seed << " id " << id;
          ASSERT_EQ(is->offset, was->offset) << "seed " << seed << " id " << id;
          ASSERT_EQ(is->passed_ms, was->passed_ms) << "seed " << seed << " id " << id;
          ASSERT_EQ(is->first_log_ms, was->first_log_ms) << "seed " << seed << " id " << id;
        }
      }
    }
  }
}

TEST(DedupWindow, AMissingOrCutRowIsDataLoss) {
  DedupWindow window(50'000, 100'000);
  for (uint64_t i = 0; i < 2 * kDedupChunkRecords + 5; ++i) window.Add(Id(i), {0, 0}, 0, i);
  std::vector<CheckpointWrite> writes;
  for (const FrozenDedupChunk& chunk : window.Freeze(&writes)) chunk.AppendRow(&writes);
  ASSERT_EQ(writes.size(), 3u);

  DedupWindow gap(50'000, 100'000);
  ASSERT_TRUE(gap.LoadRow(0, *writes[0].value).ok());
  EXPECT_EQ(gap.LoadRow(2, *writes[2].value).code(), absl::StatusCode::kDataLoss);
  DedupWindow no_end(50'000, 100'000);
  ASSERT_TRUE(no_end.LoadRow(0, *writes[0].value).ok());
  ASSERT_TRUE(no_end.LoadRow(1, *writes[1].value).ok());
  EXPECT_EQ(no_end.FinishLoad(window.next_ordinal()).code(), absl::StatusCode::kDataLoss);
  DedupWindow cut(50'000, 100'000);
  EXPECT_EQ(cut.LoadRow(0, writes[0].value->substr(1)).code(), absl::StatusCode::kDataLoss);
}

// --- Command ids --------------------------------------------------------------

raft::Command Issued(uint64_t incarnation, uint64_t sequence, uint64_t low = 0) {
  raft::Command command;
  command.id = {ReplicaId(1), Incarnation(incarnation), sequence};
  command.low_watermark = low;
  return command;
}

TEST(CommandWindow, ACommandIsNewOnceAndThenHasItsResult) {
  CommandWindow window;
  EXPECT_EQ(window.See(Issued(1, 1)).verdict, CommandWindow::Verdict::kNew);
  window.Store(Issued(1, 1).id, "one");
  const CommandWindow::Entry again = window.See(Issued(1, 1));
  EXPECT_EQ(again.verdict, CommandWindow::Verdict::kRepeated);
  EXPECT_EQ(again.result, "one");
}

TEST(CommandWindow, TheLowWatermarkEndsWhatIsBelowEvenIfItNeverCame) {
  CommandWindow window;
  EXPECT_EQ(window.See(Issued(1, 5, 3)).verdict, CommandWindow::Verdict::kNew);
  window.Store(Issued(1, 5).id, "five");
  EXPECT_EQ(window.See(Issued(1, 3)).verdict, CommandWindow::Verdict::kForgotten);
  EXPECT_EQ(window.See(Issued(1, 4)).verdict, CommandWindow::Verdict::kNew);
  window.Store(Issued(1, 4).id, "four");
  EXPECT_EQ(window.See(Issued(1, 6, 5)).verdict, CommandWindow::Verdict::kNew);
  EXPECT_EQ(window.See(Issued(1, 5)).verdict, CommandWindow::Verdict::kForgotten);
}

TEST(CommandWindow, AWatermarkAboveItsOwnCommandDoesNotHideIt) {
  CommandWindow window;
  EXPECT_EQ(window.See(Issued(1, 5, 100)).verdict, CommandWindow::Verdict::kNew);
  window.Store(Issued(1, 5).id, "five");
  EXPECT_EQ(window.See(Issued(1, 6)).verdict, CommandWindow::Verdict::kNew);
}

TEST(CommandWindow, ANewIncarnationEndsTheOlder) {
  CommandWindow window;
  EXPECT_TRUE(window.See(Issued(1, 1)).is_new_incarnation);
  window.Store(Issued(1, 1).id, "one");
  EXPECT_FALSE(window.See(Issued(1, 2)).is_new_incarnation);
  const CommandWindow::Entry newer = window.See(Issued(2, 1));
  EXPECT_TRUE(newer.is_new_incarnation);
  EXPECT_EQ(newer.verdict, CommandWindow::Verdict::kNew);
  EXPECT_EQ(window.See(Issued(1, 1)).verdict, CommandWindow::Verdict::kStale);
  EXPECT_EQ(window.See(Issued(1, 9)).verdict, CommandWindow::Verdict::kStale);
}

}  // namespace
}  // namespace totora::store
