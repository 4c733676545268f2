#include "broker/grpc_api/session.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/grpc_api/client_settings.h"
#include "broker/grpc_api/names.h"
#include "common/log.h"
#include "proto/rocketmq/v2/service.pb.h"

namespace totora::grpc_api {
namespace {

// Settings are answered within a second even when nobody leads.
constexpr absl::Duration kSettingsWait = absl::Milliseconds(500);

// Node misses settings that come while it still asks for routes.
constexpr absl::Duration kNodeRepeats[] = {absl::Seconds(1), absl::Seconds(5)};

// One telemetry stream. Confined to the connection's loop.
class Telemetry : public std::enable_shared_from_this<Telemetry> {
 public:
  Telemetry(const HandlerContext* context, TelemetryStreams* streams, GrpcCallPtr call)
      : context_(context), streams_(streams), call_(std::move(call)) {
    const Caller caller = CallerOf(*call_);
    client_id_ = std::string(caller.client_id);
    namespace_ = std::string(caller.default_namespace);
    is_node_ = caller.language == "HTTP" || caller.language == "NODE_JS";
  }

  void Start() {
    // Some clients wait for the headers before they say anything.
    call_->SendInitialMetadata();
    streams_->Add(client_id_, call_);
    OnExecutor([client_id = client_id_](service::BrokerService* broker) {
      broker->sessions().StreamOpened(client_id);
    });
    call_->OnDone([self = shared_from_this()](bool) { self->Ended(); });
    call_->OnHalfClose([self = shared_from_this()] { self->call_->Finish(); });
    call_->OnMessage([self = shared_from_this()](std::string bytes) { self->Received(bytes); });
  }

 private:
  template <typename Work>
  void OnExecutor(Work work) {
    service::BrokerService* const broker = context_->broker;
    broker->executor()->Post([broker, work = std::move(work)]() mutable { work(broker); });
  }

  void Received(const std::string& bytes) {
    v2::TelemetryCommand command;
    if (!command.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      call_->Finish(GrpcCode::kInvalidArgument, "the command cannot be parsed");
      return;
    }
    // Answers to commands that nobody here has sent are of no interest.
    if (!command.has_settings()) return;
    absl::Status status = CheckSettings(command.settings());
    if (!status.ok()) {
      // A client that starts learns of it at once; one that runs keeps its last
      // good settings.
      if (!has_settings_) call_->Finish(GrpcCode::kInvalidArgument, std::string(status.message()));
      TOTORA_LOG_LIMITED(kInfo, "grpc") << "settings refused: " << status.message();
      return;
    }
    has_settings_ = true;
    OnExecutor([self = shared_from_this(), settings = std::move(*command.mutable_settings())](
                   service::BrokerService* broker) mutable {
      self->Register(broker, std::move(settings));
    });
  }

  // On the broker's executor, as is Answer.
  void Register(service::BrokerService* broker, v2::Settings settings) {
    const absl::Status status = broker->sessions().Put(SessionOf(client_id_, namespace_, settings));
    if (!status.ok()) {
      call_->Finish(absl::IsResourceExhausted(status) ? GrpcCode::kResourceExhausted
                                                      : GrpcCode::kInvalidArgument,
                    std::string(status.message()));
      return;
    }
    const std::string group = ConsumerGroupOf(settings, namespace_);
    if (group.empty()) {
      Answer(settings, std::nullopt);
      return;
    }
    broker->consumer_groups().Find(
        group, broker->executor()->clock().SteadyNow() + kSettingsWait,
        [self = shared_from_this(),
         settings = std::move(settings)](absl::StatusOr<store::ConsumerGroupConfig> config) {
          // A group that nobody made yet will be made with the defaults.
          self->Answer(settings,
                       config.ok() ? std::make_optional(*std::move(config)) : std::nullopt);
        });
  }

  void Answer(const v2::Settings& client,
              const std::optional<store::ConsumerGroupConfig>& consumer_group) {
    v2::TelemetryCommand command;
    SetStatus(v2::OK, "OK", command.mutable_status());
    *command.mutable_settings() = MergeSettings(client, consumer_group);
    std::string bytes = command.SerializeAsString();
    if ((is_node_ || client.user_agent().language() == v2::NODE_JS) && !has_repeated_) {
      has_repeated_ = true;
      for (absl::Duration delay : kNodeRepeats) {
        call_->executor()->PostAfter(delay, [call = call_, bytes] { call->Write(bytes); });
      }
    }
    call_->Write(std::move(bytes));
  }

  void Ended() {
    streams_->Remove(client_id_, call_.get());
    OnExecutor([client_id = client_id_](service::BrokerService* broker) {
      broker->sessions().StreamClosed(client_id);
    });
  }

  const HandlerContext* const context_;
  TelemetryStreams* const streams_;
  const GrpcCallPtr call_;
  std::string client_id_;
  std::string namespace_;
  bool is_node_ = false;
  bool has_settings_ = false;  // On the loop.
  bool has_repeated_ = false;  // On the broker's executor.
};

void OpenTelemetry(const HandlerContext* context, TelemetryStreams* streams, GrpcCallPtr call) {
  // The one rpc whose failures are gRPC's: there is no reply to put a code in.
  if (CheckCaller(CallerOf(*call)) != v2::OK) {
    call->Finish(GrpcCode::kInvalidArgument, "x-mq-client-id is missing or too long");
    return;
  }
  std::make_shared<Telemetry>(context, streams, std::move(call))->Start();
}

// Always OK, without a client id too: Go drops its session otherwise, and Java
// stops sending to an endpoint whose heartbeats fail.
void Heartbeat(const HandlerContext& context, const GrpcCallPtr& call, const std::string& bytes) {
  const Caller caller = CallerOf(*call);
  v2::HeartbeatRequest request;
  if (CheckCaller(caller) == v2::OK &&
      request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    context.broker->TouchClient(std::string(caller.client_id), KindOf(request.client_type()),
                                request.group().name().empty()
                                    ? std::string()
                                    : StoredName(request.group(), caller.default_namespace));
  }
  ReplyStatus<v2::HeartbeatResponse>(call, v2::OK, "OK");
}

void NotifyClientTermination(const HandlerContext& context, GrpcCallPtr call, const Caller& caller,
                             const v2::NotifyClientTerminationRequest& request) {
  std::string group;
  if (!request.group().name().empty()) {
    group = StoredName(request.group(), caller.default_namespace);
  }
  context.broker->ReleaseClient(
      std::string(caller.client_id), std::move(group), GiveUp(context, *call),
      [call](const absl::Status& status) {
        // What was not released now ends with its lease: the client goes anyway.
        if (!status.ok()) {
          TOTORA_LOG_LIMITED(kInfo, "grpc") << "leases not released: " << status.message();
        }
        ReplyStatus<v2::NotifyClientTerminationResponse>(call, v2::OK, "OK");
      });
}

}  // namespace

void AddSessions(const HandlerContext* context, TelemetryStreams* streams, GrpcService* to) {
  to->AddStream(absl::StrCat(kServicePath, "Telemetry"), [context, streams](GrpcCallPtr call) {
    OpenTelemetry(context, streams, std::move(call));
  });
  to->AddRequest(
      absl::StrCat(kServicePath, "Heartbeat"),
      [context](GrpcCallPtr call, const std::string& bytes) { Heartbeat(*context, call, bytes); });
  to->AddRequest(absl::StrCat(kServicePath, "NotifyClientTermination"),
                 InBand<v2::NotifyClientTerminationRequest, v2::NotifyClientTerminationResponse>(
                     [context](GrpcCallPtr call, const Caller& caller,
                               const v2::NotifyClientTerminationRequest& request) {
                       NotifyClientTermination(*context, std::move(call), caller, request);
                     }));
}

}  // namespace totora::grpc_api
