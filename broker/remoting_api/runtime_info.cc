#include "broker/remoting_api/runtime_info.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "broker/remoting_api/admin_reply.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/stats.h"
#include "remoting/limits.h"

namespace totora::remoting_api {
namespace {

using service::Traffic;
using service::TrafficHistory;
using service::TrafficTotals;
using service::TrafficWindow;
using Table = std::map<std::string, std::string>;

// --- 28 ---------------------------------------------------------------------------

// As MixAll.humanReadableByteCount writes it.
std::string HumanBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr absl::string_view kUnits = "KMGTPE";
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (value /= 1024; value >= 1024 && unit + 1 < kUnits.size(); value /= 1024) ++unit;
  return absl::StrFormat("%.1f %ciB", value, kUnits[unit]);
}

// "[ 0 days, 2 hours, 3 minutes, 4 seconds ]"
std::string RunTime(absl::Duration up) {
  const int64_t seconds = absl::ToInt64Seconds(up);
  return absl::StrFormat("[ %d days, %d hours, %d minutes, %d seconds ]", seconds / 86400,
                         seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

// Three numbers: tools take the first, the dashboard splits at the blanks.
std::string Rates(const service::TrafficStats& traffic, uint64_t (*of)(const TrafficTotals&)) {
  const std::array<double, 3> rates = traffic.Rates(of);
  return absl::StrFormat("%.2f %.2f %.2f", rates[0], rates[1], rates[2]);
}

void AddTraffic(const service::TrafficStats& traffic, Table* table) {
  const TrafficTotals& now = traffic.totals();
  const auto put = [](const TrafficTotals& totals) { return totals.put.messages; };
  const auto found = [](const TrafficTotals& totals) { return totals.delivered.calls; };
  const auto missed = [](const TrafficTotals& totals) { return totals.missed; };
  const auto asked = [](const TrafficTotals& totals) {
    return totals.delivered.calls + totals.missed;
  };
  const auto transferred = [](const TrafficTotals& totals) { return totals.delivered.messages; };
  const auto waiting = [](const TrafficTotals& totals) { return totals.timers_added; };
  const auto fired = [](const TrafficTotals& totals) { return totals.timers_fired; };

  Table& info = *table;
  info["putTps"] = Rates(traffic, put);
  info["getFoundTps"] = Rates(traffic, found);
  info["getMissTps"] = Rates(traffic, missed);
  info["getTotalTps"] = Rates(traffic, asked);
  info["getTransferredTps"] = Rates(traffic, transferred);
  info["timerEnqueueTps"] = absl::StrFormat("%.2f", traffic.Rates(waiting)[0]);
  info["timerDequeueTps"] = absl::StrFormat("%.2f", traffic.Rates(fired)[0]);

  info["msgPutTotalYesterdayMorning"] =
      absl::StrCat(traffic.at_yesterdays_morning().put.messages);
  info["msgPutTotalTodayMorning"] = absl::StrCat(traffic.at_morning().put.messages);
  info["msgPutTotalTodayNow"] = absl::StrCat(now.put.messages);
  info["msgGetTotalYesterdayMorning"] =
      absl::StrCat(traffic.at_yesterdays_morning().delivered.messages);
  info["msgGetTotalTodayMorning"] = absl::StrCat(traffic.at_morning().delivered.messages);
  info["msgGetTotalTodayNow"] = absl::StrCat(now.delivered.messages);

  info["putMessageTimesTotal"] = absl::StrCat(now.put.messages);
  info["putMessageSizeTotal"] = absl::StrCat(now.put.bytes);
  info["putMessageAverageSize"] =
      absl::StrFormat("%.1f", static_cast<double>(now.put.bytes) /
                                  static_cast<double>(std::max<uint64_t>(1, now.put.messages)));
}

void AddStorage(const HandlerContext& context, Table* table) {
  Table& info = *table;
  const auto end = static_cast<int64_t>(context.broker->state().applied_end().value());
  info["commitLogMinOffset"] = "0";
  info["commitLogMaxOffset"] = absl::StrCat(end);
  info["earliestMessageTimeStamp"] =
      absl::StrCat(context.broker->EarliestStoreTimeMs().value_or(-1));
  if (context.options.disk == nullptr) return;
  const DiskFigures disk = context.options.disk();
  const double ratio = disk.total_bytes == 0
                           ? 0
                           : 1 - static_cast<double>(disk.free_bytes) /
                                     static_cast<double>(disk.total_bytes);
  info["commitLogDiskRatio"] = absl::StrFormat("%.4f", ratio);
  info["consumeQueueDiskRatio"] = info["commitLogDiskRatio"];
  info["commitLogDirCapacity"] = absl::StrCat("Total : ", HumanBytes(disk.total_bytes),
                                              ", Free : ", HumanBytes(disk.free_bytes), ".");
}

// RocketMQ's pools of threads with their queues. Here nothing waits for a thread:
// requests are taken as they come, so all queues are always empty.
void AddQueues(Table* table) {
  Table& info = *table;
  const std::string capacity = absl::StrCat(remoting::RemotingLimits().requests_max);
  for (const char* pool : {"send", "pull", "litePull", "query", "ack"}) {
    info[absl::StrCat(pool, "ThreadPoolQueueSize")] = "0";
    info[absl::StrCat(pool, "ThreadPoolQueueCapacity")] = capacity;
    info[absl::StrCat(pool, "ThreadPoolQueueHeadWaitTimeMills")] = "0";
  }
  info["EndTransactionQueueSize"] = "0";
  info["EndTransactionThreadPoolQueueCapacity"] = capacity;
  // What is put was flushed before it is acknowledged, and indexed when it is applied.
  for (const char* key : {"dispatchBehindBytes", "pageCacheLockTimeMills", "dispatchMaxBuffer",
                          "remainTransientStoreBufferNumbs", "timerReadBehind",
                          "timerOffsetBehind", "putMessageFailedTimes"}) {
    info[key] = "0";
  }
  info["remainHowManyDataToFlush"] = "0 B";
}

void GetRuntimeInfo(const HandlerContext& context, RemotingRequestPtr request) {
  context.broker->executor()->Post([&context, request = std::move(request)] {
    service::BrokerService& broker = *context.broker;
    remoting::KvTable body;
    Table& info = body.table;
    const std::string boot = absl::StrCat(absl::ToUnixMillis(broker.started_at_wall()));
    info["brokerActive"] = "true";
    info["brokerVersion"] = absl::StrCat(remoting::kVersion5_3_3);
    info["brokerVersionDesc"] = "V5_3_3";
    info["bootTimestamp"] = boot;
    info["startAcceptSendRequestTimeStamp"] = boot;
    info["runtime"] = RunTime(Now(context) - broker.started_at());
    info["timerCongestNum"] = absl::StrCat(broker.state().TimerCount());
    AddTraffic(broker.traffic(), &info);
    AddStorage(context, &info);
    AddQueues(&info);
    ReplyBody(request, body);
  });
}

// --- 315 --------------------------------------------------------------------------

remoting::BrokerStatsItem ItemOf(const TrafficWindow& window, bool is_of_bytes) {
  const uint64_t sum = is_of_bytes ? window.sum.bytes : window.sum.messages;
  remoting::BrokerStatsItem item;
  item.sum = static_cast<int64_t>(sum);
  item.tps = is_of_bytes ? window.BytesPerSecond() : window.MessagesPerSecond();
  if (window.sum.calls > 0) {
    item.average = static_cast<double>(sum) / static_cast<double>(window.sum.calls);
  }
  return item;
}

struct NamedHistory {
  const TrafficHistory* history = nullptr;  // Null: nothing is known by that name.
  bool is_of_bytes = false;
};

// Names of Stats.java and BrokerStatsManager.java.
NamedHistory FindHistory(const HandlerContext& context, absl::string_view name,
                         absl::string_view key) {
  const service::TrafficStats& traffic = context.broker->traffic();
  if (name == "TOPIC_PUT_NUMS") return {traffic.FindTopic(key), false};
  if (name == "TOPIC_PUT_SIZE") return {traffic.FindTopic(key), true};
  if (name == "GROUP_GET_NUMS") return {traffic.FindDelivery(key), false};
  if (name == "GROUP_GET_SIZE") return {traffic.FindDelivery(key), true};
  if (key != context.broker->options().cluster) return {};
  if (name == "BROKER_PUT_NUMS") return {&traffic.all_put(), false};
  if (name == "BROKER_GET_NUMS") return {&traffic.all_delivered(), false};
  return {};
}

void ViewStats(const HandlerContext& context, RemotingRequestPtr request,
               const remoting::ViewBrokerStatsDataRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    name = std::string(header.stats_name),
                                    key = std::string(header.stats_key)] {
    const NamedHistory found = FindHistory(context, name, key);
    if (found.history == nullptr) {
      // Tools count it as nothing.
      request->Reply(ResponseCode::kSystemError,
                     RemarkText(absl::StrCat("The stats <", name, "> <", key, "> not exist")));
      return;
    }
    const absl::Duration now = Now(context);
    remoting::BrokerStatsData body;
    body.minute = ItemOf(found.history->LastMinute(now), found.is_of_bytes);
    body.hour = ItemOf(found.history->LastHour(now), found.is_of_bytes);
    body.day = ItemOf(found.history->LastDay(now), found.is_of_bytes);
    ReplyBody(request, body);
  });
}

}  // namespace

void AddRuntimeInfo(const HandlerContext* context, remoting::RemotingService* to) {
  to->Add(RequestCode::kGetBrokerRuntimeInfo,
          [context](RemotingRequestPtr request) { GetRuntimeInfo(*context, std::move(request)); });
  AddQuestion(context, to, RequestCode::kViewBrokerStatsData, &ViewStats);
}

}  // namespace totora::remoting_api
