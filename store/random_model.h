// What the commands mean, written down in the simplest way: no ranges, no
// indexes, every question is a walk over all rows. What random_test.cc judges
// the state machine by.
#ifndef TOTORA_STORE_RANDOM_MODEL_H_
#define TOTORA_STORE_RANDOM_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "store/commands.h"
#include "store/schema.h"
#include "store/test_machine.h"

namespace totora::store {

// Thread safety: confined.
class Model {
 public:
  struct Row {
    uint64_t offset = 0;
    bool is_leased = true;
    uint64_t delivery = 0;
    uint32_t attempts = 0;
    int64_t deadline = 0;
    int64_t received = 0;
    bool is_written = false;
    bool is_renewed = false;
    ReplicaId replica;
    Incarnation incarnation;
    std::string client;
  };
  struct Consumption {
    uint64_t next = 0;
    std::map<uint64_t, Row> rows;
    uint64_t Leased() const {
      return static_cast<uint64_t>(std::count_if(
          rows.begin(), rows.end(), [](const auto& row) { return row.second.is_leased; }));
    }
  };
  struct Place {
    uint32_t queue = 0;
    uint64_t offset = 0;
    int64_t time = 0;
  };
  using Key = std::tuple<std::string, std::string, uint32_t>;  // Group, topic, queue.

  SendResult Send(const std::string& topic, const std::vector<TestMachine::Out>& messages) {
    SendResult result;
    if (!topics.contains(topic)) {
      result.status.code = absl::StatusCode::kNotFound;
      return result;
    }
    for (const auto& out : messages) {
      SendResult::Item& item = result.items.emplace_back();
      auto known = ids.find(out.id);
      const int64_t window = out.retry_window_ms > 0 ? out.retry_window_ms : 300'000;
      if (!out.id.empty() && !out.is_deliberate && known != ids.end() &&
          passed - known->second.time < window) {
        item.is_duplicate = true;
        item.queue_id = known->second.queue;
        item.offset = QueueOffset(known->second.offset);
        if (out.retry_window_ms > 0) known->second.time = passed;
        continue;
      }
      if (out.delay_ms > 0) {
        item.queue_id = out.queue;
        item.due_ms = now + out.delay_ms;
        timers.emplace(item.due_ms, Waiting{generations[topic], topic, out.queue, out.tag});
        continue;
      }
      std::vector<uint32_t>& queue = topics[topic][out.queue];
      item.queue_id = out.queue;
      item.offset = QueueOffset(queue.size());
      if (!out.id.empty()) ids[out.id] = {out.queue, queue.size(), passed};
      queue.push_back(out.tag);
    }
    return result;
  }

  // A multimap keeps the order of the log among those that are due together.
  void FireTimers() {
    while (!timers.empty() && timers.begin()->first <= now) {
      const Waiting& due = timers.begin()->second;
      if (topics.contains(due.topic) && generations[due.topic] == due.generation) {
        topics[due.topic][due.queue].push_back(due.tag);
      }
      timers.erase(timers.begin());
    }
  }

  ReceiveResult Receive(const ReceiveCommand& command, ReplicaId replica,
                        Incarnation incarnation) {
    ReceiveResult result;
    if (!groups.contains(command.consumer_group) || !topics.contains(command.topic)) {
      result.status.code = absl::StatusCode::kNotFound;
      return result;
    }
    result.invisible_until_ms = now + command.invisible_ms;
    const auto& queues = topics[command.topic];
    std::vector<uint32_t> order;
    if (command.queue_id >= 0) order.push_back(static_cast<uint32_t>(command.queue_id));
    for (uint32_t i = 0; command.queue_id < 0 && i < queues.size(); ++i) {
      order.push_back((command.first_queue + i) % static_cast<uint32_t>(queues.size()));
    }
    std::map<uint32_t, uint64_t> delivery;
    std::set<uint32_t> blocked;
    for (uint32_t queue : order) {
      const auto it = consumptions.find({command.consumer_group, command.topic, queue});
      if (groups[command.consumer_group] && it != consumptions.end() &&
          it->second.Leased() > 0) {
        blocked.insert(queue);
      }
    }
    const auto take = [&](uint32_t queue, uint64_t offset, uint32_t attempt) {
      if (!delivery.contains(queue)) delivery[queue] = next_delivery++;
      result.messages.push_back(
          {queue, QueueOffset(offset), BytePosition(0), 0, attempt, delivery[queue]});
      Row row;
      row.offset = offset;
      row.delivery = delivery[queue];
      row.attempts = attempt;
      row.deadline = now + command.invisible_ms;
      row.received = now;
      row.is_renewed = command.auto_renew;
      row.replica = replica;
      row.incarnation = incarnation;
      row.client = command.client_id;
      consumptions[{command.consumer_group, command.topic, queue}].rows[offset] = row;
    };
    for (int pass = 0; pass < 2; ++pass) {
      for (uint32_t queue : order) {
        if (blocked.contains(queue)) continue;
        const Key key(command.consumer_group, command.topic, queue);
        if (pass == 0) {
          auto it = consumptions.find(key);
          if (it == consumptions.end()) continue;
          for (auto& [offset, row] : it->second.rows) {
            if (result.messages.size() == command.max_messages) break;
            if (!row.is_leased) take(queue, offset, row.attempts + 1);
          }
          continue;
        }
        uint64_t next = consumptions.contains(key) ? consumptions[key].next : 0;
        while (next < queues[queue].size() && result.messages.size() < command.max_messages) {
          const uint64_t offset = next++;
          const auto& tags = command.tag_hashes;
          if (tags.empty() || std::count(tags.begin(), tags.end(), queues[queue][offset]) > 0) {
            take(queue, offset, 1);
          }
          consumptions[key].next = next;
        }
      }
    }
    return result;
  }

  // The row if the handle could have been given. `was_given` says whether.
  Row* Find(const std::string& group, const Receipt& receipt, bool* was_given) {
    auto it = consumptions.find({group, receipt.topic, receipt.queue_id});
    *was_given = it != consumptions.end() && receipt.offset.value() < it->second.next &&
                 receipt.delivery_id > 0 && receipt.delivery_id < next_delivery;
    if (!*was_given) return nullptr;
    auto row = it->second.rows.find(receipt.offset.value());
    return row == it->second.rows.end() ? nullptr : &row->second;
  }

  absl::StatusCode Ack(const std::string& group, const Receipt& receipt) {
    if (!groups.contains(group)) return absl::StatusCode::kNotFound;
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (!was_given) return absl::StatusCode::kFailedPrecondition;
    if (row == nullptr) return absl::StatusCode::kOk;
    if (row->delivery != receipt.delivery_id) return absl::StatusCode::kFailedPrecondition;
    consumptions[{group, receipt.topic, receipt.queue_id}].rows.erase(receipt.offset.value());
    return absl::StatusCode::kOk;
  }

  absl::StatusCode Change(const std::string& group, const Receipt& receipt, int64_t invisible_ms,
                    ReplicaId replica, Incarnation incarnation) {
    if (!groups.contains(group)) return absl::StatusCode::kNotFound;
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (row == nullptr || row->delivery != receipt.delivery_id) {
      return absl::StatusCode::kFailedPrecondition;
    }
    row->attempts = std::max(row->attempts, 1u);
    row->is_leased = invisible_ms > 0;
    row->deadline = now + invisible_ms;
    row->received = now;
    row->is_written = true;
    row->is_renewed = false;
    row->client = "";
    row->replica = replica;
    row->incarnation = incarnation;
    Bury();
    return absl::StatusCode::kOk;
  }

  void Report(const std::string& group, const Receipt& receipt, bool was_written) {
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (row == nullptr || row->delivery != receipt.delivery_id || !row->is_leased) return;
    if (was_written) row->is_written = true;
    if (!was_written && !row->is_written) GiveBack(row);
  }

  static void GiveBack(Row* row) {
    row->is_leased = false;
    --row->attempts;
  }
  int64_t EndOf(const Row& row) {
    if (!row.is_renewed || !alive.contains(row.client)) return row.deadline;
    return std::max(row.deadline, std::min(alive[row.client], row.received + kAutoRenewMsMax));
  }
  // Whatever became ready after its last attempt is a dead letter instead.
  bool BuryIfSpent(const Key& key, const Row& row) {
    const std::string& group = std::get<0>(key);
    if (row.is_leased || row.attempts < attempts_max[group]) return false;
    Give("%DLQ%" + group, topics[std::get<1>(key)][std::get<2>(key)][row.offset]);
    return true;
  }
  void Bury() {
    for (auto& [key, consumption] : consumptions) {
      for (auto it = consumption.rows.begin(); it != consumption.rows.end();) {
        it = BuryIfSpent(key, it->second) ? consumption.rows.erase(it) : std::next(it);
      }
    }
  }
  // The topic has one queue, made when it is needed.
  void Give(const std::string& topic, uint32_t tag) {
    std::vector<std::vector<uint32_t>>& queues = topics[topic];
    if (queues.empty()) queues.resize(1);
    queues[0].push_back(tag);
  }
  absl::StatusCode Forward(const std::string& group, const Receipt& receipt) {
    if (!groups.contains(group)) return absl::StatusCode::kNotFound;
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (!was_given || (row != nullptr && row->delivery != receipt.delivery_id)) {
      return absl::StatusCode::kFailedPrecondition;
    }
    if (row == nullptr) return absl::StatusCode::kOk;
    Give("%DLQ%" + group, topics[receipt.topic][receipt.queue_id][receipt.offset.value()]);
    return Ack(group, receipt);
  }

  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [key, consumption] : consumptions) {
      for (auto& [offset, row] : consumption.rows) {
        if (row.is_leased) visit(key, &row);
      }
    }
  }
  void Expire() {
    ForEach([&](const Key&, Row* row) {
      if (EndOf(*row) <= now) row->is_leased = false;
    });
    Bury();
  }
  bool HasRenewed(const std::string& client) {
    bool has = false;
    ForEach([&](const Key&, Row* row) { has |= row->is_renewed && row->client == client; });
    return has;
  }
  void Alive(const std::string& client) {
    if (HasRenewed(client)) alive[client] = now + kClientAliveMs;
  }
  void Release(const std::string& client, const std::string& group) {
    if (!group.empty() && !groups.contains(group)) return;
    ForEach([&](const Key& key, Row* row) {
      if (row->client != client || (!group.empty() && std::get<0>(key) != group)) return;
      row->deadline = std::min(EndOf(*row), now + kReleaseDelayMs);
      row->is_renewed = false;
    });
  }
  void ReleaseLocks(const std::string& client, const std::string& group) {
    if (!group.empty() && !groups.contains(group)) return;
    for (auto it = locks.begin(); it != locks.end();) {
      const bool is_gone = it->second.first == client &&
                           (group.empty() || std::get<0>(it->first) == group);
      it = is_gone ? locks.erase(it) : std::next(it);
    }
  }
  void ReplicaStarted(ReplicaId replica, Incarnation incarnation) {
    ForEach([&](const Key&, Row* row) {
      if (row->replica == replica && row->incarnation < incarnation && !row->is_written) {
        GiveBack(row);
      }
    });
  }
  template <typename Matches>
  void Drop(Matches matches) {
    for (auto it = consumptions.begin(); it != consumptions.end();) {
      it = matches(it->first) ? consumptions.erase(it) : std::next(it);
    }
    for (auto it = locks.begin(); it != locks.end();) {
      it = matches(it->first) ? locks.erase(it) : std::next(it);
    }
  }
  // After every command: a client is known while it holds a renewed lease.
  void Tidy() {
    for (auto it = alive.begin(); it != alive.end();) {
      it = HasRenewed(it->first) ? std::next(it) : alive.erase(it);
    }
  }

  struct Waiting {
    int generation = 0;
    std::string topic;
    uint32_t queue = 0;
    uint32_t tag = 0;
  };

  int64_t now = 0;     // Log time.
  int64_t passed = 0;  // Without its steps.
  uint64_t next_delivery = 1;
  std::multimap<int64_t, Waiting> timers;
  std::map<std::string, int> generations;                            // Deletions of a topic.
  std::map<std::string, std::vector<std::vector<uint32_t>>> topics;  // Tags by queue.
  std::map<std::string, bool> groups;                                // FIFO?
  std::map<std::string, uint32_t> attempts_max;                      // Of groups.
  std::map<Key, Consumption> consumptions;
  std::map<std::string, int64_t> alive;
  std::map<Key, std::pair<std::string, int64_t>> locks;              // Client, until.
  std::map<std::string, Place> ids;
};

}  // namespace totora::store

#endif  // TOTORA_STORE_RANDOM_MODEL_H_
