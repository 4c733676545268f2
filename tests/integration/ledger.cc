#include "tests/integration/ledger.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"

namespace totora::integration {
namespace {

constexpr size_t kExamplesMax = 12;
// "p=%010u s=%012llu ": what ReadBody finds the origin by.
constexpr size_t kBodyHeadSize = 28;
constexpr size_t kBodySizeMin = 32;

// splitmix64: good enough bytes, and the same in every run.
uint64_t Mix(uint64_t* state) {
  uint64_t z = (*state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

void Complain(Verdict* verdict, std::string text) {
  if (verdict->examples.size() < kExamplesMax) verdict->examples.push_back(std::move(text));
}

std::pair<uint32_t, uint64_t> PlaceOf(const StoredMessage& message) {
  return {message.queue_id, message.queue_offset};
}

std::string Name(const Origin& origin) {
  return absl::StrCat("producer ", origin.producer, " message ", origin.sequence);
}

}  // namespace

std::string MakeBody(uint64_t seed, Origin origin, size_t size_max) {
  uint64_t state = seed ^ (uint64_t{origin.producer} << 40) ^ origin.sequence;
  const size_t span = size_max > kBodySizeMin ? size_max - kBodySizeMin + 1 : 1;
  const size_t size = kBodySizeMin + Mix(&state) % span;
  std::string body(size, '\0');
  char head[kBodyHeadSize + 1];
  std::snprintf(head, sizeof(head), "p=%010u s=%012llu ", origin.producer,
                static_cast<unsigned long long>(origin.sequence));
  body.replace(0, kBodyHeadSize, head, kBodyHeadSize);
  for (size_t at = kBodyHeadSize; at < size; at += sizeof(uint64_t)) {
    const uint64_t word = Mix(&state);
    for (size_t i = 0; i < sizeof(word) && at + i < size; ++i) {
      body[at + i] = static_cast<char>(word >> (8 * i));
    }
  }
  return body;
}

bool ReadBody(uint64_t seed, absl::string_view body, size_t size_max, Origin* origin) {
  if (body.size() < kBodySizeMin) return false;
  const std::string head(body.substr(0, kBodyHeadSize));
  unsigned producer = 0;
  unsigned long long sequence = 0;
  if (std::sscanf(head.c_str(), "p=%10u s=%12llu ", &producer, &sequence) != 2) return false;
  *origin = {.producer = producer, .sequence = sequence};
  return body == MakeBody(seed, *origin, size_max);
}

std::string Verdict::Describe() const {
  std::string text = absl::StrCat(
      acknowledged, " acknowledged, ", lost, " lost, ", stored_twice, " stored twice, ",
      out_of_order, " out of order, ", strangers, " sent by nobody, ", replicas_differ,
      " differ between replicas, ", not_consumed, " not consumed, ", wrong_content,
      " with wrong content; ", unknown, " sends without an answer (", unknown_stored,
      " of them stored), ", consumed_again, " delivered again");
  for (const std::string& example : examples) absl::StrAppend(&text, "\n  ", example);
  return text;
}

void Ledger::Add(uint32_t producer, std::vector<Send> sends) {
  for (Send& send : sends) {
    const bool is_new = by_id_
                            .emplace(std::move(send.message_id),
                                     Known{.origin = {.producer = producer,
                                                      .sequence = send.sequence},
                                           .is_acknowledged = send.is_acknowledged,
                                           .queue_offset = send.queue_offset})
                            .second;
    TOTORA_CHECK(is_new);  // Ids are unique, or the test tests nothing.
  }
}

uint64_t Ledger::acknowledged() const {
  return std::count_if(by_id_.begin(), by_id_.end(),
                       [](const auto& entry) { return entry.second.is_acknowledged; });
}

bool Ledger::IsAcknowledged(const std::string& message_id) const {
  const auto at = by_id_.find(message_id);
  return at != by_id_.end() && at->second.is_acknowledged;
}

Verdict Ledger::Judge(const std::map<std::string, std::vector<StoredMessage>>& logs,
                      const std::vector<ReceivedBody>* received) const {
  Verdict verdict;
  verdict.acknowledged = acknowledged();
  verdict.unknown = by_id_.size() - verdict.acknowledged;
  if (logs.empty()) {
    verdict.lost = verdict.acknowledged;
    Complain(&verdict, "no log was scanned");
  } else {
    JudgeLog(logs.begin()->second, &verdict);
    JudgeOrder(logs.begin()->second, &verdict);
    JudgeReplicas(logs, &verdict);
  }
  if (received != nullptr) JudgeConsumed(*received, &verdict);
  return verdict;
}

void Ledger::JudgeLog(const std::vector<StoredMessage>& log, Verdict* verdict) const {
  absl::flat_hash_map<absl::string_view, const StoredMessage*> stored;
  for (const StoredMessage& message : log) {
    const auto [first, is_new] = stored.emplace(message.message_id, &message);
    if (!is_new) {
      ++verdict->stored_twice;
      Complain(verdict, absl::StrCat(message.message_id, " is stored twice: queue ",
                                     first->second->queue_id, " offset ",
                                     first->second->queue_offset, " and queue ", message.queue_id,
                                     " offset ", message.queue_offset));
      continue;
    }
    if (!by_id_.contains(message.message_id)) {
      ++verdict->strangers;
      Complain(verdict, absl::StrCat("queue ", message.queue_id, " offset ", message.queue_offset,
                                     " holds \"", message.message_id, "\", which nobody sent"));
    }
  }
  for (const auto& [id, known] : by_id_) {
    const auto at = stored.find(id);
    if (!known.is_acknowledged) {
      if (at != stored.end()) ++verdict->unknown_stored;
      continue;
    }
    if (at == stored.end()) {
      ++verdict->lost;
      Complain(verdict, absl::StrCat(Name(known.origin), " (", id,
                                     ") was acknowledged and is not in the log"));
    } else if (known.queue_offset >= 0 &&
               at->second->queue_offset != static_cast<uint64_t>(known.queue_offset)) {
      // The receipt promised another place: what stands there is not ours.
      ++verdict->lost;
      Complain(verdict, absl::StrCat(Name(known.origin), " (", id, ") was acknowledged at offset ",
                                     known.queue_offset, " and stands at ",
                                     at->second->queue_offset));
    }
  }
}

void Ledger::JudgeOrder(const std::vector<StoredMessage>& log, Verdict* verdict) const {
  std::vector<const StoredMessage*> by_position;
  by_position.reserve(log.size());
  for (const StoredMessage& message : log) by_position.push_back(&message);
  std::sort(by_position.begin(), by_position.end(),
            [](const StoredMessage* a, const StoredMessage* b) {
              return std::tie(a->position, a->queue_id, a->queue_offset) <
                     std::tie(b->position, b->queue_id, b->queue_offset);
            });

  // The last sequence of each producer, and the last offset of each queue.
  absl::flat_hash_map<uint32_t, uint64_t> last_sequence;
  absl::flat_hash_map<uint32_t, uint64_t> last_offset;
  absl::flat_hash_set<absl::string_view> seen;
  for (const StoredMessage* message : by_position) {
    const auto queue = last_offset.emplace(message->queue_id, message->queue_offset);
    if (!queue.second) {
      if (message->queue_offset <= queue.first->second) {
        ++verdict->out_of_order;
        Complain(verdict, absl::StrCat("queue ", message->queue_id, ": offset ",
                                       message->queue_offset, " stands in the log behind offset ",
                                       queue.first->second));
      }
      queue.first->second = message->queue_offset;
    }
    // A send without an answer may have been overtaken by the next one.
    const auto known = by_id_.find(message->message_id);
    if (known == by_id_.end() || !known->second.is_acknowledged) continue;
    if (!seen.insert(message->message_id).second) continue;  // Complained about already.
    const Origin& origin = known->second.origin;
    const auto producer = last_sequence.emplace(origin.producer, origin.sequence);
    if (producer.second) continue;
    if (origin.sequence <= producer.first->second) {
      ++verdict->out_of_order;
      Complain(verdict, absl::StrCat(Name(origin), " stands behind its message ",
                                     producer.first->second));
    }
    producer.first->second = std::max(producer.first->second, origin.sequence);
  }
}

void Ledger::JudgeReplicas(const std::map<std::string, std::vector<StoredMessage>>& logs,
                           Verdict* verdict) const {
  const auto sorted = [](std::vector<StoredMessage> log) {
    std::sort(log.begin(), log.end(), [](const StoredMessage& a, const StoredMessage& b) {
      return PlaceOf(a) < PlaceOf(b);
    });
    return log;
  };
  const std::string& reference_name = logs.begin()->first;
  const std::vector<StoredMessage> reference = sorted(logs.begin()->second);
  for (auto other = std::next(logs.begin()); other != logs.end(); ++other) {
    const std::vector<StoredMessage> log = sorted(other->second);
    // Place by place, so that one missing message counts as one.
    uint64_t differ = 0;
    for (size_t a = 0, b = 0; a < reference.size() || b < log.size();) {
      const bool has_a = a < reference.size();
      const bool has_b = b < log.size();
      const bool a_first = has_a && (!has_b || PlaceOf(reference[a]) < PlaceOf(log[b]));
      const bool b_first = has_b && (!has_a || PlaceOf(log[b]) < PlaceOf(reference[a]));
      if (a_first || b_first || !(reference[a] == log[b])) ++differ;
      a += b_first ? 0 : 1;
      b += a_first ? 0 : 1;
    }
    if (differ == 0) continue;
    verdict->replicas_differ += differ;
    Complain(verdict, absl::StrCat("the logs of ", reference_name, " (", reference.size(),
                                   " messages) and ", other->first, " (", log.size(),
                                   ") differ in ", differ, " places"));
  }
}

void Ledger::JudgeConsumed(const std::vector<ReceivedBody>& received, Verdict* verdict) const {
  absl::flat_hash_set<absl::string_view> seen;
  for (const ReceivedBody& message : received) {
    if (!seen.insert(message.message_id).second) ++verdict->consumed_again;
    Origin origin;
    const auto known = by_id_.find(message.message_id);
    if (known == by_id_.end()) {
      ++verdict->strangers;
      Complain(verdict, absl::StrCat("\"", message.message_id, "\" was delivered, nobody sent it"));
    } else if (!ReadBody(seed_, message.body, body_size_max_, &origin) ||
               origin != known->second.origin) {
      ++verdict->wrong_content;
      Complain(verdict, absl::StrCat(message.message_id, " came with another body (",
                                     message.body.size(), " bytes)"));
    }
  }
  for (const auto& [id, known] : by_id_) {
    if (!known.is_acknowledged || seen.contains(id)) continue;
    ++verdict->not_consumed;
    Complain(verdict, absl::StrCat(Name(known.origin), " (", id, ") was never delivered"));
  }
}

}  // namespace totora::integration
