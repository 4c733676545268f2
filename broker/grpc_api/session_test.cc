#include "broker/grpc_api/session.h"

#include <gtest/gtest.h>

#include <string>

#include "broker/grpc_api/grpc_api_fixture.h"

namespace totora::grpc_api {
namespace {

class SessionTest : public GrpcApiTest {
 protected:
  static v2::TelemetryCommand ProducerSettings() {
    v2::TelemetryCommand command;
    v2::Settings* settings = command.mutable_settings();
    settings->set_client_type(v2::PRODUCER);
    settings->mutable_access_point()->add_addresses()->set_host("front");
    settings->mutable_user_agent()->set_language(v2::JAVA);
    settings->mutable_publishing()->add_topics()->set_name("t");
    return command;
  }
  static v2::TelemetryCommand ConsumerSettings(v2::Language language = v2::JAVA) {
    v2::TelemetryCommand command;
    v2::Settings* settings = command.mutable_settings();
    settings->set_client_type(v2::PUSH_CONSUMER);
    settings->mutable_user_agent()->set_language(language);
    settings->mutable_subscription()->mutable_group()->set_resource_namespace("ns");
    settings->mutable_subscription()->mutable_group()->set_name("g");
    v2::SubscriptionEntry* entry = settings->mutable_subscription()->add_subscriptions();
    entry->mutable_topic()->set_name("t");
    entry->mutable_expression()->set_expression("a || b");
    return command;
  }
  Call OpenTelemetry(const Headers& headers = ClientHeaders()) {
    return StartBytes("Telemetry", "", headers, absl::InfiniteDuration());
  }
  void Tell(const Call& call, const v2::TelemetryCommand& command) {
    call->Send(command.SerializeAsString());
    executor_.Run();
  }
  v2::TelemetryCommand Last(const Call& call) {
    EXPECT_FALSE(call->written().empty());
    return call->written().empty() ? v2::TelemetryCommand()
                                   : Parse<v2::TelemetryCommand>(call->written().back());
  }
};

// §13.1: Rust and C++ open the stream before anything else and wait for headers.
TEST_F(SessionTest, HeadersComeBeforeTheClientSaysAnything) {
  const Call call = OpenTelemetry();

  EXPECT_TRUE(call->has_initial_metadata());
  EXPECT_FALSE(call->is_finished());
}

TEST_F(SessionTest, AProducerGetsItsOwnSettingsWithOursLaidOver) {
  const Call call = OpenTelemetry();
  Tell(call, ProducerSettings());

  const v2::TelemetryCommand answer = Last(call);
  EXPECT_EQ(answer.status().code(), v2::OK);
  const v2::Settings& settings = answer.settings();
  EXPECT_EQ(settings.client_type(), v2::PRODUCER);
  EXPECT_EQ(settings.access_point().addresses(0).host(), "front");
  ASSERT_TRUE(settings.has_publishing());
  EXPECT_EQ(settings.publishing().topics(0).name(), "t");
  EXPECT_EQ(settings.publishing().max_body_size(), 4 << 20);
  EXPECT_TRUE(settings.publishing().validate_message_type());
  EXPECT_EQ(settings.backoff_policy().max_attempts(), 3);
  ASSERT_TRUE(settings.backoff_policy().has_exponential_backoff());
  EXPECT_EQ(settings.backoff_policy().exponential_backoff().initial().nanos(), 10'000'000);
  EXPECT_EQ(settings.backoff_policy().exponential_backoff().max().seconds(), 1);
  ASSERT_TRUE(settings.has_metric());
  EXPECT_FALSE(settings.metric().on());
}

TEST_F(SessionTest, AConsumerGetsItsGroupsSettings) {
  store::ConsumerGroupConfig config;
  config.name = "ns%g";
  config.is_fifo = true;
  config.max_attempts = 5;
  broker_.service()->consumer_groups().Put(config, executor_.now() + absl::Seconds(1),
                                           [](absl::Status) {});
  executor_.Run();
  const Call call = OpenTelemetry();
  Tell(call, ConsumerSettings());

  const v2::Settings settings = Last(call).settings();
  ASSERT_TRUE(settings.has_subscription());
  EXPECT_EQ(settings.subscription().group().resource_namespace(), "ns");
  EXPECT_EQ(settings.subscription().subscriptions(0).expression().expression(), "a || b");
  EXPECT_TRUE(settings.subscription().fifo());
  EXPECT_EQ(settings.subscription().receive_batch_size(), 32);
  EXPECT_EQ(settings.subscription().long_polling_timeout().seconds(), 20);
  EXPECT_EQ(settings.backoff_policy().max_attempts(), 5);
  EXPECT_EQ(settings.backoff_policy().customized_backoff().next_size(), 18);
}

TEST_F(SessionTest, SettingsAreAnsweredWithinASecondWhileNobodyLeads) {
  broker_.log()->SetLeader(false);
  const Call call = OpenTelemetry();
  Tell(call, ConsumerSettings());

  executor_.Advance(absl::Seconds(1));

  EXPECT_EQ(Last(call).status().code(), v2::OK);
  EXPECT_EQ(Last(call).settings().backoff_policy().max_attempts(), 17);
}

// Node does not read customized policies, and misses what comes too early.
TEST_F(SessionTest, NodeGetsAnotherPolicyAndHearsItThreeTimes) {
  Headers headers = ClientHeaders();
  headers["x-mq-language"] = "HTTP";
  const Call call = OpenTelemetry(headers);
  Tell(call, ConsumerSettings(v2::NODE_JS));
  ASSERT_EQ(call->written().size(), 1u);
  EXPECT_TRUE(Last(call).settings().backoff_policy().has_exponential_backoff());

  executor_.Advance(absl::Seconds(6));

  EXPECT_EQ(call->written().size(), 3u);
  EXPECT_EQ(call->written()[0], call->written()[2]);
}

TEST_F(SessionTest, NewSettingsReplaceTheOldOnes) {
  const Call call = OpenTelemetry();
  Tell(call, ProducerSettings());
  v2::TelemetryCommand more = ProducerSettings();
  more.mutable_settings()->mutable_publishing()->add_topics()->set_name("u");

  Tell(call, more);

  EXPECT_EQ(call->written().size(), 2u);
  const service::ClientSession* session = broker_.service()->sessions().Find("client-1");
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->published_topics, (std::vector<std::string>{"t", "u"}));
}

TEST_F(SessionTest, BadFirstSettingsEndTheStreamAndLaterOnesDoNot) {
  const Call bad = OpenTelemetry();
  v2::TelemetryCommand neither;
  neither.mutable_settings()->set_client_type(v2::PRODUCER);
  Tell(bad, neither);
  ASSERT_TRUE(bad->is_finished());
  EXPECT_EQ(bad->code(), GrpcCode::kInvalidArgument);

  const Call good = OpenTelemetry();
  Tell(good, ProducerSettings());
  Tell(good, neither);
  EXPECT_FALSE(good->is_finished());
}

TEST_F(SessionTest, AStreamWithoutAClientIdIsRefused) {
  const Call call = OpenTelemetry({});

  ASSERT_TRUE(call->is_finished());
  EXPECT_EQ(call->code(), GrpcCode::kInvalidArgument);
}

TEST_F(SessionTest, AQuietStreamStaysOpenAndKeepsItsClientAlive) {
  const Call call = OpenTelemetry();
  Tell(call, ConsumerSettings());

  executor_.Advance(absl::Hours(1));

  EXPECT_FALSE(call->is_finished());
  EXPECT_NE(broker_.service()->sessions().Find("client-1"), nullptr);
  call->HalfClose();
  executor_.Run();
  EXPECT_TRUE(call->is_finished());
  EXPECT_EQ(call->code(), GrpcCode::kOk);
}

TEST_F(SessionTest, EveryStreamHearsThatItShouldReconnect) {
  const Call first = OpenTelemetry(ClientHeaders("a"));
  const Call second = OpenTelemetry(ClientHeaders("a"));
  const Call gone = OpenTelemetry(ClientHeaders("b"));
  gone->Cancel();
  executor_.Run();

  api_.AskToReconnect();

  EXPECT_TRUE(Last(first).has_reconnect_endpoints_command());
  EXPECT_TRUE(Last(second).has_reconnect_endpoints_command());
  EXPECT_TRUE(gone->written().empty());
}

// Go's first heartbeat after a lost stream has no header at all.
TEST_F(SessionTest, AHeartbeatIsAlwaysOk) {
  v2::HeartbeatRequest request;
  EXPECT_EQ(ReplyOf<v2::HeartbeatResponse>(Start("Heartbeat", request)).status().code(), v2::OK);
  EXPECT_EQ(ReplyOf<v2::HeartbeatResponse>(StartBytes("Heartbeat", "", {})).status().code(),
            v2::OK);
  EXPECT_EQ(ReplyOf<v2::HeartbeatResponse>(StartBytes("Heartbeat", "\xff\xff", {})).status().code(),
            v2::OK);
}

TEST_F(SessionTest, AHeartbeatMakesAClientKnown) {
  v2::HeartbeatRequest request;
  request.set_client_type(v2::PUSH_CONSUMER);
  request.mutable_group()->set_name("g");

  Start("Heartbeat", request);

  ASSERT_NE(broker_.service()->sessions().Find("client-1"), nullptr);
  EXPECT_EQ(broker_.service()->sessions().OfConsumerGroup("g").size(), 1u);
}

// §13.8, the last part.
TEST_F(SessionTest, AGoodbyeReleasesWhatTheClientHeldWithinASecondAndAHalf) {
  Send(MakeMessage("t", "1"));
  ASSERT_EQ(Receive(MakeReceive()).messages.size(), 1u);
  const Call next = StartReceive(MakeReceive(), absl::Seconds(23), "client-2");
  v2::NotifyClientTerminationRequest request;
  request.mutable_group()->set_name("g");

  const Call goodbye = Start("NotifyClientTermination", request);
  executor_.Advance(absl::Milliseconds(1500));

  EXPECT_EQ(ReplyOf<v2::NotifyClientTerminationResponse>(goodbye).status().code(), v2::OK);
  ASSERT_TRUE(next->is_finished());
  EXPECT_EQ(FramesOf(next).messages.size(), 1u);
  EXPECT_EQ(broker_.service()->sessions().Find("client-1"), nullptr);
}

TEST_F(SessionTest, AGoodbyeIsOkWhileNobodyLeads) {
  broker_.log()->SetLeader(false);
  v2::NotifyClientTerminationRequest request;
  const Call goodbye = Start("NotifyClientTermination", request);

  executor_.Advance(absl::Seconds(3));

  EXPECT_EQ(ReplyOf<v2::NotifyClientTerminationResponse>(goodbye).status().code(), v2::OK);
}

}  // namespace
}  // namespace totora::grpc_api
