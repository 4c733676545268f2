#include "broker/grpc_api/send.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "broker/grpc_api/grpc_api_fixture.h"

namespace totora::grpc_api {
namespace {

class SendMessageTest : public GrpcApiTest {};

TEST_F(SendMessageTest, ASentMessageHasAPlaceAndKeepsItsId) {
  const v2::SendMessageResponse reply = Send(MakeMessage("t", "ID1"));

  EXPECT_EQ(reply.status().code(), v2::OK);
  ASSERT_EQ(reply.entries_size(), 1);
  EXPECT_EQ(reply.entries(0).status().code(), v2::OK);
  EXPECT_EQ(reply.entries(0).message_id(), "ID1");
  EXPECT_EQ(reply.entries(0).offset(), 0);
}

TEST_F(SendMessageTest, AsManyEntriesAsMessagesInTheirOrder) {
  v2::SendMessageRequest request;
  for (int i = 0; i < 5; ++i) *request.add_messages() = MakeMessage("t", std::to_string(i));

  const auto reply = ReplyOf<v2::SendMessageResponse>(Start("SendMessage", request));

  EXPECT_EQ(reply.status().code(), v2::OK);
  ASSERT_EQ(reply.entries_size(), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(reply.entries(i).message_id(), std::to_string(i));
    EXPECT_EQ(reply.entries(i).offset(), i);
  }
}

TEST_F(SendMessageTest, ARetryIsOkWithTheFirstPlace) {
  Send(MakeMessage("t", "other"));
  const auto first = Send(MakeMessage("t", "ID1"));
  const auto second = Send(MakeMessage("t", "ID1"));

  EXPECT_EQ(second.status().code(), v2::OK);
  EXPECT_EQ(second.entries(0).offset(), first.entries(0).offset());
  EXPECT_EQ(FramesOf(StartReceive(MakeReceive())).messages.size(), 2u);
}

// A message with everything wrong, repaired step by step, names each fault in
// the order in which RocketMQ's proxy looks.
TEST_F(SendMessageTest, FaultsAreNamedInRocketMqsOrder) {
  v2::Message message = MakeMessage("no/topic", "");
  message.clear_body();
  for (int i = 0; i < 129; ++i) (*message.mutable_user_properties())[std::to_string(i)] = "v";
  v2::SystemProperties* system = message.mutable_system_properties();
  system->set_tag("a|b");
  system->add_keys(" ");
  system->mutable_orphaned_transaction_recovery_duration()->set_seconds(3601);
  system->mutable_delivery_timestamp()->set_seconds(1'700'001'000 + 86'400 + 10);
  system->set_message_group(std::string(64, 'g'));
  struct Step {
    v2::Code code;
    std::function<void()> repair;
  };
  auto& properties = *message.mutable_user_properties();
  const std::vector<Step> steps = {
      {v2::ILLEGAL_TOPIC, [&] { message.mutable_topic()->set_name("t"); }},
      {v2::MESSAGE_BODY_EMPTY, [&] { message.set_body(std::string((4 << 20) + 1, 'b')); }},
      {v2::MESSAGE_BODY_TOO_LARGE, [&] { message.set_body("b"); }},
      {v2::MESSAGE_PROPERTIES_TOO_LARGE,
       [&] {
         properties.clear();
         properties["TAGS"] = "v";
       }},
      {v2::ILLEGAL_MESSAGE_PROPERTY_KEY,
       [&] {
         properties.clear();
         properties["k\n"] = "v";
       }},
      {v2::ILLEGAL_MESSAGE_PROPERTY_KEY,
       [&] {
         properties.clear();
         properties["k"] = std::string(17 << 10, 'v');
       }},
      {v2::ILLEGAL_MESSAGE_TAG, [&] { system->set_tag("tag"); }},
      {v2::ILLEGAL_MESSAGE_KEY,
       [&] {
         system->clear_keys();
         system->add_keys("key");
       }},
      {v2::MESSAGE_PROPERTIES_TOO_LARGE, [&] { properties["k"] = "v"; }},
      {v2::ILLEGAL_MESSAGE_ID, [&] { system->set_message_id("id"); }},
      {v2::BAD_REQUEST, [&] { system->clear_orphaned_transaction_recovery_duration(); }},
      {v2::ILLEGAL_DELIVERY_TIME, [&] { system->clear_delivery_timestamp(); }},
      {v2::ILLEGAL_MESSAGE_GROUP, [&] { system->set_message_group("g"); }},
      {v2::MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, [&] { system->clear_message_group(); }},
      {v2::OK, [] {}},
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    SCOPED_TRACE(i);
    const v2::SendMessageResponse reply = Send(message);
    EXPECT_EQ(v2::Code_Name(reply.status().code()), v2::Code_Name(steps[i].code));
    ASSERT_EQ(reply.entries_size(), 1);
    EXPECT_EQ(reply.entries(0).status().code(), reply.status().code());
    steps[i].repair();
  }
}

TEST_F(SendMessageTest, NoMessageAndMixedTopicsAreCorrupted) {
  v2::SendMessageRequest request;
  EXPECT_EQ(ReplyOf<v2::SendMessageResponse>(Start("SendMessage", request)).status().code(),
            v2::MESSAGE_CORRUPTED);

  *request.add_messages() = MakeMessage("t", "1");
  *request.add_messages() = MakeMessage("u", "2");
  const auto reply = ReplyOf<v2::SendMessageResponse>(Start("SendMessage", request));
  EXPECT_EQ(reply.status().code(), v2::MESSAGE_CORRUPTED);
  EXPECT_EQ(reply.entries_size(), 2);
}

TEST_F(SendMessageTest, AWrongDigestIsCorruptedAndARightOneIsFine) {
  v2::Message message = MakeMessage("t", "1", "hello");
  v2::Digest* digest = message.mutable_system_properties()->mutable_body_digest();
  digest->set_type(v2::MD5);
  digest->set_checksum("00000000000000000000000000000000");
  EXPECT_EQ(Send(message).status().code(), v2::MESSAGE_CORRUPTED);

  digest->set_checksum("5d41402abc4b2a76b9719d911017c592");
  EXPECT_EQ(Send(message).status().code(), v2::OK);
}

TEST_F(SendMessageTest, OtherKindsAreNotImplementedYet) {
  CreateTopic("mixed", 4, store::TopicType::kMixed);
  CreateTopic("fifo", 4, store::TopicType::kFifo);
  v2::Message fifo = MakeMessage("fifo", "1");
  fifo.mutable_system_properties()->set_message_group("g");
  v2::Message transaction = MakeMessage("mixed", "3");
  transaction.mutable_system_properties()->set_message_type(v2::TRANSACTION);
  v2::Message lite = MakeMessage("mixed", "4");
  lite.mutable_system_properties()->set_lite_topic("l");

  for (const v2::Message& message : {fifo, transaction, lite}) {
    EXPECT_EQ(Send(message).status().code(), v2::NOT_IMPLEMENTED);
  }
}

TEST_F(SendMessageTest, ADelayedMessageIsReceivedWhenItsTimeComes) {
  CreateTopic("delay", 1, store::TopicType::kDelay);
  v2::Message delayed = MakeMessage("delay", "1");
  SetMillis(absl::ToUnixMillis(executor_.clock().WallNow()) + 60'000,
            delayed.mutable_system_properties()->mutable_delivery_timestamp());
  ASSERT_EQ(Send(delayed).status().code(), v2::OK);
  EXPECT_EQ(Receive(MakeReceive("delay")).code, v2::MESSAGE_NOT_FOUND);  // 20 s pass.

  executor_.Advance(absl::Seconds(61));

  const Received received = FramesOf(StartReceive(MakeReceive("delay")));
  ASSERT_EQ(received.messages.size(), 1u);
  const v2::SystemProperties& system = received.messages[0].system_properties();
  EXPECT_EQ(system.message_type(), v2::DELAY);
  EXPECT_EQ(MillisOf(system.delivery_timestamp()),
            MillisOf(delayed.system_properties().delivery_timestamp()));
  EXPECT_TRUE(received.messages[0].user_properties().empty());
}

TEST_F(SendMessageTest, DelayedMessagesGoToTheirTopicsOnlyAndNotBesideOthers) {
  v2::Message delayed = MakeMessage("t", "1");
  delayed.mutable_system_properties()->mutable_delivery_timestamp()->set_seconds(1'700'001'010);
  EXPECT_EQ(Send(delayed).status().code(), v2::MESSAGE_PROPERTY_CONFLICT_WITH_TYPE);

  CreateTopic("mixed", 4, store::TopicType::kMixed);
  delayed.mutable_topic()->set_name("mixed");
  v2::SendMessageRequest request;
  *request.add_messages() = delayed;
  *request.add_messages() = MakeMessage("mixed", "2");
  EXPECT_EQ(ReplyOf<v2::SendMessageResponse>(Start("SendMessage", request)).status().code(),
            v2::BAD_REQUEST);
}

TEST_F(SendMessageTest, AnOrdinaryMessageDoesNotFitAnOrderedTopic) {
  CreateTopic("fifo", 4, store::TopicType::kFifo);

  EXPECT_EQ(Send(MakeMessage("fifo", "1")).status().code(),
            v2::MESSAGE_PROPERTY_CONFLICT_WITH_TYPE);
}

TEST_F(SendMessageTest, AnUnknownTopicIsNotFoundAndASystemTopicIllegal) {
  EXPECT_EQ(Send(MakeMessage("nowhere", "1")).status().code(), v2::TOPIC_NOT_FOUND);
  EXPECT_EQ(Send(MakeMessage("RMQ_SYS_TRANS_HALF_TOPIC", "1")).status().code(), v2::ILLEGAL_TOPIC);
}

// §13.13: sends that start while nobody leads succeed as soon as somebody does.
TEST_F(SendMessageTest, ASendInTheElectionGapSucceedsWhenALeaderComes) {
  broker_.log()->SetLeader(false);
  const Call call = StartSend(MakeMessage("t", "1"));
  executor_.Advance(absl::Seconds(2));
  EXPECT_FALSE(call->is_finished());

  broker_.log()->SetLeader(true);
  executor_.Run();

  EXPECT_EQ(ReplyOf<v2::SendMessageResponse>(call).status().code(), v2::OK);
}

TEST_F(SendMessageTest, AnElectionLongerThanTheDeadlineIsToldInBandBeforeIt) {
  broker_.log()->SetLeader(false);
  const Call call = StartSend(MakeMessage("t", "1"), absl::Seconds(2));

  executor_.Advance(absl::Seconds(2));

  EXPECT_EQ(ReplyOf<v2::SendMessageResponse>(call).status().code(), v2::HA_NOT_AVAILABLE);
  EXPECT_LE(call->took(), absl::Milliseconds(1700));
  EXPECT_GE(call->took(), absl::Milliseconds(1600));
}

TEST_F(SendMessageTest, TheNamespaceIsPartOfTheName) {
  CreateTopic("ns%t", 4);
  v2::Message message = MakeMessage("t", "1");
  message.mutable_topic()->set_resource_namespace("ns");
  ASSERT_EQ(Send(message).status().code(), v2::OK);

  v2::ReceiveMessageRequest request = MakeReceive();
  EXPECT_EQ(Receive(request).code, v2::MESSAGE_NOT_FOUND);
  request.mutable_message_queue()->mutable_topic()->set_resource_namespace("ns");
  const Received received = Receive(request);

  ASSERT_EQ(received.messages.size(), 1u);
  EXPECT_EQ(received.messages[0].topic().resource_namespace(), "ns");
  EXPECT_EQ(received.messages[0].topic().name(), "t");
}

}  // namespace
}  // namespace totora::grpc_api
