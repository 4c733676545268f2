// Leases as rows of the checkpoint store: docs/formats/rocksdb_schema.md.
#include <string>
#include <utility>

#include "store/key_codec.h"
#include "store/lease_table.h"
#include "store/payload.h"

namespace totora::store {
namespace {

constexpr size_t kLeaseBytesMin = 8 + 8 + 8 + 4 + 8 + 1 + 2;
constexpr size_t kReadyBytes = 8 + 8 + 4;

void AppendBits(std::string* to, const OffsetBits& bits) {
  for (uint64_t word : bits.words()) AppendU64(to, word);
}

OffsetBits ReadBits(PayloadReader* reader, uint32_t span) {
  OffsetBits bits(span);
  for (uint64_t& word : bits.words()) word = reader->U64();
  // A bit behind the span would be a message that nobody delivered.
  if (span % 64 != 0 && !bits.words().empty()) {
    reader->Require((bits.words().back() >> (span % 64)) == 0);
  }
  return bits;
}

// The client's name comes last, for the table to look up.
Lease ReadLease(PayloadReader* reader, absl::string_view* client_id) {
  Lease lease;
  lease.delivery_id = reader->U64();
  lease.deadline_ms = static_cast<int64_t>(reader->U64());
  lease.received_ms = static_cast<int64_t>(reader->U64());
  lease.replica = ReplicaId(reader->U32());
  lease.incarnation = Incarnation(reader->U64());
  lease.is_auto_renewed = reader->Bool();
  *client_id = reader->Name();
  reader->Require(!lease.is_auto_renewed || !client_id->empty());
  return lease;
}

absl::Status Damaged() { return absl::DataLossError("checkpoint: damaged leases"); }

}  // namespace

void LeaseTable::AppendLease(std::string* to, const Lease& lease) const {
  AppendU64(to, lease.delivery_id);
  AppendU64(to, static_cast<uint64_t>(lease.deadline_ms));
  AppendU64(to, static_cast<uint64_t>(lease.received_ms));
  AppendU32(to, lease.replica.value());
  AppendU64(to, lease.incarnation.value());
  AppendU8(to, lease.is_auto_renewed ? 1 : 0);
  AppendName(to, lease.client == nullptr ? "" : absl::string_view(lease.client->id));
}

void LeaseTable::Freeze(std::vector<CheckpointWrite>* rows) {
  for (const LeaseKey& key : dropped_) rows->push_back({LeaseRowKey(key), std::nullopt});
  dropped_.clear();
  for (const LeaseKey& key : dirty_) {
    LeaseQueue* const queue = FindMutable(key);
    if (queue == nullptr) continue;
    queue->is_dirty = false;
    std::string row;
    AppendU64(&row, queue->next);
    AppendU32(&row, static_cast<uint32_t>(queue->ranges.size()));
    for (const auto& [first, range] : queue->ranges) {
      AppendU64(&row, first);
      AppendU32(&row, range.span);
      AppendLease(&row, range.lease);
      AppendBits(&row, range.held);
      AppendBits(&row, range.written);
    }
    AppendU32(&row, static_cast<uint32_t>(queue->singles.size()));
    for (const auto& [offset, single] : queue->singles) {
      AppendU64(&row, offset);
      AppendU32(&row, single.attempt);
      AppendU8(&row, single.is_written ? 1 : 0);
      AppendLease(&row, single.lease);
    }
    AppendU32(&row, static_cast<uint32_t>(queue->ready.size()));
    for (const auto& [offset, ready] : queue->ready) {
      AppendU64(&row, offset);
      AppendU64(&row, ready.delivery_id);
      AppendU32(&row, ready.attempts);
    }
    rows->push_back({LeaseRowKey(key), std::move(row)});
  }
  dirty_.clear();
  for (const std::string& id : dirty_clients_) {
    auto it = clients_.find(id);
    if (it == clients_.end() || it->second->alive_until_ms == 0) {
      rows->push_back({ClientKey(id), std::nullopt});
    } else {
      std::string row;
      AppendU64(&row, static_cast<uint64_t>(it->second->alive_until_ms));
      rows->push_back({ClientKey(id), std::move(row)});
    }
  }
  dirty_clients_.clear();
}

absl::Status LeaseTable::LoadRow(const LeaseKey& key, absl::string_view payload) {
  PayloadReader reader(payload);
  LeaseQueue* const queue = FindOrAdd(key);
  queue->next = reader.U64();
  absl::string_view client_id;
  const size_t ranges = reader.Count(8 + 4 + kLeaseBytesMin + 16);
  for (size_t i = 0; i < ranges; ++i) {
    const uint64_t first = reader.U64();
    LeaseRange range;
    range.span = reader.U32();
    reader.Require(range.span >= 1 && range.span <= kScanMax &&
                   (queue->ranges.empty() || first > queue->ranges.rbegin()->first));
    range.lease = ReadLease(&reader, &client_id);
    if (!reader.ok()) return Damaged();
    range.held = ReadBits(&reader, range.span);
    range.written = ReadBits(&reader, range.span);
    const uint64_t count = range.held.Count();
    if (!reader.ok() || count == 0 || first + range.span > queue->next) return Damaged();
    if (!client_id.empty()) range.lease.client = AddClient(client_id);
    Index({key, first, false}, range.lease);
    queue->ranges[first] = std::move(range);
    queue->leased += count;
    in_flight_ += count;
  }
  const size_t singles = reader.Count(8 + 4 + 1 + kLeaseBytesMin);
  for (size_t i = 0; i < singles; ++i) {
    const uint64_t offset = reader.U64();
    SingleLease single;
    single.attempt = reader.U32();
    single.is_written = reader.Bool();
    single.lease = ReadLease(&reader, &client_id);
    if (!reader.ok() || offset >= queue->next || queue->singles.contains(offset)) {
      return Damaged();
    }
    if (!client_id.empty()) single.lease.client = AddClient(client_id);
    AddSingle(key, queue, offset, std::move(single));
  }
  const size_t ready = reader.Count(kReadyBytes);
  for (size_t i = 0; i < ready; ++i) {
    const uint64_t offset = reader.U64();
    const uint64_t delivery_id = reader.U64();
    const uint32_t attempts = reader.U32();
    if (!reader.ok() || offset >= queue->next || queue->ready.contains(offset)) return Damaged();
    AddReady(queue, offset, delivery_id, attempts);
  }
  return reader.done() ? absl::OkStatus() : Damaged();
}

absl::Status LeaseTable::LoadClientRow(absl::string_view client_id, absl::string_view payload) {
  PayloadReader reader(payload);
  const uint64_t until = reader.U64();
  auto it = clients_.find(client_id);
  if (!reader.done() || it == clients_.end() || it->second->auto_renewed == 0) return Damaged();
  it->second->alive_until_ms = static_cast<int64_t>(until);
  return absl::OkStatus();
}

}  // namespace totora::store
