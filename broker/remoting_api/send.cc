#include "broker/remoting_api/send.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/remoting_api/outgoing.h"
#include "broker/service/peer_host.h"
#include "broker/service/refusal.h"
#include "common/clock.h"
#include "message/message_id.h"
#include "message/properties.h"
#include "message/topic.h"
#include "remoting/bodies/batch.h"
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

  void TopicFound(const store::TopicConfig& config) {
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
    born_host_ = service::HostOfPeer(request_->connection()->info().peer);
    const absl::Status status = header_.batch ? AddBatch(body, &send) : AddSingle(body, &send);
    if (!status.ok()) return Fail(status);
    Submit(std::move(send));
  }

  absl::Status AddSingle(absl::string_view body, service::SendRequest* send) {
    const int64_t now_ms = WallMillis(broker()->executor()->clock());
    const SentProperties found = LookAt(header_.properties);
    unique_id_ = std::string(found.unique_id);
    absl::StatusOr<std::string> properties = CompleteProperties(
        header_.properties, found, broker()->options().cluster,
        [this, now_ms] { return unique_id_ = broker()->NextMessageId(now_ms); });
    if (!properties.ok()) return properties.status();
    if (found.prepared == "true" || (header_.sys_flag & message::kTransactionMask) != 0) {
      // Not NO_PERMISSION, as RocketMQ says where they are forbidden: clients try that again.
      return absl::UnimplementedError("transactions are not supported yet");
    }
    absl::StatusOr<service::DeliveryTime> delivery = service::DeliveryTime();
    if (found.has_delivery_time) {
      if (is_dead_letter_) message::RemoveProperty(&*properties, message::kDelayLevelProperty);
      delivery = service::TakeDeliveryTime(broker()->options().delay_levels, now_ms, &*properties);
      if (!delivery.ok()) return delivery.status();
    }
    absl::Status status = Add(
        {.flag = header_.flag, .body = body, .properties = *properties, .unique_id = unique_id_,
         .tags = found.tags},
        send);
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
    const absl::StatusOr<std::vector<remoting::BatchItem>> items =
        remoting::ReadBatch(body, store::SendCommand::kSendItemsMax);
    if (!items.ok()) return items.status();
    send->messages.reserve(items->size());
    for (const remoting::BatchItem& item : *items) {
      const SentProperties found = LookAt(item.properties);
      absl::Status status = Add({.flag = item.flag, .body = item.body,
                                 .properties = item.properties, .unique_id = found.unique_id,
                                 .tags = found.tags},
                                send);
      if (!status.ok()) return status;
    }
    unique_id_ = std::string(message::PropertyOr(header_.properties, message::kUniqueKeyProperty));
    return absl::OkStatus();
  }

  absl::Status Add(SentMessage sent, service::SendRequest* send) {
    sent.born_host = born_host_;
    absl::StatusOr<service::OutgoingMessage> outgoing = ToOutgoing(header_, topic_, sent);
    if (!outgoing.ok()) return outgoing.status();
    if (!request_->wants_answer()) {
      // Nobody tries again what nobody waits for, but a program may well send
      // one message many times this way.
      outgoing->id_hash.clear();
    }
    outgoing->retry_window_ms = static_cast<uint32_t>(
        absl::ToInt64Milliseconds(service::DeliberateRepeats::kRetryWindow));
    send->messages.push_back(*std::move(outgoing));
    return absl::OkStatus();
  }

  void Submit(service::SendRequest send) {
    absl::flat_hash_set<absl::string_view> seen;
    for (service::OutgoingMessage& message : send.messages) {
      // Twice in one batch says nothing: the batch as a whole may be a retry.
      if (message.id_hash.empty() || !seen.insert(message.id_hash).second) continue;
      id_hashes_.push_back(message.id_hash);
      message.is_deliberate = broker()->repeats().Arrived(AsRepeat(id_hashes_.back()));
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
    NoteAnswer(true);
    request_->Reply(ResponseCode::kSuccess, content);
  }

  void Fail(const absl::Status& status) { Fail(CodeFor(status, Doing::kSend), status.message()); }
  void Fail(ResponseCode code, absl::string_view text) {
    Content content;
    content.remark = RemarkText(text);
    content.fields.Add(message::kRegionProperty, context_.options.region);
    content.fields.AddBool(message::kTraceSwitchProperty, context_.options.is_trace_on);
    NoteAnswer(false);
    request_->Reply(static_cast<int32_t>(code), content);
  }

  service::DeliberateRepeats::Request AsRepeat(absl::string_view id_hash) const {
    return {request_->connection()->info().id, id_hash, header_.born_timestamp, arrived_};
  }
  // Before the answer is written: the client may be faster than this thread.
  void NoteAnswer(bool was_stored) {
    const absl::Duration now = Now(context_);
    for (const std::string& id_hash : id_hashes_) {
      broker()->repeats().Answered(AsRepeat(id_hash), was_stored, now);
    }
  }

  const HandlerContext& context_;
  const RemotingRequestPtr request_;
  const absl::Duration arrived_;
  SendMessageRequest header_;  // Points into the request.
  std::string topic_;          // Where it goes: dead letters of a retry that was the last.
  bool is_dead_letter_ = false;
  message::Host born_host_;
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
