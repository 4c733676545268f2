// Clients that come back over a new connection and do not say who they are:
// heartbeats come every 30 s, Java 4.9 and Go send none when they reconnect, and
// Go drops its queues on any list of members that does not name it.
//
// A connection over which nobody has said who they are, and which asks as a member
// of a consumer group does, is taken for the member that lost its connection
// lately (service::Sessions), if there is exactly one such client of that host,
// language and version. The next heartbeat confirms it, or ends the mistake.
#ifndef TOTORA_BROKER_REMOTING_API_RETURNED_CLIENTS_H_
#define TOTORA_BROKER_REMOTING_API_RETURNED_CLIENTS_H_

#include <functional>
#include <string>

#include "broker/remoting_api/handler.h"

namespace totora::remoting_api {

// Calls `then` on the replica's executor, at once unless a member came back.
// REQUIRES: called there.
void RecognizeMember(const HandlerContext& context, const RemotingConnectionPtr& connection,
                     const std::string& consumer_group, std::function<void()> then);

}  // namespace totora::remoting_api

#endif  // TOTORA_BROKER_REMOTING_API_RETURNED_CLIENTS_H_
