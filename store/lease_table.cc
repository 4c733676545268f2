#include "store/lease_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/check.h"

namespace totora::store {

// --- Finding and indexing -----------------------------------------------------

LeaseQueue* LeaseTable::FindMutable(const LeaseKey& key) const {
  auto it = queues_.find(key);
  return it == queues_.end() ? nullptr : it->second.get();
}

const LeaseQueue* LeaseTable::Find(const LeaseKey& key) const { return FindMutable(key); }

LeaseQueue* LeaseTable::FindOrAdd(const LeaseKey& key) {
  std::unique_ptr<LeaseQueue>& queue = queues_[key];
  if (queue == nullptr) queue = std::make_unique<LeaseQueue>();
  return queue.get();
}

void LeaseTable::Touch(const LeaseKey& key, LeaseQueue* queue) {
  if (queue->is_dirty) return;
  queue->is_dirty = true;
  dirty_.push_back(key);
}

LeaseClient* LeaseTable::AddClient(absl::string_view client_id) {
  auto it = clients_.find(client_id);
  if (it != clients_.end()) return it->second.get();
  auto client = std::make_unique<LeaseClient>();
  client->id = std::string(client_id);
  LeaseClient* const added = client.get();
  clients_[added->id] = std::move(client);
  return added;
}

void LeaseTable::Index(const LeaseRef& ref, const Lease& lease) {
  expiries_.insert({lease.deadline_ms, ref});
  if (lease.client == nullptr) return;
  lease.client->leases.insert(ref);
  if (lease.is_auto_renewed) ++lease.client->auto_renewed;
}

void LeaseTable::StopRenewing(Lease* lease) {
  if (!lease->is_auto_renewed) return;
  lease->is_auto_renewed = false;
  LeaseClient* const client = lease->client;
  if (--client->auto_renewed > 0 || client->alive_until_ms == 0) return;
  client->alive_until_ms = 0;
  dirty_clients_.insert(client->id);
}

void LeaseTable::Unindex(const LeaseRef& ref, const Lease& lease) {
  expiries_.erase({lease.deadline_ms, ref});
  if (lease.client == nullptr) return;
  Lease last = lease;
  StopRenewing(&last);
  lease.client->leases.erase(ref);
  if (lease.client->leases.empty()) {
    const std::string id = lease.client->id;
    clients_.erase(id);
  }
}

Lease* LeaseTable::LeaseOf(const LeaseRef& ref) {
  LeaseQueue* const queue = FindMutable(ref.key);
  TOTORA_CHECK(queue != nullptr) << " an index names a queue that is not there";
  if (ref.is_single) return &queue->singles.find(ref.offset)->second.lease;
  return &queue->ranges.find(ref.offset)->second.lease;
}

int64_t LeaseTable::EndOf(const Lease& lease) {
  if (!lease.is_auto_renewed) return lease.deadline_ms;
  return std::max(lease.deadline_ms, std::min(lease.client->alive_until_ms,
                                              lease.received_ms + kAutoRenewMsMax));
}

void LeaseTable::SetDeadline(const LeaseRef& ref, Lease* lease, int64_t deadline_ms) {
  expiries_.erase({lease->deadline_ms, ref});
  lease->deadline_ms = deadline_ms;
  expiries_.insert({deadline_ms, ref});
}

// --- Adding and removing ------------------------------------------------------

Lease LeaseTable::MakeLease(const Receiver& receiver, uint64_t delivery_id) {
  Lease lease;
  lease.delivery_id = delivery_id;
  lease.deadline_ms = receiver.deadline_ms;
  lease.received_ms = receiver.now_ms;
  lease.replica = receiver.replica;
  lease.incarnation = receiver.incarnation;
  if (!receiver.client_id.empty()) {
    lease.client = AddClient(receiver.client_id);
    lease.is_auto_renewed = receiver.is_auto_renewed;
  }
  return lease;
}

void LeaseTable::AddSingle(const LeaseKey& key, LeaseQueue* queue, uint64_t offset,
                           SingleLease single) {
  Index({key, offset, true}, single.lease);
  queue->singles[offset] = std::move(single);
  ++queue->leased;
  ++in_flight_;
}

void LeaseTable::RemoveSingle(const LeaseKey& key, LeaseQueue* queue,
                              absl::btree_map<uint64_t, SingleLease>::iterator single) {
  Unindex({key, single->first, true}, single->second.lease);
  queue->singles.erase(single);
  --queue->leased;
  --in_flight_;
}

void LeaseTable::RemoveFromRange(const LeaseKey& key, LeaseQueue* queue,
                                 absl::btree_map<uint64_t, LeaseRange>::iterator range,
                                 uint64_t offset) {
  const uint64_t at = offset - range->first;
  range->second.held.Clear(at);
  range->second.written.Clear(at);
  --queue->leased;
  --in_flight_;
  if (range->second.held.Count() > 0) return;
  Unindex({key, range->first, false}, range->second.lease);
  queue->ranges.erase(range);
}

void LeaseTable::AddReady(LeaseQueue* queue, uint64_t offset, uint64_t delivery_id,
                          uint32_t attempts) {
  queue->ready[offset] = {delivery_id, attempts};
  ++in_flight_;
}

uint64_t LeaseTable::Release(const LeaseRef& ref, Bury bury) {
  LeaseQueue* const queue = FindMutable(ref.key);
  Touch(ref.key, queue);
  if (ref.is_single) {
    auto it = queue->singles.find(ref.offset);
    const uint64_t delivery_id = it->second.lease.delivery_id;
    const uint32_t attempt = it->second.attempt;
    RemoveSingle(ref.key, queue, it);
    if (!bury(ref.key, ref.offset, attempt)) AddReady(queue, ref.offset, delivery_id, attempt);
    return 1;
  }
  auto it = queue->ranges.find(ref.offset);
  const LeaseRange range = std::move(it->second);
  Unindex(ref, range.lease);
  queue->ranges.erase(it);
  uint64_t count = 0;
  for (uint32_t at = 0; at < range.span; ++at) {
    if (!range.held.Test(at)) continue;
    ++count;
    --queue->leased;
    --in_flight_;
    if (bury(ref.key, ref.offset + at, 1)) continue;
    AddReady(queue, ref.offset + at, range.lease.delivery_id, 1);
  }
  return count;
}

// --- Receive ------------------------------------------------------------------

uint32_t LeaseTable::LeaseReady(const LeaseKey& key, const Receiver& receiver,
                                uint64_t delivery_id) {
  LeaseQueue* const queue = FindMutable(key);
  Touch(key, queue);
  auto it = queue->ready.begin();
  const uint64_t offset = it->first;
  SingleLease single;
  single.attempt = it->second.attempts + 1;
  queue->ready.erase(it);
  --in_flight_;
  single.lease = MakeLease(receiver, delivery_id);
  const uint32_t attempt = single.attempt;
  AddSingle(key, queue, offset, std::move(single));
  return attempt;
}

void LeaseTable::DropReady(const LeaseKey& key) {
  LeaseQueue* const queue = FindMutable(key);
  Touch(key, queue);
  queue->ready.erase(queue->ready.begin());
  --in_flight_;
}

void LeaseTable::LeaseNew(const LeaseKey& key, const Receiver& receiver, uint64_t delivery_id,
                          const std::vector<uint64_t>& offsets) {
  LeaseQueue* const queue = FindOrAdd(key);
  Touch(key, queue);
  const uint64_t first = offsets.front();
  LeaseRange range;
  range.span = static_cast<uint32_t>(offsets.back() - first + 1);
  range.held = OffsetBits(range.span);
  range.written = OffsetBits(range.span);
  for (uint64_t offset : offsets) range.held.Set(offset - first);
  range.lease = MakeLease(receiver, delivery_id);
  Index({key, first, false}, range.lease);
  queue->ranges[first] = std::move(range);
  queue->leased += offsets.size();
  in_flight_ += offsets.size();
}

void LeaseTable::Advance(const LeaseKey& key, uint64_t next) {
  LeaseQueue* const queue = FindOrAdd(key);
  if (next <= queue->next) return;
  queue->next = next;
  Touch(key, queue);
}

void LeaseTable::Reset(const LeaseKey& key, uint64_t next) {
  Drop(queues_.find(key), key);
  // The begin of the queue is where a group starts of which nothing is known.
  if (next > 0) Advance(key, next);
}

// --- What becomes of a delivery -------------------------------------------------

absl::StatusCode LeaseTable::Ack(const LeaseKey& key, uint64_t offset, uint64_t delivery_id,
                                 uint64_t next_delivery_id) {
  LeaseQueue* const queue = FindMutable(key);
  if (queue == nullptr || offset >= queue->next || delivery_id == 0 ||
      delivery_id >= next_delivery_id) {
    return absl::StatusCode::kFailedPrecondition;  // Such a handle was never given.
  }
  if (auto it = queue->singles.find(offset); it != queue->singles.end()) {
    if (it->second.lease.delivery_id != delivery_id) return absl::StatusCode::kFailedPrecondition;
    RemoveSingle(key, queue, it);
  } else if (auto ready = queue->ready.find(offset); ready != queue->ready.end()) {
    if (ready->second.delivery_id != delivery_id) return absl::StatusCode::kFailedPrecondition;
    queue->ready.erase(ready);
    --in_flight_;
  } else if (auto range = queue->FindRange(offset);
             range != queue->ranges.end() && range->second.held.Test(offset - range->first)) {
    if (range->second.lease.delivery_id != delivery_id) {
      return absl::StatusCode::kFailedPrecondition;
    }
    RemoveFromRange(key, queue, range, offset);
  } else {
    return absl::StatusCode::kOk;  // Acked before.
  }
  Touch(key, queue);
  return absl::StatusCode::kOk;
}

absl::StatusCode LeaseTable::ChangeInvisible(const LeaseKey& key, uint64_t offset,
                                             uint64_t delivery_id, const Receiver& receiver,
                                             Bury bury) {
  LeaseQueue* const queue = FindMutable(key);
  if (queue == nullptr) return absl::StatusCode::kFailedPrecondition;
  SingleLease single;
  single.is_written = true;  // Somebody has the handle.
  if (auto it = queue->singles.find(offset); it != queue->singles.end()) {
    if (it->second.lease.delivery_id != delivery_id) return absl::StatusCode::kFailedPrecondition;
    single = it->second;
    single.is_written = true;
    RemoveSingle(key, queue, it);
  } else if (auto ready = queue->ready.find(offset); ready != queue->ready.end()) {
    if (ready->second.delivery_id != delivery_id) return absl::StatusCode::kFailedPrecondition;
    // An attempt that was not counted has reached a client after all.
    single.attempt = std::max(ready->second.attempts, 1u);
    queue->ready.erase(ready);
    --in_flight_;
  } else if (auto range = queue->FindRange(offset);
             range != queue->ranges.end() && range->second.held.Test(offset - range->first) &&
             range->second.lease.delivery_id == delivery_id) {
    RemoveFromRange(key, queue, range, offset);
  } else {
    return absl::StatusCode::kFailedPrecondition;
  }
  Touch(key, queue);
  if (receiver.deadline_ms <= receiver.now_ms) {
    if (!bury(key, offset, single.attempt)) AddReady(queue, offset, delivery_id, single.attempt);
    return absl::StatusCode::kOk;
  }
  // The client said itself how long: its liveness does not prolong that.
  single.lease = MakeLease(receiver, delivery_id);
  AddSingle(key, queue, offset, std::move(single));
  return absl::StatusCode::kOk;
}

std::optional<uint32_t> LeaseTable::AttemptsOf(const LeaseKey& key, uint64_t offset,
                                               uint64_t delivery_id) const {
  LeaseQueue* const queue = FindMutable(key);
  if (queue == nullptr) return std::nullopt;
  if (auto it = queue->singles.find(offset); it != queue->singles.end()) {
    if (it->second.lease.delivery_id != delivery_id) return std::nullopt;
    return it->second.attempt;
  }
  if (auto ready = queue->ready.find(offset); ready != queue->ready.end()) {
    if (ready->second.delivery_id != delivery_id) return std::nullopt;
    return ready->second.attempts;
  }
  auto range = queue->FindRange(offset);
  if (range == queue->ranges.end() || !range->second.held.Test(offset - range->first) ||
      range->second.lease.delivery_id != delivery_id) {
    return std::nullopt;
  }
  return 1;
}

void LeaseTable::MarkWritten(const LeaseKey& key, uint64_t offset, uint64_t delivery_id) {
  LeaseQueue* const queue = FindMutable(key);
  if (queue == nullptr) return;
  if (auto it = queue->singles.find(offset); it != queue->singles.end()) {
    if (it->second.lease.delivery_id != delivery_id || it->second.is_written) return;
    it->second.is_written = true;
    Touch(key, queue);
  } else if (auto range = queue->FindRange(offset);
             range != queue->ranges.end() && range->second.held.Test(offset - range->first) &&
             range->second.lease.delivery_id == delivery_id) {
    range->second.written.Set(offset - range->first);
    Touch(key, queue);
  }
}

bool LeaseTable::ReleaseUnwritten(const LeaseKey& key, uint64_t offset, uint64_t delivery_id) {
  LeaseQueue* const queue = FindMutable(key);
  if (queue == nullptr) return false;
  uint32_t attempts = 0;
  if (auto it = queue->singles.find(offset); it != queue->singles.end()) {
    if (it->second.lease.delivery_id != delivery_id || it->second.is_written) return false;
    attempts = it->second.attempt - 1;
    RemoveSingle(key, queue, it);
  } else if (auto range = queue->FindRange(offset);
             range != queue->ranges.end() && range->second.held.Test(offset - range->first) &&
             range->second.lease.delivery_id == delivery_id &&
             !range->second.written.Test(offset - range->first)) {
    RemoveFromRange(key, queue, range, offset);
  } else {
    return false;
  }
  AddReady(queue, offset, delivery_id, attempts);
  Touch(key, queue);
  return true;
}

// --- What happens to many -------------------------------------------------------

void LeaseTable::Expire(int64_t now_ms, uint64_t limit, Bury bury,
                        std::vector<LeaseKey>* released) {
  uint64_t done = 0;
  while (done < limit && !expiries_.empty() && expiries_.begin()->deadline_ms <= now_ms) {
    const LeaseRef ref = expiries_.begin()->ref;
    Lease* const lease = LeaseOf(ref);
    const int64_t until = EndOf(*lease);
    if (until > now_ms) {
      SetDeadline(ref, lease, until);
      Touch(ref.key, FindMutable(ref.key));
      ++done;
      continue;
    }
    done += Release(ref, bury);
    released->push_back(ref.key);
  }
}

void LeaseTable::ClientAlive(absl::string_view client_id, int64_t now_ms) {
  auto it = clients_.find(client_id);
  if (it == clients_.end() || it->second->auto_renewed == 0) return;
  it->second->alive_until_ms = now_ms + kClientAliveMs;
  dirty_clients_.insert(it->second->id);
}

void LeaseTable::ReleaseClient(absl::string_view client_id, std::optional<ConsumerGroupId> group,
                               int64_t now_ms) {
  auto it = clients_.find(client_id);
  if (it == clients_.end()) return;
  for (const LeaseRef& ref : it->second->leases) {
    if (group.has_value() && ref.key.group != *group) continue;
    Lease* const lease = LeaseOf(ref);
    const int64_t until = std::min(EndOf(*lease), now_ms + kReleaseDelayMs);
    StopRenewing(lease);
    SetDeadline(ref, lease, until);
    Touch(ref.key, FindMutable(ref.key));
  }
}

bool LeaseTable::ReleaseOlder(const LeaseKey& key, LeaseQueue* queue, ReplicaId replica,
                              Incarnation incarnation) {
  std::vector<std::pair<uint64_t, uint64_t>> lost;  // Offset, delivery id.
  for (const auto& [first, range] : queue->ranges) {
    if (range.lease.replica != replica || range.lease.incarnation >= incarnation) continue;
    for (uint32_t at = 0; at < range.span; ++at) {
      if (range.held.Test(at) && !range.written.Test(at)) {
        lost.emplace_back(first + at, range.lease.delivery_id);
      }
    }
  }
  for (const auto& [offset, single] : queue->singles) {
    if (single.lease.replica != replica || single.lease.incarnation >= incarnation) continue;
    if (!single.is_written) lost.emplace_back(offset, single.lease.delivery_id);
  }
  for (const auto& [offset, delivery_id] : lost) ReleaseUnwritten(key, offset, delivery_id);
  return !lost.empty();
}

void LeaseTable::ReplicaStarted(ReplicaId replica, Incarnation incarnation,
                                std::vector<LeaseKey>* released) {
  // A walk over everything, once in the life of a process.
  for (auto& [key, queue] : queues_) {
    if (queue->leased > 0 && ReleaseOlder(key, queue.get(), replica, incarnation)) {
      released->push_back(key);
    }
  }
}

void LeaseTable::Drop(absl::btree_map<LeaseKey, std::unique_ptr<LeaseQueue>>::iterator from,
                      const LeaseKey& to) {
  auto end = from;
  for (; end != queues_.end() && end->first <= to; ++end) {
    const auto& [key, queue] = *end;
    for (const auto& [first, range] : queue->ranges) Unindex({key, first, false}, range.lease);
    for (const auto& [offset, single] : queue->singles) {
      Unindex({key, offset, true}, single.lease);
    }
    in_flight_ -= queue->leased + queue->ready.size();
    dropped_.insert(key);
  }
  queues_.erase(from, end);
}

void LeaseTable::DropConsumerGroup(ConsumerGroupId group) {
  Drop(queues_.lower_bound({group, TopicId(0), 0}),
       {group, TopicId(std::numeric_limits<uint32_t>::max()), UINT32_MAX});
}

void LeaseTable::DropTopic(ConsumerGroupId group, TopicId topic) {
  Drop(queues_.lower_bound({group, topic, 0}), {group, topic, UINT32_MAX});
}

// --- Questions ------------------------------------------------------------------

std::optional<int64_t> LeaseTable::NextExpiryMs() const {
  if (expiries_.empty()) return std::nullopt;
  return expiries_.begin()->deadline_ms;
}

std::vector<std::string> LeaseTable::AutoRenewedClients(size_t limit) const {
  std::vector<std::string> ids;
  for (const auto& [id, client] : clients_) {
    if (client->auto_renewed > 0) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  if (ids.size() > limit) ids.resize(limit);
  return ids;
}

std::vector<const LeaseClient*> LeaseTable::KnownClients() const {
  std::vector<const LeaseClient*> known;
  for (const auto& [id, client] : clients_) {
    if (client->alive_until_ms > 0) known.push_back(client.get());
  }
  std::sort(known.begin(), known.end(),
            [](const LeaseClient* a, const LeaseClient* b) { return a->id < b->id; });
  return known;
}

}  // namespace totora::store
