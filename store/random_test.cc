// Random clients against a model that keeps one row for each message, and the
// same log through machines that were interrupted everywhere.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "store/schema.h"
#include "store/test_machine.h"

namespace totora::store {
namespace {

using absl::StatusCode;

// What the commands mean, written down in the simplest way: no ranges, no
// indexes, every question is a walk over all rows.
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
      result.status.code = StatusCode::kNotFound;
      return result;
    }
    for (const auto& out : messages) {
      SendResult::Item& item = result.items.emplace_back();
      auto known = ids.find(out.id);
      if (!out.id.empty() && !out.is_deliberate && known != ids.end() &&
          now - known->second.time < 300'000) {
        item.is_duplicate = true;
        item.queue_id = known->second.queue;
        item.offset = QueueOffset(known->second.offset);
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
      if (!out.id.empty()) ids[out.id] = {out.queue, queue.size(), now};
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
      result.status.code = StatusCode::kNotFound;
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

  StatusCode Ack(const std::string& group, const Receipt& receipt) {
    if (!groups.contains(group)) return StatusCode::kNotFound;
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (!was_given) return StatusCode::kFailedPrecondition;
    if (row == nullptr) return StatusCode::kOk;
    if (row->delivery != receipt.delivery_id) return StatusCode::kFailedPrecondition;
    consumptions[{group, receipt.topic, receipt.queue_id}].rows.erase(receipt.offset.value());
    return StatusCode::kOk;
  }

  StatusCode Change(const std::string& group, const Receipt& receipt, int64_t invisible_ms,
                    ReplicaId replica, Incarnation incarnation) {
    if (!groups.contains(group)) return StatusCode::kNotFound;
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (row == nullptr || row->delivery != receipt.delivery_id) {
      return StatusCode::kFailedPrecondition;
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
    return StatusCode::kOk;
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
  StatusCode Forward(const std::string& group, const Receipt& receipt) {
    if (!groups.contains(group)) return StatusCode::kNotFound;
    bool was_given;
    Row* const row = Find(group, receipt, &was_given);
    if (!was_given || (row != nullptr && row->delivery != receipt.delivery_id)) {
      return StatusCode::kFailedPrecondition;
    }
    if (row == nullptr) return StatusCode::kOk;
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

  int64_t now = 0;
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

// Clients that do what comes to their mind, and know handles they were given.
class RandomClients {
 public:
  explicit RandomClients(uint64_t seed) : random_(seed) {
    // Half of the seeds begin with everything there, the others with nothing.
    for (int i = 0; i < 3 && seed % 2 == 0; ++i) {
      PutTopic(absl::StrCat("t", i));
      PutGroup(absl::StrCat("g", i));
    }
    lives_[machine.replica].sequence = machine.sequence;
  }

  void Step() {
    const uint64_t pause = Below(20) == 0 ? Below(70'000) : Below(3'000);
    machine.now_ms += static_cast<int64_t>(pause);
    model.now = machine.now_ms;
    machine.replica = ReplicaId(static_cast<uint32_t>(1 + Below(2)));
    Life& life = lives_[machine.replica];
    machine.incarnation = life.incarnation;
    machine.sequence = life.sequence;
    machine.low_watermark = life.sequence - std::min<uint64_t>(life.sequence, Below(5));
    Act();
    life.incarnation = machine.incarnation;
    life.sequence = machine.sequence;
    model.Tidy();
  }

  void Compare() {
    for (const auto& [key, consumption] : model.consumptions) {
      const auto& [group, topic, queue] = key;
      const ConsumerProgress progress = machine->Progress(group, topic).at(queue);
      ASSERT_EQ(progress.next.value(), consumption.next);
      ASSERT_EQ(progress.in_flight, consumption.Leased());
      ASSERT_EQ(progress.ready_again, consumption.rows.size() - consumption.Leased());
      ASSERT_EQ(progress.committed.value(),
                consumption.rows.empty() ? consumption.next : consumption.rows.begin()->first);
    }
    ASSERT_EQ(machine->TimerCount(), model.timers.size());
    for (const auto& [topic, queues] : model.topics) {
      for (uint32_t at = 0; at < queues.size(); ++at) {
        ASSERT_EQ(machine->Bounds(topic, at)->end.value(), queues[at].size());
      }
    }
  }

  TestMachine machine;
  Model model;

 private:
  struct Life {
    Incarnation incarnation{1};
    uint64_t sequence = 0;
  };
  struct Handle {
    std::string group;
    Receipt receipt;
  };

  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string Topic() { return absl::StrCat("t", Below(3)); }
  std::string Group() { return absl::StrCat("g", Below(3)); }
  std::string Client() { return absl::StrCat("c", Below(3)); }
  // One that was given, or nearly.
  Handle AnyHandle() {
    if (handles_.empty()) return {Group(), {Topic(), 0, QueueOffset(0), 1}};
    Handle handle = handles_[handles_.size() - 1 - Below(std::min<size_t>(handles_.size(), 40))];
    if (Below(15) == 0) handle.receipt.delivery_id += Below(3) - 1;
    if (Below(15) == 0) handle.receipt.offset = QueueOffset(handle.receipt.offset.value() + 1);
    return handle;
  }
  DeliveredMessage AsMessage(const Receipt& receipt) {
    DeliveredMessage message;
    message.queue_id = receipt.queue_id;
    message.offset = receipt.offset;
    message.delivery_id = receipt.delivery_id;
    return message;
  }

  void Act() {
    const uint64_t what = Below(100);
    if (what < 22) return Send();
    if (what < 50) return Receive();
    if (what < 66) return Ack();
    if (what < 74) return Change();
    if (what < 80) return Report();
    if (what < 82) return Below(2) == 0 ? Forward() : SendBack();
    if (what < 88) {
      machine.Expire();
      model.Expire();
      return model.FireTimers();
    }
    if (what < 92) {
      const std::string client = Client();
      machine.Alive(client);
      return model.Alive(client);
    }
    if (what < 93) return Below(2) == 0 ? Cancel() : Lock();
    if (what < 94) return Release();
    if (what < 96) return Restart();
    Administer();
  }

  void Send() {
    const std::string topic = Topic();
    std::vector<TestMachine::Out> messages(1 + (Below(10) == 0 ? Below(200) : Below(4)));
    for (TestMachine::Out& out : messages) {
      out.body = std::string(Below(20), 'b');
      out.queue = static_cast<uint32_t>(Below(2));
      out.tag = static_cast<uint32_t>(Below(4));
      if (Below(2) == 0) out.id = absl::StrCat("id", Below(60));
      out.is_deliberate = Below(8) == 0;
      if (Below(3) == 0) out.properties = absl::StrCat("KEYS\1k", Below(50), " all\2");
      if (Below(6) == 0) {
        out.id = "";
        out.delay_ms = 1 + static_cast<int64_t>(Below(30'000));
      }
    }
    SendResult expected = model.Send(topic, messages);
    const SendResult result = machine.Send(topic, messages);
    ASSERT_EQ(result.status.code, expected.status.code);
    ASSERT_EQ(result.items.size(), expected.items.size());
    for (size_t i = 0; i < result.items.size(); ++i) {
      ASSERT_EQ(result.items[i].is_duplicate, expected.items[i].is_duplicate);
      ASSERT_EQ(result.items[i].queue_id, expected.items[i].queue_id);
      ASSERT_EQ(result.items[i].offset, expected.items[i].offset);
      ASSERT_EQ(result.items[i].due_ms, expected.items[i].due_ms);
      if (result.items[i].due_ms > 0) waiting_.push_back({topic, result.items[i]});
    }
  }

  // Only the latest of a due time: the model does not know them by position.
  void Cancel() {
    if (waiting_.empty()) return;
    const size_t chosen = Below(waiting_.size());
    const auto [topic, item] = waiting_[chosen];
    if (model.timers.count(item.due_ms) > 1) return;
    auto it = model.timers.find(item.due_ms);
    const bool waits = it != model.timers.end() && model.topics.contains(topic) &&
                       it->second.topic == topic &&
                       it->second.generation == model.generations[topic];
    ASSERT_EQ(machine.Run(CommandKind::kCancelTimer,
                          CancelTimerCommand{topic, item.due_ms, item.position}),
              waits ? StatusCode::kOk : StatusCode::kNotFound);
    if (!waits) return;
    model.timers.erase(it);
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(chosen));
  }

  void Receive() {
    ReceiveCommand command = machine.Receiving(Group(), Topic(), 1 + static_cast<uint32_t>(Below(70)));
    command.queue_id = static_cast<int32_t>(Below(3)) - 1;
    command.first_queue = static_cast<uint32_t>(Below(5));
    command.invisible_ms = 1 + static_cast<int64_t>(Below(60'000));
    command.auto_renew = Below(2) == 0;
    command.client_id = Client();
    if (Below(4) == 0) command.tag_hashes = {1, 2};
    const ReceiveResult expected =
        model.Receive(command, machine.replica, machine.incarnation);
    const ReceiveResult result = machine.Receive(command);
    ASSERT_EQ(result.status.code, expected.status.code);
    ASSERT_EQ(result.messages.size(), expected.messages.size());
    ASSERT_EQ(result.invisible_until_ms, expected.invisible_until_ms);
    for (size_t i = 0; i < result.messages.size(); ++i) {
      ASSERT_EQ(result.messages[i].queue_id, expected.messages[i].queue_id);
      ASSERT_EQ(result.messages[i].offset, expected.messages[i].offset);
      ASSERT_EQ(result.messages[i].attempt, expected.messages[i].attempt);
      ASSERT_EQ(result.messages[i].delivery_id, expected.messages[i].delivery_id);
      handles_.push_back({command.consumer_group,
                          {command.topic, result.messages[i].queue_id, result.messages[i].offset,
                           result.messages[i].delivery_id}});
    }
  }

  void Ack() {
    const Handle handle = AnyHandle();
    const StatusCode expected = model.Ack(handle.group, handle.receipt);
    ASSERT_EQ(machine.Ack(handle.group, handle.receipt.topic, AsMessage(handle.receipt)), expected);
  }

  void Change() {
    const Handle handle = AnyHandle();
    const auto invisible_ms = static_cast<int64_t>(Below(3) == 0 ? 0 : Below(20'000));
    const StatusCode expected = model.Change(handle.group, handle.receipt, invisible_ms,
                                             machine.replica, machine.incarnation);
    ASSERT_EQ(machine.Change(handle.group, handle.receipt.topic, AsMessage(handle.receipt),
                             invisible_ms),
              expected);
  }

  void Lock() {
    LockQueuesCommand command{Group(), Client(), {}};
    for (uint64_t i = Below(4); i > 0; --i) {
      command.queues.push_back({Topic(), static_cast<uint32_t>(Below(2))});
    }
    const bool is_unlock = Below(3) == 0;
    if (is_unlock) {
      machine.Run(CommandKind::kUnlockQueues, command);
    }
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < command.queues.size(); ++i) {
      const Model::Key key(command.consumer_group, command.queues[i].topic,
                           command.queues[i].queue_id);
      if (!model.groups.contains(command.consumer_group) ||
          !model.topics.contains(command.queues[i].topic)) {
        continue;
      }
      auto held = model.locks.find(key);
      const bool is_free = held == model.locks.end() || held->second.second <= model.now;
      const bool is_own = held != model.locks.end() && held->second.first == command.client_id;
      if (is_unlock) {
        if (is_own) model.locks.erase(held);
      } else if (is_free || is_own) {
        model.locks[key] = {command.client_id, model.now + kLockMs};
        expected.push_back(i);
      }
    }
    if (is_unlock) return;
    const auto result = machine.Ask<LockQueuesResult>(CommandKind::kLockQueues, command);
    ASSERT_EQ(result.granted, expected);
  }

  void Forward() {
    const Handle handle = AnyHandle();
    ASSERT_EQ(machine.Run(CommandKind::kForwardToDeadLetter,
                          ForwardToDeadLetterCommand{handle.group, handle.receipt}),
              model.Forward(handle.group, handle.receipt));
  }

  // The model has one kind of timer, and one queue for each retry topic.
  void SendBack() {
    SendBackCommand command;
    command.consumer_group = Group();
    command.position = BytePosition(Below(100'000));
    command.size = 100;
    command.tag_hash = static_cast<uint32_t>(Below(4));
    command.reconsume_times = static_cast<int32_t>(Below(20));
    command.override_record.Change(message::PropertyChange::Kind::kSetIfAbsent, "RETRY_TOPIC",
                                   Topic());
    const uint64_t how = Below(3);
    if (how == 0) command.delay_ms = -1;
    if (how == 1) command.delay_ms = 1 + static_cast<int64_t>(Below(20'000));
    const SendBackResult result = machine.Ask<SendBackResult>(CommandKind::kSendBack, command);
    const bool is_known = model.groups.contains(command.consumer_group);
    ASSERT_EQ(result.status.code, is_known ? StatusCode::kOk : StatusCode::kNotFound);
    if (!is_known) return;
    const bool is_dead = how == 0 || command.reconsume_times >= 16;
    ASSERT_EQ(result.is_dead_letter, is_dead);
    const std::string topic = (is_dead ? "%DLQ%" : "%RETRY%") + command.consumer_group;
    if (model.topics[topic].empty()) model.topics[topic].resize(1);
    if (is_dead || how == 2) {
      model.topics[topic][0].push_back(command.tag_hash);
    } else {
      ASSERT_EQ(result.due_ms, model.now + command.delay_ms);
      model.timers.emplace(result.due_ms,
                           Model::Waiting{model.generations[topic], topic, 0, command.tag_hash});
    }
  }

  void Report() {
    const Handle handle = AnyHandle();
    const bool was_written = Below(2) == 0;
    model.Report(handle.group, handle.receipt, was_written);
    machine.Report(handle.group, handle.receipt.topic, AsMessage(handle.receipt), was_written);
  }

  void Release() {
    const ReleaseClientCommand command{Client(), Below(2) == 0 ? "" : Group()};
    model.Release(command.client_id, command.consumer_group);
    model.ReleaseLocks(command.client_id, command.consumer_group);
    machine.Run(CommandKind::kReleaseClient, command);
  }

  void Restart() {
    machine.incarnation = machine.incarnation.Next();
    machine.sequence = machine.low_watermark = 0;
    model.ReplicaStarted(machine.replica, machine.incarnation);
    machine.Do(CommandKind::kReplicaStarted, "");
  }

  void PutTopic(const std::string& topic) {
    machine.PutTopic(topic, 2);
    model.topics[topic].resize(2);
  }
  void PutGroup(const std::string& group) {
    // One group gives up early.
    const uint32_t attempts = group == "g1" ? 2 : 17;
    machine.PutGroup(group, group == "g2", attempts);
    model.groups[group] = group == "g2";
    model.attempts_max[group] = attempts;
  }
  void Administer() {
    const uint64_t what = Below(10);
    const std::string topic = Topic();
    const std::string group = Group();
    if (what < 4) {
      PutTopic(topic);
    } else if (what < 8) {
      PutGroup(group);
    } else if (what == 8) {
      machine.Run(CommandKind::kDeleteTopic, NameCommand{topic});
      if (model.topics.erase(topic) > 0) ++model.generations[topic];
      model.Drop([&](const Model::Key& key) { return std::get<1>(key) == topic; });
    } else {
      machine.Run(CommandKind::kDeleteConsumerGroup, NameCommand{group});
      model.groups.erase(group);
      model.Drop([&](const Model::Key& key) { return std::get<0>(key) == group; });
    }
  }

  std::mt19937_64 random_;
  std::map<ReplicaId, Life> lives_;
  std::vector<Handle> handles_;
  std::vector<std::pair<std::string, SendResult::Item>> waiting_;
};

uint64_t FirstSeed() {
  const char* const given = getenv("TOTORA_SEED");
  return given == nullptr ? 1 : strtoull(given, nullptr, 10);
}
int Seeds(int usual) { return getenv("TOTORA_SEED") == nullptr ? usual : 1; }

TEST(RandomCommands, DoWhatTheModelDoes) {
  for (uint64_t seed = FirstSeed(), end = seed + Seeds(60); seed < end; ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    RandomClients clients(seed);
    std::mt19937_64 random(seed);
    for (int step = 0; step < 600; ++step) {
      clients.Step();
      if (HasFatalFailure()) FAIL() << "step " << step;
      clients.Compare();
      if (HasFatalFailure()) FAIL() << "step " << step;
      // Checkpoints and restarts in between change nothing.
      if (random() % 40 == 0) clients.machine.Checkpoint();
      if (random() % 80 == 0) {
        const std::string dump = clients.machine->Dump();
        clients.machine.Open();
        clients.machine.Replay();
        ASSERT_EQ(clients.machine->Dump(), dump) << "step " << step;
      }
    }
  }
}

// The log of random clients, some commands twice in it.
TestLog RandomLog(uint64_t seed, int steps) {
  RandomClients clients(seed);
  std::mt19937_64 random(seed);
  TestLog log;
  std::deque<raft::Frame> recent;
  for (int step = 0; step < steps; ++step) {
    clients.Step();
    const raft::Frame& frame = clients.machine.log.frames().back();
    std::vector<TestLog::Item> items;
    recent.push_back(frame);
    if (recent.size() > 4) recent.pop_front();
    for (const raft::Frame& from : {recent.front(), frame}) {
      if (&from == &frame || random() % 5 == 0 || from.header.index == frame.header.index) {
        const auto commands = raft::DecodeCommands(from.body.view());
        const raft::Command& command = commands->front();
        items.push_back({static_cast<CommandKind>(command.kind), std::string(command.payload),
                         command.id, command.low_watermark});
      }
    }
    log.Append(items, frame.header.timestamp_ms, &*clients.machine);
  }
  return log;
}

std::unique_ptr<StateMachine> Open(CheckpointStore* store, Executor* background) {
  auto machine = StateMachine::Open(StoreOptions(), store, background);
  EXPECT_TRUE(machine.ok()) << machine.status();
  return machine.ok() ? *std::move(machine) : nullptr;
}

// What the machine at the end of the whole log must say, and what it said to
// each command on the way.
struct Reference {
  explicit Reference(const TestLog& log) {
    ManualExecutor background;
    auto store = MakeMemoryCheckpoints(std::make_shared<std::map<std::string, std::string>>());
    auto machine = Open(store.get(), &background);
    machine->SetObserver(&recorder);
    for (const raft::Frame& frame : log.frames()) {
      machine->Apply(frame);
      dumps.push_back(machine->Dump());
      said.push_back(recorder.results.size());
    }
  }
  std::vector<std::string> dumps;
  std::vector<size_t> said;   // Results after each entry.
  Recorder recorder;
};

// Applies, freezes at one place, goes on, crashes with the checkpoint durable or
// not, opens again and replays: for every place of the crash.
TEST(Determinism, ACrashAnywhereLeadsToTheSameState) {
  for (uint64_t seed = FirstSeed(), end = seed + Seeds(6); seed < end; ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    std::mt19937_64 random(seed);
    const TestLog log = RandomLog(seed, 150);
    const Reference reference(log);
    const size_t size = log.frames().size();
    for (size_t crash = 0; crash <= size; ++crash) {
      auto durable = std::make_shared<std::map<std::string, std::string>>();
      const bool is_written = random() % 4 != 0;
      const size_t freeze = crash == 0 ? 0 : random() % crash;
      {
        auto store = MakeMemoryCheckpoints(durable);
        ManualExecutor background;
        auto machine = Open(store.get(), &background);
        for (size_t i = 0; i < crash; ++i) {
          machine->Apply(log.frames()[i]);
          if (i % 50 == 49) {
            machine->Checkpoint(nullptr);
            machine->LogSynced(LogIndex(i + 1));
            background.RunAll();
          }
          if (i == freeze) machine->Checkpoint(nullptr);
        }
        machine->LogSynced(LogIndex(crash));
        if (is_written) background.RunAll();
        if (crash > 0) {
          ASSERT_EQ(machine->Dump(), reference.dumps[crash - 1]) << "crash at " << crash;
        }
      }
      auto store = MakeMemoryCheckpoints(durable);
      ManualExecutor background;
      Recorder recorder;
      auto machine = Open(store.get(), &background);
      machine->SetObserver(&recorder);
      const size_t from = machine->applied_at_start().value();
      ASSERT_LE(from, crash);
      if (from > 0) {
        ASSERT_EQ(machine->Dump(), reference.dumps[from - 1]) << "opened at " << from;
      }
      for (size_t i = from; i < size; ++i) machine->Apply(log.frames()[i]);
      ASSERT_EQ(machine->Dump(), reference.dumps.back()) << "crash at " << crash;
      const auto& said = reference.recorder.results;
      const size_t skipped = from == 0 ? 0 : reference.said[from - 1];
      ASSERT_EQ(recorder.results,
                decltype(recorder.results)(said.begin() + static_cast<ptrdiff_t>(skipped),
                                           said.end()))
          << "crash at " << crash;
    }
  }
}

TEST(Determinism, RocksDbAndTheTwinInMemoryHoldTheSame) {
  std::string directory = ::testing::TempDir() + "/totora-random-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (uint64_t seed = FirstSeed(), end = seed + Seeds(3); seed < end; ++seed) {
    SCOPED_TRACE(absl::StrCat("TOTORA_SEED=", seed));
    std::mt19937_64 random(seed);
    const TestLog log = RandomLog(seed, 400);
    const Reference reference(log);
    const std::string path = absl::StrCat(directory, "/", seed);
    auto durable = std::make_shared<std::map<std::string, std::string>>();
    size_t done = 0;
    while (done < log.frames().size()) {
      auto rocks = OpenRocksCheckpoints(path);
      ASSERT_TRUE(rocks.ok()) << rocks.status();
      auto memory = MakeMemoryCheckpoints(durable);
      ManualExecutor background;
      auto one = Open(rocks->get(), &background);
      auto two = Open(memory.get(), &background);
      ASSERT_EQ(one->applied(), two->applied());
      done = one->applied().value();
      if (done > 0) {
        ASSERT_EQ(one->Dump(), reference.dumps[done - 1]);
      }
      const size_t until = std::min(log.frames().size(), done + 1 + random() % 60);
      const size_t freeze = done + random() % (until - done);
      for (; done < until; ++done) {
        one->Apply(log.frames()[done]);
        two->Apply(log.frames()[done]);
        if (done != freeze) continue;
        for (StateMachine* machine : {one.get(), two.get()}) {
          machine->Checkpoint(nullptr);
          machine->LogSynced(machine->applied());
        }
        background.RunAll();
      }
      ASSERT_EQ(one->Dump(), reference.dumps[done - 1]);
      ASSERT_EQ(two->Dump(), reference.dumps[done - 1]);
      std::map<std::string, std::string> rows;
      ASSERT_TRUE((*rocks)
                      ->Scan("", "~",
                             [&](absl::string_view key, absl::string_view value) {
                               rows[std::string(key)] = std::string(value);
                               return true;
                             })
                      .ok());
      ASSERT_EQ(rows, *durable);
    }
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace totora::store
