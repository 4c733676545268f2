#include "client/simple_consumer.h"

#include <atomic>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/session.h"
#include "client/status_code.h"
#include "common/status.h"

namespace totora::client {
namespace v2 = apache::rocketmq::v2;
namespace {

void SetDuration(absl::Duration duration, google::protobuf::Duration* to) {
  const int64_t millis = absl::ToInt64Milliseconds(duration);
  to->set_seconds(millis / 1000);
  to->set_nanos(static_cast<int32_t>(millis % 1000 * 1000000));
}

absl::Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// Takes the bytes out of `from`.
ReceivedMessage Decode(v2::Message* from, const std::string& endpoint) {
  ReceivedMessage message;
  v2::SystemProperties* system = from->mutable_system_properties();
  message.topic = std::move(*from->mutable_topic()->mutable_name());
  message.body = std::move(*from->mutable_body());
  message.tag = system->tag();
  message.keys.assign(system->keys().begin(), system->keys().end());
  message.properties.insert(from->user_properties().begin(), from->user_properties().end());
  message.message_group = system->message_group();
  message.message_id = std::move(*system->mutable_message_id());
  message.receipt_handle = std::move(*system->mutable_receipt_handle());
  message.endpoint = endpoint;
  message.born_host = system->born_host();
  message.born_time = TimeOf(system->born_timestamp());
  message.store_time = TimeOf(system->store_timestamp());
  message.queue_id = system->queue_id();
  message.queue_offset = system->queue_offset();
  message.delivery_attempt = system->delivery_attempt();
  return message;
}

}  // namespace

// Thread safety: monitor.
class SimpleConsumer::Core {
 public:
  explicit Core(const SimpleConsumerOptions& options)
      : options_(options), session_(options.client, MakeSettings(options), options.consumer_group) {}

  static v2::Settings MakeSettings(const SimpleConsumerOptions& options) {
    v2::Settings settings;
    settings.set_client_type(v2::SIMPLE_CONSUMER);
    v2::Subscription* subscription = settings.mutable_subscription();
    subscription->mutable_group()->set_name(options.consumer_group);
    subscription->mutable_group()->set_resource_namespace(options.client.resource_namespace);
    SetDuration(options.await, subscription->mutable_long_polling_timeout());
    for (const std::string& topic : options.topics) {
      v2::SubscriptionEntry* entry = subscription->add_subscriptions();
      entry->mutable_topic()->set_name(topic);
      entry->mutable_topic()->set_resource_namespace(options.client.resource_namespace);
      entry->mutable_expression()->set_type(v2::TAG);
      entry->mutable_expression()->set_expression(options.tag_expression);
    }
    return settings;
  }

  const SimpleConsumerOptions& options() const { return options_; }
  Session* session() { return &session_; }
  uint64_t TakeTurn() { return turn_.fetch_add(1, std::memory_order_relaxed); }

  // Receives under way can be many seconds from their end: Stop cancels them.
  void Track(grpc::ClientContext* context, bool* stopped) {
    MutexLock lock(&mu_);
    *stopped = stopped_;
    if (!stopped_) receives_.insert(context);
  }
  void Untrack(grpc::ClientContext* context) {
    MutexLock lock(&mu_);
    receives_.erase(context);
  }
  void CancelReceives() {
    MutexLock lock(&mu_);
    stopped_ = true;
    for (grpc::ClientContext* context : receives_) context->TryCancel();
  }

 private:
  const SimpleConsumerOptions options_;
  Session session_;
  std::atomic<uint64_t> turn_{0};
  Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> receives_ ABSL_GUARDED_BY(mu_);
};

namespace {

// One ReceiveMessage stream. `Core` is SimpleConsumer::Core. Deletes itself.
template <typename Core>
class ReceiveCall {
 public:
  ReceiveCall(Core* core, std::shared_ptr<Connection> connection,
              SimpleConsumer::ReceiveDone done)
      : core_(core), connection_(std::move(connection)), done_(std::move(done)) {}

  void Start(const v2::ReceiveMessageRequest& request) {
    Session* const session = core_->session();
    for (const auto& [key, value] : session->MakeMetadata()) context_.AddMetadata(key, value);
    const absl::Duration timeout = core_->options().await + session->options().request_timeout;
    context_.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
    bool stopped = false;
    core_->Track(&context_, &stopped);
    if (stopped) context_.TryCancel();
    reader_ = connection_->stub->PrepareAsyncReceiveMessage(&context_, request,
                                                            session->poller()->queue());
    reader_->StartCall(Step([this](bool ok) { ok ? Read() : Finish(); }));
  }

 private:
  void Read() {
    reader_->Read(&part_, Step([this](bool ok) { ok ? TakePart() : Finish(); }));
  }

  void TakePart() {
    if (part_.has_status()) {
      code_ = part_.status().code();
      text_ = part_.status().message();
    } else if (part_.has_message()) {
      messages_.push_back(Decode(part_.mutable_message(), connection_->address));
    }
    Read();
  }

  void Finish() {
    reader_->Finish(&status_, Step([this](bool) { End(); }));
  }

  void End() {
    core_->Untrack(&context_);
    if (!messages_.empty()) {
      done_(std::move(messages_));  // Leased is leased, even if the stream broke afterwards.
    } else if (!status_.ok()) {
      done_(FromGrpcStatus(status_));
    } else if (code_ == v2::OK || code_ == v2::MESSAGE_NOT_FOUND) {
      done_(std::vector<ReceivedMessage>());
    } else {
      done_(StatusOfCode(code_, text_));
    }
    Core* const core = core_;
    delete this;
    core->session()->flights()->Leave();
  }

  Core* const core_;
  const std::shared_ptr<Connection> connection_;
  SimpleConsumer::ReceiveDone done_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReader<v2::ReceiveMessageResponse>> reader_;
  v2::ReceiveMessageResponse part_;
  grpc::Status status_;
  int code_ = v2::OK;
  std::string text_;
  std::vector<ReceivedMessage> messages_;
};

}  // namespace

SimpleConsumer::SimpleConsumer(std::unique_ptr<Core> core) : core_(std::move(core)) {}

SimpleConsumer::~SimpleConsumer() {
  core_->CancelReceives();
  core_->session()->Stop();
}

absl::StatusOr<std::unique_ptr<SimpleConsumer>> SimpleConsumer::Start(
    const SimpleConsumerOptions& options) {
  if (options.topics.empty()) return absl::InvalidArgumentError("a consumer needs a topic");
  auto consumer =
      std::unique_ptr<SimpleConsumer>(new SimpleConsumer(std::make_unique<Core>(options)));
  TOTORA_RETURN_IF_ERROR(consumer->core_->session()->Start(options.topics));
  return consumer;
}

void SimpleConsumer::ReceiveAsync(int count, absl::Duration invisible, ReceiveDone done) {
  Core* const core = core_.get();
  const uint64_t turn = core->TakeTurn();
  const std::vector<std::string>& topics = core->options().topics;
  const std::string& topic = topics[turn % topics.size()];
  if (!core->session()->flights()->Enter()) {
    done(absl::CancelledError("the consumer is being stopped"));
    return;
  }
  core->session()->RoutesOf(topic, [core, turn, count, invisible, done = std::move(done),
                                    topics_count = topics.size()](const auto& routes) mutable {
    if (!routes.ok()) {
      done(routes.status());
      core->session()->flights()->Leave();
      return;
    }
    // One request asks all queues of a broker (queue -1), so that a long poll
    // never waits at an empty queue beside a full one. Brokers take turns.
    std::vector<const Route*> brokers;
    for (const Route& route : **routes) {
      if (brokers.empty() ||
          brokers.back()->queue.broker().name() != route.queue.broker().name()) {
        brokers.push_back(&route);
      }
    }
    const Route& route = *brokers[turn / topics_count % brokers.size()];
    v2::ReceiveMessageRequest request;
    *request.mutable_group() = core->session()->MakeResource(core->options().consumer_group);
    *request.mutable_message_queue() = route.queue;
    request.mutable_message_queue()->set_id(-1);
    request.mutable_filter_expression()->set_type(v2::TAG);
    request.mutable_filter_expression()->set_expression(core->options().tag_expression);
    request.set_batch_size(count);
    SetDuration(invisible, request.mutable_invisible_duration());
    SetDuration(core->options().await, request.mutable_long_polling_timeout());
    auto* call = new ReceiveCall<Core>(core, route.connection, std::move(done));
    call->Start(request);
  });
}

absl::StatusOr<std::vector<ReceivedMessage>> SimpleConsumer::Receive(int count,
                                                                     absl::Duration invisible) {
  OneShot<absl::StatusOr<std::vector<ReceivedMessage>>> result;
  ReceiveAsync(count, invisible, [&result](absl::StatusOr<std::vector<ReceivedMessage>> messages) {
    result.Set(std::move(messages));
  });
  return result.Take();
}

void SimpleConsumer::AckAsync(const std::vector<ReceivedMessage>& messages, AckDone done) {
  // A request carries one topic and goes to where the delivery came from.
  struct Pending {
    std::vector<absl::Status> statuses;
    size_t requests = 0;
    AckDone done;
  };
  std::map<std::pair<std::string, std::string>, std::vector<size_t>> parts;
  for (size_t i = 0; i < messages.size(); ++i) {
    parts[{messages[i].endpoint, messages[i].topic}].push_back(i);
  }
  auto pending = std::make_shared<Pending>();
  pending->statuses.resize(messages.size());
  pending->done = std::move(done);
  if (parts.empty()) {
    pending->done({});
    return;
  }
  Session* const session = core_->session();
  if (!session->flights()->Enter()) {
    for (absl::Status& status : pending->statuses) {
      status = absl::CancelledError("the consumer is being stopped");
    }
    pending->done(std::move(pending->statuses));
    return;
  }
  // Counted down on the polling thread only; the calls start from there too.
  pending->requests = parts.size();
  std::vector<std::pair<std::string, v2::AckMessageRequest>> requests;
  std::vector<std::vector<size_t>> places;
  for (auto& [where, indexes] : parts) {
    v2::AckMessageRequest request;
    *request.mutable_group() = session->MakeResource(core_->options().consumer_group);
    *request.mutable_topic() = session->MakeResource(where.second);
    for (const size_t i : indexes) {
      v2::AckMessageEntry* entry = request.add_entries();
      entry->set_message_id(messages[i].message_id);
      entry->set_receipt_handle(messages[i].receipt_handle);
    }
    requests.emplace_back(where.first, std::move(request));
    places.push_back(indexes);
  }
  for (size_t r = 0; r < requests.size(); ++r) {
    using Call = UnaryCall<v2::AckMessageResponse>;
    auto* call = new Call(
        session->MakeMetadata(), session->options().request_timeout, true,
        [session, pending, indexes = places[r]](const grpc::Status& status,
                                                v2::AckMessageResponse& answer) {
          for (size_t k = 0; k < indexes.size(); ++k) {
            absl::Status& to = pending->statuses[indexes[k]];
            if (!status.ok()) {
              to = FromGrpcStatus(status);
            } else if (k < static_cast<size_t>(answer.entries_size())) {
              const v2::Status& entry = answer.entries(static_cast<int>(k)).status();
              to = StatusOfCode(entry.code(), entry.message());
            } else {
              to = StatusOfCode(answer.status().code(), answer.status().message());
            }
          }
          if (--pending->requests == 0) {
            pending->done(std::move(pending->statuses));
            session->flights()->Leave();
          }
        });
    const std::shared_ptr<Connection> connection = session->ConnectionTo(requests[r].first);
    call->Start(connection->stub->PrepareAsyncAckMessage(call->context(), requests[r].second,
                                                         session->poller()->queue()));
  }
}

std::vector<absl::Status> SimpleConsumer::Ack(const std::vector<ReceivedMessage>& messages) {
  OneShot<std::vector<absl::Status>> result;
  AckAsync(messages, [&result](std::vector<absl::Status> statuses) {
    result.Set(std::move(statuses));
  });
  return result.Take();
}

absl::Status SimpleConsumer::ChangeInvisible(ReceivedMessage* message, absl::Duration invisible) {
  Session* const session = core_->session();
  if (!session->flights()->Enter()) return absl::CancelledError("the consumer is being stopped");
  OneShot<absl::Status> result;
  using Call = UnaryCall<v2::ChangeInvisibleDurationResponse>;
  auto* call = new Call(session->MakeMetadata(), session->options().request_timeout, true,
                        [session, message, &result](const grpc::Status& status, auto& answer) {
                          absl::Status outcome = FromGrpcStatus(status);
                          if (outcome.ok()) {
                            outcome = StatusOfCode(answer.status().code(),
                                                   answer.status().message());
                          }
                          if (outcome.ok() && !answer.receipt_handle().empty()) {
                            message->receipt_handle = answer.receipt_handle();
                          }
                          session->flights()->Leave();
                          result.Set(outcome);
                        });
  v2::ChangeInvisibleDurationRequest request;
  *request.mutable_group() = session->MakeResource(core_->options().consumer_group);
  *request.mutable_topic() = session->MakeResource(message->topic);
  request.set_receipt_handle(message->receipt_handle);
  request.set_message_id(message->message_id);
  SetDuration(invisible, request.mutable_invisible_duration());
  const std::shared_ptr<Connection> connection = session->ConnectionTo(message->endpoint);
  call->Start(connection->stub->PrepareAsyncChangeInvisibleDuration(call->context(), request,
                                                                    session->poller()->queue()));
  return result.Take();
}

}  // namespace totora::client
