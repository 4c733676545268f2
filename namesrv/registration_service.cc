#include "namesrv/registration_service.h"

#include <memory>
#include <utility>

#include "common/log.h"

namespace totora::namesrv {
namespace {

// Updates are cut so that none nears the 4 MiB that clients take in.
constexpr int kTopicsPerUpdate = 10'000;

GrpcCode ToGrpc(const absl::Status& status) { return static_cast<GrpcCode>(status.code()); }

// `update` in parts of bounded size; only the last has has_more unset.
std::vector<TableUpdate> Cut(const TableUpdate& update) {
  std::vector<TableUpdate> parts;
  TableUpdate head = update;
  head.clear_groups();
  head.clear_removed_groups();
  TableUpdate part = head;
  *part.mutable_removed_groups() = update.removed_groups();
  int topics = 0;
  const auto flush = [&] {
    part.set_has_more(true);
    parts.push_back(std::move(part));
    part = head;
    topics = 0;
  };
  for (const GroupRoute& group : update.groups()) {
    int at = 0;
    do {
      GroupRoute* out = part.add_groups();
      *out = group;
      if (!group.has_topic_changes()) break;
      out->mutable_topic_changes()->clear_topics();
      while (at < group.topic_changes().topics_size() && topics < kTopicsPerUpdate) {
        *out->mutable_topic_changes()->add_topics() = group.topic_changes().topics(at++);
        ++topics;
      }
      const bool has_more = at < group.topic_changes().topics_size();
      out->mutable_topic_changes()->set_has_more(has_more);
      if (topics >= kTopicsPerUpdate) flush();
      if (!has_more) break;
    } while (true);
  }
  part.set_has_more(false);
  parts.push_back(std::move(part));
  return parts;
}

}  // namespace

void RegistrationService::Register(GrpcService* service) {
  service->AddStream("/totora.namesrv.Registration/Register",
                     [this](const GrpcCallPtr& call) { HandleRegister(call); });
  service->AddRequest("/totora.namesrv.Registration/QueryRoutes",
                      [this](const GrpcCallPtr& call, const std::string& request) {
                        HandleQuery(call, request);
                      });
  service->AddRequest("/totora.namesrv.Registration/WatchRoutes",
                      [this](const GrpcCallPtr& call, const std::string&) { HandleWatch(call); });
}

void RegistrationService::HandleRegister(const GrpcCallPtr& call) {
  const RouteTable::StreamId stream = next_stream_++;
  auto is_watching = std::make_shared<bool>(false);
  call->OnMessage([this, call, stream, is_watching](const std::string& bytes) {
    RegisterRequest request;
    if (!request.ParseFromString(bytes)) {
      return call->Finish(GrpcCode::kInvalidArgument, "not a RegisterRequest");
    }
    absl::StatusOr<RegisterReply> reply = table_->Take(stream, request);
    if (!reply.ok()) {
      return call->Finish(ToGrpc(reply.status()), std::string(reply.status().message()));
    }
    if (request.has_hello()) {
      TOTORA_LOG(kInfo, "namesrv") << Field("process", request.hello().process())
                                   << Field("incarnation", request.hello().incarnation())
                                   << Field("peer", call->peer()) << "registered";
    }
    call->Write(reply->SerializeAsString());
    if (!std::exchange(*is_watching, true)) {
      table_->Watch(stream, [call](const TableUpdate& update) {
        for (TableUpdate& part : Cut(update)) {
          RegisterReply message;
          *message.mutable_update() = std::move(part);
          call->Write(message.SerializeAsString());
        }
      });
    }
  });
  call->OnHalfClose([call] { call->Finish(); });
  call->OnDone([this, stream](bool) {
    table_->Unwatch(stream);
    table_->StreamClosed(stream);
  });
}

void RegistrationService::HandleQuery(const GrpcCallPtr& call, const std::string& bytes) {
  QueryRoutesRequest request;
  if (!request.ParseFromString(bytes)) {
    return call->Finish(GrpcCode::kInvalidArgument, "not a QueryRoutesRequest");
  }
  QueryRoutesReply reply;
  *reply.mutable_table() = table_->Query(request);
  if (reply.ByteSizeLong() > (4u << 20)) {
    return call->Finish(GrpcCode::kResourceExhausted, "too long for one reply: use WatchRoutes");
  }
  call->Reply(reply.SerializeAsString());
}

void RegistrationService::HandleWatch(const GrpcCallPtr& call) {
  const RouteTable::StreamId stream = next_stream_++;
  table_->Watch(stream, [call](const TableUpdate& update) {
    for (const TableUpdate& part : Cut(update)) call->Write(part.SerializeAsString());
  });
  call->OnDone([this, stream](bool) { table_->Unwatch(stream); });
}

}  // namespace totora::namesrv
