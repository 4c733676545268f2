#include "broker/broker.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/admin_service.h"
#include "broker/group_door.h"
#include "broker/grpc_api/grpc_api.h"
#include "broker/health.h"
#include "broker/registration.h"
#include "broker/remoting_api/remoting_api.h"
#include "broker/service/broker_service.h"
#include "broker/service/replica_log.h"
#include "broker/service/runtime_settings.h"
#include "broker/store_host.h"
#include "common/coding.h"
#include "common/log.h"
#include "common/status.h"
#include "common/thread_executor.h"
#include "message/message.h"
#include "message/message_id.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proto/admin.pb.h"
#include "raft/replica.h"
#include "raft/tcp_transport.h"
#include "remoting/server.h"
#include "store/checkpoint_store.h"
#include "store/disk_state.h"
#include "store/state_machine.h"

namespace totora::broker {
namespace {

constexpr absl::Duration kDoorInterval = absl::Milliseconds(100);
constexpr absl::Duration kHousekeeping = absl::Seconds(1);
constexpr absl::Duration kLagMax = absl::Seconds(5);
constexpr int kFatalStatus = 75;  // EX_TEMPFAIL: start again, recovery decides.

std::string RandomVolumeId() {
  std::random_device random;
  std::string id;
  while (id.size() < 16) {
    const uint32_t word = random();
    id.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return id;
}

// As the state machine stamps it into messages.
message::Host StoreHostOf(const store::StoreOptions& options) {
  message::Host host;
  PutAt(reinterpret_cast<char*>(host.ip.data()), options.store_host_ip);
  host.port = options.store_host_port;
  return host;
}

message::IdOrigin IdOriginOf(const message::Host& host) {
  std::random_device random;
  message::IdOrigin origin;
  origin.host = host;
  for (uint8_t& byte : origin.mac) byte = static_cast<uint8_t>(random());
  origin.process_id = static_cast<uint32_t>(getpid());
  origin.salt = random();
  return origin;
}

// Runs `work` on `executor` and waits for it.
template <typename F>
void RunOn(Executor* executor, F work) {
  std::promise<void> done;
  executor->Post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace

// Everything, in the order of construction.
//
// Thread safety: the observers' methods run on the replica's executor, the rest
// belongs to main's thread, but for what says otherwise.
struct Broker::Parts : raft::ReplicaObserver, store::ApplyObserver {
  Settings settings;

  // What listeners and connections refer to lives longer than they do.
  std::shared_ptr<NetBudget> budget = std::make_shared<NetBudget>();
  std::unique_ptr<EventLoopPool> client_loops;  // Null if net.threads is 0.
  // One loop: the replica's executor is also the loop of the connections between
  // replicas, so that their messages change threads nowhere.
  std::unique_ptr<EventLoopPool> replica_loops;
  EventLoop* executor = nullptr;   // That loop.
  EventLoopPool* loops = nullptr;  // Where clients are served.
  GrpcService internal_service;

  // Listeners are opened first: a dying process closes low descriptors first, and
  // whoever reconnects should find the others' listeners, not ours.
  std::vector<std::unique_ptr<GroupDoor>> group_doors;  // At the group's address, and two below.
  std::vector<std::unique_ptr<Listener>> listeners;
  std::unique_ptr<Listener> internal_listener;
  std::unique_ptr<Listener> metrics_listener;

  std::unique_ptr<ThreadExecutor> background;
  std::unique_ptr<ThreadExecutor> log_executor;
  std::unique_ptr<ThreadExecutor> door_thread;
  std::unique_ptr<store::CheckpointStore> checkpoints;
  std::unique_ptr<store::StateMachine> state;
  std::unique_ptr<raft::TcpTransportService> transport_service;
  std::unique_ptr<raft::Transport> transport;
  std::unique_ptr<raft::Replica> replica;
  std::unique_ptr<service::CommandLog> log;
  std::unique_ptr<service::BrokerService> service;
  std::unique_ptr<Registration> registration;
  std::unique_ptr<AdminService> admin;
  std::unique_ptr<grpc_api::GrpcApi> api;
  std::unique_ptr<service::RuntimeSettings> runtime_settings;
  std::unique_ptr<remoting_api::RemotingApi> classic_api;
  std::unique_ptr<remoting::RemotingServer> classic_server;
  Health health;
  DoorPolicy door_policy;
  absl::Duration last_checkpoint;
  absl::Duration caught_up_at;  // When nothing that was committed waited to be applied.
  bool is_stopping = false;  // Of the executor.
  bool is_topic_report_posted = false;
  std::vector<Registration::TopicChange> topic_changes;
  std::set<ReplicaId> peers_up;

  absl::Status OpenGroupDoors();
  absl::Status OpenListeners();
  absl::Status OpenData();
  absl::Status StartInternal();
  void MakeRuntimeSettings();
  void StartServing();
  void Housekeeping();
  void WatchDoor();
  std::vector<ListenerAddress> ListenerAddresses() const;

  // raft::ReplicaObserver
  void OnStatus(const raft::ReplicaStatus& status) override;
  void OnPeerMessage(ReplicaId from, Incarnation incarnation, absl::string_view bytes) override {
    service->OnPeerMessage(from, incarnation, bytes);
  }
  void OnPeerUp(ReplicaId peer, Incarnation incarnation) override {
    peers_up.insert(peer);
    health.SetPeers(peers_up.size());
    service->OnPeerUp(peer, incarnation);
  }
  void OnPeerDown(ReplicaId peer) override {
    peers_up.erase(peer);
    health.SetPeers(peers_up.size());
    service->OnPeerDown(peer);
  }
  void OnFatal(const absl::Status& reason) override;

  // store::ApplyObserver: the services hear first.
  void CommandApplied(const raft::CommandId& id, absl::string_view result) override {
    service->CommandApplied(id, result);
  }
  void QueueGrew(absl::string_view topic, uint32_t queue_id, QueueOffset end) override {
    service->QueueGrew(topic, queue_id, end);
  }
  void LeasesReleased(absl::string_view topic, absl::string_view consumer_group,
                      uint32_t queue_id) override {
    service->LeasesReleased(topic, consumer_group, queue_id);
  }
  void OffsetReset(absl::string_view topic, absl::string_view consumer_group,
                   uint32_t queue_id) override {
    service->OffsetReset(topic, consumer_group, queue_id);
  }
  void TopicChanged(absl::string_view topic,
                    const std::optional<store::TopicConfig>& config) override;
};

namespace {

remoting_api::DiskFigures DiskOf(const std::string& directory) {
  struct statvfs figures {};
  if (statvfs(directory.c_str(), &figures) != 0) return {};
  return {uint64_t{figures.f_blocks} * figures.f_frsize,
          uint64_t{figures.f_bavail} * figures.f_frsize};
}

// Two ports below `address`, where classic clients may go with their sends; empty
// if there is no such port.
std::string VipAddress(const std::string& address) {
  constexpr uint16_t kVipDistance = 2;
  const absl::StatusOr<service::Address> parsed = ParseAddress(address);
  if (!parsed.ok() || parsed->port <= kVipDistance) return "";
  const bool is_ipv6 = absl::StrContains(parsed->host, ':');
  return absl::StrCat(is_ipv6 ? "[" : "", parsed->host, is_ipv6 ? "]:" : ":",
                      parsed->port - kVipDistance);
}

}  // namespace

absl::Status Broker::Parts::OpenGroupDoors() {
  if (settings.group_listen.empty()) return absl::OkStatus();
  std::vector<std::string> addresses = {settings.group_listen};
  if (settings.binds_vip_ports) addresses.push_back(VipAddress(settings.group_listen));
  for (const std::string& address : addresses) {
    if (address.empty()) continue;
    ListenerOptions options;
    options.address = address;
    options.tag = "default";
    options.reuse_port = true;
    auto door = std::make_unique<GroupDoor>(options);
    absl::Status opened = Annotate(door->Open(), "group.listen");
    if (!opened.ok() && !group_doors.empty()) {
      TOTORA_LOG(kWarn, "broker") << "no listener two ports below the group's: " << opened;
      continue;
    }
    TOTORA_RETURN_IF_ERROR(opened);
    group_doors.push_back(std::move(door));
  }
  return absl::OkStatus();
}

absl::Status Broker::Parts::OpenListeners() {
  TOTORA_RETURN_IF_ERROR(OpenGroupDoors());
  const auto open = [](absl::string_view key, const std::string& address, absl::string_view tag,
                       std::unique_ptr<Listener>* listener) {
    ListenerOptions options;
    options.address = address;
    options.tag = std::string(tag);
    absl::StatusOr<std::unique_ptr<Listener>> opened = Listener::Open(options);
    if (!opened.ok()) return Annotate(opened.status(), key);
    *listener = *std::move(opened);
    return absl::OkStatus();
  };
  for (const std::string& address : settings.public_listen) {
    TOTORA_RETURN_IF_ERROR(open("public.listen", address, "default", &listeners.emplace_back()));
  }
  // Of the port that routes name: nobody computes another.
  const std::string vip =
      settings.binds_vip_ports ? VipAddress(settings.public_listen.front()) : "";
  if (!vip.empty()) {
    std::unique_ptr<Listener> listener;
    // Few clients go there, and only if they are told to.
    if (const absl::Status opened = open("public.vip-listen", vip, "default", &listener);
        opened.ok()) {
      listeners.push_back(std::move(listener));
    } else {
      TOTORA_LOG(kWarn, "broker") << "no listener two ports below the public one: " << opened;
    }
  }
  TOTORA_RETURN_IF_ERROR(
      open("internal.listen", settings.internal_listen, "internal", &internal_listener));
  return open("metrics.listen", settings.metrics_listen, "metrics", &metrics_listener);
}

absl::Status Broker::Parts::OpenData() {
  background = std::make_unique<ThreadExecutor>("background");
  log_executor = std::make_unique<ThreadExecutor>("log");
  replica_loops = std::make_unique<EventLoopPool>("replica", 1);
  executor = replica_loops->loop(0);
  FileSystem* const fs = FileSystem::Posix();
  TOTORA_RETURN_IF_ERROR(fs->CreateDirectory(settings.data_directory));
  store::StoreOptions store_options;
  const StoreHost store_host = ChooseStoreHost(
      settings.group_address, ListenerAddresses().front().address, ResolveBySystem);
  store_options.store_host_ip = store_host.ip;
  store_options.store_host_port = store_host.port;
  store_options.checkpoint_log_bytes = settings.checkpoint_log_bytes;
  TOTORA_ASSIGN_OR_RETURN(
      store::DiskState disk,
      store::OpenDiskState(store_options, settings.data_directory + "/index",
                           {.replica = executor, .background = background.get()}));
  checkpoints = std::move(disk.checkpoints);
  state = std::move(disk.machine);
  transport_service = std::make_unique<raft::TcpTransportService>();
  raft::TcpTransportOptions transport_options;
  transport_options.group = settings.group;
  transport_options.peers = settings.peers;
  transport = transport_service->MakeTransport(transport_options, executor);

  raft::ReplicaOptions options;
  options.cluster = settings.cluster;
  options.group = settings.group;
  options.group_name = settings.group_name;
  options.self = settings.replica;
  for (const auto& [id, address] : settings.peers) options.voters.push_back(id);
  options.preferred_leader = settings.preferred_leader;
  options.seed = std::random_device()();
  options.directory = settings.data_directory;
  options.segment_bytes = settings.segment_bytes;
  options.prepare_segments = settings.prepare_segments;
  options.reserve_bytes = settings.reserve_bytes;
  options.fresh_volume_id = RandomVolumeId();
  TOTORA_ASSIGN_OR_RETURN(
      replica, raft::Replica::Open(options, fs, executor, log_executor.get(), background.get(),
                                   transport.get(), state.get(), this));
  log = service::MakeReplicaLog(replica.get(), settings.replica, options.voters);
  service::BrokerServiceOptions service_options;
  service_options.cluster = settings.cluster;
  service_options.store_host = StoreHostOf(store_options);
  service_options.id_origin = IdOriginOf(service_options.store_host);
  service_options.creates_topics_on_send = settings.creates_topics;
  service_options.delay_levels = settings.delay_levels;
  service_options.group = settings.group;
  service_options.group_name = settings.group_name;
  service_options.creates_consumer_groups_on_use = settings.creates_consumer_groups;
  service =
      std::make_unique<service::BrokerService>(service_options, log.get(), state.get(), executor);
  return absl::OkStatus();
}

std::vector<ListenerAddress> Broker::Parts::ListenerAddresses() const {
  ListenerAddress address;
  address.name = "default";
  if (settings.public_advertise) {
    address.address = *settings.public_advertise;
  } else {
    absl::StatusOr<service::Address> listen = ParseAddress(settings.public_listen.front());
    if (listen.ok()) address.address = *std::move(listen);
    address.address.port = static_cast<uint16_t>(listeners.front()->port());
    if (address.address.host == "0.0.0.0" || address.address.host.empty()) {
      address.address.host = "127.0.0.1";
    }
  }
  address.group_address = settings.group_address;
  return {address};
}

absl::Status Broker::Parts::StartInternal() {
  std::vector<ReplicaId> voters;
  for (const auto& [id, address] : settings.peers) voters.push_back(id);
  AdminOptions admin_options;
  admin_options.cluster = settings.cluster;
  admin_options.process = absl::StrCat(settings.group_name, "-", settings.replica.value());
  admin_options.version = Version();

  RegistrationOptions options;
  options.nameservers = settings.nameservers;
  options.process = admin_options.process;
  options.incarnation = replica->incarnation().value();
  options.cluster = settings.cluster;
  options.version = Version();
  TOTORA_ASSIGN_OR_RETURN(options.internal_address,
                          ParseAddress(settings.peers.at(settings.replica)));
  options.group = settings.group;
  options.group_name = settings.group_name;
  options.self = settings.replica;
  options.listeners = ListenerAddresses();
  registration = std::make_unique<Registration>(options, &service->topic_directory());
  service->SetRoutes(registration.get());
  service->topics().SetWhenTold([this](absl::AnyInvocable<void()> told) {
    // After the task that reports what was just applied.
    executor->Post([this, told = std::move(told)]() mutable {
      registration->WhenTopicsTold(absl::Seconds(1), [this, told = std::move(told)]() mutable {
        executor->Post(std::move(told));
      });
    });
  });

  HostedGroup hosted;
  hosted.id = settings.group;
  hosted.name = settings.group_name;
  hosted.self = settings.replica;
  hosted.voters = voters;
  hosted.executor = executor;
  hosted.background = background.get();
  hosted.replica = replica.get();
  hosted.state = state.get();
  hosted.service = service.get();
  admin = std::make_unique<AdminService>(
      admin_options, std::vector<HostedGroup>{hosted}, [this](void* reply) {
        registration->FillClusterStatus(static_cast<admin::ClusterStatusReply*>(reply));
      });
  admin->AddTo(&internal_service);
  return absl::OkStatus();
}

void Broker::Parts::StartServing() {
  RunOn(executor, [this] {
    service->Start();
    state->SetObserver(this);
    last_checkpoint = caught_up_at = executor->clock().SteadyNow();
    registration->TopicsChanged(state->topic_table_version(), {});
    Housekeeping();
  });
  registration->Start();
  replica->Start();
  ListenerProtocols internal_protocols;
  internal_protocols.grpc = &internal_service;
  internal_protocols.raw = transport_service->protocol();
  internal_listener->Start(replica_loops.get(), std::make_shared<NetBudget>(),
                           std::move(internal_protocols));
  api = std::make_unique<grpc_api::GrpcApi>(service.get());
  loops = replica_loops.get();
  if (settings.net_threads > 0) {
    client_loops = std::make_unique<EventLoopPool>("net", settings.net_threads);
    loops = client_loops.get();
  }
  ListenerProtocols protocols;
  protocols.grpc = api->service();
  MakeRuntimeSettings();
  remoting_api::RemotingApiOptions classic_options;
  classic_options.remote_admin = settings.remote_admin;
  classic_options.settings = runtime_settings.get();
  if (settings.remote_admin == remoting::RemoteAdmin::kAll) {
    TOTORA_LOG(kWarn, "broker") << "admin.remote = all: everybody who reaches a public port may "
                                   "change and delete what tools can";
  }
  classic_options.disk = [directory = settings.data_directory] { return DiskOf(directory); };
  classic_api = std::make_unique<remoting_api::RemotingApi>(service.get(), classic_options);
  classic_server = std::make_unique<remoting::RemotingServer>(classic_api->service(), executor);
  protocols.raw = classic_server->protocol();
  for (const auto& listener : listeners) listener->Start(loops, budget, protocols);
  for (const auto& door : group_doors) door->Serve(loops, budget, protocols);
  ListenerProtocols health_protocols;
  health_protocols.http = [this](absl::string_view target) {
    return health.Answer(target, budget->counters(), classic_server->counters());
  };
  metrics_listener->Start(loops, budget, std::move(health_protocols));
  door_thread = std::make_unique<ThreadExecutor>("door");
  WatchDoor();
}

void Broker::Parts::MakeRuntimeSettings() {
  service::RuntimeSettings::Values texts = settings.texts;
  // What RocketMQ's tools look for and what is no setting here.
  texts["listenPort"] = std::to_string(listeners.front()->port());
  texts["brokerPermission"] = "6";
  texts["defaultTopicQueueNums"] = std::to_string(service::TopicCreation::kDefaultQueues);
  texts["maxMessageSize"] = std::to_string(message::kBodyBytesMax);
  runtime_settings = std::make_unique<service::RuntimeSettings>(std::move(texts));
  runtime_settings->Add("log.levels", "", SetLogLevels);
  runtime_settings->Add("topic.auto-create", "autoCreateTopicEnable",
                        service::ApplyBool([this](bool creates) {
                          service->topic_creation().SetCreatesOnSend(creates);
                        }));
  runtime_settings->Add("consumer-group.auto-create", "autoCreateSubscriptionGroup",
                        service::ApplyBool([this](bool creates) {
                          service->consumer_groups().SetCreatesOnUse(creates);
                        }));
}

void Broker::Parts::Housekeeping() {
  if (is_stopping) return;
  executor->PostAfter(kHousekeeping, [this] { Housekeeping(); });
  const raft::ReplicaStatus status = replica->CurrentStatus();
  const absl::Duration now = executor->clock().SteadyNow();
  if (status.role == raft::Role::kLeader || status.applied >= status.commit) caught_up_at = now;
  // What was applied last may be as old as the group was idle.
  const absl::Duration behind =
      std::min(absl::Milliseconds(replica->LogTimeNowMs() - state->log_time_ms()),
               now - caught_up_at);
  health.SetStatus(status, behind < kLagMax);
  if (state->NeedsCheckpoint() || (now - last_checkpoint >= settings.checkpoint_interval &&
                                   state->applied() > state->checkpointed())) {
    last_checkpoint = now;
    state->Checkpoint([](const absl::Status& written) {
      if (!written.ok()) {
        TOTORA_LOG(kError, "store") << "checkpoint failed, the next will try again: " << written;
      }
    });
  }
}

void Broker::Parts::WatchDoor() {
  if (group_doors.empty()) return;
  door_thread->PostAfter(kDoorInterval, [this] {
    DoorSigns signs = health.Signs();
    signs.reaches_a_nameserver = registration->IsConnected();
    signs.nameserver_names_a_leader = registration->NameserverNamesALeader();
    const bool should_be_open = door_policy.ShouldBeOpen(signs, Clock::System()->SteadyNow());
    for (const auto& door : group_doors) {
      if (should_be_open && !door->is_open()) {
        const absl::Status opened = door->Open();
        TOTORA_LOG(kInfo, "broker") << "group address opened again: " << opened;
      } else if (!should_be_open && door->is_open()) {
        TOTORA_LOG(kWarn, "broker") << "cannot serve: group address closed for now";
        door->Close();
      }
    }
    WatchDoor();
  });
}

void Broker::Parts::OnStatus(const raft::ReplicaStatus& status) {
  health.SetStatus(status, true);
  service->OnStatus(status);
  if (registration) registration->SetStatus(status);
}

void Broker::Parts::OnFatal(const absl::Status& reason) {
  TOTORA_LOG(kError, "broker") << "ending the process: " << reason;
  EndProcess(kFatalStatus);
}

void Broker::Parts::TopicChanged(absl::string_view topic,
                                 const std::optional<store::TopicConfig>& config) {
  service->TopicChanged(topic, config);
  topic_changes.push_back({std::string(topic), config});
  if (std::exchange(is_topic_report_posted, true)) return;
  // After this apply the table's version includes the change.
  executor->Post([this] {
    is_topic_report_posted = false;
    registration->TopicsChanged(state->topic_table_version(), std::exchange(topic_changes, {}));
  });
}

absl::StatusOr<std::unique_ptr<Broker>> Broker::Start(const Settings& settings) {
  auto parts = std::make_unique<Parts>();
  parts->settings = settings;
  TOTORA_RETURN_IF_ERROR(parts->OpenListeners());
  TOTORA_RETURN_IF_ERROR(parts->OpenData());
  TOTORA_RETURN_IF_ERROR(parts->StartInternal());
  parts->StartServing();
  TOTORA_LOG(kInfo, "broker") << Field("group", settings.group_name)
                              << Field("replica", settings.replica)
                              << Field("public", parts->listeners.front()->address()) << "started";
  return std::unique_ptr<Broker>(new Broker(std::move(parts)));
}

Broker::Broker(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Broker::~Broker() = default;

void Broker::Stop() {
  Parts& parts = *parts_;
  // Hand the lead to whoever is most up to date, so that nobody waits for an election.
  std::promise<void> handed_over;
  parts.executor->Post([&parts, &handed_over] {
    const raft::ReplicaStatus status = parts.replica->CurrentStatus();
    ReplicaId best;
    LogIndex best_match;
    for (const auto& [peer, match] : status.match) {
      if (match >= best_match && parts.peers_up.count(peer) > 0) {
        best = peer;
        best_match = match;
      }
    }
    if (best.value() == 0) {
      handed_over.set_value();
      return;
    }
    parts.replica->TransferLeadership(
        best, [&handed_over](const absl::Status&) { handed_over.set_value(); });
  });
  handed_over.get_future().wait();
  parts.api->AskToReconnect();
  if (parts.door_thread) parts.door_thread->Stop();
  for (const auto& door : parts.group_doors) door->Close();
  for (const auto& listener : parts.listeners) listener->Drain();
  RunOn(parts.executor, [&parts] { parts.service->Stop(); });
  const absl::Duration give_up = Clock::System()->SteadyNow() + parts.settings.shutdown_grace;
  const auto open = [&parts] {
    int64_t connections = 0;
    for (const auto& listener : parts.listeners) connections += listener->connections();
    return connections;
  };
  while (open() > 0 && Clock::System()->SteadyNow() < give_up) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  parts.registration->Stop();
  std::promise<void> written;
  parts.executor->Post([&parts, &written] {
    parts.is_stopping = true;
    parts.state->Checkpoint([&written](const absl::Status&) { written.set_value(); });
  });
  written.get_future().wait_for(std::chrono::seconds(10));
  for (const auto& listener : parts.listeners) listener->Stop();
  parts.metrics_listener->Stop();
  if (parts.client_loops) parts.client_loops->Stop();
  parts.replica->Stop();
  parts.internal_listener->Stop();
  parts.replica_loops->Stop();
  parts.log_executor->Stop();
  parts.background->Stop();
}

}  // namespace totora::broker
