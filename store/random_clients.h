// Clients that do what comes to their mind, against a state machine and the model.
#ifndef TOTORA_STORE_RANDOM_CLIENTS_H_
#define TOTORA_STORE_RANDOM_CLIENTS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "store/random_model.h"
#include "store/test_machine.h"

namespace totora::store {

// They know handles that they were given. One seed, one story.
//
// Thread safety: confined.
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
    if (Below(50) == 0) machine.Step(static_cast<int64_t>(Below(100'000)));
    model.now = machine.now_ms;
    model.passed = machine.now_ms - machine.log.stepped_ms;
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
      if (Below(2) == 0) out.retry_window_ms = 15'000;
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
              waits ? absl::StatusCode::kOk : absl::StatusCode::kNotFound);
    if (!waits) return;
    model.timers.erase(it);
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(chosen));
  }

  void Receive() {
    ReceiveCommand command =
        machine.Receiving(Group(), Topic(), 1 + static_cast<uint32_t>(Below(70)));
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
    const absl::StatusCode expected = model.Ack(handle.group, handle.receipt);
    ASSERT_EQ(machine.Ack(handle.group, handle.receipt.topic, AsMessage(handle.receipt)), expected);
  }

  void Change() {
    const Handle handle = AnyHandle();
    const auto invisible_ms = static_cast<int64_t>(Below(3) == 0 ? 0 : Below(20'000));
    const absl::StatusCode expected = model.Change(handle.group, handle.receipt, invisible_ms,
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
      const bool is_free = held == model.locks.end() || held->second.second <= model.passed;
      const bool is_own = held != model.locks.end() && held->second.first == command.client_id;
      if (is_unlock) {
        if (is_own) model.locks.erase(held);
      } else if (is_free || is_own) {
        model.locks[key] = {command.client_id, model.passed + kLockMs};
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
    ASSERT_EQ(result.status.code, is_known ? absl::StatusCode::kOk : absl::StatusCode::kNotFound);
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

}  // namespace totora::store

#endif  // TOTORA_STORE_RANDOM_CLIENTS_H_
