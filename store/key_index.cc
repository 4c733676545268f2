#include "store/key_index.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "common/status.h"
#include "message/message.h"
#include "store/key_codec.h"
#include "store/payload.h"

namespace totora::store {
namespace {

struct KeyHash {
  uint32_t bucket;
  uint32_t low;
};

KeyHash HashOf(TopicId topic, absl::string_view key) {
  const uint64_t hash = XXH3_64bits_withSeed(key.data(), key.size(), topic.value());
  return {static_cast<uint32_t>(hash >> 52), static_cast<uint32_t>(hash)};
}

constexpr size_t kRowHeaderBytes = 8 + 8;

// Calls `each` for the words of KEYS.
template <typename Each>
void ForEachWord(absl::string_view words, Each each) {
  for (size_t count = 0; count < kKeysPerMessageMax; ++count) {
    while (!words.empty() && words.front() == ' ') words.remove_prefix(1);
    if (words.empty()) return;
    const size_t end = std::min(words.find(' '), words.size());
    each(words.substr(0, end));
    words.remove_prefix(end);
  }
}

// Every message of the log comes by here, and its properties are a few hundred
// bytes: one search for each of them, and a look at its first letters.
template <typename Each>
void ForEachKey(absl::string_view properties, Each each) {
  constexpr absl::string_view kUniqueKey("UNIQ_KEY\x01");
  constexpr absl::string_view kKeys("KEYS\x01");
  static_assert(sizeof(message::kUniqueKeyProperty) == kUniqueKey.size());
  static_assert(sizeof(message::kKeysProperty) == kKeys.size());
  const char* at = properties.data();
  const char* const end = at + properties.size();
  while (at != end) {
    const void* const found = std::memchr(at, 2, static_cast<size_t>(end - at));
    const char* const part_end = found == nullptr ? end : static_cast<const char*>(found);
    const absl::string_view part(at, static_cast<size_t>(part_end - at));
    if (absl::StartsWith(part, kUniqueKey)) {
      if (part.size() > kUniqueKey.size()) each(part.substr(kUniqueKey.size()));
    } else if (absl::StartsWith(part, kKeys)) {
      ForEachWord(part.substr(kKeys.size()), each);
    }
    at = found == nullptr ? end : part_end + 1;
  }
}

using Entry = KeyChains::Entry;

// Of one row. False if it is damaged.
bool ReadRow(absl::string_view payload, std::vector<Entry>* entries) {
  entries->clear();
  PayloadReader reader(payload);
  uint64_t time = reader.U64();
  reader.U64();
  uint64_t position = 0;
  while (reader.ok() && !reader.rest().empty()) {
    Entry& entry = entries->emplace_back();
    entry.hash = reader.U32();
    position += static_cast<uint64_t>(UnZigZag(reader.Varint()));
    time += static_cast<uint64_t>(UnZigZag(reader.Varint()));
    const uint64_t size = reader.Varint();
    reader.Require(size <= UINT32_MAX);
    entry.position = position;
    entry.store_time_ms = static_cast<int64_t>(time);
    entry.size = static_cast<uint32_t>(size);
  }
  return reader.done();
}

}  // namespace

void KeyChains::Add(uint32_t bucket, Entry entry) {
  if (newest_.empty()) newest_.assign(kKeyBuckets, kNone);
  if (size_ % kChunk == 0) chunks_.push_back(std::make_unique<Chunk>());
  entry.before = newest_[bucket];
  newest_[bucket] = size_;
  (*chunks_.back())[size_++ % kChunk] = entry;
}

void KeyIndex::AddKey(TopicId topic, absl::string_view key, const KeyHit& message) {
  const KeyHash hash = HashOf(topic, key);
  new_.Add(hash.bucket,
           {message.position.value(), message.store_time_ms, hash.low, message.size});
}

void KeyIndex::Add(TopicId topic, absl::string_view properties, const KeyHit& message) {
  ForEachKey(properties, [&](absl::string_view key) { AddKey(topic, key, message); });
}

void FrozenKeys::AppendRows(std::vector<CheckpointWrite>* rows) const {
  std::vector<Entry> entries;
  for (uint32_t bucket = 0; bucket < kKeyBuckets; ++bucket) {
    entries.clear();
    keys_.ForEach(bucket, [&](const Entry& entry) {
      entries.push_back(entry);
      return true;
    });
    if (entries.empty()) continue;
    std::reverse(entries.begin(), entries.end());
    // Log time never falls, so the first and the last are the bounds.
    int64_t time = entries.front().store_time_ms;
    uint64_t position = 0;
    std::string row;
    row.reserve(kRowHeaderBytes + entries.size() * 12);
    AppendU64(&row, static_cast<uint64_t>(time));
    AppendU64(&row, static_cast<uint64_t>(entries.back().store_time_ms));
    for (const Entry& entry : entries) {
      AppendU32(&row, entry.hash);
      AppendVarint(&row, ZigZag(static_cast<int64_t>(entry.position - position)));
      AppendVarint(&row, ZigZag(entry.store_time_ms - time));
      AppendVarint(&row, entry.size);
      position = entry.position;
      time = entry.store_time_ms;
    }
    rows->push_back({KeyRowKey(bucket, applied_), std::move(row)});
  }
}

absl::StatusOr<std::vector<KeyHit>> KeyIndex::Find(const KeySearch& search) const {
  std::vector<KeyHit> hits;
  const KeyHash hash = HashOf(search.topic, search.key);
  // Looks at one; false when there are enough.
  const auto take = [&](const Entry& entry) {
    if (entry.hash == hash.low && entry.store_time_ms >= search.from_ms &&
        entry.store_time_ms <= search.to_ms) {
      const KeyHit hit{BytePosition(entry.position), entry.size, entry.store_time_ms};
      // One message may have a word twice.
      if (hits.empty() || hits.back() != hit) hits.push_back(hit);
    }
    return hits.size() < search.limit;
  };
  if (search.limit == 0) return hits;
  new_.ForEach(hash.bucket, take);
  if (hits.size() < search.limit && frozen_ != nullptr) {
    frozen_->keys().ForEach(hash.bucket, take);
  }
  if (hits.size() == search.limit) return hits;

  absl::Status status;
  std::vector<Entry> entries;
  const KeyRange range = KeyRowsOf(hash.bucket);
  const absl::Status scanned = checkpoints_->Scan(
      range.from, range.to, [&](absl::string_view row_key, absl::string_view value) {
        // A checkpoint that was just written has what RAM still calls frozen.
        if (frozen_ != nullptr && row_key == KeyRowKey(hash.bucket, frozen_->applied())) {
          return true;
        }
        const absl::StatusOr<absl::string_view> payload = OpenValue(row_key, value);
        if (!payload.ok() || payload->size() < kRowHeaderBytes) {
          status = absl::DataLossError("checkpoint: damaged keys");
          return false;
        }
        const auto oldest = static_cast<int64_t>(GetAt<uint64_t>(payload->data()));
        const auto newest = static_cast<int64_t>(GetAt<uint64_t>(payload->data() + 8));
        if (newest < search.from_ms) return false;  // And all behind it are older.
        if (oldest > search.to_ms) return true;
        if (!ReadRow(*payload, &entries)) {
          status = absl::DataLossError("checkpoint: damaged keys");
          return false;
        }
        return std::all_of(entries.rbegin(), entries.rend(), take);
      });
  TOTORA_RETURN_IF_ERROR(scanned);
  TOTORA_RETURN_IF_ERROR(status);
  return hits;
}

absl::Status KeyIndex::ForEach(
    absl::FunctionRef<void(uint32_t, uint32_t, const KeyHit&)> visit) const {
  std::map<uint32_t, std::vector<std::vector<Entry>>> newest_first;
  absl::Status status;
  const KeyRange range = RowsOf(RowKind::kKeys);
  const absl::Status scanned = checkpoints_->Scan(
      range.from, range.to, [&](absl::string_view row_key, absl::string_view value) {
        const absl::StatusOr<uint32_t> bucket = ParseKeyRowKey(row_key);
        const absl::StatusOr<absl::string_view> payload = OpenValue(row_key, value);
        if (!bucket.ok() || !payload.ok()) {
          status = bucket.ok() ? payload.status() : bucket.status();
        } else if (frozen_ == nullptr || row_key != KeyRowKey(*bucket, frozen_->applied())) {
          if (!ReadRow(*payload, &newest_first[*bucket].emplace_back())) {
            status = absl::DataLossError("checkpoint: damaged keys");
          }
        }
        return status.ok();
      });
  TOTORA_RETURN_IF_ERROR(scanned);
  TOTORA_RETURN_IF_ERROR(status);
  const auto tell = [&](uint32_t bucket, const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
      visit(bucket, entry.hash, {BytePosition(entry.position), entry.size, entry.store_time_ms});
    }
  };
  for (uint32_t bucket = 0; bucket < kKeyBuckets; ++bucket) {
    if (auto it = newest_first.find(bucket); it != newest_first.end()) {
      for (auto row = it->second.rbegin(); row != it->second.rend(); ++row) tell(bucket, *row);
    }
    for (const KeyChains* chains : {frozen_ == nullptr ? nullptr : &frozen_->keys(), &new_}) {
      if (chains == nullptr) continue;
      std::vector<Entry> entries;
      chains->ForEach(bucket, [&](const Entry& entry) {
        entries.push_back(entry);
        return true;
      });
      std::reverse(entries.begin(), entries.end());
      tell(bucket, entries);
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<const FrozenKeys> KeyIndex::Freeze(LogIndex applied) {
  if (new_.size() == 0) return nullptr;
  frozen_ = std::make_shared<const FrozenKeys>(applied, std::exchange(new_, KeyChains()));
  return frozen_;
}

}  // namespace totora::store
