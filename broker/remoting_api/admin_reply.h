// What the handlers of tools' questions share.
#ifndef TOTORA_BROKER_REMOTING_API_ADMIN_REPLY_H_
#define TOTORA_BROKER_REMOTING_API_ADMIN_REPLY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/handler.h"
#include "broker/service/refusal.h"
#include "remoting/bodies/body.h"
#include "remoting/bodies/message_queue.h"
#include "remoting/header/admin.h"
#include "store/state_machine.h"

namespace totora::remoting_api {

template <typename Body>
void ReplyBody(const RemotingRequestPtr& request, const Body& body) {
  Content content;
  content.AddBody(remoting::EncodeBody(body));
  request->Reply(ResponseCode::kSuccess, content);
}

// Runs `answer()` on the broker's executor once the local state is as new as the
// group's was, or answers why that cannot be. Tools ask what others did a moment
// ago, at whatever replica: none of them may be told of the past.
template <typename Answer>
void WhenCurrent(const HandlerContext& context, const RemotingRequestPtr& request, Answer answer) {
  context.broker->log()->ReadBarrier(
      GiveUp(context), [request, answer = std::move(answer)](const absl::Status& status) mutable {
        if (status.ok()) {
          answer();
        } else {
          ReplyStatus(request, status, Doing::kAsk);
        }
      });
}

// Adds a handler that takes a header.
template <typename Header>
void AddQuestion(const HandlerContext* context, remoting::RemotingService* to, RequestCode code,
                 void (*handler)(const HandlerContext&, RemotingRequestPtr, const Header&)) {
  to->Add(code, WithHeader<Header>([context, handler](RemotingRequestPtr request,
                                                      const Header& header) {
            handler(*context, std::move(request), header);
          }));
}

inline void ReplyNoTopic(const RemotingRequestPtr& request, const std::string& topic) {
  request->Reply(ResponseCode::kTopicNotExist,
                 RemarkText(absl::StrCat("topic[", topic, "] not exist")));
}

inline remoting::MessageQueue QueueNamed(const HandlerContext& context, const std::string& topic,
                                         uint32_t queue_id) {
  return {context.broker->options().group_name, static_cast<int32_t>(queue_id), topic};
}

// When the message at an offset came into its queue; empty if there is none, or if
// it cannot be read. Executor only; may read a block of the index.
inline std::optional<int64_t> StoreTimeAt(const store::StateMachine& state,
                                          const std::string& topic, uint32_t queue_id,
                                          uint64_t offset) {
  const auto entries = state.Entries(topic, queue_id, QueueOffset(offset), 1);
  if (!entries.ok() || entries->empty()) return std::nullopt;
  return entries->front().store_time_ms;
}

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_ADMIN_REPLY_H_
