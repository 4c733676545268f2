#include "broker/remoting_api/query.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/message_lookup.h"
#include "common/log.h"
#include "message/codec.h"
#include "message/override.h"
#include "remoting/header/pull.h"

namespace totora::remoting_api {
namespace {

// RocketMQ's maxMsgsNumBatch, and its defaultQueryMaxNum, which counts for unique
// keys whatever the client asks for.
constexpr int32_t kMessagesMax = 64;
constexpr int32_t kMessagesByUniqueKey = 32;
// An answer has to fit into a frame; the newest messages are kept.
constexpr size_t kAnswerBytesMax = 8 << 20;

// --- By key -------------------------------------------------------------------

// One search: hits on the executor, their bytes on the connection's loop, their
// places in the queues on the executor again.
struct KeyQuery {
  struct Hit {
    store::KeyHit found;
    uint32_t queue_id = 0;
    std::string stored{};
    QueueOffset offset{};
  };

  RemotingRequestPtr request;
  std::string topic;
  std::string key;
  int64_t from_ms = 0;
  int64_t to_ms = 0;
  size_t limit = 0;
  std::vector<Hit> hits{};
};
using KeyQueryPtr = std::shared_ptr<KeyQuery>;

bool HasKey(const message::StoredMessageView& message, const KeyQuery& query) {
  if (message.topic() != query.topic) return false;
  if (message.Property(message::kUniqueKeyProperty) == query.key) return true;
  const absl::string_view keys = message.Property(message::kKeysProperty);
  const std::vector<absl::string_view> words = absl::StrSplit(keys, ' ');
  return std::find(words.begin(), words.end(), query.key) != words.end();
}

void ReplyFound(const KeyQueryPtr& query) {
  Content content;
  remoting::QueryMessageReply reply;
  for (const KeyQuery::Hit& hit : query->hits) {
    std::string bytes;
    const message::Place place{query->topic, hit.queue_id, hit.offset, hit.found.position,
                               hit.found.store_time_ms};
    if (!message::AppendAsRead(hit.stored, place, nullptr, &bytes).ok()) continue;
    content.body.emplace_back(std::move(bytes));
    reply.index_last_update_timestamp = hit.found.store_time_ms;
    reply.index_last_update_position = static_cast<int64_t>(hit.found.position.value());
  }
  remoting::WriteFields(reply, &content.fields);
  if (content.body.empty()) {
    content.remark = "can not find message, maybe time range not correct";
    query->request->Reply(ResponseCode::kQueryNotFound, content);
  } else {
    query->request->Reply(ResponseCode::kSuccess, content);
  }
}

// On the executor. A message that waits for its delivery time, or that came into
// its queue at that time, has no place that its position tells: it is shown at 0.
void FindOffsets(const HandlerContext& context, const KeyQueryPtr& query) {
  for (KeyQuery::Hit& hit : query->hits) {
    const absl::StatusOr<QueueOffset> offset = context.broker->state().OffsetOf(
        query->topic, hit.queue_id, hit.found.position, hit.found.store_time_ms);
    if (offset.ok()) hit.offset = *offset;
  }
  ReplyFound(query);
}

// On the connection's loop.
void ReadHits(const HandlerContext& context, const KeyQueryPtr& query) {
  size_t bytes = 0;
  const auto drop = [&](KeyQuery::Hit& hit) {
    absl::StatusOr<std::string> stored =
        context.broker->log()->ReadMessage(hit.found.position, hit.found.size);
    if (!stored.ok()) {
      TOTORA_LOG_LIMITED(kWarn, "classic") << "a message with a key cannot be read: "
                                           << stored.status().message();
      return true;
    }
    const auto view = message::StoredMessageView::Parse(*stored);
    if (!view.ok() || !HasKey(*view, *query)) return true;
    if (bytes > 0 && bytes + stored->size() > kAnswerBytesMax) return true;
    bytes += stored->size();
    hit.queue_id = view->queue_id();
    hit.stored = *std::move(stored);
    return false;
  };
  // Newest first, as they were found; told in the order of the log.
  std::vector<KeyQuery::Hit> kept;
  for (KeyQuery::Hit& hit : query->hits) {
    if (!drop(hit)) kept.push_back(std::move(hit));
  }
  std::sort(kept.begin(), kept.end(), [](const KeyQuery::Hit& a, const KeyQuery::Hit& b) {
    return a.found.position < b.found.position;
  });
  query->hits = std::move(kept);
  context.broker->executor()->Post([&context, query] { FindOffsets(context, query); });
}

// On the executor.
void FindHits(const HandlerContext& context, const KeyQueryPtr& query) {
  const store::StateMachine& state = context.broker->state();
  if (!state.FindTopic(query->topic).has_value()) {
    ReplyFound(query);  // RocketMQ looks into its index only.
    return;
  }
  const absl::StatusOr<std::vector<store::KeyHit>> found =
      state.FindByKey(query->topic, query->key, query->from_ms, query->to_ms, query->limit);
  if (!found.ok()) {
    ReplyStatus(query->request, found.status(), Doing::kAsk);
    return;
  }
  for (const store::KeyHit& hit : *found) query->hits.push_back({hit});
  query->request->connection()->executor()->Post([&context, query] { ReadHits(context, query); });
}

void QueryMessage(const HandlerContext& context, RemotingRequestPtr request,
                  const remoting::QueryMessageRequest& header) {
  auto query = std::make_shared<KeyQuery>();
  query->topic = std::string(header.topic);
  query->key = std::string(header.key);
  query->from_ms = header.begin_timestamp;
  query->to_ms = header.end_timestamp;
  query->limit = static_cast<size_t>(
      header.by_unique_key ? kMessagesByUniqueKey : std::clamp(header.max_num, 0, kMessagesMax));
  query->request = std::move(request);
  WhenCurrent(context, query->request, [&context, query] { FindHits(context, query); });
}

// --- By position ----------------------------------------------------------------

void ViewMessage(const HandlerContext& context, RemotingRequestPtr request,
                 const remoting::ViewMessageRequest& header) {
  const int64_t at = header.offset;
  const auto reply_none = [at](const RemotingRequestPtr& to) {
    to->Reply(ResponseCode::kSystemError,
              absl::StrCat("can not find message by the offset, ", at));
  };
  if (at < 0) {
    reply_none(request);
    return;
  }
  Executor* const loop = request->connection()->executor();
  FindMessageAt(context, BytePosition(static_cast<uint64_t>(at)), loop,
                [request = std::move(request), reply_none](absl::StatusOr<std::string> stored) {
                  if (absl::IsNotFound(stored.status())) {
                    reply_none(request);
                    return;
                  }
                  if (!stored.ok()) {
                    ReplyStatus(request, stored.status(), Doing::kAsk);
                    return;
                  }
                  Content content;
                  content.AddBody(*std::move(stored));
                  request->Reply(ResponseCode::kSuccess, content);
                });
}

}  // namespace

void AddQueries(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kQueryMessage, &QueryMessage);
  AddQuestion(context, to, RequestCode::kViewMessageById, &ViewMessage);
}

}  // namespace totora::remoting_api
