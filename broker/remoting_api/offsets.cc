#include "broker/remoting_api/offsets.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/service/refusal.h"
#include "broker/service/young_queue.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

void ReplyOffset(const RemotingRequestPtr& request, QueueOffset offset) {
  Content content;
  remoting::WriteFields(remoting::OffsetReply{static_cast<int64_t>(offset.value())},
                        &content.fields);
  request->Reply(ResponseCode::kSuccess, content);
}

// --- Of consumer groups ---------------------------------------------------------------

void QueryConsumerOffset(const HandlerContext& context, RemotingRequestPtr request,
                         const remoting::QueryConsumerOffsetRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    group = std::string(header.consumer_group),
                                    topic = std::string(header.topic), queue_id = header.queue_id,
                                    may_be_zero = header.set_zero_if_not_found.value_or(true)] {
    context.broker->consumer_offsets().Find(
        group, topic, queue_id, GiveUp(context),
        [&context, request, topic, queue_id,
         may_be_zero](absl::StatusOr<std::optional<QueueOffset>> offset) {
          if (!offset.ok()) {
            ReplyStatus(request, offset.status(), Doing::kAsk);
          } else if (offset->has_value()) {
            ReplyOffset(request, **offset);
          } else if (may_be_zero && queue_id >= 0 &&
                     service::IsYoung(context.broker->state(), topic,
                                      static_cast<uint32_t>(queue_id))) {
            ReplyOffset(request, QueueOffset(0));
          } else {
            request->Reply(ResponseCode::kQueryNotFound,
                           "the consumer group has no offset of this queue yet");
          }
        });
  });
}

// Consumers report one-way, and what is behind is old. Who waits for the answer
// is a tool, and means what it says: it may go back, if it may reset offsets.
// Only tools in Java do so, some of which say that they are C++; Go never says
// that it does not wait.
bool IsSetByTool(const HandlerContext& context, const RemotingRequestPtr& request) {
  const remoting::Language language = request->command().language;
  return request->wants_answer() &&
         (language == remoting::Language::kJava || language == remoting::Language::kCpp) &&
         remoting::CheckRemoteAdmin(context.options.remote_admin, remoting::Change::kOther,
                                    request->connection()->info().peer)
             .ok();
}

// Makes the group first, as a report does.
template <typename Done>
void SetOffset(const HandlerContext& context, const std::string& group, const std::string& topic,
               int32_t queue_id, int64_t offset, Done done) {
  const auto set = [&context, group, topic, queue_id, offset, done] {
    context.broker->offset_resets().Set(group, topic, queue_id, offset, GiveUp(context), done);
  };
  if (context.broker->state().FindConsumerGroup(group).has_value()) {
    set();
    return;
  }
  context.broker->consumer_groups().FindForUse(
      group, GiveUp(context),
      [set, done](const absl::StatusOr<store::ConsumerGroupConfig>& config) {
        if (config.ok()) {
          set();
        } else {
          done(config.status());
        }
      });
}

void UpdateConsumerOffset(const HandlerContext& context, RemotingRequestPtr request,
                          const remoting::UpdateConsumerOffsetRequest& header) {
  context.broker->executor()->Post([&context, request = std::move(request),
                                    group = std::string(header.consumer_group),
                                    topic = std::string(header.topic), queue_id = header.queue_id,
                                    offset = header.commit_offset] {
    const auto done = [request](const absl::Status& status) {
      ReplyStatus(request, status, Doing::kAsk);
    };
    if (IsSetByTool(context, request)) {
      SetOffset(context, group, topic, queue_id, offset, done);
    } else {
      context.broker->consumer_offsets().Update(group, topic, queue_id, offset, done);
    }
  });
}

// --- Of queues -----------------------------------------------------------------------

// Answers with what `find(state)` returns once the local state is current.
template <typename Find>
void AnswerFromState(const HandlerContext& context, RemotingRequestPtr request,
                     absl::string_view topic, int32_t queue_id, Find find) {
  context.broker->log()->ReadBarrier(
      GiveUp(context), [&context, request = std::move(request), topic = std::string(topic),
                        queue_id, find = std::move(find)](const absl::Status& status) {
        if (!status.ok()) {
          ReplyStatus(request, status, Doing::kAsk);
          return;
        }
        const store::StateMachine& state = context.broker->state();
        if (!state.FindTopic(topic).has_value()) {
          ReplyStatus(
              request,
              service::Refuse(service::Refusal::kTopicNotFound, absl::StrCat("no topic ", topic)),
              Doing::kAsk);
          return;
        }
        const auto number = static_cast<uint32_t>(queue_id);
        absl::StatusOr<QueueOffset> offset = absl::NotFoundError("");
        if (queue_id >= 0) offset = find(state, topic, number);
        if (absl::IsNotFound(offset.status())) {
          offset = service::Refuse(service::Refusal::kNoSuchQueue,
                                   absl::StrCat("topic ", topic, " has no queue ", queue_id));
        }
        if (offset.ok()) {
          ReplyOffset(request, *offset);
        } else {
          ReplyStatus(request, offset.status(), Doing::kAsk);
        }
      });
}

void GetMaxOffset(const HandlerContext& context, RemotingRequestPtr request,
                  const remoting::QueueRequest& header) {
  AnswerFromState(context, std::move(request), header.topic, header.queue_id,
                  [](const store::StateMachine& state, const std::string& topic,
                     uint32_t queue_id) -> absl::StatusOr<QueueOffset> {
                    const auto bounds = state.Bounds(topic, queue_id);
                    if (!bounds.ok()) return bounds.status();
                    return bounds->end;
                  });
}

void GetMinOffset(const HandlerContext& context, RemotingRequestPtr request,
                  const remoting::QueueRequest& header) {
  AnswerFromState(context, std::move(request), header.topic, header.queue_id,
                  [](const store::StateMachine& state, const std::string& topic,
                     uint32_t queue_id) -> absl::StatusOr<QueueOffset> {
                    const auto bounds = state.Bounds(topic, queue_id);
                    if (!bounds.ok()) return bounds.status();
                    return bounds->begin;
                  });
}

void SearchOffset(const HandlerContext& context, RemotingRequestPtr request,
                  const remoting::SearchOffsetRequest& header) {
  const store::TimeBoundary boundary =
      header.boundary_type == "UPPER" ? store::TimeBoundary::kUpper : store::TimeBoundary::kLower;
  AnswerFromState(
      context, std::move(request), header.topic, header.queue_id,
      [boundary, time_ms = header.timestamp](const store::StateMachine& state,
                                             const std::string& topic, uint32_t queue_id) {
        return state.OffsetAtTime(topic, queue_id, time_ms, boundary);
      });
}

}  // namespace

void AddOffsets(const HandlerContext* context, remoting::RemotingService* to) {
  const auto add = [context, to]<typename Header>(
                       RequestCode code,
                       void (*handler)(const HandlerContext&, RemotingRequestPtr, const Header&)) {
    to->Add(code, WithHeader<Header>(
                      [context, handler](RemotingRequestPtr request, const Header& header) {
                        handler(*context, std::move(request), header);
                      }));
  };
  add(RequestCode::kQueryConsumerOffset, &QueryConsumerOffset);
  add(RequestCode::kUpdateConsumerOffset, &UpdateConsumerOffset);
  add(RequestCode::kGetMaxOffset, &GetMaxOffset);
  add(RequestCode::kGetMinOffset, &GetMinOffset);
  add(RequestCode::kSearchOffsetByTimestamp, &SearchOffset);
}

}  // namespace totora::remoting_api
