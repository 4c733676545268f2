#include "store/key_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "message/message.h"
#include "message/properties.h"
#include "store/key_codec.h"

namespace totora::store {
namespace {

constexpr TopicId kTopic(3);

std::string Properties(const std::string& keys, const std::string& unique_key = "") {
  std::string packed;
  EXPECT_TRUE(message::AppendProperty(&packed, message::kKeysProperty, keys).ok());
  if (!unique_key.empty()) {
    EXPECT_TRUE(message::AppendProperty(&packed, message::kUniqueKeyProperty, unique_key).ok());
  }
  return packed;
}

class MessageKeys : public ::testing::Test {
 protected:
  void Add(const std::string& keys, uint64_t position, int64_t time = 100,
           const std::string& unique_key = "") {
    index->Add(kTopic, Properties(keys, unique_key), {BytePosition(position), 7, time});
  }
  void Freeze() { frozen = index->Freeze(LogIndex(++applied)); }
  void Write() {
    std::vector<CheckpointWrite> rows;
    if (frozen != nullptr) frozen->AppendRows(&rows);
    for (CheckpointWrite& row : rows) row.value = SealValue(row.key, *row.value);
    ASSERT_TRUE(checkpoints->Commit(rows).ok());
  }
  void Checkpoint() {
    Freeze();
    Write();
    index->Thaw();
  }
  std::vector<uint64_t> Find(const std::string& key, size_t limit = 64, int64_t from_ms = 0,
                             int64_t to_ms = INT64_MAX) {
    const auto hits = index->Find({kTopic, key, from_ms, to_ms, limit});
    EXPECT_TRUE(hits.ok()) << hits.status();
    std::vector<uint64_t> positions;
    for (const KeyHit& hit : *hits) positions.push_back(hit.position.value());
    return positions;
  }

  using Found = std::vector<uint64_t>;
  const std::shared_ptr<std::map<std::string, std::string>> durable =
      std::make_shared<std::map<std::string, std::string>>();
  const std::unique_ptr<CheckpointStore> checkpoints = MakeMemoryCheckpoints(durable);
  std::unique_ptr<KeyIndex> index = std::make_unique<KeyIndex>(checkpoints.get());
  std::shared_ptr<const FrozenKeys> frozen;
  uint64_t applied = 0;
};

TEST_F(MessageKeys, EachWordAndTheUniqueKeyAreFoundNewestFirst) {
  Add("order-1  paid ", 10, 100, "unique");
  Add("order-2 paid paid", 20);
  Add("paid", 30);
  EXPECT_EQ(Find("order-1"), (Found{10}));
  EXPECT_EQ(Find("unique"), (Found{10}));
  EXPECT_EQ(Find("paid"), (Found{30, 20, 10}));
  EXPECT_EQ(Find("paid", 2), (Found{30, 20}));
  EXPECT_EQ(Find(""), (Found{}));
  EXPECT_EQ(Find("order"), (Found{}));
  EXPECT_TRUE(index->Find({TopicId(4), "paid"})->empty());
}

TEST_F(MessageKeys, AreFoundAtEveryMomentOfACheckpoint) {
  Add("k", 10);
  Checkpoint();
  Add("k", 20);
  Freeze();
  Add("k", 30);
  EXPECT_EQ(Find("k"), (Found{30, 20, 10}));
  Write();  // Durable, and nobody was told yet.
  EXPECT_EQ(Find("k"), (Found{30, 20, 10}));
  index->Thaw();
  EXPECT_EQ(Find("k"), (Found{30, 20, 10}));
  Checkpoint();
  index = std::make_unique<KeyIndex>(checkpoints.get());
  EXPECT_EQ(Find("k"), (Found{30, 20, 10}));
  EXPECT_EQ(Find("k", 2), (Found{30, 20}));
}

TEST_F(MessageKeys, OnlyTheTimeRangeIsSearched) {
  for (int64_t time = 1; time <= 9; ++time) {
    Add("k", static_cast<uint64_t>(time * 10), time);
    if (time % 2 == 0) Checkpoint();
  }
  EXPECT_EQ(Find("k", 64, 3, 6), (Found{60, 50, 40, 30}));
  EXPECT_EQ(Find("k", 64, 9, 9), (Found{90}));
  EXPECT_EQ(Find("k", 64, 10), (Found{}));
}

TEST_F(MessageKeys, WordsBeyondTheMaximumAreNotIndexed) {
  std::string many;
  for (size_t i = 0; i < kKeysPerMessageMax + 5; ++i) absl::StrAppend(&many, "w", i, " ");
  Add(many, 10);
  EXPECT_EQ(index->unfrozen(), kKeysPerMessageMax);
}

TEST_F(MessageKeys, ACheckpointOfManyKeysHasAtMostARowForEachBucket) {
  for (uint64_t i = 0; i < 50'000; ++i) Add(absl::StrCat("key-", i), i * 300, 1'000'000 + i / 10);
  Checkpoint();
  EXPECT_LE(durable->size(), kKeyBuckets);
  size_t bytes = 0;
  for (const auto& [key, value] : *durable) bytes += key.size() + value.size();
  EXPECT_LT(bytes, 50'000u * 16);
  for (uint64_t i = 0; i < 50'000; i += 997) {
    EXPECT_EQ(Find(absl::StrCat("key-", i)), (Found{i * 300})) << i;
  }
}

TEST_F(MessageKeys, ADamagedRowIsDataLoss) {
  Add("k", 10);
  Checkpoint();
  ASSERT_EQ(durable->size(), 1u);
  std::string& value = durable->begin()->second;
  const std::string good = value;
  for (size_t keep = 0; keep < good.size(); ++keep) {
    value = good.substr(0, keep);
    EXPECT_EQ(index->Find({kTopic, "k"}).status().code(), absl::StatusCode::kDataLoss);
    // Cut, and sealed as if it were whole.
    value = SealValue(durable->begin()->first, good.substr(0, keep));
    const auto found = index->Find({kTopic, "k"});
    if (keep != 16) {  // A row of no keys can be read.
      EXPECT_FALSE(found.ok() && keep < good.size() - 4) << keep;
    }
  }
}

}  // namespace
}  // namespace totora::store
