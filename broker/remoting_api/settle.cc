#include "broker/remoting_api/settle.h"

#include <string>
#include <utility>
#include <vector>

#include "broker/service/retries.h"
#include "remoting/bodies/queues.h"
#include "remoting/header/send.h"

namespace totora::remoting_api {
namespace {

void SendBack(const HandlerContext& context, RemotingRequestPtr request,
              const remoting::ConsumerSendMessageBackRequest& header) {
  if (header.offset < 0) {
    request->Reply(ResponseCode::kSystemError, "no message begins below 0");
    return;
  }
  service::SendBackRequest back;
  back.consumer_group = std::string(header.group);
  back.position = BytePosition(static_cast<uint64_t>(header.offset));
  back.delay_level = header.delay_level;
  back.max_reconsume_times = header.max_reconsume_times;
  back.give_up = GiveUp(context);
  Executor* const loop = request->connection()->executor();
  context.broker->retries().SendBack(std::move(back), loop,
                                     [request = std::move(request)](const absl::Status& status) {
                                       ReplyStatus(request, status, Doing::kAsk);
                                     });
}

// --- Locks --------------------------------------------------------------------

absl::StatusOr<remoting::LockBatchRequestBody> ReadLockBody(const RemotingRequestPtr& request) {
  absl::StatusOr<remoting::LockBatchRequestBody> body =
      remoting::DecodeBody<remoting::LockBatchRequestBody>(request->command().body.view());
  if (body.ok() && (body->client_id.empty() || body->consumer_group.empty())) {
    return absl::InvalidArgumentError("a lock names a client and a consumer group");
  }
  return body;
}

// Queues of other groups are not ours to lock. `*places` gets where in the body
// each queue of the command is.
store::LockQueuesCommand CommandOf(const HandlerContext& context,
                                   const remoting::LockBatchRequestBody& body,
                                   std::vector<size_t>* places) {
  store::LockQueuesCommand command;
  command.consumer_group = body.consumer_group;
  command.client_id = body.client_id;
  for (size_t i = 0; i < body.queues.size(); ++i) {
    const remoting::MessageQueue& queue = body.queues[i];
    if (queue.queue_id < 0 || queue.broker_name != context.broker->options().group_name) continue;
    command.queues.push_back({queue.topic, static_cast<uint32_t>(queue.queue_id)});
    places->push_back(i);
  }
  return command;
}

void ReplyLocked(const RemotingRequestPtr& request, const remoting::LockBatchResponseBody& body) {
  Content content;
  content.AddBody(remoting::EncodeBody(body));
  request->Reply(ResponseCode::kSuccess, content);
}

void Lock(const HandlerContext& context, RemotingRequestPtr request) {
  absl::StatusOr<remoting::LockBatchRequestBody> body = ReadLockBody(request);
  if (!body.ok()) {
    request->Reply(ResponseCode::kSystemError, RemarkText(body.status().message()));
    return;
  }
  std::vector<size_t> places;
  store::LockQueuesCommand command = CommandOf(context, *body, &places);
  if (command.queues.empty()) {
    ReplyLocked(request, {});
    return;
  }
  context.broker->queue_locks().Lock(
      std::move(command), GiveUp(context),
      [request = std::move(request), body = *std::move(body),
       places = std::move(places)](const absl::StatusOr<std::vector<uint32_t>>& granted) {
        if (!granted.ok()) {
          ReplyStatus(request, granted.status(), Doing::kAsk);
          return;
        }
        remoting::LockBatchResponseBody reply;
        for (uint32_t place : *granted) {
          if (place < places.size()) reply.locked.push_back(body.queues[places[place]]);
        }
        ReplyLocked(request, reply);
      });
}

void Unlock(const HandlerContext& context, RemotingRequestPtr request) {
  const absl::StatusOr<remoting::LockBatchRequestBody> body = ReadLockBody(request);
  if (!body.ok()) {
    request->Reply(ResponseCode::kSystemError, RemarkText(body.status().message()));
    return;
  }
  std::vector<size_t> places;
  const store::LockQueuesCommand command = CommandOf(context, *body, &places);
  if (command.queues.empty()) {
    request->Reply(ResponseCode::kSuccess);
    return;
  }
  context.broker->queue_locks().Unlock(command, GiveUp(context),
                                       [request = std::move(request)](const absl::Status& status) {
                                         ReplyStatus(request, status, Doing::kAsk);
                                       });
}

}  // namespace

void AddSettling(const HandlerContext* context, remoting::RemotingService* to) {
  to->Add(RequestCode::kConsumerSendMessageBack,
          WithHeader<remoting::ConsumerSendMessageBackRequest>(
              [context](RemotingRequestPtr request,
                        const remoting::ConsumerSendMessageBackRequest& header) {
                SendBack(*context, std::move(request), header);
              }));
  to->Add(RequestCode::kLockBatchMq,
          [context](RemotingRequestPtr request) { Lock(*context, std::move(request)); });
  to->Add(RequestCode::kUnlockBatchMq,
          [context](RemotingRequestPtr request) { Unlock(*context, std::move(request)); });
}

}  // namespace totora::remoting_api
