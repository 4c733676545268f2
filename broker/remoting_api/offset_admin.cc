#include "broker/remoting_api/offset_admin.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/admin_access.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/client_calls.h"
#include "broker/remoting_api/config_bodies.h"
#include "remoting/bodies/queues.h"
#include "remoting/header/client.h"
#include "remoting/header/offsets.h"

namespace totora::remoting_api {
namespace {

// About what fits into a frame.
constexpr size_t kOffsetsListedMax = 400'000;

// Tools wait 5 s.
constexpr absl::Duration kClientAnswersMax = absl::Seconds(4);
constexpr size_t kClientsAskedMax = 1000;

// --- Reset and copy --------------------------------------------------------------------

void ResetOffset(const HandlerContext& context, RemotingRequestPtr request,
                 const remoting::ResetOffsetRequest& header) {
  if (!MayChange(context, request, remoting::Change::kOther)) return;
  service::OffsetReset reset;
  reset.consumer_group = std::string(header.group);
  reset.topic = std::string(header.topic);
  reset.queue_id = header.queue_id;
  reset.time_ms = header.timestamp;
  if (header.offset.value_or(-1) != -1) reset.offset = *header.offset;
  context.broker->executor()->Post([&context, request = std::move(request),
                                    reset = std::move(reset)]() mutable {
    const std::string topic = reset.topic;
    context.broker->offset_resets().Reset(
        std::move(reset), GiveUp(context),
        [&context, request,
         topic](const absl::StatusOr<std::vector<store::CommittedOffset>>& offsets) {
          if (!offsets.ok()) {
            ReplyStatus(request, offsets.status(), Doing::kAsk);
            return;
          }
          remoting::ResetOffsetBody body;
          for (const store::CommittedOffset& offset : *offsets) {
            body.offset_table[QueueNamed(context, topic, offset.queue_id)] =
                static_cast<int64_t>(offset.offset.value());
          }
          ReplyBody(request, body);
        });
  });
}

void CloneOffsets(const HandlerContext& context, RemotingRequestPtr request,
                  const remoting::CloneGroupOffsetRequest& header) {
  if (!MayChange(context, request, remoting::Change::kOther)) return;
  context.broker->executor()->Post(
      [&context, request = std::move(request), from = std::string(header.source_group),
       to = std::string(header.target_group), topic = std::string(header.topic)] {
        context.broker->offset_resets().Copy(
            from, to, topic, GiveUp(context),
            [request](const absl::Status& status) { ReplyStatus(request, status, Doing::kAsk); });
      });
}

// --- Lists ---------------------------------------------------------------------------

void GetAllOffsets(const HandlerContext& context, const RemotingRequestPtr& request) {
  WhenCurrent(context, request, [&context, request] {
    const store::StateMachine& state = context.broker->state();
    remoting::ConsumerOffsetTable body;
    body.data_version = VersionNumbered(0, state.log_time_ms());
    size_t count = 0;
    for (const store::ConsumerGroupConfig& group : state.ConsumerGroups()) {
      for (const std::string& topic : state.TopicsOf(group.name)) {
        for (const store::CommittedOffset& offset : state.ConsumerOffsets(group.name, topic)) {
          body.offset_table[absl::StrCat(topic, "@", group.name)][offset.queue_id] =
              static_cast<int64_t>(offset.offset.value());
          ++count;
        }
        if (count > kOffsetsListedMax) {
          request->Reply(ResponseCode::kSystemError, "the offsets do not fit into one answer");
          return;
        }
      }
    }
    ReplyBody(request, body);
  });
}

// --- What consumers say themselves -------------------------------------------------------

// Where consumers believe to be: asks each of them, at whatever replica it is.
// What does not come in time is left out, as RocketMQ does.
//
// Thread safety: confined to the replica's executor.
class ConsumersAsked : public std::enable_shared_from_this<ConsumersAsked> {
 public:
  ConsumersAsked(const HandlerContext& context, RemotingRequestPtr request)
      : context_(context), request_(std::move(request)) {}

  void Ask(const std::vector<std::string>& client_ids,
           const remoting::GetConsumerStatusRequest& header) {
    left_ = client_ids.size();
    context_.broker->executor()->PostAfter(kClientAnswersMax, [self = shared_from_this()] {
      if (self->left_ > 0) ReplyBody(self->request_, self->body_);
      self->left_ = 0;
    });
    for (const std::string& client_id : client_ids) {
      AskClientForBody(context_, RequestCode::kGetConsumerStatusFromClient, client_id,
                       {{"topic", std::string(header.topic)}, {"group", std::string(header.group)}},
                       [self = shared_from_this(), client_id](absl::StatusOr<std::string> body) {
                         self->context_.broker->executor()->Post(
                             [self, client_id, body = std::move(body)] {
                               self->Answered(client_id, body);
                             });
                       });
    }
  }

 private:
  void Answered(const std::string& client_id, const absl::StatusOr<std::string>& body) {
    if (left_ == 0) return;  // Too late.
    if (body.ok()) {
      auto status = remoting::DecodeBody<remoting::GetConsumerStatusBody>(*body);
      if (status.ok()) body_.consumer_table[client_id] = std::move(status->message_queue_table);
    }
    if (--left_ == 0) ReplyBody(request_, body_);
  }

  const HandlerContext& context_;
  const RemotingRequestPtr request_;
  size_t left_ = 0;
  remoting::GetConsumerStatusBody body_;
};

void GetConsumerStatus(const HandlerContext& context, RemotingRequestPtr request,
                       const remoting::GetConsumerStatusRequest& header) {
  // What the header points to lives as long as the request.
  context.broker->executor()->Post([&context, request = std::move(request), header] {
    std::vector<std::string> consumers;
    for (const std::string& client_id :
         context.broker->sessions().MembersOf(header.group)) {
      const bool is_meant = header.client_address.empty() || header.client_address == client_id;
      if (is_meant && consumers.size() < kClientsAskedMax) consumers.push_back(client_id);
    }
    if (consumers.empty()) {
      request->Reply(ResponseCode::kSystemError,
                     RemarkText(absl::StrCat("No Any Consumer online in the consumer group: [",
                                             header.group, "]")));
      return;
    }
    std::make_shared<ConsumersAsked>(context, request)->Ask(consumers, header);
  });
}

}  // namespace

void AddOffsetAdmin(const HandlerContext* context, remoting::RemotingService* to) {
  AddQuestion(context, to, RequestCode::kInvokeBrokerToResetOffset, &ResetOffset);
  AddQuestion(context, to, RequestCode::kCloneGroupOffset, &CloneOffsets);
  AddQuestion(context, to, RequestCode::kInvokeBrokerToGetConsumerStatus, &GetConsumerStatus);
  to->Add(RequestCode::kGetAllConsumerOffset,
          [context](const RemotingRequestPtr& request) { GetAllOffsets(*context, request); });
}

}  // namespace totora::remoting_api
