#include "client/session.h"

#include <unistd.h>

#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/status_code.h"
#include "common/log.h"
#include "common/status.h"

namespace totora::client {
namespace v2 = apache::rocketmq::v2;
namespace {

constexpr absl::Duration kHeartbeatInterval = absl::Seconds(10);
constexpr absl::Duration kRouteInterval = absl::Seconds(30);
constexpr absl::Duration kTelemetryRetry = absl::Seconds(1);
constexpr int kStartAttempts = 3;

// host@pid@index@random, the shape of the official clients' ids.
std::string MakeClientId() {
  static std::atomic<int> index{0};
  char host[256] = "localhost";
  gethostname(host, sizeof(host) - 1);
  std::random_device random;
  return absl::StrFormat("%s@%d@%d@%08x", host, getpid(), index++, random());
}

bool LooksLikeIpv4(const std::string& host) {
  for (const char c : host) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c)) && c != '.') return false;
  }
  return !host.empty();
}

v2::Endpoints EndpointsOf(const std::string& access_point) {
  v2::Endpoints endpoints;
  for (absl::string_view part : absl::StrSplit(access_point, ';', absl::SkipEmpty())) {
    const size_t colon = part.rfind(':');
    v2::Address* address = endpoints.add_addresses();
    address->set_host(std::string(part.substr(0, colon)));
    int port = 0;
    if (colon != absl::string_view::npos && absl::SimpleAtoi(part.substr(colon + 1), &port)) {
      address->set_port(port);
    }
    endpoints.set_scheme(LooksLikeIpv4(address->host()) ? v2::IPv4 : v2::DOMAIN_NAME);
  }
  return endpoints;
}

std::string AddressOf(const v2::Endpoints& endpoints) {
  std::string text;
  for (const v2::Address& address : endpoints.addresses()) {
    absl::StrAppend(&text, text.empty() ? "" : ";", address.host(), ":", address.port());
  }
  return text;
}

std::string DateTime() {
  return absl::FormatTime("%Y%m%dT%H%M%SZ", absl::Now(), absl::UTCTimeZone());
}

}  // namespace

Connection::Connection(const std::string& address)
    : address(address),
      channel(MakeChannel(address)),
      stub(v2::MessagingService::NewStub(channel)),
      generic(channel) {}

// The telemetry stream to one address. Kept alive by its own pending steps.
class Session::Telemetry : public std::enable_shared_from_this<Telemetry> {
 public:
  Telemetry(Session* session, std::shared_ptr<Connection> connection)
      : session_(session), connection_(std::move(connection)) {
    for (const auto& [key, value] : session->MakeMetadata()) context_.AddMetadata(key, value);
  }

  void Start() {
    stream_ = connection_->stub->PrepareAsyncTelemetry(&context_, session_->poller()->queue());
    auto self = shared_from_this();
    stream_->StartCall(Step([self](bool ok) { ok ? self->WriteSettings() : self->Finish(); }));
  }

  void Cancel() { context_.TryCancel(); }

  // Guarded by the session's mutex.
  bool answered = false;
  std::optional<absl::Status> ended;

 private:
  void WriteSettings() {
    *command_.mutable_settings() = session_->settings_;
    auto self = shared_from_this();
    stream_->Write(command_, Step([self](bool ok) { ok ? self->Read() : self->Finish(); }));
  }

  void Read() {
    auto self = shared_from_this();
    stream_->Read(&incoming_, Step([self](bool ok) { ok ? self->TakeCommand() : self->Finish(); }));
  }

  // Commands other than settings ask for what this client does not have
  // (transaction checkers, listeners); ignoring them is what simple clients do.
  void TakeCommand() {
    if (incoming_.has_settings()) {
      MutexLock lock(&session_->mu_);
      answered = true;
      session_->telemetry_changed_.SignalAll();
    }
    Read();
  }

  void Finish() {
    auto self = shared_from_this();
    stream_->Finish(&status_, Step([self](bool) { self->Ended(); }));
  }

  void Ended() {
    Session* const session = session_;
    const std::shared_ptr<Connection> connection = connection_;
    {
      MutexLock lock(&session->mu_);
      ended = status_.ok() ? absl::UnavailableError("the broker closed the telemetry stream")
                           : FromGrpcStatus(status_);
      session->telemetry_changed_.SignalAll();
    }
    const std::shared_ptr<Alive> alive = session->alive_;
    session->poller()->RunAfter(kTelemetryRetry, [alive, connection] {
      MutexLock lock(&alive->mu);
      if (alive->session != nullptr) alive->session->OpenTelemetry(connection);
    });
    session->flights_.Leave();
  }

  Session* const session_;
  const std::shared_ptr<Connection> connection_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v2::TelemetryCommand, v2::TelemetryCommand>>
      stream_;
  v2::TelemetryCommand command_;
  v2::TelemetryCommand incoming_;
  grpc::Status status_;
};

Session::Session(const ClientOptions& options, v2::Settings settings,
                 const std::string& consumer_group)
    : options_(options),
      client_id_(MakeClientId()),
      consumer_group_(consumer_group),
      settings_(std::move(settings)),
      own_runtime_(options.runtime == nullptr ? std::make_unique<Runtime>() : nullptr),
      runtime_(options.runtime == nullptr ? own_runtime_.get() : options.runtime) {
  *settings_.mutable_access_point() = EndpointsOf(options.access_point);
  settings_.mutable_request_timeout()->set_seconds(
      absl::ToInt64Seconds(options.request_timeout));
  settings_.mutable_user_agent()->set_language(v2::CPP);
  settings_.mutable_user_agent()->set_version("0.1.0");
  settings_.mutable_user_agent()->set_platform("linux");
  MutexLock lock(&alive_->mu);
  alive_->session = this;
}

Session::~Session() = default;

absl::Status Session::Start(const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    absl::Status status;
    for (int attempt = 1; attempt <= kStartAttempts; ++attempt) {
      OneShot<absl::Status> answer;
      RoutesOf(topic, [&answer](const auto& routes) { answer.Set(routes.status()); });
      status = answer.Take();
      if (!absl::IsUnavailable(status) || attempt == kStartAttempts) break;
      OneShot<bool> waited;
      poller()->RunAfter(absl::Milliseconds(100), [&waited] { waited.Set(true); });
      waited.Take();
    }
    TOTORA_RETURN_IF_ERROR(
        Annotate(status, absl::StrCat("route of topic ", topic, " at ", options_.access_point)));
  }
  ScheduleHeartbeat();
  ScheduleRefresh();

  const absl::Time deadline = absl::Now() + options_.request_timeout;
  MutexLock lock(&mu_);
  for (const auto& [address, stream] : telemetry_) {
    // Held here: a stream that breaks is replaced in the map.
    const std::shared_ptr<Telemetry> telemetry = stream;
    if (telemetry == nullptr) continue;
    while (!telemetry->answered && !telemetry->ended.has_value()) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        return absl::UnavailableError(
            absl::StrCat("no settings from ", address, " within ",
                         absl::FormatDuration(options_.request_timeout)));
      }
      telemetry_changed_.WaitFor(&mu_, left);
    }
    if (!telemetry->answered) {
      return Annotate(*telemetry->ended, absl::StrCat("telemetry at ", address));
    }
  }
  return absl::OkStatus();
}

void Session::Stop() {
  {
    MutexLock lock(&alive_->mu);
    alive_->session = nullptr;
  }
  std::vector<std::shared_ptr<Connection>> connections;
  std::vector<std::shared_ptr<Telemetry>> streams;
  {
    MutexLock lock(&mu_);
    if (stopping_) return;
    stopping_ = true;
    for (auto& [address, connection] : connections_) connections.push_back(connection);
    for (auto& [address, telemetry] : telemetry_) {
      if (telemetry != nullptr) streams.push_back(telemetry);
    }
  }
  for (const auto& connection : connections) {
    if (!flights_.Enter()) break;
    using Call = UnaryCall<v2::NotifyClientTerminationResponse>;
    auto* call = new Call(MakeMetadata(), absl::Seconds(1), false,
                          [this](const grpc::Status&, auto&) { flights_.Leave(); });
    v2::NotifyClientTerminationRequest request;
    if (!consumer_group_.empty()) *request.mutable_group() = MakeResource(consumer_group_);
    call->Start(connection->stub->PrepareAsyncNotifyClientTermination(call->context(), request,
                                                                      poller()->queue()));
  }
  flights_.Close();
  for (const auto& telemetry : streams) telemetry->Cancel();
  flights_.WaitUntilEmpty();
}

Metadata Session::MakeMetadata() const {
  return {{"x-mq-client-id", client_id_},
          {"x-mq-language", "CPP"},
          {"x-mq-client-version", "0.1.0"},
          {"x-mq-protocol", "v2"},
          {"x-mq-namespace", options_.resource_namespace},
          {"x-mq-date-time", DateTime()}};
}

v2::Resource Session::MakeResource(const std::string& name) const {
  v2::Resource resource;
  resource.set_resource_namespace(options_.resource_namespace);
  resource.set_name(name);
  return resource;
}

std::shared_ptr<Connection> Session::ConnectionTo(const std::string& address) {
  MutexLock lock(&mu_);
  std::shared_ptr<Connection>& connection = connections_[address];
  if (connection == nullptr) connection = std::make_shared<Connection>(address);
  return connection;
}

void Session::RoutesOf(const std::string& topic, RoutesDone done) {
  Routes known;
  {
    MutexLock lock(&mu_);
    const auto found = routes_.find(topic);
    if (found != routes_.end()) known = found->second;
  }
  if (known != nullptr) {
    done(known);
  } else {
    QueryRoute(topic, std::move(done));
  }
}

void Session::QueryRoute(const std::string& topic, RoutesDone done) {
  if (!flights_.Enter()) {
    done(absl::CancelledError("the client is being stopped"));
    return;
  }
  using Call = UnaryCall<v2::QueryRouteResponse>;
  auto* call = new Call(MakeMetadata(), options_.request_timeout, false,
                        [this, topic, done = std::move(done)](
                            const grpc::Status& status, v2::QueryRouteResponse& response) mutable {
                          if (status.ok()) {
                            TakeRoute(topic, response, &done);
                          } else {
                            done(FromGrpcStatus(status));
                          }
                          flights_.Leave();
                        });
  v2::QueryRouteRequest request;
  *request.mutable_topic() = MakeResource(topic);
  *request.mutable_endpoints() = settings_.access_point();
  call->Start(ConnectionTo(options_.access_point)
                  ->stub->PrepareAsyncQueryRoute(call->context(), request, poller()->queue()));
}

void Session::TakeRoute(const std::string& topic, const v2::QueryRouteResponse& response,
                        RoutesDone* done) {
  if (response.status().code() != v2::OK) {
    (*done)(StatusOfCode(response.status().code(), response.status().message()));
    return;
  }
  auto routes = std::make_shared<std::vector<Route>>();
  for (const v2::MessageQueue& queue : response.message_queues()) {
    if (queue.broker().id() != 0 || queue.broker().endpoints().addresses().empty()) continue;
    routes->push_back({queue, ConnectionTo(AddressOf(queue.broker().endpoints()))});
  }
  if (routes->empty()) {
    (*done)(absl::UnavailableError(absl::StrCat("topic ", topic, " has no queue at a live broker")));
    return;
  }
  std::vector<std::shared_ptr<Connection>> fresh;
  {
    MutexLock lock(&mu_);
    routes_[topic] = routes;
    for (const Route& route : *routes) {
      if (telemetry_.find(route.connection->address) == telemetry_.end()) {
        telemetry_[route.connection->address] = nullptr;
        fresh.push_back(route.connection);
      }
    }
  }
  for (auto& connection : fresh) OpenTelemetry(std::move(connection));
  (*done)(routes);
}

void Session::OpenTelemetry(std::shared_ptr<Connection> connection) {
  if (!flights_.Enter()) return;
  auto telemetry = std::make_shared<Telemetry>(this, connection);
  bool stopping = false;
  {
    MutexLock lock(&mu_);
    telemetry_[connection->address] = telemetry;
    stopping = stopping_;
  }
  telemetry->Start();
  if (stopping) telemetry->Cancel();
}

void Session::After(absl::Duration delay, void (Session::*method)()) {
  poller()->RunAfter(delay, [alive = alive_, method] {
    MutexLock lock(&alive->mu);
    if (alive->session != nullptr) (alive->session->*method)();
  });
}

void Session::ScheduleHeartbeat() { After(kHeartbeatInterval, &Session::Heartbeat); }

void Session::Heartbeat() {
  std::vector<std::shared_ptr<Connection>> connections;
  {
    MutexLock lock(&mu_);
    for (auto& [address, connection] : connections_) connections.push_back(connection);
  }
  for (const auto& connection : connections) {
    if (!flights_.Enter()) return;
    using Call = UnaryCall<v2::HeartbeatResponse>;
    auto* call = new Call(MakeMetadata(), options_.request_timeout, true,
                          [this](const grpc::Status&, auto&) { flights_.Leave(); });
    v2::HeartbeatRequest request;
    request.set_client_type(settings_.client_type());
    if (!consumer_group_.empty()) *request.mutable_group() = MakeResource(consumer_group_);
    call->Start(
        connection->stub->PrepareAsyncHeartbeat(call->context(), request, poller()->queue()));
  }
  ScheduleHeartbeat();
}

void Session::ScheduleRefresh() { After(kRouteInterval, &Session::RefreshRoutes); }

void Session::RefreshRoutes() {
  std::vector<std::string> topics;
  {
    MutexLock lock(&mu_);
    for (const auto& [topic, routes] : routes_) topics.push_back(topic);
  }
  for (const std::string& topic : topics) {
    // The old routes stay when this fails.
    QueryRoute(topic, [](const auto&) {});
  }
  ScheduleRefresh();
}

}  // namespace totora::client
