#include "client/producer.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/message_id.h"
#include "client/session.h"
#include "client/status_code.h"
#include "common/status.h"

namespace totora::client {
namespace v2 = apache::rocketmq::v2;
namespace {

constexpr char kSendMethod[] = "/apache.rocketmq.v2.MessagingService/SendMessage";
constexpr size_t kRequestBytesMax = 16 << 20;
// Before the second attempt nothing; then 10 ms, 20 ms, ... as servers tell producers.
constexpr absl::Duration kBackoffFirst = absl::Milliseconds(10);
constexpr absl::Duration kBackoffMax = absl::Seconds(1);

const std::string& HostName() {
  static const std::string* const name = [] {
    char host[256] = "localhost";
    gethostname(host, sizeof(host) - 1);
    return new std::string(host);
  }();
  return *name;
}

void SetTimestamp(absl::Time time, google::protobuf::Timestamp* to) {
  const int64_t micros = absl::ToUnixMicros(time);
  to->set_seconds(micros / 1000000);
  to->set_nanos(static_cast<int32_t>(micros % 1000000 * 1000));
}

void Encode(const OutgoingMessage& message, const std::string& name_space, absl::Time now,
            v2::Message* to) {
  to->mutable_topic()->set_name(message.topic);
  to->mutable_topic()->set_resource_namespace(name_space);
  to->set_body(message.body);
  for (const auto& [key, value] : message.properties) {
    (*to->mutable_user_properties())[key] = value;
  }
  v2::SystemProperties* system = to->mutable_system_properties();
  system->set_message_id(message.message_id);
  system->set_body_encoding(v2::IDENTITY);
  system->set_born_host(HostName());
  SetTimestamp(now, system->mutable_born_timestamp());
  if (!message.tag.empty()) system->set_tag(message.tag);
  for (const std::string& key : message.keys) system->add_keys(key);
  system->set_message_type(v2::NORMAL);
  if (!message.message_group.empty()) {
    system->set_message_group(message.message_group);
    system->set_message_type(v2::FIFO);
  }
  if (message.delivery_time.has_value()) {
    SetTimestamp(*message.delivery_time, system->mutable_delivery_timestamp());
    system->set_message_type(v2::DELAY);
  }
}

grpc::ByteBuffer ToByteBuffer(std::string bytes) {
  // The slice takes the string over instead of copying it again.
  auto* owner = new std::string(std::move(bytes));
  grpc::Slice slice(owner->data(), owner->size(),
                    [](void* user) { delete static_cast<std::string*>(user); }, owner);
  return grpc::ByteBuffer(&slice, 1);
}

// The code of an answer that is worth another attempt, or 0.
int RetryableCodeOf(const v2::SendMessageResponse& response) {
  if (IsRetryableCode(response.status().code())) return response.status().code();
  for (const v2::SendResultEntry& entry : response.entries()) {
    if (IsRetryableCode(entry.status().code())) return entry.status().code();
  }
  return 0;
}

}  // namespace

absl::StatusOr<SendTemplate> SendTemplate::Make(const OutgoingMessage& message, size_t batch) {
  if (batch == 0) return absl::InvalidArgumentError("a batch needs at least one message");
  if (batch * (message.body.size() + 256) > kRequestBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(batch, " messages of ", message.body.size(),
                                                   " bytes exceed the request limit of 16 MiB"));
  }
  SendTemplate result;
  result.topic_ = message.topic;
  // Ids are numbered placeholders first, so that each is found exactly once.
  v2::SendMessageRequest request;
  const absl::Time now = absl::Now();
  for (size_t i = 0; i < batch; ++i) {
    OutgoingMessage copy = message;
    copy.message_id = std::string(kMessageIdLength, '\x01');
    Encode(copy, "", now, request.add_messages());
  }
  result.bytes_ = request.SerializeAsString();
  const std::string placeholder(kMessageIdLength, '\x01');
  size_t at = 0;
  // Field 3 of SystemProperties, length 34: a body cannot be mistaken for it
  // unless it holds the whole placeholder, which the count below would show.
  while ((at = result.bytes_.find(placeholder, at)) != std::string::npos) {
    result.id_offsets_.push_back(at);
    at += placeholder.size();
  }
  if (result.id_offsets_.size() != batch) {
    return absl::InvalidArgumentError("the message contains the bytes that mark an id's place");
  }
  return result;
}

// Thread safety: monitor; the members that change are atomics or the session's.
class Producer::Core {
 public:
  explicit Core(const ProducerOptions& options)
      : options_(options), session_(options.client, MakeSettings(options), "") {}

  static v2::Settings MakeSettings(const ProducerOptions& options) {
    v2::Settings settings;
    settings.set_client_type(v2::PRODUCER);
    settings.mutable_publishing();
    for (const std::string& topic : options.topics) {
      v2::Resource* resource = settings.mutable_publishing()->add_topics();
      resource->set_name(topic);
      resource->set_resource_namespace(options.client.resource_namespace);
    }
    return settings;
  }

  Session* session() { return &session_; }
  const ProducerOptions& options() const { return options_; }
  uint64_t retries() const { return retries_; }

  // Null or the error: the transport's, or an answer that does not fit the request.
  using AnswerDone = absl::AnyInvocable<void(const absl::Status&, const v2::SendMessageResponse&)>;

  // Sends `request`; `done` runs exactly once.
  void Start(const std::string& topic, std::string request, size_t messages, AnswerDone done);

 private:
  class Send;

  const ProducerOptions options_;
  Session session_;
  std::atomic<uint64_t> turn_{0};
  std::atomic<uint64_t> retries_{0};
  // Sends under way. Not the session's flights, of which telemetry is one.
  std::atomic<size_t> sends_{0};
};

// One send: up to attempts_max attempts with the same bytes. Deletes itself.
class Producer::Core::Send : public Event {
 public:
  Send(Core* core, std::string request, size_t messages, AnswerDone done)
      : core_(core),
        request_(ToByteBuffer(std::move(request))),
        messages_(messages),
        done_(std::move(done)) {}

  void Begin(const absl::StatusOr<std::shared_ptr<const std::vector<Route>>>& routes) {
    if (!routes.ok()) {
      End(routes.status());
      return;
    }
    routes_ = *routes;
    turn_ = core_->turn_.fetch_add(1, std::memory_order_relaxed);
    Attempt();
  }

  void Complete(bool) override {
    absl::Status status = FromGrpcStatus(status_);
    answer_.Clear();
    if (status.ok()) {
      const grpc::Status parsed =
          grpc::SerializationTraits<v2::SendMessageResponse>::Deserialize(&response_, &answer_);
      if (!parsed.ok()) status = absl::InternalError("the broker's answer is no SendMessageResponse");
    }
    const int code = status.ok() ? RetryableCodeOf(answer_) : 0;
    const bool transport_failed = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
                                  absl::IsCancelled(status);
    if ((code != 0 || transport_failed) && attempt_ < core_->options_.attempts_max) {
      if (first_failure_.ok()) {
        first_failure_ = code != 0 ? StatusOfCode(code, answer_.status().message()) : status;
      }
      Retry(code);
      return;
    }
    End(status);
  }

 private:
  void Attempt() {
    ++attempt_;
    // Writable queues take turns; a retry goes on to the next broker that has one.
    const Route& route = (*routes_)[(turn_ + static_cast<uint64_t>(attempt_ - 1)) %
                                    routes_->size()];
    context_.emplace();
    for (const auto& [key, value] : core_->session_.MakeMetadata()) {
      context_->AddMetadata(key, value);
    }
    context_->set_deadline(std::chrono::system_clock::now() +
                           absl::ToChronoNanoseconds(core_->options_.client.request_timeout));
    context_->set_wait_for_ready(attempt_ > 1);
    response_.Clear();
    connection_ = route.connection;
    reader_ = connection_->generic.PrepareUnaryCall(&*context_, kSendMethod, request_,
                                                    core_->session_.poller()->queue());
    reader_->StartCall();
    reader_->Finish(&response_, &status_, static_cast<Event*>(this));
  }

  void Retry(int code) {
    core_->retries_.fetch_add(1, std::memory_order_relaxed);
    // Only "too many requests" makes official clients wait. We wait as well
    // when a second attempt in a row met nobody.
    if (code != v2::TOO_MANY_REQUESTS && attempt_ == 1) {
      Attempt();
      return;
    }
    const absl::Duration delay =
        std::min(kBackoffMax, kBackoffFirst * (1 << std::min(attempt_ - 1, 10)));
    core_->session_.poller()->RunAfter(delay, [this] { Attempt(); });
  }

  void End(absl::Status status) {
    if (status.ok() && answer_.status().code() != v2::OK && answer_.entries().empty()) {
      status = StatusOfCode(answer_.status().code(), answer_.status().message());
    } else if (status.ok() && answer_.entries_size() != static_cast<int>(messages_)) {
      status = absl::InternalError(absl::StrCat("the broker answered for ", answer_.entries_size(),
                                                " of ", messages_, " messages"));
    } else if (!status.ok() && !first_failure_.ok()) {
      status = Annotate(status, absl::StrCat("after ", attempt_, " attempts, the first: ",
                                             first_failure_.message()));
    }
    // Before `done_`, which may start the next send in the place of this one.
    core_->sends_.fetch_sub(1);
    done_(status, answer_);
    Core* const core = core_;
    delete this;
    core->session_.flights()->Leave();
  }

  Core* const core_;
  const grpc::ByteBuffer request_;
  const size_t messages_;
  AnswerDone done_;
  std::shared_ptr<const std::vector<Route>> routes_;
  uint64_t turn_ = 0;
  int attempt_ = 0;
  absl::Status first_failure_;
  std::shared_ptr<Connection> connection_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  v2::SendMessageResponse answer_;
};

void Producer::Core::Start(const std::string& topic, std::string request, size_t messages,
                           AnswerDone done) {
  if (!session_.flights()->Enter()) {
    done(absl::CancelledError("the producer is being stopped"), v2::SendMessageResponse());
    return;
  }
  if (sends_.fetch_add(1) >= options_.outstanding_max) {
    sends_.fetch_sub(1);
    session_.flights()->Leave();
    done(absl::ResourceExhaustedError(
             absl::StrCat("outstanding_max: ", options_.outstanding_max, " sends are under way")),
         v2::SendMessageResponse());
    return;
  }
  auto* send = new Send(this, std::move(request), messages, std::move(done));
  session_.RoutesOf(topic, [send](const auto& routes) { send->Begin(routes); });
}

Producer::Producer(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Producer::~Producer() { core_->session()->Stop(); }

absl::StatusOr<std::unique_ptr<Producer>> Producer::Start(const ProducerOptions& options) {
  auto producer = std::unique_ptr<Producer>(new Producer(std::make_unique<Core>(options)));
  TOTORA_RETURN_IF_ERROR(producer->core_->session()->Start(options.topics));
  return producer;
}

SendReceipt Producer::Send(OutgoingMessage message) {
  OneShot<SendReceipt> receipt;
  std::vector<OutgoingMessage> messages;
  messages.push_back(std::move(message));
  SendAsync(std::move(messages), [&receipt](std::vector<SendReceipt> receipts) {
    receipt.Set(std::move(receipts.front()));
  });
  return receipt.Take();
}

void Producer::SendAsync(std::vector<OutgoingMessage> messages, Done done) {
  std::vector<SendReceipt> receipts(messages.size());
  absl::Status refused;
  v2::SendMessageRequest request;
  const absl::Time now = absl::Now();
  for (size_t i = 0; i < messages.size(); ++i) {
    OutgoingMessage& message = messages[i];
    if (message.message_id.empty()) message.message_id = MessageIdGenerator::OfProcess()->Next();
    receipts[i].message_id = message.message_id;
    if (message.topic != messages.front().topic) {
      refused = absl::InvalidArgumentError("all messages of a batch must be for one topic");
    }
    Encode(message, core_->options().client.resource_namespace, now, request.add_messages());
  }
  if (refused.ok() && request.ByteSizeLong() > kRequestBytesMax) {
    refused = absl::InvalidArgumentError("the request exceeds 16 MiB; send fewer at once");
  }
  if (messages.empty() || !refused.ok()) {
    for (SendReceipt& receipt : receipts) receipt.status = refused;
    done(std::move(receipts));
    return;
  }
  core_->Start(messages.front().topic, request.SerializeAsString(), messages.size(),
               [receipts = std::move(receipts), done = std::move(done)](
                   const absl::Status& status, const v2::SendMessageResponse& answer) mutable {
                 for (size_t i = 0; i < receipts.size(); ++i) {
                   if (!status.ok()) {
                     receipts[i].status = status;
                     continue;
                   }
                   const v2::SendResultEntry& entry = answer.entries(static_cast<int>(i));
                   receipts[i].status = StatusOfCode(entry.status().code(),
                                                     entry.status().message());
                   receipts[i].transaction_id = entry.transaction_id();
                   receipts[i].recall_handle = entry.recall_handle();
                   receipts[i].queue_offset = entry.offset();
                 }
                 done(std::move(receipts));
               });
}

void Producer::SendTemplated(const SendTemplate& message, CountsDone done) {
  std::string bytes = message.bytes();
  for (const size_t at : message.id_offsets()) {
    MessageIdGenerator::OfProcess()->WriteNext(bytes.data() + at);
  }
  const size_t batch = message.batch();
  core_->Start(message.topic(), std::move(bytes), batch,
               [batch, done = std::move(done)](const absl::Status& status,
                                               const v2::SendMessageResponse& answer) mutable {
                 Counts counts;
                 counts.first_error = status;
                 for (const v2::SendResultEntry& entry : answer.entries()) {
                   if (!status.ok()) break;
                   if (entry.status().code() == v2::OK) {
                     ++counts.stored;
                   } else if (counts.first_error.ok()) {
                     counts.first_error =
                         StatusOfCode(entry.status().code(), entry.status().message());
                   }
                 }
                 counts.failed = batch - counts.stored;
                 done(counts);
               });
}

uint64_t Producer::retries() const { return core_->retries(); }

}  // namespace totora::client
