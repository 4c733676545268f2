#include "remoting/remote_admin.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace totora::remoting {

absl::StatusOr<RemoteAdmin> ParseRemoteAdmin(absl::string_view text) {
  if (text == "none") return RemoteAdmin::kNone;
  if (text == "topics") return RemoteAdmin::kTopics;
  if (text == "all") return RemoteAdmin::kAll;
  return absl::InvalidArgumentError(
      absl::StrCat("admin.remote = ", text, ": only none, topics and all are known"));
}

bool IsLoopback(absl::string_view peer) {
  return absl::StartsWith(peer, "127.") || absl::StartsWith(peer, "[::1]:") ||
         absl::StartsWith(peer, "[::ffff:127.");
}

absl::Status CheckRemoteAdmin(RemoteAdmin setting, Change change, absl::string_view peer) {
  if (setting == RemoteAdmin::kAll || IsLoopback(peer)) return absl::OkStatus();
  if (setting == RemoteAdmin::kTopics && change == Change::kTopicOrGroup) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("not allowed from another machine: the setting admin.remote is ",
                   setting == RemoteAdmin::kNone ? "none" : "topics",
                   change == Change::kTopicOrGroup ? ", it would have to be topics or all"
                                                   : ", it would have to be all"));
}

}  // namespace totora::remoting
