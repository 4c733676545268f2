#include "tests/sim/classic_records.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "message/message.h"
#include "message/override.h"
#include "message/topic.h"
#include "tests/sim/classic_world.h"

namespace totora::sim {

// --- As it goes -------------------------------------------------------------------

size_t ClassicRecords::Begin(const std::string& id) {
  std::vector<Call>& calls = calls_[id];
  calls.emplace_back();
  return calls.size() - 1;
}

void ClassicRecords::Acknowledged(const std::string& id, size_t call, const Place& place,
                                  bool is_distinct) {
  std::vector<Call>& calls = calls_[id];
  calls[call].place = place;
  calls[call].is_distinct = is_distinct;
  uint64_t& end = ends_[{kClassicTopic, place.queue}];
  end = std::max(end, place.offset + 1);
  if (!is_distinct) return;
  for (size_t i = 0; i < call; ++i) {
    if (calls[i].place == place) {
      violation_(absl::StrCat("message ", id, ", sent again on purpose, was taken for a retry"));
    }
  }
}

void ClassicRecords::EntryApplied(const raft::FrameHeader& entry, absl::Duration now) {
  if (entry.index <= newest_index_) return;
  newest_index_ = entry.index;
  // Nobody may think that a retry comes late which does not.
  if (entry.passed_ms > absl::ToInt64Milliseconds(now) || entry.passed_ms < newest_.passed_ms) {
    violation_(absl::StrCat("by entry ", entry.index.value(), " ", entry.passed_ms,
                            " ms have passed since the group began"));
  }
  const int64_t by_log_time = entry.timestamp_ms - newest_.log_ms;
  const int64_t passed = entry.passed_ms - newest_.passed_ms;
  if (newest_.log_ms > 0 && by_log_time - passed >= kRetryWindowMs) ++steps_;
  newest_ = entry.times();
}

void ClassicRecords::BeginDelayed(const std::string& id, int64_t due_ms) {
  const auto [it, is_new] = delayed_.emplace(id, due_ms);
  if (!is_new) it->second = std::min(it->second, due_ms);
}

void ClassicRecords::Seen(const std::string& topic, uint32_t queue,
                          const message::StoredMessageView& message) {
  const uint64_t offset = message.queue_offset().value();
  const auto [it, is_new] = seen_[{topic, queue}].emplace(offset, message.position());
  if (it->second != message.position()) {
    violation_(absl::StrCat("two messages were shown at offset ", offset, " of queue ", queue,
                            " of ", topic));
  }
  uint64_t& end = ends_[{topic, queue}];
  end = std::max(end, offset + 1);
}

uint64_t ClassicRecords::KnownEnd(const std::string& topic, uint32_t queue) const {
  const auto it = ends_.find({topic, queue});
  return it == ends_.end() ? 0 : it->second;
}

void ClassicRecords::OffsetReported(const QueueKey& queue, uint64_t offset) {
  uint64_t& highest = reported_[queue];
  highest = std::max(highest, offset);
}

void ClassicRecords::OffsetStored(const QueueKey& queue, uint64_t offset) {
  const auto [it, is_new] = stored_.emplace(queue, offset);
  if (!is_new) it->second = std::max(it->second, offset);
}

std::optional<uint64_t> ClassicRecords::StoredOffset(const QueueKey& queue) const {
  const auto it = stored_.find(queue);
  if (it == stored_.end()) return std::nullopt;
  return it->second;
}

void ClassicRecords::OffsetFound(const QueueKey& queue, std::optional<uint64_t> stored_before,
                                 std::optional<uint64_t> found) {
  const std::string where = absl::StrCat("queue ", queue.second, " of ", queue.first);
  if (stored_before && (!found || *found < *stored_before)) {
    violation_(absl::StrCat("offset ", *stored_before, " of ", where,
                            " was stored and is lost: the group is at ", found.value_or(0)));
  }
  // 0 is also what a young queue is answered with.
  const auto reported = reported_.find(queue);
  const uint64_t highest = reported == reported_.end() ? 0 : reported->second;
  if (found && *found > highest) {
    violation_(absl::StrCat("the group's offset of ", where, " is ", *found,
                            ", nobody reported more than ", highest));
  }
}

void ClassicRecords::SendBack(const std::string& id, int32_t reconsume_times, int64_t due_ms) {
  BackAndForth& one = sent_back_[{id, reconsume_times}];
  one.due_ms = one.asked == 0 ? due_ms : std::min(one.due_ms, due_ms);
  ++one.asked;
}

void ClassicRecords::SentBack(const std::string& id, int32_t reconsume_times) {
  ++sent_back_[{id, reconsume_times}].done;
}

void ClassicRecords::Locked(uint32_t queue, const std::string& client, absl::Duration now,
                            absl::Duration until) {
  const auto it = locks_.find(queue);
  if (it != locks_.end() && it->second.first != client && it->second.second > now) {
    violation_(absl::StrCat(client, " was given the lock of queue ", queue, ", which ",
                            it->second.first, " holds"));
  }
  locks_[queue] = {client, until};
}

void ClassicRecords::Unlocked(uint32_t queue, const std::string& client) {
  const auto it = locks_.find(queue);
  if (it != locks_.end() && it->second.first == client) locks_.erase(it);
}

// --- At the end ---------------------------------------------------------------------

ClassicRecords::Queue ClassicRecords::ReadQueue(Process* process, const std::string& topic,
                                                uint32_t queue) {
  Queue all;
  const auto bounds = process->state()->Bounds(topic, queue);
  if (!bounds.ok()) return all;
  const auto entries =
      process->state()->Entries(topic, queue, bounds->begin, bounds->end.value());
  if (!entries.ok()) {
    violation_(absl::StrCat("entries: ", entries.status().ToString()));
    return all;
  }
  for (const store::QueueEntry& entry : *entries) {
    Stored& one = all.emplace_back();
    const auto bytes = process->replica()->Read(entry.position, entry.size);
    std::string read;
    const absl::Status laid =
        bytes.ok()
            ? message::AppendAsRead(
                  *bytes, {topic, queue, entry.offset, entry.position, entry.store_time_ms},
                  entry.override_record.get(), &read)
            : bytes.status();
    const auto view = laid.ok() ? message::StoredMessageView::Parse(read) : laid;
    if (!view.ok() || !view->CheckBody().ok() || view->topic() != topic) {
      violation_(absl::StrCat("a message of ", topic, " cannot be read: ",
                              view.status().ToString()));
      continue;
    }
    one = {std::string(view->Property(message::kUniqueKeyProperty)),
           std::string(view->Property(message::kTagsProperty)), view->position(),
           view->reconsume_times(), view->store_time_ms()};
  }
  return all;
}

uint64_t ClassicRecords::Check(Process* process) {
  std::map<uint32_t, Queue> queues;
  for (uint32_t queue = 0; queue < kClassicQueues; ++queue) {
    queues[queue] = ReadQueue(process, kClassicTopic, queue);
    CheckSeen(kClassicTopic, queue, queues[queue]);
    CheckConsumed(kClassicTopic, queue, queues[queue]);
  }
  CheckSends(queues);
  CheckFiltered(queues);
  CheckDelayed(ReadQueue(process, kClassicDelayedTopic, 0));
  const std::string retry_topic = message::RetryTopic(kClassicGroup);
  const Queue retries = ReadQueue(process, retry_topic, 0);
  CheckSeen(retry_topic, 0, retries);
  CheckConsumed(retry_topic, 0, retries);
  const Queue dead = ReadQueue(process, message::DeadLetterTopic(kClassicGroup), 0);
  CheckRetries(retries, dead);
  return dead.size();
}

void ClassicRecords::CheckSends(const std::map<uint32_t, Queue>& queues) {
  std::map<std::string, std::set<Place>> stored;
  for (const auto& [number, queue] : queues) {
    for (uint64_t offset = 0; offset < queue.size(); ++offset) {
      stored[queue[offset].id].insert({number, offset});
    }
  }
  for (const auto& [id, places] : stored) {
    const auto it = calls_.find(id);
    const size_t calls = it == calls_.end() ? 0 : it->second.size();
    if (places.size() > calls) {
      violation_(absl::StrCat("message ", id, " was sent ", calls, " times and stored ",
                              places.size(), " times"));
    }
  }
  for (const auto& [id, calls] : calls_) {
    for (const Call& call : calls) {
      if (call.place && !stored[id].contains(*call.place)) {
        violation_(absl::StrCat("message ", id, " is not where its sender was told"));
      }
    }
  }
}

// What was shown once is there for good: nothing uncommitted was ever shown.
void ClassicRecords::CheckSeen(const std::string& topic, uint32_t number, const Queue& queue) {
  for (const auto& [offset, position] : seen_[{topic, number}]) {
    if (offset >= queue.size() || queue[offset].position != position) {
      violation_(absl::StrCat("what was shown at offset ", offset, " of queue ", number, " of ",
                              topic, " is not there"));
    }
  }
}

void ClassicRecords::CheckConsumed(const std::string& topic, uint32_t number, const Queue& queue) {
  const std::set<uint64_t>& consumed = consumed_[{topic, number}];
  for (uint64_t offset = 0; offset < queue.size(); ++offset) {
    if (consumed.contains(offset)) continue;
    violation_(absl::StrCat("message ", queue[offset].id, " at offset ", offset, " of queue ",
                            number, " of ", topic, " was never consumed"));
  }
}

void ClassicRecords::CheckFiltered(const std::map<uint32_t, Queue>& queues) {
  for (const auto& [key, looked_at] : filtered_) {
    const auto& [number, tag] = key;
    const auto& [end, shown] = looked_at;
    const Queue& queue = queues.at(number);
    for (uint64_t offset = 0; offset < end; ++offset) {
      const bool is_wanted = offset < queue.size() && queue[offset].tag == tag;
      if (is_wanted != shown.contains(offset)) {
        violation_(absl::StrCat("a pull of tag ", tag, " got offset ", offset, " of queue ", number,
                                " wrong"));
      }
    }
  }
}

void ClassicRecords::CheckDelayed(const Queue& queue) {
  std::set<std::string> stored;
  for (const Stored& one : queue) {
    if (!stored.insert(one.id).second) {
      violation_(absl::StrCat("delayed message ", one.id, " came twice"));
    }
    const auto it = delayed_.find(one.id);
    if (it == delayed_.end() || one.store_time_ms < it->second) {
      violation_(absl::StrCat("delayed message ", one.id, " came before its time"));
    }
  }
  for (const std::string& id : delayed_acknowledged_) {
    if (!stored.contains(id)) violation_(absl::StrCat("delayed message ", id, " is lost"));
  }
}

void ClassicRecords::CheckRetries(const Queue& retries, const Queue& dead) {
  std::map<std::pair<std::string, int32_t>, uint64_t> copies;
  for (const Queue* queue : {&retries, &dead}) {
    for (const Stored& one : *queue) {
      const std::pair<std::string, int32_t> key(one.id, one.reconsume_times - 1);
      const bool is_dead = key.second >= kClassicReconsumeMax;
      if (is_dead != (queue == &dead)) {
        violation_(absl::StrCat("attempt ", one.reconsume_times, " of ", one.id,
                                " is in the wrong topic"));
      }
      ++copies[key];
      const auto asked = sent_back_.find(key);
      if (asked == sent_back_.end()) continue;
      if (queue == &retries && one.store_time_ms < asked->second.due_ms) {
        violation_(absl::StrCat("attempt ", one.reconsume_times, " of ", one.id, " came early"));
      }
    }
  }
  for (const auto& [key, count] : copies) {
    if (count > sent_back_[key].asked) {
      violation_(absl::StrCat("message ", key.first, " came back ", count, " times after ",
                              sent_back_[key].asked, " send-backs"));
    }
  }
  for (const auto& [key, one] : sent_back_) {
    if (copies[key] < one.done) {
      violation_(absl::StrCat("attempt ", key.second + 1, " of ", key.first,
                              ", which was sent back, is lost"));
    }
  }
}

}  // namespace totora::sim
