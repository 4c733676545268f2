#include "broker/remoting_api/returned_clients.h"

#include <optional>
#include <utility>

#include "broker/remoting_api/client_channels.h"
#include "remoting/command.h"

namespace totora::remoting_api {

void RecognizeMember(const HandlerContext& context, const RemotingConnectionPtr& connection,
                     const std::string& consumer_group, std::function<void()> then) {
  service::Sessions& sessions = context.broker->sessions();
  std::optional<std::string> client_id;
  if (sessions.LostSomeLately() && !context.channels->HasClients(connection->info().id)) {
    client_id = sessions.FindLostMember(
        consumer_group, {connection->info().peer, remoting::LanguageName(connection->language()),
                         connection->version()});
  }
  if (!client_id.has_value()) {
    then();
    return;
  }
  // On the loop, where connections close: one that is gone must not be counted.
  connection->executor()->Post([&context, connection, client_id = *std::move(client_id),
                                then = std::move(then)]() mutable {
    if (connection->is_open()) context.channels->Assume(connection, client_id);
    context.broker->executor()->Post([&context, connection, client_id = std::move(client_id),
                                      then = std::move(then)] {
      const size_t count = context.channels->ConnectionsOf(client_id).size();
      if (count > 0) {
        context.broker->sessions().CameBack(client_id, connection->info().peer);
        context.broker->sessions().SetConnections(client_id, count);
      }
      then();
    });
  });
}

}  // namespace totora::remoting_api
