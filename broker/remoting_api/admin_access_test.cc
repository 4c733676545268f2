// Who may change what, request by request: the table of docs/protocol/classic.md.
#include "broker/remoting_api/admin_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "broker/remoting_api/remoting_api_fixture.h"

namespace totora::remoting_api {
namespace {

using remoting::Change;
using remoting::RemoteAdmin;
using ::testing::HasSubstr;

constexpr int kSuccess = 0;
constexpr int kNoPermission = 16;

struct ChangingRequest {
  RequestCode code;
  Change change;
  std::vector<std::pair<const char*, const char*>> fields;
  const char* body = "";
};

// Every request that changes something other than by sending and consuming, with
// all that it asks for.
const std::vector<ChangingRequest>& ChangingRequests() {
  static const std::vector<ChangingRequest> requests = {
      {RequestCode::kUpdateAndCreateTopic,
       Change::kTopicOrGroup,
       {{"topic", "new"},
        {"defaultTopic", "TBW102"},
        {"readQueueNums", "1"},
        {"writeQueueNums", "1"},
        {"perm", "6"},
        {"topicFilterType", "SINGLE_TAG"},
        {"topicSysFlag", "0"},
        {"order", "false"}}},
      {RequestCode::kUpdateAndCreateTopicList,
       Change::kTopicOrGroup,
       {},
       R"({"topicConfigList":[]})"},
      {RequestCode::kUpdateAndCreateSubscriptionGroup,
       Change::kTopicOrGroup,
       {},
       R"({"groupName":"g"})"},
      {RequestCode::kUpdateAndCreateSubscriptionGroupList,
       Change::kTopicOrGroup,
       {},
       R"({"groupConfigList":[]})"},
      {RequestCode::kDeleteTopicInBroker, Change::kOther, {{"topic", "new"}}},
      {RequestCode::kUpdateBrokerConfig, Change::kOther, {}},
      {RequestCode::kInvokeBrokerToResetOffset,
       Change::kOther,
       {{"topic", "t"}, {"group", "g"}, {"timestamp", "-1"}, {"isForce", "true"}}},
      {RequestCode::kCloneGroupOffset,
       Change::kOther,
       {{"srcGroup", "g"}, {"destGroup", "g"}, {"topic", "t"}, {"offline", "false"}}},
      {RequestCode::kCleanExpiredConsumeQueue, Change::kOther, {}},
      {RequestCode::kCleanUnusedTopic, Change::kOther, {}},
      {RequestCode::kDeleteExpiredCommitLog, Change::kOther, {}},
      {RequestCode::kUpdateAndGetGroupForbidden,
       Change::kOther,
       {{"group", "g"}, {"topic", "t"}, {"readable", "true"}}},
      {RequestCode::kSetMessageRequestMode,
       Change::kOther,
       {},
       R"({"consumerGroup":"g","mode":"PULL","popShareQueueNum":0,"topic":"t"})"},
      {RequestCode::kDeleteSubscriptionGroup,
       Change::kOther,
       {{"groupName", "g"}, {"cleanOffset", "true"}}},
  };
  return requests;
}

class AdminAccessTest : public RemotingApiTest, public ::testing::WithParamInterface<RemoteAdmin> {
 protected:
  AdminAccessTest() : RemotingApiTest(Options(), RemoteAdminIs(GetParam())) {}

  Command AskFor(Peer* from, const ChangingRequest& request) {
    remoting::FieldBuffer fields;
    for (const auto& [name, value] : request.fields) fields.Add(name, value);
    return Ask(from, request.code, fields, request.body);
  }
};

TEST_P(AdminAccessTest, FromAfarTheSettingDecidesAboutEveryChange) {
  for (const ChangingRequest& request : ChangingRequests()) {
    SCOPED_TRACE(static_cast<int>(request.code));
    const Command answer = AskFor(peer(), request);

    const bool is_allowed =
        GetParam() == RemoteAdmin::kAll ||
        (GetParam() == RemoteAdmin::kTopics && request.change == Change::kTopicOrGroup);
    EXPECT_EQ(answer.code, is_allowed ? kSuccess : kNoPermission) << answer.remark;
    if (!is_allowed) {
      EXPECT_THAT(answer.remark, HasSubstr("admin.remote"));
    }
  }
}

TEST_P(AdminAccessTest, ToolsOnThisMachineMayDoAllOfIt) {
  for (const ChangingRequest& request : ChangingRequests()) {
    SCOPED_TRACE(static_cast<int>(request.code));
    const Command answer = AskFor(local(), request);
    EXPECT_EQ(answer.code, kSuccess) << answer.remark;
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, AdminAccessTest,
                         ::testing::Values(RemoteAdmin::kNone, RemoteAdmin::kTopics,
                                           RemoteAdmin::kAll),
                         [](const auto& info) {
                           return info.param == RemoteAdmin::kNone     ? "None"
                                  : info.param == RemoteAdmin::kTopics ? "Topics"
                                                                       : "All";
                         });

}  // namespace
}  // namespace totora::remoting_api
