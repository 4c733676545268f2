#include "broker/settings.h"

#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status.h"

namespace totora::broker {

namespace {

// With few processors a thread of their own only costs clients two more
// switches of threads a message.
const char* DefaultNetThreads() {
  static const std::string* const text = [] {
    const unsigned processors = std::thread::hardware_concurrency();
    return new std::string(absl::StrCat(processors <= 4 ? 0 : processors / 4));
  }();
  return text->c_str();
}

}  // namespace

const std::vector<SettingRow>& SettingRows() {
  static const std::vector<SettingRow> rows = {
      {"cluster.name",
       SettingKind::kText,
       "DefaultCluster",
       "",
       "",
       "Name of the cluster; replicas and data of another one are refused.",
       {"brokerClusterName"}},
      {"broker.name",
       SettingKind::kText,
       "",
       "",
       "",
       "Name of the group, which clients know as broker name.",
       {"brokerName"},
       false},
      {"group.id", SettingKind::kCount, "1", "1", "65535", "Number of the group in the cluster."},
      {"replica.id",
       SettingKind::kCount,
       "",
       "1",
       "64",
       "Number of this replica in its group.",
       {},
       false},
      {"replica.peers",
       SettingKind::kText,
       "",
       "",
       "",
       "Internal address of every replica, this one included: 1@host:port,2@host:port,3@host:port. "
       "Equal on all.",
       {},
       false},
      {"replica.preferred-leader", SettingKind::kCount, "0", "0", "64",
       "The replica that may lead without delay; 0: all alike."},
      {"data.dir",
       SettingKind::kText,
       "",
       "",
       "",
       "Directory of log, votes and indexes.",
       {"storePathRootDir"},
       false},
      {"public.listen", SettingKind::kText, "0.0.0.0:10911,0.0.0.0:8081", "", "",
       "Where clients connect, both protocols alike, separated by commas. Routes name the first."},
      {"public.extra-listen", SettingKind::kText, "", "", "",
       "More addresses that answer alike, separated by commas."},
      {"public.vip-listen", SettingKind::kBool, "true", "", "",
       "Answer two ports below the first public one as well: classic clients with "
       "sendMessageWithVIPChannel go there."},
      {"public.advertise",
       SettingKind::kText,
       "",
       "",
       "",
       "What routes name instead of public.listen, if clients reach it by another address.",
       {"brokerIP1"}},
      {"group.address", SettingKind::kText, "", "", "",
       "One address behind which any live replica answers; wins in routes. Without it clients "
       "whose leader's host vanished wait up to 30 s for a new route."},
      {"group.listen", SettingKind::kText, "", "", "",
       "Address that this replica binds together with others of its host (SO_REUSEPORT)."},
      {"internal.listen", SettingKind::kText, "127.0.0.1:40911", "", "",
       "Replicas, command line. Not for clients: there is no authentication yet."},
      {"metrics.listen", SettingKind::kText, "127.0.0.1:5557", "", "",
       "/metrics, /healthz and /readyz."},
      {"namesrv.addresses",
       SettingKind::kText,
       "",
       "",
       "",
       "Every nameserver, separated by commas or semicolons.",
       {"namesrvAddr"}},
      {"net.threads", SettingKind::kCount, DefaultNetThreads(), "0", "64",
       "Threads that serve clients; 0: the replica's own thread does. Default: 0 with up to 4 "
       "processors, else a quarter of them."},
      {"segment.bytes",
       SettingKind::kBytes,
       "256MiB",
       "1MiB",
       "4GiB",
       "Size of a file of the log. Smaller ones free space in smaller steps.",
       {"mappedFileSizeCommitLog"}},
      {"segment.prepare", SettingKind::kBool, "true", "", "",
       "Write segments with zeros ahead of time: steadier sync times for one more segment of "
       "space."},
      {"disk.reserve", SettingKind::kBytes, "64MiB", "0B", "1GiB",
       "Below this much free space the replica takes no more messages."},
      {"checkpoint.log-bytes", SettingKind::kBytes, "512MiB", "1MiB", "16GiB",
       "Log between two checkpoints. More: fewer writes, longer replay after a crash."},
      {"checkpoint.interval", SettingKind::kDuration, "30s", "1s", "1h",
       "Time between two checkpoints."},
      {"consumer-group.auto-create",
       SettingKind::kBool,
       "true",
       "",
       "",
       "A consumer group that is used and does not exist is made.",
       {"autoCreateSubscriptionGroup"}},
      {"topic.auto-create",
       SettingKind::kBool,
       "true",
       "",
       "",
       "A topic that a classic client sends to and that does not exist is made like TBW102.",
       {"autoCreateTopicEnable"}},
      {"admin.remote", SettingKind::kText, "topics", "", "",
       "What classic clients may change from other machines: none, topics (create and change "
       "topics and consumer groups, as programs do at start), all (delete, reset offsets, change "
       "settings, too). Tools on this machine may do everything."},
      {"delay.levels",
       SettingKind::kText,
       service::DelayLevels::kDefault,
       "",
       "",
       "Delays that classic clients name by number, and those between attempts: level 1 first.",
       {"messageDelayLevel"}},
      {"shutdown.grace", SettingKind::kDuration, "5s", "0s", "5m",
       "How long a stopping broker waits for its clients' calls to end."},
      {"log.file", SettingKind::kText, "", "", "", "Appended to; empty: standard error."},
      {"log.levels", SettingKind::kText, "info", "", "",
       "Level for all modules, then exceptions: info,raft=debug."},
  };
  return rows;
}

const std::vector<IgnoredKey>& IgnoredKeys() {
  static const std::vector<IgnoredKey> keys = {
      {"brokerId", "replicas elect their leader: see replica.id"},
      {"brokerRole", "replicas elect their leader"},
      {"flushDiskType", "an acknowledgement always means that a majority has synced"},
      {"enableDLegerCommitLog", "the log is always replicated"},
      {"dLegerGroup", "see broker.name"},
      {"dLegerPeers", "see replica.peers"},
      {"dLegerSelfId", "see replica.id"},
      {"storePathCommitLog", "the log is in data.dir"},
      {"storePathConsumerQueue", "queues are indexes in data.dir"},
      {"storePathIndex", "indexes are in data.dir"},
      {"sendMessageThreadPoolNums", "see net.threads"},
      {"pullMessageThreadPoolNums", "see net.threads"},
      {"useReentrantLockWhenPutMessage", "there is no such lock"},
      {"transientStorePoolEnable", "the log is synced before it is acknowledged"},
      {"haListenPort", "replicas use internal.listen"},
      {"rocketmqHome", "there is no home directory"},
  };
  return keys;
}

absl::StatusOr<service::Address> ParseAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not host:port"));
  }
  absl::string_view host = text.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return service::Address{std::string(host), static_cast<uint16_t>(port)};
}

namespace {

absl::Status ReadPeers(const std::string& text, Settings* settings) {
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::vector<absl::string_view> pair =
        absl::StrSplit(absl::StripAsciiWhitespace(part), absl::MaxSplits('@', 1));
    uint32_t id = 0;
    if (pair.size() != 2 || !absl::SimpleAtoi(pair[0], &id) || id == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("replica.peers: '", part, "' is not ID@host:port"));
    }
    TOTORA_RETURN_IF_ERROR(Annotate(ParseAddress(pair[1]).status(), "replica.peers"));
    if (!settings->peers.emplace(ReplicaId(id), std::string(pair[1])).second) {
      return absl::InvalidArgumentError(absl::StrCat("replica.peers names replica ", id, " twice"));
    }
  }
  if (settings->peers.count(settings->replica) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "replica.peers does not name this replica, replica.id = ", settings->replica.value()));
  }
  return absl::OkStatus();
}

absl::Status ReadAddress(const Configuration& configuration, const char* name,
                         std::optional<service::Address>* to) {
  const std::string& text = configuration.Text(name);
  if (text.empty()) return absl::OkStatus();
  absl::StatusOr<service::Address> address = ParseAddress(text);
  if (!address.ok()) return Annotate(address.status(), name);
  *to = *std::move(address);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const Configuration& configuration) {
  Settings settings;
  settings.cluster = configuration.Text("cluster.name");
  settings.group = GroupId(static_cast<uint32_t>(configuration.Count("group.id")));
  settings.group_name = configuration.Text("broker.name");
  settings.replica = ReplicaId(static_cast<uint32_t>(configuration.Count("replica.id")));
  TOTORA_RETURN_IF_ERROR(ReadPeers(configuration.Text("replica.peers"), &settings));
  settings.preferred_leader =
      ReplicaId(static_cast<uint32_t>(configuration.Count("replica.preferred-leader")));
  settings.data_directory = configuration.Text("data.dir");
  for (const char* name : {"public.listen", "public.extra-listen"}) {
    for (absl::string_view address :
         absl::StrSplit(configuration.Text(name), ',', absl::SkipWhitespace())) {
      settings.public_listen.emplace_back(absl::StripAsciiWhitespace(address));
    }
  }
  if (settings.public_listen.empty()) {
    return absl::InvalidArgumentError("public.listen: names no address");
  }
  TOTORA_RETURN_IF_ERROR(
      ReadAddress(configuration, "public.advertise", &settings.public_advertise));
  TOTORA_RETURN_IF_ERROR(ReadAddress(configuration, "group.address", &settings.group_address));
  settings.group_listen = configuration.Text("group.listen");
  settings.internal_listen = configuration.Text("internal.listen");
  settings.metrics_listen = configuration.Text("metrics.listen");
  for (absl::string_view server : absl::StrSplit(configuration.Text("namesrv.addresses"),
                                                 absl::ByAnyChar(",;"), absl::SkipWhitespace())) {
    settings.nameservers.emplace_back(absl::StripAsciiWhitespace(server));
  }
  settings.net_threads = static_cast<size_t>(configuration.Count("net.threads"));
  settings.segment_bytes = configuration.Bytes("segment.bytes");
  settings.prepare_segments = configuration.Bool("segment.prepare");
  settings.reserve_bytes = configuration.Bytes("disk.reserve");
  settings.checkpoint_log_bytes = configuration.Bytes("checkpoint.log-bytes");
  settings.checkpoint_interval = configuration.Duration("checkpoint.interval");
  settings.binds_vip_ports = configuration.Bool("public.vip-listen");
  settings.creates_topics = configuration.Bool("topic.auto-create");
  TOTORA_ASSIGN_OR_RETURN(settings.remote_admin,
                          remoting::ParseRemoteAdmin(configuration.Text("admin.remote")));
  settings.texts = configuration.Texts();
  absl::StatusOr<service::DelayLevels> levels =
      service::DelayLevels::Parse(configuration.Text("delay.levels"));
  if (!levels.ok()) return Annotate(levels.status(), "delay.levels");
  settings.delay_levels = *std::move(levels);
  settings.creates_consumer_groups = configuration.Bool("consumer-group.auto-create");
  settings.shutdown_grace = configuration.Duration("shutdown.grace");
  return settings;
}

}  // namespace totora::broker
