#include "broker/remoting_api/broker_admin.h"

#include <string>
#include <utility>
#include <vector>

#include "broker/remoting_api/admin_access.h"
#include "broker/remoting_api/admin_reply.h"
#include "broker/remoting_api/config_bodies.h"
#include "broker/remoting_api/route.h"
#include "common/configuration.h"
#include "remoting/bodies/route.h"
#include "remoting/properties_text.h"

namespace totora::remoting_api {
namespace {

void UpdateConfig(const HandlerContext& context, RemotingRequestPtr request) {
  if (!MayChange(context, request, remoting::Change::kOther)) return;
  auto changes = remoting::ParseProperties(request->command().body.view());
  if (!changes.ok()) {
    request->Reply(ResponseCode::kSystemError, RemarkText(changes.status().message()));
    return;
  }
  context.broker->executor()->Post([&context, request = std::move(request),
                                    changes = *std::move(changes)] {
    service::RuntimeSettings* const settings = context.options.settings;
    absl::Status status;
    if (settings != nullptr) {
      status = settings->Change(changes, context.broker->executor()->clock().WallNow());
    } else if (!changes.empty()) {
      status = absl::PermissionDeniedError("no setting can be changed while the broker runs");
    }
    ReplyStatus(request, status, Doing::kAsk);
  });
}

void GetConfig(const HandlerContext& context, RemotingRequestPtr request) {
  context.broker->executor()->Post([&context, request = std::move(request)] {
    remoting::DataVersion version;
    Content content;
    if (const service::RuntimeSettings* const settings = context.options.settings) {
      version = VersionNumbered(settings->version(), absl::ToUnixMillis(settings->changed_at()));
      content.AddBody(PropertiesText(settings->values()));
    }
    remoting::WriteFields(remoting::GetBrokerConfigReply{remoting::EncodeBody(version)},
                          &content.fields);
    request->Reply(ResponseCode::kSuccess, content);
  });
}

// As nameservers answer it: every live replica, id 0 being the one that serves.
void GetClusters(const HandlerContext& context, const RemotingRequestPtr& request) {
  remoting::ClusterInfo info;
  for (const service::GroupMembers& group :
       context.broker->routes().Groups(request->connection()->info().listener_tag)) {
    remoting::BrokerData& data = info.broker_addr_table[group.broker_name];
    data.broker_name = group.broker_name;
    data.cluster = group.cluster.empty() ? context.broker->options().cluster : group.cluster;
    data.addresses[0] = AddressText(group.serving);
    for (const service::Address& other : group.others) {
      data.addresses[static_cast<int64_t>(data.addresses.size())] = AddressText(other);
    }
    info.cluster_addr_table[data.cluster].push_back(group.broker_name);
  }
  ReplyBody(request, info);
}

// Indexes go with the topic or the part of the log that they point to, at once:
// nothing expired or unused is ever left for a tool to clean.
void NothingToClean(const HandlerContext& context, const RemotingRequestPtr& request) {
  if (MayChange(context, request, remoting::Change::kOther)) {
    request->Reply(ResponseCode::kSuccess);
  }
}

}  // namespace

void AddBrokerAdmin(const HandlerContext* context, remoting::RemotingService* to) {
  to->Add(RequestCode::kUpdateBrokerConfig, [context](RemotingRequestPtr request) {
    UpdateConfig(*context, std::move(request));
  });
  to->Add(RequestCode::kGetBrokerClusterInfo,
          [context](const RemotingRequestPtr& request) { GetClusters(*context, request); });
  to->Add(RequestCode::kGetBrokerConfig,
          [context](RemotingRequestPtr request) { GetConfig(*context, std::move(request)); });
  for (RequestCode code : {RequestCode::kCleanExpiredConsumeQueue, RequestCode::kCleanUnusedTopic,
                           RequestCode::kDeleteExpiredCommitLog}) {
    to->Add(code,
            [context](const RemotingRequestPtr& request) { NothingToClean(*context, request); });
  }
}

}  // namespace totora::remoting_api
