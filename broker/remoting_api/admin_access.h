// May this client change that? As long as nobody has to say who he is, it is a
// question of where he is.
#ifndef TOTORA_BROKER_REMOTING_API_ADMIN_ACCESS_H_
#define TOTORA_BROKER_REMOTING_API_ADMIN_ACCESS_H_

#include "broker/remoting_api/handler.h"
#include "remoting/remote_admin.h"

namespace totora::remoting_api {

// False: it was answered NO_PERMISSION.
inline bool MayChange(const HandlerContext& context, const RemotingRequestPtr& request,
                      remoting::Change change) {
  const absl::Status allowed = remoting::CheckRemoteAdmin(
      context.options.remote_admin, change, request->connection()->info().peer);
  if (!allowed.ok()) ReplyStatus(request, allowed, Doing::kAsk);
  return allowed.ok();
}

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_ADMIN_ACCESS_H_
