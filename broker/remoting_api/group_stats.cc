#include "broker/remoting_api/group_stats.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/config_bodies.h"
#include "broker/remoting_api/subscription_bodies.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/stats.h"

namespace totora::remoting_api {
namespace {

int64_t Number(QueueOffset offset) { return static_cast<int64_t>(offset.value()); }

// --- 208 --------------------------------------------------------------------------

// A consumer group's progress in the readable queues of a topic. Classic consumers
// commit offsets and say in each pull how far they have read; for the others it
// follows from what they acked and what they were given.
void FillOffsets(const HandlerContext& context, const std::string& group,
                 const store::TopicConfig& topic, remoting::ConsumeStats* stats) {
  const store::StateMachine& state = context.broker->state();
  for (const store::ConsumerProgress& progress : state.Progress(group, topic.name)) {
    if (progress.queue_id >= topic.read_queues) continue;
    remoting::ConsumeOffset& offsets =
        stats->offset_table[QueueNamed(context, topic.name, progress.queue_id)];
    const bool has_received = progress.next > progress.bounds.begin;
    const auto committed = state.ConsumerOffset(group, topic.name, progress.queue_id);
    offsets.broker_offset = Number(progress.bounds.end);
    offsets.consumer_offset = std::max(committed.has_value() ? Number(*committed) : 0,
                                       has_received ? Number(progress.committed) : 0);
    offsets.pull_offset = std::max({offsets.consumer_offset,
                                    has_received ? Number(progress.next) : 0,
                                    context.broker->traffic().PulledUpTo(
                                        topic.name, group, progress.queue_id)});
    if (offsets.consumer_offset > 0) {
      offsets.last_timestamp =
          StoreTimeAt(state, topic.name, progress.queue_id,
                      static_cast<uint64_t>(offsets.consumer_offset) - 1)
              .value_or(0);
    }
  }
  const service::TrafficHistory* const gets =
      context.broker->traffic().FindDelivery(topic.name, group);
  if (gets != nullptr) {
    stats->consume_tps += gets->LastMinute(Now(context)).MessagesPerSecond();
  }
}

// Members who are here and say that they do not want the topic any more.
bool WasLeft(const HandlerContext& context, const std::string& group, const std::string& topic) {
  const service::Sessions& sessions = context.broker->sessions();
  return sessions.HasSubscriptions(group) &&
         sessions.FindSubscription(group, topic, {}) == nullptr;
}

void GetConsumeStats(const HandlerContext& context, RemotingRequestPtr request,
                     const remoting::GetConsumeStatsRequest& header) {
  std::vector<std::string> listed =
      absl::StrSplit(header.topic_list, ';', absl::SkipWhitespace());
  WhenCurrent(context, request, [&context, request, group = std::string(header.consumer_group),
                                 topic = std::string(header.topic), listed = std::move(listed)] {
    const store::StateMachine& state = context.broker->state();
    std::vector<std::string> topics = listed;
    if (listed.empty() && !topic.empty()) topics = {topic};
    if (topics.empty()) topics = state.TopicsOf(group);
    remoting::ConsumeStats stats;
    for (const std::string& name : topics) {
      const std::optional<store::TopicConfig> config = state.FindTopic(name);
      if (!config.has_value()) continue;
      if (listed.empty() && WasLeft(context, group, name)) continue;
      FillOffsets(context, group, *config, &stats);
    }
    ReplyBody(request, stats);
  });
}

// --- 317 --------------------------------------------------------------------------

// Of all groups, one at a time: there may be many.
struct AllStats {
  RemotingRequestPtr request;
  bool is_order = false;
  std::vector<std::string> groups{};  // Still to come.
  remoting::ConsumeStatsList list{};
  size_t queues = 0;
};

// An answer of more would not fit into a frame.
constexpr size_t kQueuesInAnswerMax = 60'000;

void FillGroup(const HandlerContext& context, const std::string& group, AllStats* all) {
  const store::StateMachine& state = context.broker->state();
  std::vector<remoting::ConsumeStats> by_topic;
  for (const std::string& topic : state.TopicsOf(group)) {
    const std::optional<store::TopicConfig> config = state.FindTopic(topic);
    if (!config.has_value() || WasLeft(context, group, topic)) continue;
    if (all->is_order) continue;  // No topic has that flag of RocketMQ's.
    remoting::ConsumeStats& stats = by_topic.emplace_back();
    FillOffsets(context, group, *config, &stats);
    all->queues += stats.offset_table.size();
    for (const auto& [queue, offsets] : stats.offset_table) {
      all->list.total_diff += offsets.broker_offset - offsets.consumer_offset;
      all->list.total_inflight_diff += offsets.pull_offset - offsets.consumer_offset;
    }
  }
  all->list.stats.push_back({{group, std::move(by_topic)}});
}

void NextGroup(const HandlerContext& context, const std::shared_ptr<AllStats>& all) {
  if (all->queues > kQueuesInAnswerMax) {
    all->request->Reply(ResponseCode::kSystemError,
                        "there are too many queues for one answer; ask for one consumer group");
    return;
  }
  if (all->groups.empty()) {
    ReplyBody(all->request, all->list);
    return;
  }
  const std::string group = std::move(all->groups.back());
  all->groups.pop_back();
  FillGroup(context, group, all.get());
  context.broker->executor()->Post([&context, all] { NextGroup(context, all); });
}

void GetAllConsumeStats(const HandlerContext& context, RemotingRequestPtr request,
                        const remoting::GetBrokerConsumeStatsRequest& header) {
  WhenCurrent(context, request, [&context, request, is_order = header.is_order] {
    auto all = std::make_shared<AllStats>(AllStats{request, is_order});
    all->list.broker_address = std::string(request->connection()->info().local_address);
    for (const store::ConsumerGroupConfig& group : context.broker->state().ConsumerGroups()) {
      all->groups.push_back(group.name);
    }
    std::reverse(all->groups.begin(), all->groups.end());
    NextGroup(context, all);
  });
}

// --- 343, 345, 352 ------------------------------------------------------------------

void QueryTopicsOfGroup(const HandlerContext& context, RemotingRequestPtr request,
                        const remoting::GroupRequest& header) {
  WhenCurrent(context, request, [&context, request, group = std::string(header.group)] {
    remoting::TopicList list;
    list.topics = context.broker->state().TopicsOf(group);
    list.broker_address = std::string(request->connection()->info().local_address);
    ReplyBody(request, list);
  });
}

void QuerySubscription(const HandlerContext& context, RemotingRequestPtr request,
                       const remoting::GroupRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    group = std::string(header.group),
                                    topic = std::string(header.topic)] {
    remoting::QuerySubscriptionResponseBody body;
    body.group = group;
    body.topic = topic;
    const service::Subscription* const subscription =
        context.broker->sessions().FindSubscription(group, topic, {});
    if (subscription != nullptr) body.subscription = BodyOf(*subscription);
    ReplyBody(request, body);
  });
}

void GetGroupConfig(const HandlerContext& context, RemotingRequestPtr request,
                    const remoting::GroupRequest& header) {
  WhenCurrent(context, request, [&context, request, group = std::string(header.group)] {
    const auto config = context.broker->state().FindConsumerGroup(group);
    if (config.has_value()) {
      ReplyBody(request, BodyOf(*config));
    } else {
      request->Reply(ResponseCode::kSubscriptionGroupNotExist, "No group in this broker");
    }
  });
}

}  // namespace

void AddGroupStats(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kGetConsumeStats, &GetConsumeStats);
  AddQuestion(context, to, RequestCode::kGetBrokerConsumeStats, &GetAllConsumeStats);
  AddQuestion(context, to, RequestCode::kQueryTopicsByConsumer, &QueryTopicsOfGroup);
  AddQuestion(context, to, RequestCode::kQuerySubscriptionByConsumer, &QuerySubscription);
  AddQuestion(context, to, RequestCode::kGetSubscriptionGroupConfig, &GetGroupConfig);
}

}  // namespace totora::remoting_api
