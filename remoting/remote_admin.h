// Who may change something from afar, as long as nobody has to say who he is.
#ifndef TOTORA_REMOTING_REMOTE_ADMIN_H_
#define TOTORA_REMOTING_REMOTE_ADMIN_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace totora::remoting {

// The setting admin.remote.
enum class RemoteAdmin {
  kNone,    // Nobody changes anything, unless he is on this machine.
  kTopics,  // Topics and consumer groups may be created and changed: clients do at start.
  kAll,
};

// Errors: InvalidArgument for anything but none, topics, all.
absl::StatusOr<RemoteAdmin> ParseRemoteAdmin(absl::string_view text);

enum class Change {
  kTopicOrGroup,  // Creation or change of a topic or consumer group.
  kOther,         // Deletion, configuration, KV, write permission, offset reset.
};

// May a client at `peer` (ConnectionInfo::peer) do it? Errors: PermissionDenied,
// in words that name the setting.
absl::Status CheckRemoteAdmin(RemoteAdmin setting, Change change, absl::string_view peer);

// Does this ip:port or [ip]:port belong to this machine itself?
bool IsLoopback(absl::string_view peer);

}  // namespace totora::remoting

#endif  // TOTORA_REMOTING_REMOTE_ADMIN_H_
