#include "namesrv/classic_api.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/manual_executor.h"
#include "net/budget.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/route.h"
#include "remoting/frame.h"
#include "remoting/server.h"
#include "remoting/test_peer.h"

namespace totora::namesrv {
namespace {

using remoting::Command;
using remoting::RequestCode;
using remoting::ResponseCode;

class ClassicApiTest : public testing::Test {
 protected:
  ClassicApiTest() {
    RegisterRequest request;
    request.set_is_full(true);
    request.mutable_hello()->set_process("p1");
    request.mutable_hello()->set_incarnation(1);
    request.mutable_hello()->set_cluster("c");
    GroupReport* group = request.add_groups();
    group->set_group_id(1);
    group->set_group_name("a");
    group->set_replica_id(1);
    group->set_term(1);
    group->set_leader_id(1);
    model::Listener* listener = group->add_listeners();
    listener->set_protocol(model::Listener::ANY);
    listener->mutable_address()->set_host("10.0.0.1");
    listener->mutable_address()->set_port(10911);
    group->mutable_topic_changes()->set_version(1);
    model::Topic* topic = group->mutable_topic_changes()->add_topics()->mutable_topic();
    topic->set_name("t");
    topic->set_permission(6);
    topic->set_read_queues(4);
    topic->set_write_queues(4);
    EXPECT_TRUE(table_.Take(1, request).ok());
  }
  ~ClassicApiTest() override {
    if (socket_ >= 0) close(socket_);
    if (listener_) listener_->Stop();
    loops_.Stop();
  }

  void Start(ClassicApiOptions options = {}) {
    api_ = std::make_unique<ClassicApi>(&table_, std::move(options));
    api_->AddTo(&service_);
    server_ = std::make_unique<remoting::RemotingServer>(&service_, loops_.loop(0));
    absl::StatusOr<std::unique_ptr<Listener>> listener =
        Listener::Open({.address = "127.0.0.1:0", .tag = "namesrv"});
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    ListenerProtocols protocols;
    protocols.raw = server_->protocol();
    listener_->Start(&loops_, std::make_shared<NetBudget>(), std::move(protocols));
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(listener_->port()));
    ASSERT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  using Fields = std::vector<std::pair<const char*, const char*>>;

  // The answer to a request over the wire.
  Command Ask(RequestCode code, Fields fields = {}, const std::string& body = "") {
    remoting::FieldBuffer buffer;
    for (const auto& [name, value] : fields) buffer.Add(name, value);
    remoting::Head head;
    head.code = static_cast<int32_t>(code);
    head.opaque = ++opaque_;
    std::string frame;
    EXPECT_TRUE(remoting::AppendFrameHead(head, buffer, body.size(), &frame).ok());
    frame += body;
    EXPECT_EQ(send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
    while (true) {
      const absl::StatusOr<size_t> size = remoting::FrameSize(received_);
      EXPECT_TRUE(size.ok()) << size.status();
      if (size.ok() && *size > 0 && received_.size() >= *size) {
        absl::StatusOr<Command> answer =
            remoting::DecodeFrame(absl::string_view(received_).substr(0, *size));
        EXPECT_TRUE(answer.ok()) << answer.status();
        received_.erase(0, *size);
        EXPECT_EQ(answer->opaque, opaque_);
        return *std::move(answer);
      }
      char bytes[4096];
      const ssize_t n = recv(socket_, bytes, sizeof(bytes), 0);
      if (n <= 0) {
        ADD_FAILURE() << "the connection was closed";
        return Command();
      }
      received_.append(bytes, static_cast<size_t>(n));
    }
  }
  ResponseCode CodeOf(const Command& answer) { return static_cast<ResponseCode>(answer.code); }

  // The same from another machine, without a socket.
  Command AskFromAfar(RequestCode code, Fields fields = {}, const std::string& body = "") {
    remoting::FieldBuffer buffer;
    for (const auto& [name, value] : fields) buffer.Add(name, value);
    ManualExecutor executor;
    remoting::TestPeer afar(*server_, &executor, "10.0.0.9:5555");
    afar.Send({.code = static_cast<int32_t>(code), .opaque = ++opaque_}, buffer, body);
    executor.Run();
    std::vector<Command> answers = afar.Received();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? Command() : std::move(answers.front());
  }

  struct Changing {
    RequestCode code;
    Fields fields;
    const char* body = "";
  };
  static const std::vector<Changing>& AllChanges() {
    static const std::vector<Changing> changes = {
        {RequestCode::kPutKvConfig, {{"namespace", "n"}, {"key", "k"}, {"value", "v"}}},
        {RequestCode::kDeleteKvConfig, {{"namespace", "kept"}, {"key", "k"}}},
        {RequestCode::kWipeWritePermissionOfBroker, {{"brokerName", "a"}}},
        {RequestCode::kAddWritePermissionOfBroker, {{"brokerName", "a"}}},
        {RequestCode::kDeleteTopicInNameserver, {{"topic", "t"}}},
        {RequestCode::kUpdateNameserverConfig, {}, "log.levels=debug\n"}};
    return changes;
  }

  RouteTable table_{Clock::System(), 1};
  EventLoopPool loops_{"net", 1};
  remoting::RemotingService service_;
  std::unique_ptr<ClassicApi> api_;
  std::unique_ptr<remoting::RemotingServer> server_;
  std::unique_ptr<Listener> listener_;
  int socket_ = -1;
  int32_t opaque_ = 0;
  std::string received_;
};

TEST_F(ClassicApiTest, ARouteIsTold) {
  Start();
  const Command answer = Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "t"}});
  ASSERT_EQ(CodeOf(answer), ResponseCode::kSuccess);
  EXPECT_EQ(answer.body.view(),
            R"({"brokerDatas":[{"brokerAddrs":{"0":"10.0.0.1:10911"},"brokerName":"a",)"
            R"("cluster":"c","enableActingMaster":false}],"filterServerTable":{},)"
            R"("queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":4,"topicSysFlag":0,)"
            R"("writeQueueNums":4}]})");
}

TEST_F(ClassicApiTest, AnUnknownTopicHasNoRoute) {
  Start();
  const Command answer = Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "x"}});
  EXPECT_EQ(CodeOf(answer), ResponseCode::kTopicNotExist);
  EXPECT_FALSE(answer.remark.empty());
  EXPECT_EQ(CodeOf(Ask(RequestCode::kGetRouteInfoByTopic)), ResponseCode::kSystemError);
}

TEST_F(ClassicApiTest, ClustersAndTopicsAreListed) {
  Start();
  const auto clusters =
      remoting::DecodeBody<remoting::ClusterInfo>(Ask(RequestCode::kGetBrokerClusterInfo).body.view());
  ASSERT_TRUE(clusters.ok()) << clusters.status();
  EXPECT_EQ(clusters->broker_addr_table.count("a"), 1u);
  for (const Command& answer :
       {Ask(RequestCode::kGetAllTopicListFromNameserver),
        Ask(RequestCode::kGetTopicsByCluster, {{"cluster", "c"}})}) {
    const auto topics = remoting::DecodeBody<remoting::TopicList>(answer.body.view());
    ASSERT_TRUE(topics.ok()) << topics.status();
    EXPECT_EQ(topics->topics, std::vector<std::string>{"t"});
  }
  EXPECT_EQ(Ask(RequestCode::kGetUnitTopicList).body.view(), R"({"topicList":[]})");
}

TEST_F(ClassicApiTest, TextsAreKeptByNamespaceAndKey) {
  Start();
  const Fields name = {{"namespace", "n"}, {"key", "k"}};
  EXPECT_EQ(CodeOf(Ask(RequestCode::kGetKvConfig, name)), ResponseCode::kQueryNotFound);
  EXPECT_EQ(CodeOf(Ask(RequestCode::kPutKvConfig, {{"namespace", "n"}, {"key", "k"}, {"value", "v"}})),
            ResponseCode::kSuccess);
  EXPECT_EQ(Ask(RequestCode::kGetKvConfig, name).fields.Find("value"), "v");
  EXPECT_EQ(Ask(RequestCode::kGetKvListByNamespace, {{"namespace", "n"}}).body.view(),
            R"({"table":{"k":"v"}})");
  EXPECT_EQ(CodeOf(Ask(RequestCode::kDeleteKvConfig, name)), ResponseCode::kSuccess);
  EXPECT_EQ(CodeOf(Ask(RequestCode::kGetKvListByNamespace, {{"namespace", "n"}})),
            ResponseCode::kQueryNotFound);
}

TEST_F(ClassicApiTest, AnOrderIsToldOnlyWhereTheSettingSaysSo) {
  Start();
  Ask(RequestCode::kPutKvConfig,
      {{"namespace", "ORDER_TOPIC_CONFIG"}, {"key", "t"}, {"value", "a:2"}});
  const Command answer = Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "t"}});
  EXPECT_EQ(answer.body.view().find("orderTopicConf"), absl::string_view::npos);
}

TEST_F(ClassicApiTest, AnOrderIsToldWhereTheSettingSaysSo) {
  Start({.tells_order = true});
  Ask(RequestCode::kPutKvConfig,
      {{"namespace", "ORDER_TOPIC_CONFIG"}, {"key", "t"}, {"value", "a:2"}});
  const Command answer = Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "t"}});
  EXPECT_NE(answer.body.view().find(R"("orderTopicConf":"a:2")"), absl::string_view::npos);
}

TEST_F(ClassicApiTest, WritePermissionIsTakenAndGivenBack) {
  Start();
  const Fields group = {{"brokerName", "a"}};
  EXPECT_EQ(Ask(RequestCode::kWipeWritePermissionOfBroker, group).fields.Find("wipeTopicCount"), "1");
  EXPECT_EQ(Ask(RequestCode::kWipeWritePermissionOfBroker, group).fields.Find("wipeTopicCount"), "0");
  EXPECT_NE(Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "t"}}).body.view().find(R"("perm":4)"),
            absl::string_view::npos);
  EXPECT_EQ(Ask(RequestCode::kAddWritePermissionOfBroker, group).fields.Find("addTopicCount"), "1");
  EXPECT_NE(Ask(RequestCode::kGetRouteInfoByTopic, {{"topic", "t"}}).body.view().find(R"("perm":6)"),
            absl::string_view::npos);
  EXPECT_EQ(Ask(RequestCode::kWipeWritePermissionOfBroker, {{"brokerName", "x"}})
                .fields.Find("wipeTopicCount"),
            "0");
}

TEST_F(ClassicApiTest, TheConfigurationIsToldAndLevelsOfTheLogAloneChange) {
  std::string levels;
  ClassicApiOptions options;
  options.properties = "listen=127.0.0.1:9876\n";
  options.set_log_levels = [&levels](const std::string& to) {
    levels = to;
    return absl::OkStatus();
  };
  Start(std::move(options));
  EXPECT_EQ(Ask(RequestCode::kGetNameserverConfig).body.view(), "listen=127.0.0.1:9876\n");
  EXPECT_EQ(CodeOf(Ask(RequestCode::kUpdateNameserverConfig, {}, "log.levels=debug\n")),
            ResponseCode::kSuccess);
  EXPECT_EQ(levels, "debug");
  for (const char* body : {"kvConfigPath=/etc/passwd", "listen=1.1.1.1:1", "log.file = /tmp/x"}) {
    EXPECT_EQ(CodeOf(Ask(RequestCode::kUpdateNameserverConfig, {}, body)),
              ResponseCode::kNoPermission)
        << body;
  }
}

TEST_F(ClassicApiTest, ALineThatIsRefusedLeavesTheOthersUndone) {
  std::string levels;
  ClassicApiOptions options;
  options.set_log_levels = [&levels](const std::string& to) {
    levels = to;
    return absl::OkStatus();
  };
  Start(std::move(options));
  const Command answer =
      Ask(RequestCode::kUpdateNameserverConfig, {}, "log.levels=debug\nlog.file=/tmp/x\n");
  EXPECT_EQ(CodeOf(answer), ResponseCode::kNoPermission);
  EXPECT_NE(answer.remark.find("log.file"), absl::string_view::npos);
  EXPECT_EQ(levels, "");
}

class FromAfar : public ClassicApiTest, public testing::WithParamInterface<remoting::RemoteAdmin> {
 protected:
  void StartAs(remoting::RemoteAdmin setting) {
    ClassicApiOptions options;
    options.remote_admin = setting;
    options.set_log_levels = [this](const std::string& to) {
      levels_ = to;
      return absl::OkStatus();
    };
    Start(std::move(options));
    Ask(RequestCode::kPutKvConfig, {{"namespace", "kept"}, {"key", "k"}, {"value", "v"}});
  }
  std::string levels_;
};

// Topics are made at brokers: of what a nameserver keeps, nobody afar may change anything.
TEST_P(FromAfar, NothingIsChangedUnlessTheSettingIsAll) {
  StartAs(GetParam());
  const bool is_allowed = GetParam() == remoting::RemoteAdmin::kAll;
  for (const Changing& change : AllChanges()) {
    SCOPED_TRACE(static_cast<int>(change.code));
    const Command answer = AskFromAfar(change.code, change.fields, change.body);
    EXPECT_EQ(CodeOf(answer), is_allowed ? ResponseCode::kSuccess : ResponseCode::kNoPermission);
    EXPECT_EQ(answer.remark.find("admin.remote") != absl::string_view::npos, !is_allowed);
  }

  EXPECT_EQ(CodeOf(AskFromAfar(RequestCode::kGetKvConfig, {{"namespace", "kept"}, {"key", "k"}})),
            is_allowed ? ResponseCode::kQueryNotFound : ResponseCode::kSuccess);
  EXPECT_EQ(levels_, is_allowed ? "debug" : "");
  // Not even then a path.
  EXPECT_EQ(CodeOf(AskFromAfar(RequestCode::kUpdateNameserverConfig, {}, "log.file=/tmp/x\n")),
            ResponseCode::kNoPermission);
}

TEST_P(FromAfar, ToolsOnThisMachineMayChangeEverything) {
  StartAs(GetParam());
  for (const Changing& change : AllChanges()) {
    EXPECT_EQ(CodeOf(Ask(change.code, change.fields, change.body)), ResponseCode::kSuccess)
        << static_cast<int>(change.code);
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, FromAfar,
                         testing::Values(remoting::RemoteAdmin::kNone,
                                         remoting::RemoteAdmin::kTopics,
                                         remoting::RemoteAdmin::kAll));

TEST_F(ClassicApiTest, WhatBrokersOfOtherMakeAskIsRefusedByName) {
  Start();
  const Command answer = Ask(static_cast<RequestCode>(103));
  EXPECT_EQ(CodeOf(answer), ResponseCode::kRequestCodeNotSupported);
}

}  // namespace
}  // namespace totora::namesrv
