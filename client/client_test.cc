// Producer, simple consumer and echo against a real gRPC server.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "client/echo_client.h"
#include "client/fake_broker.h"
#include "client/producer.h"
#include "client/rpc.h"
#include "client/simple_consumer.h"
#include "client/status_code.h"

namespace totora::client {
namespace {

namespace v2 = apache::rocketmq::v2;

std::unique_ptr<Producer> MustStart(const FakeBroker& broker, size_t outstanding_max = 10000) {
  ProducerOptions options;
  options.client.access_point = broker.address();
  options.client.request_timeout = absl::Seconds(30);  // Never the reason of a result here.
  options.topics = {"t"};
  options.outstanding_max = outstanding_max;
  absl::StatusOr<std::unique_ptr<Producer>> producer = Producer::Start(options);
  EXPECT_TRUE(producer.ok()) << producer.status();
  return *std::move(producer);
}

std::unique_ptr<SimpleConsumer> MustConsume(const FakeBroker& broker) {
  SimpleConsumerOptions options;
  options.client.access_point = broker.address();
  options.client.request_timeout = absl::Seconds(30);
  options.consumer_group = "g";
  options.topics = {"t"};
  absl::StatusOr<std::unique_ptr<SimpleConsumer>> consumer = SimpleConsumer::Start(options);
  EXPECT_TRUE(consumer.ok()) << consumer.status();
  return *std::move(consumer);
}

TEST(Producer, ASendIsStoredUnderItsId) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);

  const SendReceipt receipt = producer->Send({.topic = "t", .body = "hello"});

  ASSERT_TRUE(receipt.status.ok()) << receipt.status;
  EXPECT_EQ(broker.arrivals(), std::vector<std::string>{receipt.message_id});
  EXPECT_EQ(broker.last_body(), "hello");
  EXPECT_EQ(receipt.queue_offset, 0);
  EXPECT_FALSE(broker.last_client_id().empty());
}

// The answer is lost after the message was stored: the second attempt must
// carry the same id, or the broker would have to store it twice.
TEST(Producer, AnotherAttemptCarriesTheSameMessageId) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);
  broker.NextSends({-2, 0});

  const SendReceipt receipt = producer->Send({.topic = "t", .body = "once"});

  ASSERT_TRUE(receipt.status.ok()) << receipt.status;
  EXPECT_EQ(broker.arrivals(),
            (std::vector<std::string>{receipt.message_id, receipt.message_id}));
  EXPECT_EQ(broker.stored(), 1u);
  EXPECT_EQ(producer->retries(), 1u);
}

TEST(Producer, TheServersFaultsAreTriedAgainUpToThreeAttempts) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);
  broker.NextSends({v2::HA_NOT_AVAILABLE, v2::TOO_MANY_REQUESTS, v2::HA_NOT_AVAILABLE, 0});

  const SendReceipt receipt = producer->Send({.topic = "t", .body = "x"});

  EXPECT_TRUE(absl::IsUnavailable(receipt.status)) << receipt.status;
  EXPECT_EQ(broker.arrivals().size(), 3u);
}

TEST(Producer, TheCallersFaultsAreNotTriedAgain) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);
  broker.NextSends({v2::MESSAGE_BODY_TOO_LARGE});

  const SendReceipt receipt = producer->Send({.topic = "t", .body = "x"});

  EXPECT_TRUE(absl::IsInvalidArgument(receipt.status)) << receipt.status;
  EXPECT_EQ(receipt.status.message(), "MESSAGE_BODY_TOO_LARGE");
  EXPECT_EQ(broker.arrivals().size(), 1u);
}

TEST(Producer, AMissingTopicIsAnErrorOfStart) {
  FakeBroker broker;
  broker.has_topic = false;
  ProducerOptions options;
  options.client.access_point = broker.address();
  options.topics = {"t"};

  const auto producer = Producer::Start(options);

  EXPECT_TRUE(absl::IsNotFound(producer.status())) << producer.status();
}

TEST(Producer, RefusedSettingsAreAnErrorOfStart) {
  FakeBroker broker;
  broker.answers_telemetry = false;
  ProducerOptions options;
  options.client.access_point = broker.address();
  options.topics = {"t"};

  const auto producer = Producer::Start(options);

  EXPECT_TRUE(absl::IsInvalidArgument(producer.status())) << producer.status();
}

TEST(Producer, NobodyThereIsUnavailable) {
  ProducerOptions options;
  options.client.access_point = "127.0.0.1:1";
  options.topics = {"t"};

  const auto producer = Producer::Start(options);

  EXPECT_TRUE(absl::IsUnavailable(producer.status())) << producer.status();
}

TEST(Producer, ABatchForTwoTopicsIsRefusedWhole) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);
  OneShot<std::vector<SendReceipt>> receipts;

  producer->SendAsync({{.topic = "t", .body = "a"}, {.topic = "u", .body = "b"}},
                      [&](std::vector<SendReceipt> got) { receipts.Set(std::move(got)); });

  for (const SendReceipt& receipt : receipts.Take()) {
    EXPECT_TRUE(absl::IsInvalidArgument(receipt.status)) << receipt.status;
  }
  EXPECT_TRUE(broker.arrivals().empty());
}

// The telemetry stream once took a place, and so did a send whose callback ran.
TEST(Producer, WithOnePlaceACallbackCanStartTheNextSend) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker, 1);
  OneShot<absl::Status> second;

  producer->SendAsync({{.topic = "t", .body = "a"}}, [&](std::vector<SendReceipt> first) {
    EXPECT_TRUE(first[0].status.ok()) << first[0].status;
    producer->SendAsync({{.topic = "t", .body = "b"}}, [&](std::vector<SendReceipt> receipts) {
      second.Set(receipts[0].status);
    });
  });

  const absl::Status status = second.Take();
  EXPECT_TRUE(status.ok()) << status;
}

TEST(Producer, BeyondOutstandingMaxASendIsRefused) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker, 0);

  const SendReceipt receipt = producer->Send({.topic = "t", .body = "x"});

  EXPECT_TRUE(absl::IsResourceExhausted(receipt.status)) << receipt.status;
  EXPECT_TRUE(broker.arrivals().empty());
}

TEST(Producer, SaysGoodbyeToItsBroker) {
  FakeBroker broker;
  MustStart(broker).reset();

  EXPECT_EQ(broker.terminations(), 1u);
}

TEST(SendTemplate, EveryMessageOfEveryUseHasAnIdOfItsOwn) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);
  const auto message = SendTemplate::Make({.topic = "t", .body = "load"}, 32);
  ASSERT_TRUE(message.ok()) << message.status();

  for (int i = 0; i < 3; ++i) {
    OneShot<Producer::Counts> counts;
    producer->SendTemplated(*message, [&](const Producer::Counts& got) { counts.Set(got); });
    const Producer::Counts got = counts.Take();
    EXPECT_EQ(got.stored, 32u) << got.first_error;
  }

  const std::vector<std::string> arrivals = broker.arrivals();
  EXPECT_EQ(arrivals.size(), 96u);
  EXPECT_EQ(std::set<std::string>(arrivals.begin(), arrivals.end()).size(), 96u);
  EXPECT_EQ(broker.last_body(), "load");
}

TEST(SendTemplate, ARequestAboveTheLimitIsRefused) {
  const auto message = SendTemplate::Make({.topic = "t", .body = std::string(1 << 20, 'x')}, 17);

  EXPECT_TRUE(absl::IsInvalidArgument(message.status())) << message.status();
}

TEST(SimpleConsumer, ReceivesWhatWasSentAndAcknowledgesIt) {
  FakeBroker broker;
  const std::unique_ptr<Producer> producer = MustStart(broker);
  OutgoingMessage outgoing{.topic = "t", .body = "hello", .tag = "blue"};
  outgoing.properties["colour"] = "dark";
  const SendReceipt receipt = producer->Send(outgoing);
  const std::unique_ptr<SimpleConsumer> consumer = MustConsume(broker);

  const auto messages = consumer->Receive(10, absl::Seconds(30));

  ASSERT_TRUE(messages.ok()) << messages.status();
  ASSERT_EQ(messages->size(), 1u);
  EXPECT_EQ((*messages)[0].message_id, receipt.message_id);
  EXPECT_EQ((*messages)[0].body, "hello");
  EXPECT_EQ((*messages)[0].tag, "blue");
  EXPECT_EQ((*messages)[0].properties.at("colour"), "dark");
  EXPECT_EQ(consumer->Ack(*messages), std::vector<absl::Status>{absl::OkStatus()});
  EXPECT_TRUE(absl::IsInvalidArgument(consumer->Ack(*messages)[0]));
}

TEST(SimpleConsumer, NothingThereIsNoError) {
  FakeBroker broker;
  const std::unique_ptr<SimpleConsumer> consumer = MustConsume(broker);

  const auto messages = consumer->Receive(10, absl::Seconds(30));

  ASSERT_TRUE(messages.ok()) << messages.status();
  EXPECT_TRUE(messages->empty());
}

TEST(SimpleConsumer, AChangedLeaseHasANewHandle) {
  FakeBroker broker;
  MustStart(broker)->Send({.topic = "t", .body = "x"});
  const std::unique_ptr<SimpleConsumer> consumer = MustConsume(broker);
  auto messages = consumer->Receive(1, absl::Seconds(30));
  ASSERT_TRUE(messages.ok() && messages->size() == 1);
  const std::string old_handle = (*messages)[0].receipt_handle;

  EXPECT_TRUE(consumer->ChangeInvisible(&(*messages)[0], absl::Seconds(60)).ok());

  EXPECT_EQ((*messages)[0].receipt_handle, "new " + old_handle);
  EXPECT_EQ(consumer->Ack(*messages), std::vector<absl::Status>{absl::OkStatus()});
}

TEST(EchoClient, AServerWithoutEchoIsUnimplemented) {
  FakeBroker broker;
  Runtime runtime;
  EchoClient client(broker.address(), &runtime);
  OneShot<absl::Status> outcome;

  client.CallAsync("ping", absl::Seconds(30), [&](absl::Status status) { outcome.Set(status); });

  EXPECT_TRUE(absl::IsUnimplemented(outcome.Take()));
}

TEST(StatusOfCode, TellsTheCallersFaultsFromTheServers) {
  EXPECT_TRUE(StatusOfCode(v2::OK, "").ok());
  EXPECT_TRUE(absl::IsNotFound(StatusOfCode(v2::TOPIC_NOT_FOUND, "t")));
  EXPECT_TRUE(absl::IsInvalidArgument(StatusOfCode(v2::ILLEGAL_TOPIC, "")));
  EXPECT_TRUE(absl::IsUnavailable(StatusOfCode(v2::HA_NOT_AVAILABLE, "")));
  EXPECT_TRUE(absl::IsDeadlineExceeded(StatusOfCode(v2::SLAVE_PERSISTENCE_TIMEOUT, "")));
  EXPECT_TRUE(absl::IsResourceExhausted(StatusOfCode(v2::TOO_MANY_REQUESTS, "")));
  EXPECT_TRUE(absl::IsUnimplemented(StatusOfCode(v2::VERSION_UNSUPPORTED, "")));
  EXPECT_EQ(StatusOfCode(v2::TOPIC_NOT_FOUND, "t").message(), "TOPIC_NOT_FOUND: t");
  EXPECT_TRUE(absl::IsInternal(StatusOfCode(0, "")));
}

}  // namespace
}  // namespace totora::client
