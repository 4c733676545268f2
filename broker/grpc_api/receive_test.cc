#include "broker/grpc_api/receive.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <set>
#include <string>
#include <vector>

#include "broker/grpc_api/body_encoding.h"
#include "broker/grpc_api/grpc_api_fixture.h"
#include "message/digest.h"

namespace totora::grpc_api {
namespace {

class ReceiveMessageTest : public GrpcApiTest {
 protected:
  std::string HandleOf(const Received& received, size_t i = 0) {
    return received.messages.at(i).system_properties().receipt_handle();
  }
};

// §13.4: what each client cannot do without (rule 18).
TEST_F(ReceiveMessageTest, ADeliveredMessageHasEveryMandatoryField) {
  v2::Message sent = MakeMessage("t", "01ABCDEF", "hello");
  sent.mutable_system_properties()->set_tag("tag");
  sent.mutable_system_properties()->add_keys("k1");
  sent.mutable_system_properties()->add_keys("k2");
  sent.mutable_system_properties()->set_trace_context("trace");
  (*sent.mutable_user_properties())["name"] = "value";
  ASSERT_EQ(Send(sent).status().code(), v2::OK);

  const Received received = Receive(MakeReceive());

  EXPECT_EQ(received.code, v2::OK);
  EXPECT_TRUE(received.has_delivery_timestamp);
  ASSERT_EQ(received.messages.size(), 1u);
  const v2::Message& message = received.messages[0];
  const v2::SystemProperties& system = message.system_properties();
  EXPECT_EQ(message.topic().name(), "t");
  EXPECT_EQ(message.body(), "hello");
  EXPECT_EQ(message.user_properties().at("name"), "value");
  EXPECT_EQ(message.user_properties_size(), 1);
  EXPECT_EQ(system.tag(), "tag");
  ASSERT_EQ(system.keys_size(), 2);
  EXPECT_EQ(system.keys(1), "k2");
  EXPECT_EQ(system.message_id(), "01ABCDEF");
  EXPECT_EQ(system.body_digest().type(), v2::MD5);
  EXPECT_EQ(system.body_digest().checksum(), "5D41402ABC4B2A76B9719D911017C592");
  EXPECT_EQ(system.body_encoding(), v2::IDENTITY);
  EXPECT_EQ(system.message_type(), v2::NORMAL);
  EXPECT_EQ(MillisOf(system.born_timestamp()), 1'699'999'999'123);
  EXPECT_EQ(system.born_host(), "producer-host");
  EXPECT_TRUE(system.has_store_timestamp());
  EXPECT_FALSE(system.store_host().empty());
  EXPECT_FALSE(system.receipt_handle().empty());
  EXPECT_TRUE(system.has_queue_offset());
  EXPECT_EQ(system.queue_offset(), 0);
  EXPECT_EQ(system.invisible_duration().seconds(), 60);
  EXPECT_EQ(system.delivery_attempt(), 1);
  EXPECT_EQ(system.trace_context(), "trace");
}

// The bytes in the log were encoded before their place was known.
TEST_F(ReceiveMessageTest, QueueAndOffsetAreThoseOfTheIndex) {
  for (int i = 0; i < 8; ++i)
    ASSERT_EQ(Send(MakeMessage("t", std::to_string(i))).entries(0).status().code(), v2::OK);

  const Received received = Receive(MakeReceive());

  ASSERT_EQ(received.messages.size(), 8u);
  std::set<std::pair<int, int64_t>> places;
  for (const v2::Message& message : received.messages) {
    places.emplace(message.system_properties().queue_id(),
                   message.system_properties().queue_offset());
  }
  EXPECT_EQ(places.size(), 8u);
  EXPECT_EQ(places.rbegin()->second, 1);
}

// §13.3.
TEST_F(ReceiveMessageTest, AnEmptyPollIsHeldForTwentySeconds) {
  const Call call = StartReceive(MakeReceive(), absl::Seconds(60));

  executor_.Advance(absl::Seconds(30));

  ASSERT_TRUE(call->is_finished());
  EXPECT_GE(call->took(), absl::Milliseconds(19'900));
  EXPECT_LE(call->took(), absl::Milliseconds(20'100));
  EXPECT_EQ(FramesOf(call).code, v2::MESSAGE_NOT_FOUND);
  EXPECT_TRUE(FramesOf(call).has_delivery_timestamp);
}

TEST_F(ReceiveMessageTest, APollEndsHalfASecondBeforeItsDeadline) {
  v2::ReceiveMessageRequest rust = MakeReceive();  // Its deadline is its polling time.
  rust.mutable_long_polling_timeout()->set_seconds(6);
  const Call call = StartReceive(rust, absl::Seconds(6));

  executor_.Advance(absl::Seconds(6));

  ASSERT_TRUE(call->is_finished());
  EXPECT_LE(call->took(), absl::Milliseconds(5550));
  EXPECT_GE(call->took(), absl::Milliseconds(5450));
}

TEST_F(ReceiveMessageTest, AShortPollingTimeIsKept) {
  v2::ReceiveMessageRequest request = MakeReceive();
  request.mutable_long_polling_timeout()->set_seconds(2);
  const Call call = StartReceive(request, absl::Seconds(5));

  executor_.Advance(absl::Seconds(5));

  EXPECT_LE(call->took(), absl::Milliseconds(2050));
}

TEST_F(ReceiveMessageTest, AMessageEndsThePollAtOnce) {
  const Call call = StartReceive(MakeReceive());
  executor_.Advance(absl::Seconds(3));
  ASSERT_FALSE(call->is_finished());

  Send(MakeMessage("t", "1"));

  ASSERT_TRUE(call->is_finished());
  EXPECT_EQ(FramesOf(call).messages.size(), 1u);
}

TEST_F(ReceiveMessageTest, WhatACancelledPollTookIsAvailableWithinASecond) {
  // The consumer group exists, so the poll's first command is the receive.
  Send(MakeMessage("t", "0"));
  Ack({HandleOf(Receive(MakeReceive()))});
  Send(MakeMessage("t", "1"));
  broker_.log()->HoldResults(true);
  const Call gone = StartReceive(MakeReceive());
  gone->Cancel();
  executor_.Run();
  broker_.log()->HoldResults(false);

  const Call next = StartReceive(MakeReceive(), absl::Seconds(23), "client-2");
  executor_.Advance(absl::Seconds(1));

  ASSERT_TRUE(next->is_finished());
  ASSERT_EQ(FramesOf(next).messages.size(), 1u);
  EXPECT_EQ(FramesOf(next).messages[0].system_properties().delivery_attempt(), 1);
}

TEST_F(ReceiveMessageTest, AParkedPollThatIsCancelledLeavesNothingBehind) {
  const Call gone = StartReceive(MakeReceive());
  gone->Cancel();
  executor_.Run();
  EXPECT_EQ(broker_.service()->receiver().open_polls(), 0u);

  Send(MakeMessage("t", "1"));

  EXPECT_EQ(Receive(MakeReceive()).messages.size(), 1u);
}

// A response that does not fit into the connection's buffers waits for them.
TEST_F(ReceiveMessageTest, ALargeResponseIsWrittenAsTheClientReads) {
  for (int i = 0; i < 8; ++i) Send(MakeMessage("t", std::to_string(i)));
  broker_.log()->HoldResults(true);
  const Call call = StartReceive(MakeReceive());
  call->StallAfter(3);
  broker_.log()->HoldResults(false);
  executor_.Run();
  EXPECT_EQ(call->written().size(), 3u);  // The status and two messages.
  EXPECT_FALSE(call->is_finished());

  call->Drain();
  executor_.Run();

  ASSERT_TRUE(call->is_finished());
  EXPECT_EQ(FramesOf(call).messages.size(), 8u);
}

TEST_F(ReceiveMessageTest, AClientThatVanishesWhileItReadsGetsNothingCounted) {
  for (int i = 0; i < 8; ++i) Send(MakeMessage("t", std::to_string(i)));
  broker_.log()->HoldResults(true);
  const Call call = StartReceive(MakeReceive());
  call->StallAfter(3);
  broker_.log()->HoldResults(false);
  executor_.Run();

  call->Cancel();
  executor_.Advance(absl::Milliseconds(100));
  const Received next = Receive(MakeReceive());

  ASSERT_EQ(next.messages.size(), 8u);
  for (const v2::Message& message : next.messages) {
    EXPECT_EQ(message.system_properties().delivery_attempt(), 1);
  }
}

TEST_F(ReceiveMessageTest, OnlySubscribedTagsCome) {
  for (const char* tag : {"a", "b", "c", ""}) {
    v2::Message message = MakeMessage("t", std::string("id") + tag);
    if (*tag != '\0') message.mutable_system_properties()->set_tag(tag);
    ASSERT_EQ(Send(message).status().code(), v2::OK);
  }
  v2::ReceiveMessageRequest request = MakeReceive();
  request.mutable_filter_expression()->set_expression("a || c");

  const Received received = Receive(request);

  std::set<std::string> tags;
  for (const v2::Message& message : received.messages)
    tags.insert(message.system_properties().tag());
  EXPECT_EQ(tags, (std::set<std::string>{"a", "c"}));
}

// "Aa" and "BB" have one hash in Java.
TEST_F(ReceiveMessageTest, ATagThatOnlyHashesAlikeIsAckedUnseen) {
  v2::Message message = MakeMessage("t", "1");
  message.mutable_system_properties()->set_tag("Aa");
  ASSERT_EQ(Send(message).status().code(), v2::OK);
  v2::ReceiveMessageRequest request = MakeReceive();
  request.mutable_filter_expression()->set_expression("BB");

  EXPECT_EQ(Receive(request).code, v2::MESSAGE_NOT_FOUND);

  executor_.Advance(absl::Minutes(5));
  EXPECT_EQ(Receive(MakeReceive()).code, v2::MESSAGE_NOT_FOUND);
}

TEST_F(ReceiveMessageTest, RefusalsComeInBandAndNotAtOnce) {
  v2::ReceiveMessageRequest bad_filter = MakeReceive();
  bad_filter.mutable_filter_expression()->set_expression("||");
  v2::ReceiveMessageRequest bad_time = MakeReceive();
  bad_time.set_auto_renew(false);
  bad_time.mutable_invisible_duration()->set_seconds(13 * 3600);
  v2::ReceiveMessageRequest sql = MakeReceive();
  sql.mutable_filter_expression()->set_type(v2::SQL);
  v2::ReceiveMessageRequest bad_group = MakeReceive();
  bad_group.mutable_group()->set_name("no/group");
  const std::vector<std::pair<v2::ReceiveMessageRequest, v2::Code>> table = {
      {MakeReceive("nowhere"), v2::TOPIC_NOT_FOUND}, {MakeReceive("no/topic"), v2::ILLEGAL_TOPIC},
      {bad_group, v2::ILLEGAL_CONSUMER_GROUP},       {bad_filter, v2::ILLEGAL_FILTER_EXPRESSION},
      {bad_time, v2::ILLEGAL_INVISIBLE_TIME},        {sql, v2::NOT_IMPLEMENTED},
  };
  for (const auto& [request, code] : table) {
    const Call call = StartReceive(request);
    executor_.Advance(absl::Milliseconds(200));
    EXPECT_FALSE(call->is_finished());
    executor_.Advance(absl::Milliseconds(200));
    EXPECT_EQ(v2::Code_Name(FramesOf(call).code), v2::Code_Name(code));
  }
}

TEST_F(ReceiveMessageTest, WithoutALeaderAPollIsHeldAndEmpty) {
  Send(MakeMessage("t", "1"));
  broker_.log()->SetLeader(false);
  const Call call = StartReceive(MakeReceive(), absl::Seconds(6));

  executor_.Advance(absl::Seconds(6));

  ASSERT_TRUE(call->is_finished());
  EXPECT_GE(call->took(), absl::Seconds(4));
  EXPECT_EQ(FramesOf(call).code, v2::MESSAGE_NOT_FOUND);
}

// --- Bodies ---------------------------------------------------------------------

std::string Deflate(const std::string& plain) {
  std::string packed(compressBound(plain.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(plain.data()), plain.size());
  packed.resize(size);
  return packed;
}

// C++ labels zlib as gzip; Node, Python and Rust could not read it.
TEST_F(ReceiveMessageTest, APackedBodyArrivesUnpackedWithItsDigest) {
  const std::string plain(100'000, 'x');
  v2::Message message = MakeMessage("t", "1", Deflate(plain));
  message.mutable_system_properties()->set_body_encoding(v2::GZIP);
  ASSERT_EQ(Send(message).status().code(), v2::OK);

  const Received received = Receive(MakeReceive());

  ASSERT_EQ(received.messages.size(), 1u);
  const v2::SystemProperties& system = received.messages[0].system_properties();
  EXPECT_EQ(received.messages[0].body(), plain);
  EXPECT_EQ(system.body_encoding(), v2::IDENTITY);
  EXPECT_EQ(system.body_digest().checksum(), message::BodyDigest(message::DigestKind::kMd5, plain));
}

TEST_F(ReceiveMessageTest, ABodyThatOnlyClaimsToBePackedArrivesAsItIs) {
  v2::Message message = MakeMessage("t", "1", "not packed");
  message.mutable_system_properties()->set_body_encoding(v2::GZIP);
  ASSERT_EQ(Send(message).status().code(), v2::OK);

  const Received received = Receive(MakeReceive());

  ASSERT_EQ(received.messages.size(), 1u);
  EXPECT_EQ(received.messages[0].body(), "not packed");
  EXPECT_EQ(received.messages[0].system_properties().body_encoding(), v2::GZIP);
}

TEST(UnpackBody, ABombIsRefusedAndACutBodyToo) {
  const std::string bomb = Deflate(std::string(kUnpackedBytesMax + 1, '\0'));
  EXPECT_TRUE(absl::IsResourceExhausted(UnpackBody(bomb).status()));
  EXPECT_TRUE(UnpackBody(Deflate(std::string(kUnpackedBytesMax, '\0'))).ok());

  const std::string packed = Deflate("a body of some length");
  for (size_t size = 0; size < packed.size(); ++size) {
    EXPECT_FALSE(UnpackBody(absl::string_view(packed).substr(0, size)).ok()) << size;
  }
  for (absl::string_view head : {"\x04\x22\x4d\x18", "\x28\xb5\x2f\xfd", "\x1f\x8b", "\x78\x9c"}) {
    EXPECT_FALSE(UnpackBody(std::string(head) + "garbage").ok());
    EXPECT_FALSE(UnpackBody(head).ok());
  }
}

// --- Acks (§13.5, §13.6) ------------------------------------------------------------

TEST_F(ReceiveMessageTest, AnAckIsOkTwice) {
  Send(MakeMessage("t", "1"));
  const Received received = Receive(MakeReceive());

  for (int i = 0; i < 2; ++i) {
    const v2::AckMessageResponse reply = Ack({HandleOf(received)});
    EXPECT_EQ(reply.status().code(), v2::OK);
    ASSERT_EQ(reply.entries_size(), 1);
    EXPECT_EQ(reply.entries(0).receipt_handle(), HandleOf(received));
    EXPECT_EQ(reply.entries(0).message_id(), "id of " + HandleOf(received));
  }
}

TEST_F(ReceiveMessageTest, AMessageGivenUpIsADeadLetterAndNeverComesAgain) {
  Send(MakeMessage("t", "1", "given up"));
  const Received received = Receive(MakeReceive());
  v2::ForwardMessageToDeadLetterQueueRequest request;
  request.mutable_group()->set_name("g");
  request.mutable_topic()->set_name("t");
  const auto forward = [&](const std::string& handle) {
    request.set_receipt_handle(handle);
    return ReplyOf<v2::ForwardMessageToDeadLetterQueueResponse>(
               Start("ForwardMessageToDeadLetterQueue", request))
        .status()
        .code();
  };

  EXPECT_EQ(forward("garbage"), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(forward(HandleOf(received)), v2::OK);
  EXPECT_EQ(forward(HandleOf(received)), v2::OK);

  executor_.Advance(absl::Minutes(2));
  EXPECT_EQ(Receive(MakeReceive()).code, v2::MESSAGE_NOT_FOUND);
  v2::ReceiveMessageRequest dead = MakeReceive("%DLQ%g");
  dead.mutable_group()->set_name("undertaker");
  const Received letters = FramesOf(StartReceive(dead));
  ASSERT_EQ(letters.messages.size(), 1u);
  EXPECT_EQ(letters.messages[0].body(), "given up");
  EXPECT_EQ(letters.messages[0].system_properties().message_id(), "1");
}

TEST_F(ReceiveMessageTest, AnAckAfterRedeliveryIsInvalid) {
  Send(MakeMessage("t", "1"));
  v2::ReceiveMessageRequest request = MakeReceive();
  request.set_auto_renew(false);
  request.mutable_invisible_duration()->set_seconds(10);
  const Received first = Receive(request);
  ASSERT_EQ(first.messages.size(), 1u);

  executor_.Advance(absl::Milliseconds(10'500));
  const Received second = Receive(request);

  ASSERT_EQ(second.messages.size(), 1u);
  EXPECT_EQ(second.messages[0].system_properties().delivery_attempt(), 2);
  EXPECT_EQ(Ack({HandleOf(first)}).status().code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(Ack({HandleOf(second)}).status().code(), v2::OK);
}

TEST_F(ReceiveMessageTest, GoodAndBadHandlesGetEachItsOwnCode) {
  Send(MakeMessage("t", "1"));
  const Received received = Receive(MakeReceive());

  const v2::AckMessageResponse reply = Ack({"garbage", HandleOf(received), ""});

  EXPECT_EQ(reply.status().code(), v2::MULTIPLE_RESULTS);
  ASSERT_EQ(reply.entries_size(), 3);
  EXPECT_EQ(reply.entries(0).status().code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(reply.entries(1).status().code(), v2::OK);
  EXPECT_EQ(reply.entries(2).status().code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(Ack({"garbage"}).status().code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(Ack({}).status().code(), v2::BAD_REQUEST);
}

TEST_F(ReceiveMessageTest, AnAckWithoutALeaderIsToBeRetried) {
  Send(MakeMessage("t", "1"));
  const Received received = Receive(MakeReceive());
  broker_.log()->SetLeader(false);
  v2::AckMessageRequest request;
  request.mutable_group()->set_name("g");
  request.add_entries()->set_receipt_handle(HandleOf(received));
  const Call call = Start("AckMessage", request);

  executor_.Advance(absl::Seconds(3));

  EXPECT_EQ(ReplyOf<v2::AckMessageResponse>(call).status().code(), v2::INTERNAL_SERVER_ERROR);
  EXPECT_LE(call->took(), absl::Milliseconds(2700));
}

TEST_F(ReceiveMessageTest, EveryHandleOfAChainOfChangesStaysValid) {
  Send(MakeMessage("t", "1"));
  const Received received = Receive(MakeReceive());
  std::string handle = HandleOf(received);
  v2::ChangeInvisibleDurationRequest request;
  request.mutable_group()->set_name("g");
  request.mutable_topic()->set_name("t");
  for (int i = 0; i < 20; ++i) {
    request.set_receipt_handle(handle);
    request.mutable_invisible_duration()->set_seconds(10);
    const auto reply =
        ReplyOf<v2::ChangeInvisibleDurationResponse>(Start("ChangeInvisibleDuration", request));
    ASSERT_EQ(reply.status().code(), v2::OK);
    handle = reply.receipt_handle();
    executor_.Advance(absl::Seconds(5));
  }

  EXPECT_EQ(Ack({HandleOf(received)}).status().code(), v2::OK);
  EXPECT_EQ(Ack({handle}).status().code(), v2::OK);
}

TEST_F(ReceiveMessageTest, ARefusedChangeStillNamesAHandle) {
  v2::ChangeInvisibleDurationRequest request;
  request.mutable_group()->set_name("g");
  request.set_receipt_handle("garbage");
  auto reply =
      ReplyOf<v2::ChangeInvisibleDurationResponse>(Start("ChangeInvisibleDuration", request));
  EXPECT_EQ(reply.status().code(), v2::INVALID_RECEIPT_HANDLE);
  EXPECT_EQ(reply.receipt_handle(), "garbage");

  request.mutable_invisible_duration()->set_seconds(-1);
  reply = ReplyOf<v2::ChangeInvisibleDurationResponse>(Start("ChangeInvisibleDuration", request));
  EXPECT_EQ(reply.status().code(), v2::ILLEGAL_INVISIBLE_TIME);
  EXPECT_EQ(reply.receipt_handle(), "garbage");
}

TEST_F(ReceiveMessageTest, ANackWithZeroMakesTheMessageAvailableAtOnce) {
  Send(MakeMessage("t", "1"));
  const Received received = Receive(MakeReceive());
  const Call next = StartReceive(MakeReceive(), absl::Seconds(23), "client-2");
  v2::ChangeInvisibleDurationRequest request;
  request.mutable_group()->set_name("g");
  request.set_receipt_handle(HandleOf(received));
  request.mutable_invisible_duration();

  Start("ChangeInvisibleDuration", request);

  ASSERT_TRUE(next->is_finished());
  EXPECT_EQ(FramesOf(next).messages.at(0).system_properties().delivery_attempt(), 2);
}

}  // namespace
}  // namespace totora::grpc_api
