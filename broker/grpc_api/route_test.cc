#include "broker/grpc_api/route.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "broker/grpc_api/grpc_api_fixture.h"

namespace totora::grpc_api {
namespace {

class RouteTest : public GrpcApiTest {
 protected:
  static v2::QueryRouteRequest MakeQuery(const std::string& topic) {
    v2::QueryRouteRequest request;
    request.mutable_topic()->set_name(topic);
    return request;
  }
  v2::QueryRouteResponse Query(const std::string& topic) {
    return ReplyOf<v2::QueryRouteResponse>(Start("QueryRoute", MakeQuery(topic)));
  }
  v2::QueryAssignmentResponse Assignments(const std::string& topic, const std::string& group) {
    v2::QueryAssignmentRequest request;
    request.mutable_topic()->set_name(topic);
    request.mutable_group()->set_name(group);
    return ReplyOf<v2::QueryAssignmentResponse>(Start("QueryAssignment", request));
  }
};

TEST_F(RouteTest, EveryQueueIsListedWithOneReachableAddress) {
  const v2::QueryRouteResponse reply = Query("t");

  EXPECT_EQ(reply.status().code(), v2::OK);
  ASSERT_EQ(reply.message_queues_size(), 4);
  for (int i = 0; i < 4; ++i) {
    const v2::MessageQueue& queue = reply.message_queues(i);
    EXPECT_EQ(queue.topic().name(), "t");
    EXPECT_EQ(queue.id(), i);
    EXPECT_EQ(queue.permission(), v2::READ_WRITE);
    EXPECT_EQ(queue.broker().name(), "broker-a");
    EXPECT_EQ(queue.broker().id(), 0);
    EXPECT_EQ(queue.broker().endpoints().scheme(), v2::IPv4);
    ASSERT_EQ(queue.broker().endpoints().addresses_size(), 1);
    EXPECT_EQ(queue.broker().endpoints().addresses(0).host(), "127.0.0.1");
    EXPECT_EQ(queue.broker().endpoints().addresses(0).port(), 8081);
    ASSERT_EQ(queue.accept_message_types_size(), 1);
    EXPECT_EQ(queue.accept_message_types(0), v2::NORMAL);
  }
}

// §13.2.
TEST_F(RouteTest, AThousandAnswersAreEqualByteForByte) {
  CreateTopic("mixed", 8, store::TopicType::kMixed);
  const std::string first = Start("QueryRoute", MakeQuery("mixed"))->written().at(0);

  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Start("QueryRoute", MakeQuery("mixed"))->written().at(0), first);
  }
}

TEST_F(RouteTest, ReadAndWriteQueuesMayDiffer) {
  store::TopicConfig config;
  config.name = "uneven";
  config.read_queues = 3;
  config.write_queues = 1;
  broker_.service()->topics().Put(config, executor_.now() + absl::Seconds(1), [](absl::Status) {});
  executor_.Run();

  const v2::QueryRouteResponse reply = Query("uneven");

  ASSERT_EQ(reply.message_queues_size(), 3);
  EXPECT_EQ(reply.message_queues(0).permission(), v2::READ_WRITE);
  EXPECT_EQ(reply.message_queues(2).permission(), v2::READ);
}

TEST_F(RouteTest, AnUnknownTopicIsNotFoundOnlyWhenTheLogSaysSo) {
  EXPECT_EQ(Query("nowhere").status().code(), v2::TOPIC_NOT_FOUND);
  EXPECT_EQ(Query("no/topic").status().code(), v2::ILLEGAL_TOPIC);

  broker_.log()->SetLeader(false);
  const Call call = Start("QueryRoute", MakeQuery("nowhere"));
  executor_.Advance(absl::Seconds(3));
  EXPECT_EQ(ReplyOf<v2::QueryRouteResponse>(call).status().code(), v2::INTERNAL_SERVER_ERROR);
}

TEST_F(RouteTest, KnownTopicsAreAnsweredAtOnceWhileNobodyLeads) {
  broker_.log()->SetLeader(false);
  broker_.routes()->SetLeader(ReplicaId());

  EXPECT_EQ(Query("t").message_queues_size(), 4);
}

TEST(LocalRoutes, TheGroupAddressWinsAndTheLeadersFollowsTheLead) {
  service::TopicDirectory topics;
  store::TopicConfig config;
  config.name = "t";
  topics.Set("t", config);
  const std::map<ReplicaId, service::Address> replicas = {{ReplicaId(1), {"b1", 8081}},
                                                          {ReplicaId(2), {"b2", 8081}}};
  service::LocalRoutes routes(
      &topics, "broker-a", ReplicaId(1),
      {{"direct", {std::nullopt, replicas}}, {"front", {service::Address{"front", 80}, replicas}}});

  EXPECT_EQ(routes.Find("t", "direct").at(0).address.host, "b1");
  routes.SetLeader(ReplicaId(2));
  EXPECT_EQ(routes.Find("t", "direct").at(0).address.host, "b2");
  routes.SetLeader(ReplicaId());  // An election: the last leader stays.
  EXPECT_EQ(routes.Find("t", "direct").at(0).address.host, "b2");
  EXPECT_EQ(routes.Find("t", "front").at(0).address, (service::Address{"front", 80}));
  EXPECT_TRUE(routes.Find("nowhere", "front").empty());
}

TEST_F(RouteTest, AConsumerIsAssignedTheWholeBroker) {
  const v2::QueryAssignmentResponse reply = Assignments("t", "g");

  EXPECT_EQ(reply.status().code(), v2::OK);
  ASSERT_EQ(reply.assignments_size(), 1);
  EXPECT_EQ(reply.assignments(0).message_queue().id(), -1);
  EXPECT_EQ(reply.assignments(0).message_queue().topic().name(), "t");
}

TEST_F(RouteTest, AnOrderedGroupIsAssignedQueueByQueue) {
  store::ConsumerGroupConfig config;
  config.name = "ordered";
  config.is_fifo = true;
  broker_.service()->consumer_groups().Put(config, executor_.now() + absl::Seconds(1),
                                           [](absl::Status) {});
  executor_.Run();

  const v2::QueryAssignmentResponse reply = Assignments("t", "ordered");

  ASSERT_EQ(reply.assignments_size(), 4);
  EXPECT_EQ(reply.assignments(3).message_queue().id(), 3);
}

// Go takes an error for an empty list and drops its queues.
TEST_F(RouteTest, AssignmentsNeverFailForAnElection) {
  broker_.log()->SetLeader(false);
  v2::QueryAssignmentRequest request;
  request.mutable_topic()->set_name("t");
  request.mutable_group()->set_name("g");
  const Call call = Start("QueryAssignment", request);

  executor_.Advance(absl::Seconds(3));

  const auto reply = ReplyOf<v2::QueryAssignmentResponse>(call);
  EXPECT_EQ(reply.status().code(), v2::OK);
  EXPECT_EQ(reply.assignments_size(), 1);
  EXPECT_LE(call->took(), absl::Milliseconds(2700));
}

// --- What holds for every rpc ------------------------------------------------------

const char* const kUnary[] = {"QueryRoute",
                              "SendMessage",
                              "QueryAssignment",
                              "AckMessage",
                              "ForwardMessageToDeadLetterQueue",
                              "UpdateOffset",
                              "GetOffset",
                              "QueryOffset",
                              "EndTransaction",
                              "NotifyClientTermination",
                              "ChangeInvisibleDuration",
                              "RecallMessage",
                              "SyncLiteSubscription"};
const char* const kStreaming[] = {"ReceiveMessage", "PullMessage"};

// `status` is field 1 of every reply and every frame.
v2::Code CodeOf(const std::string& bytes) {
  v2::HeartbeatResponse any;
  EXPECT_TRUE(any.ParseFromString(bytes));
  return any.status().code();
}

TEST_F(RouteTest, WithoutAClientIdEveryCallIsRefusedInBand) {
  for (const char* method : kUnary) {
    EXPECT_EQ(CodeOf(StartBytes(method, "", {})->written().at(0)), v2::CLIENT_ID_REQUIRED)
        << method;
  }
  for (const char* method : kStreaming) {
    const Call call = StartBytes(method, "", {{"x-mq-client-id", "  "}});
    EXPECT_EQ(CodeOf(call->written().at(0)), v2::CLIENT_ID_REQUIRED) << method;
    EXPECT_EQ(call->code(), GrpcCode::kOk);
  }
}

TEST_F(RouteTest, WhatCannotBeParsedIsABadRequestInBand) {
  for (const char* method : kUnary) {
    const Call call = StartBytes(method, "\xff\xff\xff", ClientHeaders());
    EXPECT_EQ(CodeOf(call->written().at(0)), v2::BAD_REQUEST) << method;
    EXPECT_EQ(call->code(), GrpcCode::kOk);
  }
  for (const char* method : kStreaming) {
    EXPECT_EQ(CodeOf(StartBytes(method, "\xff\xff\xff", ClientHeaders())->written().at(0)),
              v2::BAD_REQUEST);
  }
}

TEST_F(RouteTest, RpcsOfLaterReleasesSayThatTheyAreNotImplemented) {
  for (const char* method :
       {"PullMessage", "UpdateOffset", "GetOffset", "QueryOffset", "EndTransaction", "RecallMessage",
        "SyncLiteSubscription"}) {
    EXPECT_EQ(CodeOf(StartBytes(method, "", ClientHeaders())->written().at(0)), v2::NOT_IMPLEMENTED)
        << method;
  }
}

// §13.14: of all headers only the client id matters.
TEST_F(RouteTest, MissingAndGarbledHeadersAreTolerated) {
  const Headers full = {{"x-mq-client-id", "c"},
                        {"x-mq-language", "JAVA"},
                        {"x-mq-protocol", "v2"},
                        {"x-mq-client-version", "5.2.0"},
                        {"x-mq-request-id", "1"},
                        {"x-mq-date-time", "20261121T000000Z"},
                        {"authorization", "MQv2-HMAC-SHA1 Credential=a, Signature=b"}};
  for (const auto& [name, value] : full) {
    if (name == "x-mq-client-id") continue;
    for (const char* garbled : {"", "\x01\x02", "KLINGON", "v99"}) {
      Headers headers = full;
      headers[name] = garbled;
      const Call call = Start("QueryRoute", MakeQuery("t"), absl::Seconds(3), headers);
      EXPECT_EQ(CodeOf(call->written().at(0)), v2::OK) << name;
    }
  }
}

TEST_F(RouteTest, TheEchoGivesBackWhatItGot) {
  auto call = std::make_shared<FakeCall>(&executor_, "/totora.bench.Echo/Echo", Headers(),
                                         absl::Seconds(1));
  api_.service()->Find("/totora.bench.Echo/Echo")->on_request(call, "any bytes \xff");

  EXPECT_EQ(call->written().at(0), "any bytes \xff");
}

}  // namespace
}  // namespace totora::grpc_api
