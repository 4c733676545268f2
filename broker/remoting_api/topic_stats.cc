#include "broker/remoting_api/topic_stats.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/config_bodies.h"
#include "broker/remoting_api/subscription_bodies.h"
#include "common/clock.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/queues.h"
#include "remoting/bodies/stats.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

// Entries of one look into a queue.
constexpr int32_t kQueueEntriesMax = 1024;

int64_t Number(QueueOffset offset) { return static_cast<int64_t>(offset.value()); }

// --- 202 --------------------------------------------------------------------------

void GetTopicStats(const HandlerContext& context, RemotingRequestPtr request,
                   const remoting::TopicRequest& header) {
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic)] {
    const store::StateMachine& state = context.broker->state();
    const std::optional<store::TopicConfig> config = state.FindTopic(topic);
    if (!config.has_value()) {
      ReplyNoTopic(request, topic);
      return;
    }
    remoting::TopicStatsTable table;
    for (uint32_t at = 0; at < std::max(config->read_queues, config->write_queues); ++at) {
      const auto bounds = state.Bounds(topic, at);
      if (!bounds.ok()) continue;
      remoting::TopicOffset& offsets = table.offset_table[QueueNamed(context, topic, at)];
      offsets.min_offset = Number(bounds->begin);
      offsets.max_offset = Number(bounds->end);
      if (bounds->end > bounds->begin) {
        offsets.last_update_timestamp =
            StoreTimeAt(state, topic, at, bounds->end.value() - 1).value_or(0);
      }
    }
    const service::TrafficHistory* const puts = context.broker->traffic().FindTopic(topic);
    if (puts != nullptr) table.topic_put_tps = puts->LastMinute(Now(context)).MessagesPerSecond();
    ReplyBody(request, table);
  });
}

// --- 32 ---------------------------------------------------------------------------

void GetEarliestStoreTime(const HandlerContext& context, RemotingRequestPtr request,
                          const remoting::QueueRequest& header) {
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic),
                                 queue_id = header.queue_id] {
    absl::StatusOr<std::optional<int64_t>> time_ms = absl::NotFoundError("");
    if (queue_id >= 0) {
      time_ms = context.broker->state().EarliestStoreTimeMs(topic, static_cast<uint32_t>(queue_id));
    }
    if (!time_ms.ok() && !absl::IsNotFound(time_ms.status())) {
      ReplyStatus(request, time_ms.status(), Doing::kAsk);
      return;
    }
    Content content;
    // RocketMQ says of a queue that it does not have what it says of an empty one.
    remoting::WriteFields(remoting::TimestampReply{time_ms.ok() ? time_ms->value_or(-1) : -1},
                          &content.fields);
    request->Reply(ResponseCode::kSuccess, content);
  });
}

// --- 300 --------------------------------------------------------------------------

void QueryConsumersOfTopic(const HandlerContext& context, RemotingRequestPtr request,
                           const remoting::TopicRequest& header) {
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic)] {
    std::set<std::string> groups;
    for (std::string& group : context.broker->state().ConsumerGroupsOf(topic)) {
      groups.insert(std::move(group));
    }
    for (std::string& group : context.broker->sessions().ConsumerGroupsOf(topic)) {
      groups.insert(std::move(group));
    }
    remoting::GroupList list;
    list.groups.assign(groups.begin(), groups.end());
    ReplyBody(request, list);
  });
}

// --- 303 --------------------------------------------------------------------------

remoting::QueueTimeSpan TimeSpanOf(const HandlerContext& context, const std::string& topic,
                                   const std::string& group, uint32_t queue_id) {
  const store::StateMachine& state = context.broker->state();
  remoting::QueueTimeSpan span;
  span.queue = QueueNamed(context, topic, queue_id);
  span.min_timestamp = span.max_timestamp = span.consume_timestamp = -1;
  const auto bounds = state.Bounds(topic, queue_id);
  if (!bounds.ok() || bounds->begin == bounds->end) return span;
  const uint64_t begin = bounds->begin.value();
  const uint64_t end = bounds->end.value();
  span.min_timestamp = StoreTimeAt(state, topic, queue_id, begin).value_or(-1);
  span.max_timestamp = StoreTimeAt(state, topic, queue_id, end - 1).value_or(-1);
  const uint64_t next =
      state.ConsumerOffset(group, topic, queue_id).value_or(QueueOffset(0)).value();
  span.consume_timestamp =
      next > begin ? StoreTimeAt(state, topic, queue_id, std::min(next, end) - 1).value_or(-1)
                   : span.min_timestamp;
  if (next < end) {
    const auto waits_since = StoreTimeAt(state, topic, queue_id, std::max(next, begin));
    const int64_t now_ms = WallMillis(context.broker->executor()->clock());
    if (waits_since.has_value()) span.delay_time = std::max<int64_t>(0, now_ms - *waits_since);
  }
  return span;
}

void QueryTimeSpan(const HandlerContext& context, RemotingRequestPtr request,
                   const remoting::QueryConsumeTimeSpanRequest& header) {
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic),
                                 group = std::string(header.group)] {
    const std::optional<store::TopicConfig> config = context.broker->state().FindTopic(topic);
    if (!config.has_value()) {
      ReplyNoTopic(request, topic);
      return;
    }
    remoting::QueryConsumeTimeSpanBody body;
    for (uint32_t at = 0; at < config->write_queues; ++at) {
      body.spans.push_back(TimeSpanOf(context, topic, group, at));
    }
    ReplyBody(request, body);
  });
}

// --- 308 --------------------------------------------------------------------------

// The lowest offset that any group has of each queue (ConsumerOffsetManager.java,
// queryMinOffsetInAllGroup).
std::map<int64_t, int64_t> LowestOffsets(const store::StateMachine& state, const std::string& topic,
                                         const std::set<std::string>& filtered) {
  std::map<int64_t, int64_t> lowest;
  for (const std::string& group : state.ConsumerGroupsOf(topic)) {
    if (filtered.contains(group)) continue;
    for (const store::CommittedOffset& offset : state.ConsumerOffsets(group, topic)) {
      const auto bounds = state.Bounds(topic, offset.queue_id);
      if (!bounds.ok() || offset.offset < bounds->begin) continue;
      auto [known, is_new] = lowest.emplace(offset.queue_id, Number(offset.offset));
      if (!is_new) known->second = std::min(known->second, Number(offset.offset));
    }
  }
  return lowest;
}

void QueryCorrection(const HandlerContext& context, RemotingRequestPtr request,
                     const remoting::QueryCorrectionOffsetRequest& header) {
  std::set<std::string> filtered;
  for (absl::string_view group : absl::StrSplit(header.filter_groups, ',', absl::SkipEmpty())) {
    filtered.emplace(group);
  }
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic),
                                 compared = std::string(header.compare_group),
                                 filtered = std::move(filtered)] {
    const store::StateMachine& state = context.broker->state();
    remoting::QueryCorrectionOffsetBody body;
    body.correction_offsets = LowestOffsets(state, topic, filtered);
    for (const store::CommittedOffset& offset : state.ConsumerOffsets(compared, topic)) {
      auto known = body.correction_offsets.find(offset.queue_id);
      if (known == body.correction_offsets.end()) continue;
      if (known->second > Number(offset.offset)) known->second = INT64_MAX;
    }
    ReplyBody(request, body);
  });
}

// --- 321 --------------------------------------------------------------------------

void FillSubscription(const HandlerContext& context, const std::string& topic,
                      const std::string& group, remoting::QueryConsumeQueueResponseBody* body) {
  const service::Subscription* const subscription =
      context.broker->sessions().FindSubscription(group, topic, {});
  if (subscription == nullptr) {
    body->filter_data = absl::StrCat(group, "@", topic, " is not online!");
    return;
  }
  body->subscription = BodyOf(*subscription);
  body->filter_data = "null";  // There is data of SQL filters only.
}

void QueryQueue(const HandlerContext& context, RemotingRequestPtr request,
                const remoting::QueryConsumeQueueRequest& header) {
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic),
                                 group = std::string(header.consumer_group),
                                 queue_id = header.queue_id, index = header.index,
                                 count = std::clamp(header.count, 0, kQueueEntriesMax)] {
    const store::StateMachine& state = context.broker->state();
    const auto bounds = state.Bounds(topic, static_cast<uint32_t>(queue_id));
    if (queue_id < 0 || !bounds.ok()) {
      request->Reply(ResponseCode::kSystemError,
                     RemarkText(absl::StrCat(queue_id, "@", topic, " is not exist!")));
      return;
    }
    remoting::QueryConsumeQueueResponseBody body;
    body.min_queue_index = Number(bounds->begin);
    body.max_queue_index = Number(bounds->end);
    if (!group.empty()) FillSubscription(context, topic, group, &body);
    Content content;
    const auto entries =
        index < 0 ? absl::OutOfRangeError("")
                  : state.Entries(topic, static_cast<uint32_t>(queue_id),
                                  QueueOffset(static_cast<uint64_t>(index)),
                                  static_cast<size_t>(count));
    if (absl::IsOutOfRange(entries.status())) {
      content.remark =
          RemarkText(absl::StrCat("Index ", index, " of ", queue_id, "@", topic, " is not exist!"));
    } else if (!entries.ok()) {
      ReplyStatus(request, entries.status(), Doing::kAsk);
      return;
    } else {
      for (const store::QueueEntry& entry : *entries) {
        remoting::ConsumeQueueData& data = body.queue_data.emplace_back();
        data.position = static_cast<int64_t>(entry.position.value());
        data.size = static_cast<int32_t>(entry.size);
        data.tags_code = static_cast<int32_t>(entry.tag_hash);
      }
    }
    content.AddBody(remoting::EncodeBody(body));
    request->Reply(ResponseCode::kSuccess, content);
  });
}

// --- 351 --------------------------------------------------------------------------

void GetTopicConfig(const HandlerContext& context, RemotingRequestPtr request,
                    const remoting::GetTopicConfigRequest& header) {
  WhenCurrent(context, request, [&context, request, topic = std::string(header.topic)] {
    const std::optional<store::TopicConfig> config = context.broker->state().FindTopic(topic);
    if (config.has_value()) {
      ReplyBody(request, BodyOf(*config));
      return;
    }
    request->Reply(ResponseCode::kTopicNotExist,
                   RemarkText(absl::StrCat("No topic in this broker. topic: ", topic)));
  });
}

}  // namespace

void AddTopicStats(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kGetTopicStatsInfo, &GetTopicStats);
  AddQuestion(context, to, RequestCode::kGetEarliestMessageStoreTime, &GetEarliestStoreTime);
  AddQuestion(context, to, RequestCode::kQueryTopicConsumeByWho, &QueryConsumersOfTopic);
  AddQuestion(context, to, RequestCode::kQueryConsumeTimeSpan, &QueryTimeSpan);
  AddQuestion(context, to, RequestCode::kQueryCorrectionOffset, &QueryCorrection);
  AddQuestion(context, to, RequestCode::kQueryConsumeQueue, &QueryQueue);
  AddQuestion(context, to, RequestCode::kGetTopicConfig, &GetTopicConfig);
}

}  // namespace totora::remoting_api
