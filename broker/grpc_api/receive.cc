#include "broker/grpc_api/receive.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/client_settings.h"
#include "broker/grpc_api/durations.h"
#include "broker/grpc_api/message_checks.h"
#include "broker/grpc_api/names.h"
#include "broker/grpc_api/stored_message.h"
#include "broker/service/receive.h"
#include "common/log.h"
#include "common/status.h"
#include "message/codec.h"
#include "message/override.h"
#include "message/tag_filter.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {
namespace {

constexpr absl::Duration kInvisibleMax = absl::Hours(12);
// Of a lease that the server renews, and of consumers that name none.
constexpr absl::Duration kInvisibleDefault = absl::Minutes(1);
// What a client without a polling time leaves between poll and deadline.
constexpr absl::Duration kDerivedReserve = absl::Milliseconds(1500);
constexpr absl::Duration kPollMin = absl::Seconds(1);

// How long to hold an empty poll: what was asked for, else what the deadline
// leaves, never beyond the deadline less a reserve.
absl::Duration PollTime(const GrpcApiOptions& options, const GrpcCall& call,
                        const v2::ReceiveMessageRequest& request) {
  const absl::Duration remaining = Remaining(call);
  absl::Duration poll = request.has_long_polling_timeout()
                            ? DurationOf(request.long_polling_timeout())
                            : remaining - kDerivedReserve;
  poll = std::clamp(poll, kPollMin, options.poll_max);
  return std::max(absl::ZeroDuration(), std::min(poll, remaining - options.poll_reserve));
}

// One call, from its request to OnDone. Confined to the connection's loop.
class Polling : public std::enable_shared_from_this<Polling> {
 public:
  Polling(const HandlerContext* context, GrpcCallPtr call, v2::Resource topic,
          message::TagFilter filter)
      : context_(context),
        call_(std::move(call)),
        topic_(std::move(topic)),
        filter_(std::move(filter)) {}

  void Start(service::ReceiveRequest request) {
    stored_topic_ = request.topic;
    consumer_group_ = request.consumer_group;
    invisible_ = request.invisible;
    call_->OnWritable([self = shared_from_this()] { self->WriteMessages(); });
    call_->OnDone([self = shared_from_this()](bool is_written) { self->Ended(is_written); });
    poll_ = context_->broker->Receive(
        std::move(request),
        [self = shared_from_this()](absl::StatusOr<service::Delivery> delivery) mutable {
          // Bodies are read and unpacked where they are written, not on the
          // replica's executor.
          Executor* const loop = self->call_->executor();
          loop->Post([self = std::move(self), delivery = std::move(delivery)]() mutable {
            self->Delivered(std::move(delivery));
          });
        });
    has_poll_ = true;
    if (is_ended_) context_->broker->CancelPoll(poll_);
  }

 private:
  void Delivered(absl::StatusOr<service::Delivery> delivery) {
    if (!delivery.ok()) {
      // Soon enough for a program, too slow for a loop.
      call_->executor()->PostAfter(
          std::min(context_->options.poll_refusal_delay,
                   std::max(absl::ZeroDuration(), Remaining(*call_) - absl::Milliseconds(100))),
          [self = shared_from_this(), status = delivery.status()] {
            self->WriteStatus(CodeFor(status, Doing::kReceive), status.message());
            self->Finish();
          });
      return;
    }
    messages_ = std::move(delivery->messages);
    if (is_ended_) {
      Report(false);
      return;
    }
    if (messages_.empty()) {
      WriteStatus(v2::MESSAGE_NOT_FOUND, "no new message");
      Finish();
      return;
    }
    is_delivering_ = true;
    WriteMessages();
  }

  // Goes on until all is written or the connection wants a pause. The status
  // waits for the first readable message: without one the poll was empty.
  void WriteMessages() {
    if (!is_delivering_ || is_ended_) return;
    while (next_ < messages_.size()) {
      const store::DeliveredMessage& delivered = messages_[next_++];
      std::optional<v2::ReceiveMessageResponse> frame = Read(delivered);
      if (!frame.has_value()) continue;
      if (!has_status_) WriteStatus(v2::OK, "OK");
      if (!call_->Write(frame->SerializeAsString())) return;
    }
    is_delivering_ = false;
    if (!has_status_) WriteStatus(v2::MESSAGE_NOT_FOUND, "no new message");
    Finish();
  }

  std::optional<v2::ReceiveMessageResponse> Read(const store::DeliveredMessage& delivered) {
    const absl::StatusOr<std::string> bytes = ReadBytes(delivered);
    absl::Status status = bytes.status();
    v2::ReceiveMessageResponse frame;
    if (bytes.ok()) {
      if (!filter_.takes_everything() && !filter_.Matches(TagOf(*bytes))) {
        Skip(delivered);
        return std::nullopt;
      }
      status = FromStored(*bytes, delivered,
                          {context_->broker->options().group, &topic_, &stored_topic_, invisible_},
                          frame.mutable_message());
    }
    if (status.ok()) return frame;
    // It stays held and comes back when its time is over: others of the answer
    // must not suffer, and asking again at once would find the same.
    TOTORA_LOG_LIMITED(kError, "grpc")
        << Field("topic", stored_topic_) << Field("queue", delivered.queue_id)
        << Field("offset", delivered.offset) << "message cannot be read: " << status.message();
    return std::nullopt;
  }

  // As its place shows it: with the override record laid over, if it has one.
  absl::StatusOr<std::string> ReadBytes(const store::DeliveredMessage& delivered) {
    absl::StatusOr<std::string> stored =
        context_->broker->log()->ReadMessage(delivered.position, delivered.size);
    if (!stored.ok() || delivered.override_record == nullptr) return stored;
    TOTORA_ASSIGN_OR_RETURN(const message::StoredMessageView view,
                            message::StoredMessageView::Parse(*stored));
    std::string bytes;
    TOTORA_RETURN_IF_ERROR(
        message::AppendAsRead(*stored,
                              {stored_topic_, delivered.queue_id, delivered.offset,
                               delivered.position, view.store_time_ms()},
                              delivered.override_record.get(), &bytes));
    return bytes;
  }

  // Another tag with the same hash: nobody of this consumer group wants it.
  void Skip(const store::DeliveredMessage& delivered) {
    context_->broker->acks().Ack(
        consumer_group_,
        {{stored_topic_, delivered.queue_id, delivered.offset, delivered.delivery_id}},
        GiveUp(*context_, *call_), [](absl::StatusOr<std::vector<absl::Status>>) {});
  }

  void WriteStatus(v2::Code code, absl::string_view text) {
    has_status_ = true;
    v2::ReceiveMessageResponse frame;
    SetStatus(code, text, frame.mutable_status());
    call_->Write(frame.SerializeAsString());
  }

  void Finish() {
    v2::ReceiveMessageResponse frame;
    SetMillis(WallMillis(call_->executor()->clock()), frame.mutable_delivery_timestamp());
    call_->Reply(frame.SerializeAsString());
  }

  void Ended(bool is_written) {
    is_ended_ = true;
    if (!messages_.empty()) {
      Report(is_written);
    } else if (has_poll_) {
      context_->broker->CancelPoll(poll_);
    }
  }

  void Report(bool is_written) {
    context_->broker->ReportDelivery(consumer_group_, stored_topic_, std::move(messages_),
                                     is_written);
    messages_.clear();
  }

  const HandlerContext* const context_;
  const GrpcCallPtr call_;
  const v2::Resource topic_;  // As the consumer spelled it.
  const message::TagFilter filter_;
  std::string stored_topic_;
  std::string consumer_group_;
  absl::Duration invisible_;
  service::PollId poll_ = 0;
  bool has_poll_ = false;
  std::vector<store::DeliveredMessage> messages_;
  size_t next_ = 0;  // Of messages_, to be written.
  bool is_delivering_ = false;
  bool has_status_ = false;  // The status frame was written.
  bool is_ended_ = false;
};

void Refuse(const HandlerContext& context, const GrpcCallPtr& call, v2::Code code,
            absl::string_view text) {
  call->executor()->PostAfter(context.options.poll_refusal_delay,
                              [call, code, text = std::string(text)] {
                                ReplyStatus<v2::ReceiveMessageResponse>(call, code, text);
                              });
}

// Empty: the request is fine.
std::optional<Problem> Translate(const HandlerContext& context, const GrpcCall& call,
                                 const Caller& caller, const v2::ReceiveMessageRequest& request,
                                 service::ReceiveRequest* to) {
  to->topic = StoredName(request.message_queue().topic(), caller.default_namespace);
  to->consumer_group = StoredName(request.group(), caller.default_namespace);
  to->client_id = std::string(caller.client_id);
  if (const absl::Status legal = CheckTopic(to->topic); !legal.ok()) {
    return Problem{v2::ILLEGAL_TOPIC, std::string(legal.message())};
  }
  if (const absl::Status legal = CheckConsumerGroup(to->consumer_group); !legal.ok()) {
    return Problem{v2::ILLEGAL_CONSUMER_GROUP, std::string(legal.message())};
  }
  // A queue's number chooses the broker, no more, as in RocketMQ's proxy
  // (ReceiveMessageQueueSelector): simple consumers ask the queues in turn, and
  // a message in another one must not wait for its turn.
  to->queue_id = service::kAnyQueue;
  to->max_messages = static_cast<uint32_t>(std::clamp(request.batch_size(), 1, kReceiveBatchMax));
  to->auto_renew = request.auto_renew();
  to->invisible = kInvisibleDefault;
  if (!to->auto_renew && request.has_invisible_duration()) {
    to->invisible = DurationOf(request.invisible_duration());
    if (to->invisible < context.options.invisible_min || to->invisible > kInvisibleMax) {
      return Problem{
          v2::ILLEGAL_INVISIBLE_TIME,
          absl::StrCat("the invisible time is from ",
                       absl::FormatDuration(context.options.invisible_min), " to 12 hours")};
    }
  }
  to->poll_until =
      context.broker->executor()->clock().SteadyNow() + PollTime(context.options, call, request);
  return std::nullopt;
}

void ReceiveMessage(const HandlerContext* context, GrpcCallPtr call, const Caller& caller,
                    v2::ReceiveMessageRequest request) {
  service::ReceiveRequest poll;
  if (const auto problem = Translate(*context, *call, caller, request, &poll)) {
    Refuse(*context, call, problem->code, problem->text);
    return;
  }
  if (request.filter_expression().type() == v2::SQL) {
    Refuse(*context, call, v2::NOT_IMPLEMENTED, "SQL filters are not supported yet");
    return;
  }
  absl::StatusOr<message::TagFilter> filter =
      message::TagFilter::Parse(request.filter_expression().expression());
  if (!filter.ok()) {
    Refuse(*context, call, v2::ILLEGAL_FILTER_EXPRESSION, filter.status().message());
    return;
  }
  poll.tag_hashes = filter->hashes();
  std::make_shared<Polling>(context, std::move(call), request.message_queue().topic(),
                            *std::move(filter))
      ->Start(std::move(poll));
}

}  // namespace

void AddReceiving(const HandlerContext* context, GrpcService* to) {
  to->AddRequest(
      absl::StrCat(kServicePath, "ReceiveMessage"),
      InBand<v2::ReceiveMessageRequest, v2::ReceiveMessageResponse>(
          [context](GrpcCallPtr call, const Caller& caller, v2::ReceiveMessageRequest request) {
            ReceiveMessage(context, std::move(call), caller, std::move(request));
          }));
}

}  // namespace totora::grpc_api
