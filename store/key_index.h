// Messages by their keys: the words of KEYS, and UNIQ_KEY.
//
// A key is 64 bits of hash over topic and text. The upper 12 choose a bucket;
// what was added since the last freeze lies in RAM by bucket, and a checkpoint
// writes one packed row for each bucket that got something. So a key costs about
// 9 bytes and the write of a row is shared by many, and a search reads one bucket
// in 4096, newest first. docs/formats/rocksdb_schema.md
//
// A hit may be another key with the same bits: whoever reads the message looks.
//
// Thread safety: confined, but for frozen keys.
#ifndef TOTORA_STORE_KEY_INDEX_H_
#define TOTORA_STORE_KEY_INDEX_H_

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/types.h"
#include "store/checkpoint_store.h"
#include "store/schema.h"

namespace totora::store {

// Part of the disk format.
inline constexpr uint32_t kKeyBuckets = 4096;
// Words of KEYS that are indexed.
inline constexpr size_t kKeysPerMessageMax = 64;

struct KeyHit {
  BytePosition position;     // Of the stored bytes.
  uint32_t size = 0;
  int64_t store_time_ms = 0;

  friend bool operator==(const KeyHit&, const KeyHit&) = default;
};

struct KeySearch {
  TopicId topic;
  absl::string_view key;
  int64_t from_ms = 0;       // Store time, both ends included.
  int64_t to_ms = INT64_MAX;
  size_t limit = 64;
};

// Keys in the order in which they came, each with a way back to the one before it
// in its bucket: adding writes behind the last one, whatever the bucket.
//
// Thread safety: confined; immutable once frozen.
class KeyChains {
 public:
  struct Entry {
    uint64_t position = 0;
    int64_t store_time_ms = 0;
    uint32_t hash = 0;         // Its lower half.
    uint32_t size = 0;
    uint32_t before = 0;       // Number of the one before it in its bucket; kNone.
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  uint32_t size() const { return size_; }
  void Add(uint32_t bucket, Entry entry);
  // Calls `visit` for a bucket's entries, newest first, until it returns false.
  template <typename Visit>
  void ForEach(uint32_t bucket, Visit visit) const {
    if (newest_.empty()) return;
    for (uint32_t at = newest_[bucket]; at != kNone; at = At(at).before) {
      if (!visit(At(at))) return;
    }
  }

 private:
  static constexpr uint32_t kChunk = 1024;

  const Entry& At(uint32_t number) const { return (*chunks_[number / kChunk])[number % kChunk]; }

  using Chunk = std::array<Entry, kChunk>;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<uint32_t> newest_;  // By bucket. Empty until there is a key.
  uint32_t size_ = 0;
};

// Keys as a checkpoint writes them. Immutable once made.
class FrozenKeys {
 public:
  FrozenKeys(LogIndex applied, KeyChains keys) : applied_(applied), keys_(std::move(keys)) {}

  // Appends its rows. Any thread.
  void AppendRows(std::vector<CheckpointWrite>* rows) const;

  LogIndex applied() const { return applied_; }
  const KeyChains& keys() const { return keys_; }

 private:
  const LogIndex applied_;
  const KeyChains keys_;
};

class KeyIndex {
 public:
  // Borrowed.
  explicit KeyIndex(const CheckpointStore* checkpoints) : checkpoints_(checkpoints) {}

  // Adds every key of a stored message.
  void Add(TopicId topic, absl::string_view properties, const KeyHit& message);

  // Newest first. Errors: of the checkpoint store; DataLoss.
  absl::StatusOr<std::vector<KeyHit>> Find(const KeySearch& search) const;

  // Keys in RAM that no checkpoint has yet.
  uint64_t unfrozen() const { return new_.size(); }
  // All there is, bucket by bucket, oldest first: for tests.
  absl::Status ForEach(
      absl::FunctionRef<void(uint32_t bucket, uint32_t hash, const KeyHit& hit)> visit) const;

  // Everything since the last call; null if there is nothing. Searches go on
  // finding it in RAM until Thaw says that it is durable.
  std::shared_ptr<const FrozenKeys> Freeze(LogIndex applied);
  void Thaw() { frozen_ = nullptr; }

 private:
  void AddKey(TopicId topic, absl::string_view key, const KeyHit& message);
  const CheckpointStore* const checkpoints_;
  KeyChains new_;              // Since the last freeze.
  std::shared_ptr<const FrozenKeys> frozen_;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_KEY_INDEX_H_
