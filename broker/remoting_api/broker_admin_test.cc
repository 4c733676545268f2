#include "broker/remoting_api/broker_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "broker/remoting_api/remoting_api_fixture.h"

namespace totora::remoting_api {
namespace {

using ::testing::HasSubstr;
using remoting::RemoteAdmin;

constexpr int kSuccess = 0;
constexpr int kSystemError = 1;
constexpr int kNoPermission = 16;
constexpr int kInvalidParameter = 29;

class BrokerAdminTest : public RemotingApiTest {
 protected:
  // The settings are made after the api, and before anybody asks.
  explicit BrokerAdminTest(RemoteAdmin remote = RemoteAdmin::kTopics)
      : RemotingApiTest(Options(), ApiOptions(remote, &settings_)),
        settings_({{"data.dir", "/var/lib/totora"},
                   {"log.file", "/var/log/totora"},
                   {"log.levels", "info"},
                   {"topic.auto-create", "true"}}) {
    settings_.Add("log.levels", "", [this](const std::string& levels) {
      if (levels == "loud") return absl::InvalidArgumentError("no level loud");
      levels_ = levels;
      return absl::OkStatus();
    });
    settings_.Add("topic.auto-create", "autoCreateTopicEnable",
                  service::ApplyBool([this](bool creates) {
                    broker_.service()->topic_creation().SetCreatesOnSend(creates);
                  }));
  }
  static RemotingApiOptions ApiOptions(RemoteAdmin remote, service::RuntimeSettings* settings) {
    RemotingApiOptions options = RemoteAdminIs(remote);
    options.settings = settings;
    return options;
  }

  Command Change(Peer* from, const std::string& text) {
    return Ask(from, RequestCode::kUpdateBrokerConfig, remoting::FieldBuffer(), text);
  }
  std::string Text() {
    const Command answer = Ask(peer(), RequestCode::kGetBrokerConfig);
    EXPECT_EQ(answer.code, kSuccess);
    version_ = Field(answer, "version");
    return std::string(answer.body.view());
  }

  std::string levels_ = "info";
  std::string version_;
  service::RuntimeSettings settings_;
};

TEST_F(BrokerAdminTest, ASettingIsReadAndChanged) {
  EXPECT_EQ(Text(),
            "autoCreateTopicEnable=true\ndata.dir=/var/lib/totora\nlog.file=/var/log/totora\n"
            "log.levels=info\ntopic.auto-create=true\n");
  EXPECT_THAT(version_, HasSubstr(R"({"counter":0,)"));

  EXPECT_EQ(Change(local(), "log.levels=debug\n").code, kSuccess);

  EXPECT_EQ(levels_, "debug");
  EXPECT_THAT(Text(), HasSubstr("log.levels=debug\n"));
  EXPECT_THAT(version_, HasSubstr(R"({"counter":1,)"));
}

TEST_F(BrokerAdminTest, RocketMqsNameOfASettingIsKnown) {
  EXPECT_EQ(Change(local(), "autoCreateTopicEnable=false\n").code, kSuccess);
  EXPECT_THAT(Text(), HasSubstr("topic.auto-create=false\n"));
  EXPECT_THAT(Text(), HasSubstr("autoCreateTopicEnable=false\n"));
  EXPECT_EQ(Send(producer(), SendHeader("new-topic")).code, 17);
  EXPECT_EQ(Change(local(), "topic.auto-create=true\n").code, kSuccess);
  EXPECT_EQ(Send(producer(), SendHeader("new-topic")).code, kSuccess);
}

// Whoever may change settings, may not choose where this process writes.
TEST_F(BrokerAdminTest, OtherSettingsAreRefusedByNameAndNothingIsChanged) {
  for (const char* key : {"data.dir", "log.file", "storePathRootDir", "rocketmqHome", "nonsense"}) {
    const Command answer = Change(local(), absl::StrCat("log.levels=debug\n", key, "=/tmp/x\n"));
    EXPECT_EQ(answer.code, kNoPermission) << key;
    EXPECT_THAT(answer.remark, HasSubstr(key));
    EXPECT_THAT(answer.remark, HasSubstr("log.levels"));
  }
  EXPECT_EQ(levels_, "info");
  EXPECT_THAT(version_, Not(HasSubstr("1")));
}

TEST_F(BrokerAdminTest, AValueThatIsRefusedLeavesEverythingAsItWas) {
  EXPECT_EQ(Change(local(), "topic.auto-create=false\nlog.levels=loud\n").code, kInvalidParameter);
  EXPECT_THAT(Text(), HasSubstr("topic.auto-create=true\n"));
  EXPECT_EQ(Send(producer(), SendHeader("new-topic")).code, kSuccess);
  EXPECT_EQ(Change(local(), "log.levels=debug\ntopic.auto-create=maybe\n").code,
            kInvalidParameter);
  EXPECT_EQ(levels_, "info");
  EXPECT_EQ(Change(local(), "a=\\u00").code, kSystemError);
  EXPECT_EQ(Change(local(), "").code, kSuccess);
}

TEST_F(BrokerAdminTest, FromAfarSettingsAreOnlyRead) {
  const Command answer = Change(peer(), "log.levels=debug\n");
  EXPECT_EQ(answer.code, kNoPermission);
  EXPECT_THAT(answer.remark, HasSubstr("admin.remote"));
  EXPECT_EQ(levels_, "info");
  EXPECT_THAT(Text(), HasSubstr("log.levels=info\n"));
}

class EverySettingFromAfarTest : public BrokerAdminTest {
 protected:
  EverySettingFromAfarTest() : BrokerAdminTest(RemoteAdmin::kAll) {}
};

TEST_F(EverySettingFromAfarTest, IsStillNoPathOrCommand) {
  EXPECT_EQ(Change(peer(), "log.levels=debug\n").code, kSuccess);
  EXPECT_EQ(Change(peer(), "data.dir=/tmp/x\n").code, kNoPermission);
  EXPECT_EQ(Change(peer(), "log.file=/tmp/x\n").code, kNoPermission);
}

TEST_F(BrokerAdminTest, TheClusterIsDescribedAsANameserverDoes) {
  EXPECT_EQ(Ask(peer(), RequestCode::kGetBrokerClusterInfo).body.view(),
            R"({"brokerAddrTable":{"broker-a":{"brokerAddrs":{"0":"127.0.0.1:8081"},)"
            R"("brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}},)"
            R"("clusterAddrTable":{"DefaultCluster":["broker-a"]}})");
}

TEST_F(BrokerAdminTest, ThereIsNothingToCleanAndItIsNotForEverybody) {
  for (RequestCode code : {RequestCode::kCleanExpiredConsumeQueue, RequestCode::kCleanUnusedTopic,
                           RequestCode::kDeleteExpiredCommitLog}) {
    EXPECT_EQ(Ask(local(), code).code, kSuccess);
    EXPECT_EQ(Ask(peer(), code).code, kNoPermission);
  }
}

}  // namespace
}  // namespace totora::remoting_api
