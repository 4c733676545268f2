#include "namesrv/classic_api.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "namesrv/classic_routes.h"
#include "remoting/fields.h"
#include "remoting/header/nameserver.h"
#include "remoting/properties_text.h"

namespace totora::namesrv {
namespace {

using remoting::Content;
using remoting::RemotingRequestPtr;
using remoting::RequestCode;
using remoting::ResponseCode;

constexpr char kOrderNamespace[] = "ORDER_TOPIC_CONFIG";
constexpr uint32_t kWritable = 2;

// The fields of `request`; nothing if it was answered with what is wrong.
template <typename Header>
std::optional<Header> Read(const RemotingRequestPtr& request) {
  absl::StatusOr<Header> header = remoting::ReadFields<Header>(request->command().fields);
  if (header.ok()) return *std::move(header);
  request->Reply(ResponseCode::kSystemError, header.status().message());
  return std::nullopt;
}

template <typename Body>
void ReplyBody(const RemotingRequestPtr& request, const Body& body) {
  Content content;
  content.AddBody(remoting::EncodeBody(body));
  request->Reply(ResponseCode::kSuccess, content);
}

template <typename Header>
void ReplyFields(const RemotingRequestPtr& request, const Header& header) {
  Content content;
  remoting::WriteFields(header, &content.fields);
  request->Reply(ResponseCode::kSuccess, content);
}

}  // namespace

void ClassicApi::AddTo(remoting::RemotingService* service) {
  const auto add = [this, service](RequestCode code, auto method) {
    service->Add(code, [this, method](const Request& request) { (this->*method)(request); });
  };
  add(RequestCode::kGetRouteInfoByTopic, &ClassicApi::GetRoute);
  add(RequestCode::kGetBrokerClusterInfo, &ClassicApi::GetClusterInfo);
  add(RequestCode::kGetAllTopicListFromNameserver, &ClassicApi::GetTopics);
  add(RequestCode::kGetTopicsByCluster, &ClassicApi::GetTopicsByCluster);
  add(RequestCode::kGetSystemTopicListFromNameserver, &ClassicApi::GetSystemTopics);
  add(RequestCode::kPutKvConfig, &ClassicApi::PutKv);
  add(RequestCode::kGetKvConfig, &ClassicApi::GetKv);
  add(RequestCode::kDeleteKvConfig, &ClassicApi::DeleteKv);
  add(RequestCode::kGetKvListByNamespace, &ClassicApi::ListKv);
  add(RequestCode::kDeleteTopicInNameserver, &ClassicApi::DeleteTopic);
  add(RequestCode::kUpdateNameserverConfig, &ClassicApi::UpdateConfig);
  add(RequestCode::kGetNameserverConfig, &ClassicApi::GetConfig);
  service->Add(RequestCode::kWipeWritePermissionOfBroker,
               [this](const Request& request) { SetWritable(request, false); });
  service->Add(RequestCode::kAddWritePermissionOfBroker,
               [this](const Request& request) { SetWritable(request, true); });
  // Units are cells of Alibaba's own; nobody else has any.
  for (const RequestCode code : {RequestCode::kGetUnitTopicList, RequestCode::kGetHasUnitSubTopicList,
                                 RequestCode::kGetHasUnitSubUnUnitTopicList}) {
    service->Add(code, [](const Request& request) { ReplyBody(request, remoting::TopicList()); });
  }
}

bool ClassicApi::MayChange(const Request& request) const {
  const absl::Status allowed =
      remoting::CheckRemoteAdmin(options_.remote_admin, remoting::Change::kOther,
                                 request->connection()->info().peer);
  if (!allowed.ok()) request->Reply(ResponseCode::kNoPermission, allowed.message());
  return allowed.ok();
}

TableUpdate ClassicApi::QueryTopic(absl::string_view topic) const {
  QueryRoutesRequest query;
  query.add_topics(std::string(topic));
  return table_->Query(query);
}

void ClassicApi::GetRoute(const Request& request) {
  const auto header = Read<remoting::GetRouteInfoRequest>(request);
  if (!header) return;
  std::set<std::string> without_write;
  {
    MutexLock lock(&mu_);
    without_write = without_write_;
  }
  remoting::TopicRouteData route = TopicRoute(QueryTopic(header->topic), without_write);
  if (route.brokers.empty()) {
    return request->Reply(ResponseCode::kTopicNotExist,
                          absl::StrCat("No topic route info in name server for the topic: ",
                                       header->topic));
  }
  if (options_.tells_order) route.order_topic_conf = kv_.Get(kOrderNamespace, header->topic);
  ReplyBody(request, route);
}

void ClassicApi::GetClusterInfo(const Request& request) const {
  QueryRoutesRequest query;
  query.set_omit_topics(true);
  ReplyBody(request, Clusters(table_->Query(query)));
}

void ClassicApi::GetTopics(const Request& request) const {
  ReplyBody(request, Topics(QueryAll(), ""));
}

void ClassicApi::GetTopicsByCluster(const Request& request) const {
  const auto header = Read<remoting::GetTopicsByClusterRequest>(request);
  if (!header) return;
  ReplyBody(request, Topics(QueryAll(), std::string(header->cluster)));
}

void ClassicApi::GetSystemTopics(const Request& request) const {
  QueryRoutesRequest query;
  query.set_omit_topics(true);
  ReplyBody(request, SystemTopics(table_->Query(query)));
}

void ClassicApi::PutKv(const Request& request) {
  const auto header = Read<remoting::PutKvConfigRequest>(request);
  if (!header || !MayChange(request)) return;
  const absl::Status put = kv_.Put(header->config_namespace, header->key, header->value);
  request->Reply(put.ok() ? ResponseCode::kSuccess : ResponseCode::kSystemError, put.message());
}

void ClassicApi::GetKv(const Request& request) const {
  const auto header = Read<remoting::KvConfigRequest>(request);
  if (!header) return;
  const std::optional<std::string> value = kv_.Get(header->config_namespace, header->key);
  if (!value) {
    return request->Reply(ResponseCode::kQueryNotFound,
                          absl::StrCat("No config item, Namespace: ", header->config_namespace,
                                       " Key: ", header->key));
  }
  ReplyFields(request, remoting::GetKvConfigReply{.value = *value});
}

void ClassicApi::DeleteKv(const Request& request) {
  const auto header = Read<remoting::KvConfigRequest>(request);
  if (!header || !MayChange(request)) return;
  kv_.Delete(header->config_namespace, header->key);
  request->Reply(ResponseCode::kSuccess);
}

void ClassicApi::ListKv(const Request& request) const {
  const auto header = Read<remoting::GetKvListRequest>(request);
  if (!header) return;
  const remoting::KvTable table{.table = kv_.All(header->config_namespace)};
  if (table.table.empty()) {
    return request->Reply(ResponseCode::kQueryNotFound,
                          absl::StrCat("No config item, Namespace: ", header->config_namespace));
  }
  ReplyBody(request, table);
}

void ClassicApi::SetWritable(const Request& request, bool is_writable) {
  const auto header = Read<remoting::BrokerNameRequest>(request);
  if (!header || !MayChange(request)) return;
  const std::string name(header->broker_name);
  QueryRoutesRequest query;
  query.add_group_names(name);
  const TableUpdate table = table_->Query(query);
  int32_t count = 0;
  for (const GroupRoute& group : table.groups()) {
    for (const TopicDelta& delta : group.topic_changes().topics()) {
      count += (delta.topic().permission() & kWritable) != 0 ? 1 : 0;
    }
    MutexLock lock(&mu_);
    const bool has_changed =
        is_writable ? without_write_.erase(name) > 0 : without_write_.insert(name).second;
    if (!has_changed) count = 0;
  }
  if (is_writable) {
    ReplyFields(request, remoting::AddWritePermissionReply{.topic_count = count});
  } else {
    ReplyFields(request, remoting::WipeWritePermissionReply{.topic_count = count});
  }
}

void ClassicApi::DeleteTopic(const Request& request) const {
  if (!Read<remoting::NameserverTopicRequest>(request) || !MayChange(request)) return;
  request->Reply(ResponseCode::kSuccess);
}

void ClassicApi::UpdateConfig(const Request& request) const {
  if (!MayChange(request)) return;
  const auto changes = remoting::ParseProperties(request->command().body.view());
  if (!changes.ok()) {
    return request->Reply(ResponseCode::kSystemError, changes.status().message());
  }
  for (const auto& [key, value] : *changes) {
    if (key == "log.levels" && options_.set_log_levels != nullptr) continue;
    return request->Reply(ResponseCode::kNoPermission,
                          absl::StrCat("'", key, "' cannot be changed while the nameserver runs; "
                                       "log.levels can"));
  }
  for (const auto& [key, value] : *changes) {
    const absl::Status set =
        options_.set_log_levels(std::string(absl::StripAsciiWhitespace(value)));
    if (!set.ok()) return request->Reply(ResponseCode::kSystemError, set.message());
  }
  request->Reply(ResponseCode::kSuccess);
}

void ClassicApi::GetConfig(const Request& request) const {
  Content content;
  content.AddBody(options_.properties);
  request->Reply(ResponseCode::kSuccess, content);
}

}  // namespace totora::namesrv
