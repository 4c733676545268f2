#include "broker/remoting_api/pull.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/client_channels.h"
#include "common/log.h"
#include "message/codec.h"
#include "message/override.h"
#include "message/properties.h"
#include "remoting/header/pull.h"

namespace totora::remoting_api {
namespace {

using remoting::PullMessageRequest;
using service::PullOutcome;
using service::PullResult;

ResponseCode CodeOf(PullOutcome outcome) {
  switch (outcome) {
    case PullOutcome::kFound:
      return ResponseCode::kSuccess;
    case PullOutcome::kNoNewMessage:
      return ResponseCode::kPullNotFound;
    case PullOutcome::kNoMatch:
    case PullOutcome::kAskAgain:
      return ResponseCode::kPullRetryImmediately;
    case PullOutcome::kOffsetMoved:
      break;
  }
  return ResponseCode::kPullOffsetMoved;
}

// The stored messages of a result, as the queue shows them.
struct Messages {
  std::vector<SharedBytes> bytes;
  std::optional<int64_t> stopped_at;  // Cannot be read, and nothing behind it was.
  absl::Status status;                // Why.
};

absl::StatusOr<std::string> ReadOne(const HandlerContext& context, const std::string& topic,
                                    uint32_t queue_id, const store::QueueEntry& entry) {
  const absl::StatusOr<std::string> stored =
      context.broker->log()->ReadMessage(entry.position, entry.size);
  if (!stored.ok()) return stored.status();
  std::string as_read;
  const absl::Status status = message::AppendAsRead(
      *stored, {topic, queue_id, entry.offset, entry.position, entry.store_time_ms},
      entry.override_record.get(), &as_read);
  if (!status.ok()) return status;
  return as_read;
}

// Hashes collide; the tag itself decides.
bool IsWanted(const message::TagFilter& filter, absl::string_view bytes) {
  if (filter.takes_everything()) return true;
  const auto view = message::StoredMessageView::Parse(bytes);
  return view.ok() && filter.Matches(view->Property(message::kTagsProperty));
}

Messages ReadMessages(const HandlerContext& context, const std::string& topic, uint32_t queue_id,
                      const PullResult& result) {
  Messages messages;
  for (const store::QueueEntry& entry : result.entries) {
    absl::StatusOr<std::string> bytes = ReadOne(context, topic, queue_id, entry);
    if (!bytes.ok()) {
      // Never past a hole: the client asks for this one until it can be read.
      TOTORA_LOG_LIMITED(kError, "classic")
          << Field("topic", topic) << Field("queue", queue_id) << Field("offset", entry.offset)
          << "message cannot be read: " << bytes.status().message();
      messages.stopped_at = static_cast<int64_t>(entry.offset.value());
      messages.status = bytes.status();
      break;
    }
    if (IsWanted(*result.filter, *bytes)) messages.bytes.emplace_back(*std::move(bytes));
  }
  return messages;
}

// On the connection's loop: reads messages.
void ReplyPull(const HandlerContext& context, const RemotingRequestPtr& request,
               const std::string& topic, uint32_t queue_id, PullResult result) {
  if (!request->connection()->is_open()) {
    request->Reply(ResponseCode::kPullRetryImmediately);  // To nobody.
    return;
  }
  Content content;
  if (result.outcome == PullOutcome::kFound) {
    Messages messages = ReadMessages(context, topic, queue_id, result);
    if (messages.stopped_at.has_value()) {
      if (messages.bytes.empty() &&
          *messages.stopped_at == static_cast<int64_t>(result.entries.front().offset.value())) {
        ReplyStatus(request, messages.status, Doing::kPull);
        return;
      }
      result.next = *messages.stopped_at;
    }
    content.body = std::move(messages.bytes);
    if (content.body.empty()) {
      result.outcome = PullOutcome::kNoMatch;
      result.why = "NO_MATCHED_MESSAGE";
    }
  }
  remoting::PullMessageReply reply;
  reply.suggest_which_broker_id = 0;
  reply.next_begin_offset = result.next;
  reply.min_offset = static_cast<int64_t>(result.bounds.begin.value());
  reply.max_offset = static_cast<int64_t>(result.bounds.end.value());
  reply.topic_sys_flag = 0;
  reply.group_sys_flag = 0;
  remoting::WriteFields(reply, &content.fields);
  content.remark = std::string(result.why);
  request->Reply(CodeOf(result.outcome), content);
}

service::PullRequest Translate(const HandlerContext& context, const RemotingRequestPtr& request,
                               const PullMessageRequest& header) {
  service::PullRequest pull;
  pull.consumer_group = std::string(header.consumer_group);
  pull.topic = std::string(header.topic);
  pull.queue_id = header.queue_id;
  pull.offset = header.queue_offset;
  pull.max_messages = static_cast<uint32_t>(std::clamp(header.max_message_nums, 1, 32));
  if (header.max_message_bytes.value_or(0) > 0) {
    pull.max_bytes = static_cast<uint32_t>(*header.max_message_bytes);
  }
  if ((header.sys_flag & remoting::kPullSubscription) != 0) {
    pull.subscription =
        service::Subscription{pull.topic, std::string(header.subscription),
                              !header.expression_type.empty() && header.expression_type != "TAG"};
  }
  pull.subscription_version = header.sub_version;
  pull.owner = request->connection()->info().id;
  pull.clients = context.channels->ClientsOf(pull.owner);
  pull.give_up = GiveUp(context);
  if ((header.sys_flag & remoting::kPullSuspend) != 0) {
    const absl::Duration asked = absl::Milliseconds(
        std::max<int64_t>(0, std::min<int64_t>(header.suspend_timeout_millis, 3'600'000)));
    pull.hold_until = Now(context) + std::min(asked, context.options.suspend_max);
  }
  return pull;
}

void Pull(const HandlerContext& context, RemotingRequestPtr request,
          const PullMessageRequest& header) {
  service::PullRequest pull = Translate(context, request, header);
  std::optional<int64_t> commit;
  if ((header.sys_flag & remoting::kPullCommitOffset) != 0 && header.commit_offset >= 0) {
    commit = header.commit_offset;
  }
  context.broker->executor()->Post([&context, request = std::move(request), pull = std::move(pull),
                                    commit]() mutable {
    if (!request->connection()->is_open()) {
      request->Reply(ResponseCode::kPullRetryImmediately);  // To nobody; never parked.
      return;
    }
    if (commit.has_value()) {
      context.broker->consumer_offsets().Update(pull.consumer_group, pull.topic, pull.queue_id,
                                                *commit, [](const absl::Status&) {});
    }
    const std::string topic = pull.topic;
    const auto queue_id = static_cast<uint32_t>(pull.queue_id);
    context.broker->puller().Pull(std::move(pull), [&context, request, topic, queue_id](
                                                       absl::StatusOr<PullResult> result) mutable {
      if (!result.ok()) {
        ReplyStatus(request, result.status(), Doing::kPull);
        return;
      }
      Executor* const loop = request->connection()->executor();
      loop->Post([&context, request = std::move(request), topic = std::move(topic), queue_id,
                  result = *std::move(result)]() mutable {
        ReplyPull(context, request, topic, queue_id, std::move(result));
      });
    });
  });
}

}  // namespace

void AddPulling(const HandlerContext* context, remoting::RemotingService* to) {
  for (RequestCode code : {RequestCode::kPullMessage, RequestCode::kLitePullMessage}) {
    to->Add(code, WithHeader<PullMessageRequest>(
                      [context](RemotingRequestPtr request, const PullMessageRequest& header) {
                        Pull(*context, std::move(request), header);
                      }));
  }
}

}  // namespace totora::remoting_api
