#include "broker/service/traffic_stats.h"

#include <algorithm>
#include <utility>

#include "absl/time/civil_time.h"
#include "common/clock.h"
#include "common/coding.h"
#include "common/log.h"

namespace totora::service {
namespace {

constexpr absl::Duration kMinuteSlot = absl::Seconds(10);
constexpr absl::Duration kHourSlot = absl::Minutes(10);
constexpr absl::Duration kDaySlot = absl::Hours(1);

constexpr size_t kSamplesMax = 601;
constexpr absl::Duration kForgetInterval = absl::Minutes(1);

// Messages between replicas: u8 kind and version, totals, then deliveries.
// Sessions have the small numbers.
constexpr uint8_t kTrafficMessage = 0x81;
constexpr size_t kItemsPerMessage = 2000;

int64_t SlotOf(absl::Duration now, absl::Duration slot) { return now / slot; }

absl::Duration Clamped(absl::Duration span) { return std::max(span, TrafficHistory::kSpanMin); }

// A window of `slots` slots of which the last one is not over.
absl::Duration SpanOf(absl::Duration now, absl::Duration slot, size_t slots,
                      absl::Duration since) {
  const absl::Duration begin = slot * (SlotOf(now, slot) - static_cast<int64_t>(slots) + 1);
  return Clamped(now - std::max(begin, since));
}

uint32_t Saturated(uint32_t value, uint64_t add) {
  return static_cast<uint32_t>(std::min<uint64_t>(UINT32_MAX, value + add));
}

int64_t DayOf(absl::Time time) {
  return absl::ToCivilDay(time, absl::LocalTimeZone()) - absl::CivilDay(1970, 1, 1);
}

void AppendTraffic(std::string* to, const Traffic& traffic) {
  AppendVarint(to, traffic.messages);
  AppendVarint(to, traffic.bytes);
  AppendVarint(to, traffic.calls);
}

Traffic ReadTraffic(Reader* reader) {
  Traffic traffic;
  traffic.messages = reader->Varint();
  traffic.bytes = reader->Varint();
  traffic.calls = reader->Varint();
  return traffic;
}

}  // namespace

// --- One count --------------------------------------------------------------------

double TrafficWindow::MessagesPerSecond() const {
  return static_cast<double>(sum.messages) / absl::ToDoubleSeconds(span);
}

double TrafficWindow::BytesPerSecond() const {
  return static_cast<double>(sum.bytes) / absl::ToDoubleSeconds(span);
}

template <size_t kSlots>
void TrafficHistory::Ring<kSlots>::Add(int64_t number, const Traffic& traffic) {
  if (number > newest) {
    const int64_t first = std::max(newest + 1, number - static_cast<int64_t>(kSlots) + 1);
    for (int64_t at = first; at <= number; ++at) slots[static_cast<size_t>(at) % kSlots] = Slot();
    newest = number;
  }
  Slot& slot = slots[static_cast<size_t>(newest) % kSlots];
  slot.bytes += traffic.bytes;
  slot.messages = Saturated(slot.messages, traffic.messages);
  slot.calls = Saturated(slot.calls, traffic.calls);
}

template <size_t kSlots>
Traffic TrafficHistory::Ring<kSlots>::Sum(int64_t number) const {
  Traffic sum;
  const int64_t first = std::max<int64_t>(0, number - static_cast<int64_t>(kSlots) + 1);
  for (int64_t at = first; at <= newest; ++at) {
    const Slot& slot = slots[static_cast<size_t>(at) % kSlots];
    sum += Traffic{slot.messages, slot.bytes, slot.calls};
  }
  return sum;
}

void TrafficHistory::Add(absl::Duration now, const Traffic& traffic) {
  minute_.Add(SlotOf(now, kMinuteSlot), traffic);
  hour_.Add(SlotOf(now, kHourSlot), traffic);
  day_.Add(SlotOf(now, kDaySlot), traffic);
}

TrafficWindow TrafficHistory::LastMinute(absl::Duration now) const {
  return {minute_.Sum(SlotOf(now, kMinuteSlot)),
          SpanOf(now, kMinuteSlot, minute_.slots.size(), since_)};
}

TrafficWindow TrafficHistory::LastHour(absl::Duration now) const {
  return {hour_.Sum(SlotOf(now, kHourSlot)), SpanOf(now, kHourSlot, hour_.slots.size(), since_)};
}

TrafficWindow TrafficHistory::LastDay(absl::Duration now) const {
  return {day_.Sum(SlotOf(now, kDaySlot)), SpanOf(now, kDaySlot, day_.slots.size(), since_)};
}

bool TrafficHistory::IsForgotten(absl::Duration now) const {
  return day_.newest + static_cast<int64_t>(day_.slots.size()) <= SlotOf(now, kDaySlot);
}

// --- All of them ------------------------------------------------------------------

TrafficStats::TrafficStats(CommandLog* log, Executor* executor)
    : log_(log),
      executor_(executor),
      since_(executor->clock().SteadyNow()),
      all_put_(since_),
      all_delivered_(since_),
      today_(DayOf(executor->clock().WallNow())),
      last_tick_(since_),
      last_forget_(since_) {
  samples_.push_back({since_, totals_});
}

TrafficStats::Item* TrafficStats::Ensure(Items* items, absl::string_view key,
                                         absl::Duration since) {
  auto it = items->find(key);
  if (it != items->end()) return it->second.get();
  if (items->size() >= kHistoriesMax) {
    TOTORA_LOG_LIMITED(kWarn, "service")
        << "too many names have traffic: statistics of " << key << " are not kept";
    return nullptr;
  }
  return items->emplace(key, std::make_unique<Item>(since)).first->second.get();
}

void TrafficStats::Put(absl::string_view topic, const Traffic& traffic) {
  const absl::Duration now = executor_->clock().SteadyNow();
  totals_.put += traffic;
  all_put_.Add(now, traffic);
  // Told once a second, at the end of it.
  Item* const item = Ensure(&topics_, topic, now - kShareInterval);
  if (item != nullptr) item->history.Add(now, traffic);
}

void TrafficStats::TimersMoved(uint64_t added, uint64_t fired) {
  totals_.timers_added += added;
  totals_.timers_fired += fired;
}

TrafficStats::Item* TrafficStats::CountDelivered(absl::string_view topic,
                                                 absl::string_view consumer_group,
                                                 const Traffic& traffic) {
  key_.assign(topic.data(), topic.size());
  key_.push_back('@');
  key_.append(consumer_group.data(), consumer_group.size());
  const absl::Duration now = executor_->clock().SteadyNow();
  totals_.delivered += traffic;
  all_delivered_.Add(now, traffic);
  unshared_ += traffic;
  Item* const item = Ensure(&deliveries_, key_, now);
  if (item == nullptr) return nullptr;
  item->history.Add(now, traffic);
  if (item->unshared.calls == 0) to_share_.push_back(key_);
  item->unshared += traffic;
  return item;
}

void TrafficStats::Delivered(absl::string_view topic, absl::string_view consumer_group,
                             uint64_t messages, uint64_t bytes) {
  CountDelivered(topic, consumer_group, {messages, bytes, 1});
}

void TrafficStats::Pulled(absl::string_view topic, absl::string_view consumer_group,
                          uint32_t queue_id, int64_t next, uint64_t messages, uint64_t bytes) {
  Item* const item = CountDelivered(topic, consumer_group, {messages, bytes, 1});
  if (item != nullptr) NotePlace(item, queue_id, next, false);
}

void TrafficStats::NotePlace(Item* item, uint32_t queue_id, int64_t next, bool is_shared) {
  if (queue_id >= kQueuesMax) return;
  if (item->pulled.size() <= queue_id) item->pulled.resize(queue_id + 1);
  item->pulled[queue_id] = {next, is_shared};
}

void TrafficStats::Missed() {
  ++totals_.missed;
  ++unshared_missed_;
}

// --- Time -------------------------------------------------------------------------

void TrafficStats::Tick(absl::Duration now) {
  if (now - last_tick_ < kShareInterval) return;
  last_tick_ = now;
  Share();
  WatchMorning();
  samples_.push_back({now, totals_});
  if (samples_.size() > kSamplesMax) samples_.pop_front();
  if (now - last_forget_ < kForgetInterval) return;
  last_forget_ = now;
  Forget(&topics_, now);
  Forget(&deliveries_, now);
}

void TrafficStats::Forget(Items* items, absl::Duration now) {
  absl::erase_if(*items,
                 [now](const auto& item) { return item.second->history.IsForgotten(now); });
}

void TrafficStats::WatchMorning() {
  const int64_t day = DayOf(executor_->clock().WallNow());
  if (day == today_) return;
  today_ = day;
  at_yesterdays_morning_ = std::exchange(at_morning_, totals_);
}

// --- Between replicas -------------------------------------------------------------

void TrafficStats::Share() {
  if (unshared_.calls == 0 && unshared_missed_ == 0) return;
  std::string bytes;
  const auto begin = [this, &bytes] {
    bytes.clear();
    AppendU8(&bytes, kTrafficMessage);
    AppendTraffic(&bytes, std::exchange(unshared_, Traffic()));
    AppendVarint(&bytes, std::exchange(unshared_missed_, 0));
  };
  const auto send = [this, &bytes] {
    for (ReplicaId peer : log_->peers()) log_->SendToPeer(peer, bytes);
  };
  const auto append_places = [&bytes](std::vector<Item::Place>* places) {
    const auto is_news = [](const Item::Place& place) { return !place.is_shared; };
    AppendVarint(&bytes, static_cast<uint64_t>(
                             std::count_if(places->begin(), places->end(), is_news)));
    for (size_t queue_id = 0; queue_id < places->size(); ++queue_id) {
      Item::Place& place = (*places)[queue_id];
      if (std::exchange(place.is_shared, true)) continue;
      AppendVarint(&bytes, queue_id);
      AppendVarint(&bytes, static_cast<uint64_t>(place.next));
    }
  };
  begin();
  size_t count = 0;
  for (const std::string& key : to_share_) {
    auto it = deliveries_.find(key);
    if (it == deliveries_.end()) continue;
    AppendBytes(&bytes, key);
    AppendTraffic(&bytes, std::exchange(it->second->unshared, Traffic()));
    append_places(&it->second->pulled);
    if (++count % kItemsPerMessage != 0) continue;
    send();
    begin();
  }
  to_share_.clear();
  send();
}

bool TrafficStats::IsPeerMessage(absl::string_view bytes) {
  return !bytes.empty() && static_cast<uint8_t>(bytes.front()) == kTrafficMessage;
}

void TrafficStats::PeerMessage(absl::string_view bytes) {
  Reader reader(bytes);
  reader.U8();
  const absl::Duration now = executor_->clock().SteadyNow();
  const Traffic all = ReadTraffic(&reader);
  const uint64_t missed = reader.Varint();
  if (!reader.ok()) return;
  totals_.delivered += all;
  totals_.missed += missed;
  all_delivered_.Add(now, all);
  while (!reader.done()) {
    const absl::string_view key = reader.Prefixed();
    const Traffic traffic = ReadTraffic(&reader);
    uint64_t places = reader.Varint();
    if (!reader.ok()) return;
    Item* const item = Ensure(&deliveries_, key, now - kShareInterval);
    if (item != nullptr) item->history.Add(now, traffic);
    for (; places > 0 && reader.ok(); --places) {
      const uint64_t queue_id = reader.Varint();
      const auto next = static_cast<int64_t>(reader.Varint());
      if (!reader.ok() || item == nullptr || queue_id >= kQueuesMax) continue;
      NotePlace(item, static_cast<uint32_t>(queue_id), next, true);
    }
  }
}

// --- Questions --------------------------------------------------------------------

const TrafficHistory* TrafficStats::FindTopic(absl::string_view topic) const {
  auto it = topics_.find(topic);
  return it == topics_.end() ? nullptr : &it->second->history;
}

const TrafficHistory* TrafficStats::FindDelivery(absl::string_view key) const {
  auto it = deliveries_.find(key);
  return it == deliveries_.end() ? nullptr : &it->second->history;
}

const TrafficStats::Item* TrafficStats::FindItem(absl::string_view topic,
                                                 absl::string_view consumer_group) const {
  std::string key(topic);
  key.push_back('@');
  key.append(consumer_group.data(), consumer_group.size());
  auto it = deliveries_.find(key);
  return it == deliveries_.end() ? nullptr : it->second.get();
}

const TrafficHistory* TrafficStats::FindDelivery(absl::string_view topic,
                                                 absl::string_view consumer_group) const {
  const Item* const item = FindItem(topic, consumer_group);
  return item == nullptr ? nullptr : &item->history;
}

int64_t TrafficStats::PulledUpTo(absl::string_view topic, absl::string_view consumer_group,
                                 uint32_t queue_id) const {
  const Item* const item = FindItem(topic, consumer_group);
  return item == nullptr || queue_id >= item->pulled.size() ? 0 : item->pulled[queue_id].next;
}

std::array<double, 3> TrafficStats::Rates(uint64_t (*of)(const TrafficTotals&)) const {
  std::array<double, 3> rates{};
  const absl::Duration now = executor_->clock().SteadyNow();
  const std::array<absl::Duration, 3> spans = {absl::Seconds(10), absl::Minutes(1),
                                               absl::Minutes(10)};
  for (size_t i = 0; i < spans.size(); ++i) {
    // The last sample that is old enough, or the oldest there is.
    auto after = std::upper_bound(
        samples_.begin(), samples_.end(), now - spans[i],
        [](absl::Duration time, const Sample& sample) { return time < sample.at; });
    const Sample& then = after == samples_.begin() ? *after : *std::prev(after);
    const absl::Duration span = Clamped(now - then.at);
    rates[i] = static_cast<double>(of(totals_) - of(then.totals)) / absl::ToDoubleSeconds(span);
  }
  return rates;
}

}  // namespace totora::service
