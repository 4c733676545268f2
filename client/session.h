// What producers and consumers share: routes, one telemetry stream per broker
// address, heartbeats, and a polite end. Private to client/.
//
// Start-up follows the official clients: ask for the route of each topic at the
// access point, open a telemetry stream to each address in the routes, write
// the settings, wait for the broker's. Later: routes every 30 s, heartbeats
// every 10 s, a broken telemetry stream again after 1 s. None of these decides
// whether a send or a receive is tried.
#ifndef TOTORA_CLIENT_SESSION_H_
#define TOTORA_CLIENT_SESSION_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/options.h"
#include "client/rpc.h"
#include "client/runtime.h"
#include "common/mutex.h"
#include "proto/rocketmq/v2/service.grpc.pb.h"

namespace totora::client {

// A broker address and the ways to call it.
struct Connection {
  explicit Connection(const std::string& address);

  const std::string address;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<apache::rocketmq::v2::MessagingService::Stub> stub;
  grpc::GenericStub generic;
};

// One queue of a topic and the connection to its broker.
struct Route {
  apache::rocketmq::v2::MessageQueue queue;
  std::shared_ptr<Connection> connection;
};

// Thread safety: monitor.
class Session {
 public:
  // `settings` carries client_type and pub_sub; the rest is filled in.
  Session(const ClientOptions& options, apache::rocketmq::v2::Settings settings,
          const std::string& consumer_group);
  // Stop() must have been called.
  ~Session();

  absl::Status Start(const std::vector<std::string>& topics);

  // Ends streams and timers, tells every broker, returns when nothing is under way.
  void Stop();

  // Routes of `topic` in the broker's order; asks for them if it is new.
  // `done` may run before this returns.
  using RoutesDone = absl::AnyInvocable<void(
      absl::StatusOr<std::shared_ptr<const std::vector<Route>>>)>;
  void RoutesOf(const std::string& topic, RoutesDone done);

  // Headers of one call.
  Metadata MakeMetadata() const;

  apache::rocketmq::v2::Resource MakeResource(const std::string& name) const;
  Poller* poller() { return runtime_->poller(); }
  Flights* flights() { return &flights_; }
  const ClientOptions& options() const { return options_; }
  const std::string& client_id() const { return client_id_; }
  std::shared_ptr<Connection> ConnectionTo(const std::string& address);

 private:
  class Telemetry;
  using Routes = std::shared_ptr<const std::vector<Route>>;

  void QueryRoute(const std::string& topic, RoutesDone done);
  void TakeRoute(const std::string& topic, const apache::rocketmq::v2::QueryRouteResponse& response,
                 RoutesDone* done);
  void OpenTelemetry(std::shared_ptr<Connection> connection);
  void ScheduleHeartbeat();
  void ScheduleRefresh();
  void Heartbeat();
  void RefreshRoutes();
  // Runs after `delay` unless the session stops first. While one waits, no
  // flight is counted; it holds `alive_` weakly instead.
  void After(absl::Duration delay, void (Session::*method)());

  const ClientOptions options_;
  const std::string client_id_;
  const std::string consumer_group_;
  apache::rocketmq::v2::Settings settings_;
  std::unique_ptr<Runtime> own_runtime_;
  Runtime* const runtime_;
  Flights flights_;
  // Timers look at it before they touch the session; null once stopped.
  struct Alive {
    Mutex mu;
    Session* session ABSL_GUARDED_BY(mu) = nullptr;
  };
  const std::shared_ptr<Alive> alive_ = std::make_shared<Alive>();

  Mutex mu_;
  CondVar telemetry_changed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, Routes> routes_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<Connection>> connections_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<Telemetry>> telemetry_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::client

#endif  // TOTORA_CLIENT_SESSION_H_
