#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "store/state.h"

namespace totora::store {
namespace {

std::string Hex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

void DumpLease(const Lease& lease, std::string* to) {
  absl::StrAppend(to, " delivery=", lease.delivery_id, " until=", lease.deadline_ms,
                  " received=", lease.received_ms, " by=", lease.replica.value(), ".",
                  lease.incarnation.value(), " client=",
                  lease.client == nullptr ? "-" : absl::CEscape(lease.client->id),
                  lease.is_auto_renewed ? " renewed" : "", "\n");
}

void DumpLeaseQueue(const LeaseKey& key, const LeaseQueue& queue, std::string* to) {
  absl::StrAppend(to, "consumption group=", key.group.value(), " topic=", key.topic.value(),
                  " queue=", key.queue_id, " next=", queue.next, " leased=", queue.leased, "\n");
  for (const auto& [first, range] : queue.ranges) {
    absl::StrAppend(to, "  range ", first, "+", range.span, " held=");
    for (uint64_t word : range.held.words()) absl::StrAppend(to, absl::Hex(word), ",");
    absl::StrAppend(to, " written=");
    for (uint64_t word : range.written.words()) absl::StrAppend(to, absl::Hex(word), ",");
    DumpLease(range.lease, to);
  }
  for (const auto& [offset, single] : queue.singles) {
    absl::StrAppend(to, "  single ", offset, " attempt=", single.attempt,
                    single.is_written ? " written" : "");
    DumpLease(single.lease, to);
  }
  for (const auto& [offset, ready] : queue.ready) {
    absl::StrAppend(to, "  ready ", offset, " delivery=", ready.delivery_id,
                    " attempts=", ready.attempts, "\n");
  }
}

}  // namespace

std::string State::Dump() const {
  std::string to;
  absl::StrAppend(&to, "applied=", applied.value(), " log_time=", log_time_ms,
                  " passed=", passed_ms,
                  " next_delivery=", next_delivery_id, " next_topic=", topics.next_id(),
                  " next_group=", groups.next_id(), " topics_version=", topics.version(),
                  " next_id=", dedup.next_ordinal(), "\n");
  for (const auto& [id, topic] : topics.by_id()) {
    absl::StrAppend(&to, "topic ", id.value(), " ", Hex(topic->config.Encode()),
                    " queues=", topic->queues.size(), "\n");
    for (uint32_t at = 0; at < topic->queues.size(); ++at) {
      const Queue& queue = topic->queues[at];
      if (queue.end == 0) continue;
      absl::StrAppend(&to, "  queue ", at, " ", queue.begin, "..", queue.end, "\n");
      std::vector<IndexEntry> all;
      std::vector<EntryOverride> overrides;
      const absl::Status read =
          index.Read(*topic, at, queue.begin, queue.end - queue.begin, &all, &overrides);
      if (!read.ok()) absl::StrAppend(&to, "    ", read.ToString(), "\n");
      for (const IndexEntry& entry : all) {
        absl::StrAppend(&to, "    ", entry.position, " ", entry.size, " ", entry.tag_hash, " ",
                        entry.store_time_ms, "\n");
      }
      for (const EntryOverride& known : overrides) {
        absl::StrAppend(&to, "    override ", known.at, " ", Hex(*known.record), "\n");
      }
    }
  }
  for (const auto& [id, group] : groups.by_id()) {
    absl::StrAppend(&to, "group ", id.value(), " ", Hex(group->config.Encode()), "\n");
  }
  for (const auto& [key, queue] : leases.queues()) DumpLeaseQueue(key, *queue, &to);
  for (const LeaseClient* client : leases.KnownClients()) {
    absl::StrAppend(&to, "client ", absl::CEscape(client->id), " until=", client->alive_until_ms,
                    "\n");
  }
  const std::optional<int64_t> due = timers.NextDueMs();
  if (due.has_value()) absl::StrAppend(&to, "next_due=", *due, "\n");
  const std::optional<int64_t> expiry = leases.NextExpiryMs();
  if (expiry.has_value()) absl::StrAppend(&to, "next_expiry=", *expiry, "\n");
  for (const auto& [key, lock] : locks.locks()) {
    absl::StrAppend(&to, "lock group=", key.group.value(), " topic=", key.topic.value(),
                    " queue=", key.queue_id, " until=", lock.until_ms, " by ",
                    absl::CEscape(lock.client_id), "\n");
  }
  for (const auto& [subscription, known] : offsets.subscriptions()) {
    for (const auto& [queue_id, committed] : known) {
      absl::StrAppend(&to, "offset group=", subscription.first.value(),
                      " topic=", subscription.second.value(), " queue=", queue_id, " ",
                      uint64_t{committed.offset}, committed.is_held ? " held\n" : "\n");
    }
  }
  absl::StrAppend(&to, "log_end=", places.end().value(), "\n");
  places.ForEachSample([&](uint64_t position, uint64_t index) {
    absl::StrAppend(&to, "place ", position, " ", index, "\n");
  });
  const absl::Status keyed = keys.ForEach([&](uint32_t bucket, uint32_t hash, const KeyHit& hit) {
    absl::StrAppend(&to, "key ", bucket, " ", hash, " ", hit.position.value(), " ", hit.size, " ",
                    hit.store_time_ms, "\n");
  });
  if (!keyed.ok()) absl::StrAppend(&to, keyed.ToString(), "\n");
  absl::StrAppend(&to, "timers=", timers.count(), "\n");
  const absl::Status read = timers.ForEach([&](const TimerKey& key, const Timer& timer) {
    absl::StrAppend(&to, "timer ", key.due_ms, " ", key.position, " topic=",
                    timer.queue.topic.value(), " queue=", timer.queue.queue_id, " ",
                    timer.position, " ", timer.size, " ", timer.tag_hash, " ",
                    timer.override_record == nullptr ? "-" : Hex(*timer.override_record), "\n");
  });
  if (!read.ok()) absl::StrAppend(&to, read.ToString(), "\n");
  for (const DedupRecord& record : dedup.Inside(passed_ms)) {
    absl::StrAppend(&to, "id ", Hex({record.id.data(), record.id.size()}), " ",
                    record.passed_ms, " ", record.first_log_ms, " ", record.queue_id, " ",
                    record.offset, "\n");
  }
  for (const auto& [replica, life] : commands.lives()) {
    absl::StrAppend(&to, "replica ", replica.value(), ".", life.incarnation.value(),
                    " low=", life.low_watermark, " highest=", life.highest, "\n");
    for (const auto& [sequence, result] : life.results) {
      absl::StrAppend(&to, "  ", sequence, " ", Hex(result), "\n");
    }
  }
  return to;
}

}  // namespace totora::store
