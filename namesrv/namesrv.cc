#include "namesrv/namesrv.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "common/thread_executor.h"
#include "namesrv/classic_api.h"
#include "namesrv/registration_service.h"
#include "namesrv/route_table.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/grpc_service.h"
#include "net/listener.h"
#include "remoting/remote_admin.h"
#include "remoting/server.h"

namespace totora::namesrv {
namespace {
constexpr absl::Duration kExpireInterval = absl::Seconds(10);
}  // namespace

const std::vector<SettingRow>& SettingRows() {
  static const std::vector<SettingRow> rows = {
      {"listen", SettingKind::kText, "0.0.0.0:9876", "", "",
       "Address of the one port: brokers, tools and health. Port 0: the kernel chooses."},
      {"net.threads", SettingKind::kCount, "1", "1", "64",
       "Threads that serve connections. More than one helps above some 10,000 clients."},
      {"admin.remote", SettingKind::kText, "topics", "", "",
       "What classic tools may change from other machines: none, topics (nothing here: brokers "
       "have topics), all. Tools on this machine may do everything."},
      {"order.enabled", SettingKind::kBool, "false", "", "",
       "Routes carry the order configuration that tools wrote for a topic; clients then publish "
       "to those queues only.",
       {"orderMessageEnable"}},
      {"log.file", SettingKind::kText, "", "", "", "Appended to; empty: standard error."},
      {"log.levels", SettingKind::kText, "info", "", "",
       "Level for all modules, then exceptions: info,namesrv=debug."},
  };
  return rows;
}

const std::vector<IgnoredKey>& IgnoredKeys() {
  static const std::vector<IgnoredKey> keys = {
      {"listenPort", "write 'listen = host:port'"},
      {"rocketmqHome", "there is no home directory"},
      {"kvConfigPath", "the nameserver keeps nothing on disk"},
      {"configStorePath", "the nameserver keeps nothing on disk"},
      {"serverWorkerThreads", "see net.threads"},
      {"clusterTest", "brokers of several environments need nameservers of their own"},
  };
  return keys;
}

struct Namesrv::Parts {
  std::unique_ptr<Listener> listener;
  std::shared_ptr<NetBudget> budget = std::make_shared<NetBudget>();
  std::unique_ptr<RouteTable> table;
  std::unique_ptr<RegistrationService> registration;
  GrpcService service;
  std::unique_ptr<ThreadExecutor> timers;
  std::unique_ptr<ClassicApi> classic;
  remoting::RemotingService classic_service;
  std::unique_ptr<remoting::RemotingServer> classic_server;
  std::unique_ptr<EventLoopPool> loops;

  void ExpireLater() {
    timers->PostAfter(kExpireInterval, [this] {
      table->ExpireSilent();
      ExpireLater();
    });
  }
  HttpResponse AnswerHttp(absl::string_view target) const {
    if (target == "/healthz" || target == "/readyz") return {200, "text/plain", "ok\n"};
    if (target == "/metrics") {
      const NetCounters& counters = budget->counters();
      return {200, "text/plain; version=0.0.4",
              absl::StrCat("totora_namesrv_processes ", table->processes(),
                           "\ntotora_namesrv_groups ", table->groups(),
                           "\ntotora_net_connections ", counters.connections.load(),
                           "\ntotora_net_streams ", counters.streams.load(), "\n")};
    }
    return {404, "text/plain", "not found: try /metrics, /healthz or /readyz\n"};
  }
};

absl::StatusOr<std::unique_ptr<Namesrv>> Namesrv::Start(const Configuration& configuration) {
  auto parts = std::make_unique<Parts>();
  ListenerOptions options;
  options.address = configuration.Text("listen");
  options.tag = "namesrv";
  TOTORA_ASSIGN_OR_RETURN(parts->listener, Listener::Open(options));
  const uint64_t table_id = std::random_device()() | uint64_t{std::random_device()()} << 32;
  parts->table = std::make_unique<RouteTable>(Clock::System(), table_id);
  parts->registration = std::make_unique<RegistrationService>(parts->table.get());
  parts->registration->Register(&parts->service);
  parts->loops = std::make_unique<EventLoopPool>(
      "net", static_cast<size_t>(configuration.Count("net.threads")));
  parts->timers = std::make_unique<ThreadExecutor>("timers");
  parts->ExpireLater();
  ClassicApiOptions classic_options;
  TOTORA_ASSIGN_OR_RETURN(classic_options.remote_admin,
                          remoting::ParseRemoteAdmin(configuration.Text("admin.remote")));
  if (classic_options.remote_admin == remoting::RemoteAdmin::kAll) {
    TOTORA_LOG(kWarn, "namesrv") << "admin.remote = all: everybody who reaches this port may "
                                    "change what tools can change";
  }
  classic_options.tells_order = configuration.Bool("order.enabled");
  classic_options.properties = configuration.Properties();
  classic_options.set_log_levels = [](const std::string& levels) { return SetLogLevels(levels); };
  parts->classic = std::make_unique<ClassicApi>(parts->table.get(), std::move(classic_options));
  parts->classic->AddTo(&parts->classic_service);
  parts->classic_server = std::make_unique<remoting::RemotingServer>(&parts->classic_service,
                                                                     parts->timers.get());
  ListenerProtocols protocols;
  protocols.grpc = &parts->service;
  protocols.raw = parts->classic_server->protocol();
  protocols.http = [p = parts.get()](absl::string_view target) { return p->AnswerHttp(target); };
  parts->listener->Start(parts->loops.get(), parts->budget, std::move(protocols));
  TOTORA_LOG(kInfo, "namesrv") << Field("address", parts->listener->address()) << "serving";
  return std::unique_ptr<Namesrv>(new Namesrv(std::move(parts)));
}

Namesrv::Namesrv(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Namesrv::~Namesrv() { Stop(); }

uint16_t Namesrv::port() const { return static_cast<uint16_t>(parts_->listener->port()); }

void Namesrv::Stop() {
  parts_->listener->Stop();
  parts_->timers->Stop();
  parts_->loops->Stop();
}

}  // namespace totora::namesrv
