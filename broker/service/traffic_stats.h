// How much passes through the group: messages put, by topic, and messages handed
// out, by topic and consumer group, over the last minute, hour and day.
//
// Every replica can answer for the group. Puts are counted where they are applied,
// which every replica does; deliveries where they were served, and each replica
// tells its peers once a second what it served. What is told while a peer is away
// is lost to that peer. Figures live in RAM: they begin anew with the process.
//
// The names are RocketMQ's (StatsItem.java, StoreStatsService.java), the figures are
// of this moment and not of its last sample.
#ifndef TOTORA_BROKER_SERVICE_TRAFFIC_STATS_H_
#define TOTORA_BROKER_SERVICE_TRAFFIC_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "broker/service/command_log.h"
#include "common/executor.h"
#include "common/types.h"

namespace totora::service {

// Messages, their stored bytes, and the calls that moved them.
struct Traffic {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t calls = 0;

  Traffic& operator+=(const Traffic& other) {
    messages += other.messages;
    bytes += other.bytes;
    calls += other.calls;
    return *this;
  }
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

// What came in a span of time that ends now.
struct TrafficWindow {
  Traffic sum;
  absl::Duration span;  // Never below kSpanMin.

  double MessagesPerSecond() const;
  double BytesPerSecond() const;
};

// One count with its recent past: 36 slots of 16 bytes.
//
// Thread safety: confined.
class TrafficHistory {
 public:
  static constexpr absl::Duration kSpanMin = absl::Seconds(1);

  explicit TrafficHistory(absl::Duration since) : since_(since) {}

  // `now` never decreases.
  void Add(absl::Duration now, const Traffic& traffic);

  // Each window ends now and is up to one of its slots shorter than its name.
  TrafficWindow LastMinute(absl::Duration now) const;
  TrafficWindow LastHour(absl::Duration now) const;
  TrafficWindow LastDay(absl::Duration now) const;
  // Nothing came for a day.
  bool IsForgotten(absl::Duration now) const;

 private:
  struct Slot {
    uint64_t bytes = 0;
    uint32_t messages = 0;
    uint32_t calls = 0;
  };
  template <size_t kSlots>
  struct Ring {
    int64_t newest = -1;  // Number of the slot that was written last.
    std::array<Slot, kSlots> slots{};

    void Add(int64_t number, const Traffic& traffic);
    Traffic Sum(int64_t number) const;
  };

  absl::Duration since_;
  Ring<6> minute_;  // Slots of 10 s,
  Ring<6> hour_;    // 10 min
  Ring<24> day_;    // and 1 h.
};

// Everything that this broker counted since its start.
struct TrafficTotals {
  Traffic put;
  Traffic delivered;          // Calls: those that found messages.
  uint64_t missed = 0;        // Calls that found none.
  uint64_t timers_added = 0;  // Messages that began to wait for their delivery time,
  uint64_t timers_fired = 0;  // and those that came into their queues.
};

// Thread safety: confined to the replica's executor.
class TrafficStats {
 public:
  // Of topics, and of pairs of topic and consumer group. What comes beyond is
  // counted in the totals only, until others were idle for a day.
  static constexpr size_t kHistoriesMax = 20'000;
  static constexpr uint32_t kQueuesMax = 1024;  // Of a topic: no queue has a higher number.
  static constexpr absl::Duration kShareInterval = absl::Seconds(1);

  TrafficStats(CommandLog* log, Executor* executor);

  // --- What happens -----------------------------------------------------------

  // Applied.
  void Put(absl::string_view topic, const Traffic& traffic);
  void TimersMoved(uint64_t added, uint64_t fired);
  // Handed to a consumer, here.
  void Delivered(absl::string_view topic, absl::string_view consumer_group, uint64_t messages,
                 uint64_t bytes);
  // The same for a pull of one queue, after which the consumer goes on at `next`.
  void Pulled(absl::string_view topic, absl::string_view consumer_group, uint32_t queue_id,
              int64_t next, uint64_t messages, uint64_t bytes);
  // A consumer asked here, and nothing had come.
  void Missed();

  void Tick(absl::Duration now);
  static bool IsPeerMessage(absl::string_view bytes);
  void PeerMessage(absl::string_view bytes);

  // --- Questions --------------------------------------------------------------

  // Null: nothing in the last day. Valid until the next call that changes something.
  const TrafficHistory* FindTopic(absl::string_view topic) const;
  // `key` is "topic@group".
  const TrafficHistory* FindDelivery(absl::string_view key) const;
  const TrafficHistory* FindDelivery(absl::string_view topic,
                                     absl::string_view consumer_group) const;
  // Where the last pull of the queue, at whatever replica, ended; 0 if none is known.
  int64_t PulledUpTo(absl::string_view topic, absl::string_view consumer_group,
                     uint32_t queue_id) const;
  const TrafficHistory& all_put() const { return all_put_; }
  const TrafficHistory& all_delivered() const { return all_delivered_; }

  const TrafficTotals& totals() const { return totals_; }
  // As they were when today began, by local time, and yesterday; zeros if the
  // process is younger.
  const TrafficTotals& at_morning() const { return at_morning_; }
  const TrafficTotals& at_yesterdays_morning() const { return at_yesterdays_morning_; }

  // Averages of a total over the last 10 s, minute and 10 minutes, or since the start.
  std::array<double, 3> Rates(uint64_t (*of)(const TrafficTotals&)) const;

 private:
  struct Item {
    explicit Item(absl::Duration since) : history(since) {}
    TrafficHistory history;
    // Of a delivery:
    Traffic unshared;  // Not told to the peers yet.
    struct Place {
      int64_t next = 0;
      bool is_shared = true;
    };
    std::vector<Place> pulled{};  // By queue.
  };
  using Items = absl::flat_hash_map<std::string, std::unique_ptr<Item>>;
  struct Sample {
    absl::Duration at;
    TrafficTotals totals;
  };

  // `since`: when what is counted first may have begun to come. Null if there is no room.
  Item* Ensure(Items* items, absl::string_view key, absl::Duration since);
  Item* CountDelivered(absl::string_view topic, absl::string_view consumer_group,
                       const Traffic& traffic);
  const Item* FindItem(absl::string_view topic, absl::string_view consumer_group) const;
  static void NotePlace(Item* item, uint32_t queue_id, int64_t next, bool is_shared);
  void Forget(Items* items, absl::Duration now);
  void Share();
  void WatchMorning();

  CommandLog* const log_;
  Executor* const executor_;
  const absl::Duration since_;
  Items topics_;
  Items deliveries_;  // By "topic@group".
  TrafficHistory all_put_;
  TrafficHistory all_delivered_;
  TrafficTotals totals_;
  TrafficTotals at_morning_;
  TrafficTotals at_yesterdays_morning_;
  int64_t today_;                       // Days since 1970, by local time.
  std::deque<Sample> samples_;          // One a second, oldest first; at most kSamplesMax.
  std::vector<std::string> to_share_;   // Keys of deliveries_ with something unshared.
  Traffic unshared_;                    // Of all deliveries, without names,
  uint64_t unshared_missed_ = 0;        // and of calls that found nothing.
  absl::Duration last_tick_;
  absl::Duration last_forget_;
  std::string key_;                     // Reused.
};

}  // namespace totora::service

#endif  // TOTORA_BROKER_SERVICE_TRAFFIC_STATS_H_
