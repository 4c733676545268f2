#include "broker/remoting_api/send.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/remoting_api/batch.h"
#include "broker/remoting_api/outgoing.h"
#include "broker/service/peer_host.h"
#include "broker/service/refusal.h"
#include "common/clock.h"
#include "message/message_id.h"
#include "message/properties.h"
#include "message/topic.h"
#include "remoting/header/send.h"

namespace totora::remoting_api {
namespace {

using remoting::SendMessageReply;
using remoting::SendMessageRequest;

// One send, from its request to its answer. Checks come in RocketMQ's order
// (AbstractSendMessageProcessor.msgCheck, SendMessageProcessor), so that a
// client with several faults is told the same first.
//
// Confined to the connection's loop, but for the steps that say otherwise.
class SendCall : public std::enable_shared_from_this<SendCall> {
 public:
  SendCall(const HandlerContext* context, RemotingRequestPtr request)
      : context_(*context), request_(std::move(request)), arrived_(Now(*context)) {}

  void Start() {
    const absl::StatusOr<SendMessageRequest> header =
        remoting::ReadSendMessage(request_->command());
    if (!header.ok()) return Fail(ResponseCode::kSystemError, header.status().message());
    header_ = *header;
    topic_ = std::string(header_.topic);
    if (const absl::Status legal = message::CheckTopicName(topic_); !legal.ok()) {
      return Fail(ResponseCode::kInvalidParameter, legal.message());
    }
    if (message::IsSendForbidden(topic_)) {
      return Fail(ResponseCode::kNoPermission, absl::StrCat("nobody may send to ", topic_));
    }
    if (message::IsRetryTopic(topic_) && header_.batch) {
      return Fail(ResponseCode::kMessageIllegal, "a batch cannot go to a retry topic");
    }
    if (message::IsRetryTopic(topic_)) return FindConsumerGroup();
    FindTopic();
  }

 private:
  service::BrokerService* broker() const { return context_.broker; }
  absl::Duration give_up() const { return arrived_ + context_.options.hold_max; }

  // Runs `step` on the loop with what a use case found on the replica's executor.
  template <typename Result, typename Step>
  auto OnLoop(Step step) {
    return [self = shared_from_this(), step](absl::StatusOr<Result> result) {
      Executor* const loop = self->request_->connection()->executor();
      loop->Post([self, step, result = std::move(result)]() mutable {
        if (!result.ok()) {
          self->Fail(result.status());
        } else {
          (self.get()->*step)(*std::move(result));
        }
      });
    };
  }

  // --- The topic ------------------------------------------------------------

  // A consumer that could not send a message back sends it again itself.
  void FindConsumerGroup() {
    broker()->executor()->Post([self = shared_from_this()] {
      const std::string group(*message::ConsumerGroupOf(self->topic_));
      // An orderly consumer gives a message up only after its last attempt.
      self->is_dead_letter_ = self->broker()->state().HasLiveLock(group);
      self->broker()->consumer_groups().FindForUse(
          group, self->give_up(),
          self->OnLoop<store::ConsumerGroupConfig>(&SendCall::ConsumerGroupFound));
    });
  }

  void ConsumerGroupFound(const store::ConsumerGroupConfig& config) {
    // Attempts count the first delivery too. Versions before 3.4.9 do not know
    // the field; nobody runs those.
    const int32_t again_max = header_.max_reconsume_times.value_or(
        static_cast<int32_t>(std::max<uint32_t>(config.max_attempts, 1)) - 1);
    if (header_.reconsume_times.value_or(0) > again_max) is_dead_letter_ = true;
    if (is_dead_letter_) topic_ = message::DeadLetterTopic(config.name);
    broker()->executor()->Post([self = shared_from_this()] {
      self->broker()->topic_creation().ForConsumerGroup(
          self->topic_, self->give_up(), self->OnLoop<store::TopicConfig>(&SendCall::TopicFound));
    });
  }

  void FindTopic() {
    if (const auto topic = broker()->topic_directory().Find(topic_)) {
      TopicFound(topic->config);
      return;
    }
    broker()->executor()->Post([self = shared_from_this()] {
      self->broker()->topic_creation().ForSend(
          self->topic_, std::string(self->header_.default_topic),
          self->header_.default_topic_queue_nums, self->give_up(),
          self->OnLoop<store::TopicConfig>(&SendCall::TopicFound));
    });
  }

  // --- The message ------------------------------------------------------------

  void TopicFound(store::TopicConfig config) {
    const auto queues = static_cast<int64_t>(std::max(config.read_queues, config.write_queues));
    if (header_.queue_id >= queues && !is_dead_letter_) {
      return Fail(
          service::Refuse(service::Refusal::kNoSuchQueue,
                          absl::StrCat("topic ", topic_, " has no queue ", header_.queue_id)));
    }
    const absl::string_view body = request_->command().body.view();
    if (body.size() > message::kBodyBytesMax) {
      return Fail(ResponseCode::kMessageIllegal,
                  absl::StrCat("a body has at most ", message::kBodyBytesMax, " bytes"));
    }
    service::SendRequest send;
    send.topic = topic_;
    send.type = std::nullopt;
    send.give_up = give_up();
    if (header_.queue_id >= 0 && !is_dead_letter_) {
      send.queue_id = static_cast<uint32_t>(header_.queue_id);
    }
    const absl::Status status = header_.batch ? AddBatch(body, &send) : AddSingle(body, &send);
    if (!status.ok()) return Fail(status);
    Submit(std::move(send));
  }

  absl::Status AddSingle(absl::string_view body, service::SendRequest* send) {
    const int64_t now_ms = WallMillis(broker()->executor()->clock());
    absl::StatusOr<std::string> properties = CompleteProperties(
        header_.properties, broker()->options().cluster, broker()->NextMessageId(now_ms));
    if (!properties.ok()) return properties.status();
    if (message::PropertyOr(*properties, message::kTransactionPreparedProperty) == "true" ||
        (header_.sys_flag & message::kTransactionMask) != 0) {
      return absl::PermissionDeniedError("transactions are not supported yet");
    }
    if (is_dead_letter_) message::RemoveProperty(&*properties, message::kDelayLevelProperty);
    const absl::StatusOr<service::DeliveryTime> delivery =
        service::TakeDeliveryTime(broker()->options().delay_levels, now_ms, &*properties);
    if (!delivery.ok()) return delivery.status();
    unique_id_ = std::string(message::PropertyOr(*properties, message::kUniqueKeyProperty));
    absl::Status status = Add(header_.flag, body, *properties, send);
    if (status.ok()) send->messages.back().delivery = *delivery;
    return status;
  }

  // Items keep their own properties and get nothing from the header's.
  absl::Status AddBatch(absl::string_view body, service::SendRequest* send) {
    if ((static_cast<uint32_t>(header_.sys_flag) & message::kCompressedFlag) != 0) {
      return absl::InvalidArgumentError("a batch cannot be compressed");
    }
    if ((header_.sys_flag & message::kTransactionMask) != 0) {
      return absl::InvalidArgumentError("a batch cannot be part of a transaction");
    }
    const absl::StatusOr<std::vector<BatchItem>> items = ReadBatch(body);
    if (!items.ok()) return items.status();
    send->messages.reserve(items->size());
    for (const BatchItem& item : *items) {
      absl::Status status = Add(item.flag, item.body, item.properties, send);
      if (!status.ok()) return status;
    }
    unique_id_ = std::string(message::PropertyOr(header_.properties, message::kUniqueKeyProperty));
    return absl::OkStatus();
  }

  absl::Status Add(int32_t flag, absl::string_view body, absl::string_view properties,
                   service::SendRequest* send) {
    const message::Host born_host = service::HostOfPeer(request_->connection()->info().peer);
    absl::StatusOr<service::OutgoingMessage> outgoing =
        ToOutgoing(header_, topic_, flag, body, properties, born_host);
    if (!outgoing.ok()) return outgoing.status();
    if (!request_->wants_answer()) {
      // Nobody tries again what nobody waits for, but a program may well send
      // one message many times this way.
      outgoing->id_hash.clear();
    }
    outgoing->is_deliberate = broker()->prompt_answers().IsDeliberate(
        request_->connection()->info().id, outgoing->id_hash, arrived_);
    send->messages.push_back(*std::move(outgoing));
    return absl::OkStatus();
  }

  void Submit(service::SendRequest send) {
    for (const service::OutgoingMessage& message : send.messages) {
      if (!message.id_hash.empty()) id_hashes_.push_back(message.id_hash);
    }
    broker()->sender().Send(std::move(send), [self = shared_from_this()](
                                                 const absl::StatusOr<store::SendResult>& result) {
      if (!result.ok()) {
        self->Fail(result.status());
      } else {
        self->Succeed(*result);
      }
    });
  }

  // --- The answer: on any thread ---------------------------------------------

  void Succeed(const store::SendResult& result) {
    std::string ids;
    for (const store::SendResult::Item& item : result.items) {
      if (!ids.empty()) ids.push_back(',');
      ids += message::OffsetMessageId{broker()->options().store_host, item.position}.Encode();
    }
    SendMessageReply reply;
    reply.message_id = ids;
    reply.queue_id = static_cast<int32_t>(result.items.front().queue_id);
    reply.queue_offset = static_cast<int64_t>(result.items.front().offset.value());
    reply.transaction_id = unique_id_;
    reply.region = context_.options.region;
    reply.trace_on = context_.options.is_trace_on;
    Content content;
    remoting::WriteFields(reply, &content.fields);
    // Before it is written: the client may be faster than this thread.
    const absl::Duration now = Now(context_);
    for (const std::string& id : id_hashes_) {
      broker()->prompt_answers().Answered(request_->connection()->info().id, id, now - arrived_,
                                          now);
    }
    request_->Reply(ResponseCode::kSuccess, content);
  }

  void Fail(const absl::Status& status) { Fail(CodeFor(status, Doing::kSend), status.message()); }
  void Fail(ResponseCode code, absl::string_view text) {
    Content content;
    content.remark = RemarkText(text);
    content.fields.Add(message::kRegionProperty, context_.options.region);
    content.fields.AddBool(message::kTraceSwitchProperty, context_.options.is_trace_on);
    request_->Reply(static_cast<int32_t>(code), content);
  }

  const HandlerContext& context_;
  const RemotingRequestPtr request_;
  const absl::Duration arrived_;
  SendMessageRequest header_;  // Points into the request.
  std::string topic_;          // Where it goes: dead letters of a retry that was the last.
  bool is_dead_letter_ = false;
  std::string unique_id_;
  std::vector<std::string> id_hashes_;
};

}  // namespace

void AddSending(const HandlerContext* context, remoting::RemotingService* to) {
  for (RequestCode code :
       {RequestCode::kSendMessage, RequestCode::kSendMessageV2, RequestCode::kSendBatchMessage}) {
    to->Add(code, [context](RemotingRequestPtr request) {
      std::make_shared<SendCall>(context, std::move(request))->Start();
    });
  }
}

}  // namespace totora::remoting_api
