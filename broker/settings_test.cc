#include "broker/settings.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace totora::broker {
namespace {

absl::StatusOr<Settings> Read(absl::string_view more) {
  const absl::StatusOr<Configuration> configuration = Configuration::Parse(
      "broker.conf",
      absl::StrCat("broker.name = b\nreplica.id = 1\nreplica.peers = 1@h:1\ndata.dir = /d\n", more),
      SettingRows(), IgnoredKeys());
  if (!configuration.ok()) return configuration.status();
  return ReadSettings(*configuration);
}

using Listen = std::vector<std::string>;

TEST(Settings, ByDefaultBothOfRocketMqsPortsAreOpenAndRoutesNameTheClassicOne) {
  EXPECT_EQ(Read("")->public_listen, (Listen{"0.0.0.0:10911", "0.0.0.0:8081"}));
}

// Whoever says where to listen gets that and no port more: several brokers share a host.
TEST(Settings, AnAddressToListenAtReplacesAllDefaults) {
  EXPECT_EQ(Read("public.listen = 127.0.0.1:20002")->public_listen, (Listen{"127.0.0.1:20002"}));
  EXPECT_EQ(Read("public.listen = h:1, h:2\npublic.extra-listen = h:3")->public_listen,
            (Listen{"h:1", "h:2", "h:3"}));
  EXPECT_FALSE(Read("public.listen = ,").ok());
}

TEST(Settings, RemoteAdministrationIsForTopicsUnlessItIsSet) {
  EXPECT_EQ(Read("")->remote_admin, remoting::RemoteAdmin::kTopics);
  EXPECT_EQ(Read("admin.remote = none")->remote_admin, remoting::RemoteAdmin::kNone);
  EXPECT_EQ(Read("admin.remote = all")->remote_admin, remoting::RemoteAdmin::kAll);
  const absl::StatusOr<Settings> wrong = Read("admin.remote = some");
  ASSERT_FALSE(wrong.ok());
  EXPECT_TRUE(absl::StrContains(wrong.status().message(), "admin.remote"));
}

TEST(Settings, ToolsReadThemAsTheyWereWritten) {
  const absl::StatusOr<Settings> settings = Read("delay.levels = 1s 5s");
  EXPECT_EQ(settings->texts.at("delay.levels"), "1s 5s");
  EXPECT_EQ(settings->texts.at("broker.name"), "b");
}

}  // namespace
}  // namespace totora::broker
