#include "broker/remoting_api/pull.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/client_channels.h"
#include "broker/remoting_api/returned_clients.h"
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
  std::string bytes;                  // One behind the other.
  std::optional<int64_t> stopped_at;  // Cannot be read, and nothing behind it was.
  absl::Status status;                // Why.
};

// Hashes collide; the tag itself decides.
bool IsWanted(const message::TagFilter& filter, absl::string_view bytes) {
  if (filter.takes_everything()) return true;
  const auto view = message::StoredMessageView::Parse(bytes);
  return view.ok() && filter.Matches(view->Property(message::kTagsProperty));
}

// Reads what entries point at. Messages that lie close together, as those of a
// batch do, are read at once: reading is a system call for most of a backlog.
//
// Thread safety: confined.
class NeighbourReader {
 public:
  // `entries` must outlive the reader.
  NeighbourReader(service::CommandLog* log, const std::vector<store::QueueEntry>* entries)
      : log_(log), entries_(*entries) {}

  // The stored bytes of an entry, until the next call. Calls come in the order
  // of the entries.
  absl::StatusOr<absl::string_view> Read(size_t at) {
    const store::QueueEntry& entry = entries_[at];
    if (!IsRead(entry)) {
      absl::Status status = ReadRun(at, EndOfRun(at));
      // All or nothing: what is damaged or not there must not cost its neighbours.
      if (!status.ok()) status = ReadRun(at, at + 1);
      if (!status.ok()) return status;
    }
    return absl::string_view(run_).substr(entry.position.value() - begin_, entry.size);
  }

 private:
  // Bytes between two messages that cost less to read than a call of their own.
  static constexpr uint64_t kGapBytesMax = 2048;
  static constexpr uint64_t kRunBytesMax = 512 << 10;

  bool IsRead(const store::QueueEntry& entry) const {
    const uint64_t position = entry.position.value();
    return position >= begin_ && position + entry.size <= begin_ + run_.size();
  }
  size_t EndOfRun(size_t at) const {
    const uint64_t begin = entries_[at].position.value();
    uint64_t end = begin + entries_[at].size;
    for (++at; at < entries_.size(); ++at) {
      const uint64_t position = entries_[at].position.value();
      if (position < end || position - end > kGapBytesMax ||
          position + entries_[at].size - begin > kRunBytesMax) {
        break;
      }
      end = position + entries_[at].size;
    }
    return at;
  }
  absl::Status ReadRun(size_t first, size_t end) {
    const store::QueueEntry& last = entries_[end - 1];
    begin_ = entries_[first].position.value();
    absl::StatusOr<std::string> bytes =
        log_->ReadMessage(entries_[first].position, last.position.value() + last.size - begin_);
    run_.clear();
    if (!bytes.ok()) return bytes.status();
    run_ = *std::move(bytes);
    return absl::OkStatus();
  }

  service::CommandLog* const log_;
  const std::vector<store::QueueEntry>& entries_;
  std::string run_;     // What was read last,
  uint64_t begin_ = 0;  // from this position on.
};

Messages ReadMessages(const HandlerContext& context, const std::string& topic, uint32_t queue_id,
                      const PullResult& result) {
  Messages messages;
  NeighbourReader reader(context.broker->log(), &result.entries);
  size_t expected = 0;
  for (const store::QueueEntry& entry : result.entries) expected += entry.size;
  messages.bytes.reserve(expected);
  for (size_t i = 0; i < result.entries.size(); ++i) {
    const store::QueueEntry& entry = result.entries[i];
    const size_t before = messages.bytes.size();
    const absl::StatusOr<absl::string_view> stored = reader.Read(i);
    absl::Status status = stored.status();
    if (status.ok()) {
      status = message::AppendAsRead(
          *stored, {topic, queue_id, entry.offset, entry.position, entry.store_time_ms},
          entry.override_record.get(), &messages.bytes);
    }
    if (!status.ok()) {
      // Never past a hole: the client asks for this one until it can be read.
      TOTORA_LOG_LIMITED(kError, "classic")
          << Field("topic", topic) << Field("queue", queue_id) << Field("offset", entry.offset)
          << "message cannot be read: " << status.message();
      messages.stopped_at = static_cast<int64_t>(entry.offset.value());
      messages.status = std::move(status);
      messages.bytes.resize(before);
      break;
    }
    if (!IsWanted(*result.filter, absl::string_view(messages.bytes).substr(before))) {
      messages.bytes.resize(before);
    }
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
    if (!messages.bytes.empty()) {
      content.AddBody(std::move(messages.bytes));
    } else {
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

// On the replica's executor.
void PullNow(const HandlerContext& context, const RemotingRequestPtr& request,
             service::PullRequest pull, std::optional<int64_t> commit) {
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
    if (!pull.clients.empty() || !context.broker->sessions().LostSomeLately()) {
      PullNow(context, request, std::move(pull), commit);
      return;
    }
    const std::string group = pull.consumer_group;
    RecognizeMember(context, request->connection(), group, [&context, request, pull, commit] {
      service::PullRequest known = pull;
      known.clients = context.channels->ClientsOf(pull.owner);
      PullNow(context, request, std::move(known), commit);
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
