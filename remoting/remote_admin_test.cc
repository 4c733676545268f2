#include "remoting/remote_admin.h"

#include <gtest/gtest.h>

namespace totora::remoting {
namespace {

constexpr absl::string_view kAfar = "10.0.0.7:5555";

TEST(RemoteAdmin, KnowsThreeWords) {
  EXPECT_EQ(*ParseRemoteAdmin("none"), RemoteAdmin::kNone);
  EXPECT_EQ(*ParseRemoteAdmin("topics"), RemoteAdmin::kTopics);
  EXPECT_EQ(*ParseRemoteAdmin("all"), RemoteAdmin::kAll);
  EXPECT_FALSE(ParseRemoteAdmin("yes").ok());
}

TEST(RemoteAdmin, WhoIsOnThisMachineMayDoEverything) {
  for (const absl::string_view peer : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(CheckRemoteAdmin(RemoteAdmin::kNone, Change::kOther, peer).ok()) << peer;
  }
  for (const absl::string_view peer : {"10.127.0.0:1", "[::2]:1", "1.1.1.1:127", ""}) {
    EXPECT_FALSE(IsLoopback(peer)) << peer;
  }
}

TEST(RemoteAdmin, FromAfarTheSettingDecides) {
  EXPECT_FALSE(CheckRemoteAdmin(RemoteAdmin::kNone, Change::kTopicOrGroup, kAfar).ok());
  EXPECT_FALSE(CheckRemoteAdmin(RemoteAdmin::kNone, Change::kOther, kAfar).ok());
  EXPECT_TRUE(CheckRemoteAdmin(RemoteAdmin::kTopics, Change::kTopicOrGroup, kAfar).ok());
  const absl::Status refused = CheckRemoteAdmin(RemoteAdmin::kTopics, Change::kOther, kAfar);
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(refused.message().find("admin.remote"), absl::string_view::npos);
  EXPECT_TRUE(CheckRemoteAdmin(RemoteAdmin::kAll, Change::kOther, kAfar).ok());
}

}  // namespace
}  // namespace totora::remoting
