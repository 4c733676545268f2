#include "bench/classic_frames.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/coding.h"
#include "message/codec.h"
#include "message/message.h"
#include "message/properties.h"
#include "remoting/frame.h"
#include "remoting/header/send.h"

namespace totora::bench {
namespace {

using remoting::Serializer;

// Names that contain what is looked for while a template is made.
ClassicSendContent Content(Serializer serializer, size_t batch) {
  return {.topic = "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ",
          .producer_group = "g",
          .body = "opaque g UNIQ_KEY",
          .batch = batch,
          .queues = 12,
          .serializer = serializer};
}

std::string IdIn(absl::string_view properties) {
  return std::string(message::PropertyOr(properties, message::kUniqueKeyProperty));
}

class ClassicFrames : public ::testing::TestWithParam<Serializer> {};

TEST_P(ClassicFrames, ASingleIsReadBackWithWhatWasFilledIn) {
  const auto message = ClassicSendTemplate::Make(Content(GetParam(), 1));
  ASSERT_TRUE(message.ok()) << message.status();
  UniqueIds ids(7);

  const auto command =
      remoting::DecodeFrame(message->Frame(11, 1'234'567'890, 1'700'000'000'123, &ids));

  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->code, 310);
  EXPECT_EQ(command->opaque, 1'234'567'890);
  EXPECT_EQ(command->serializer, GetParam());
  EXPECT_EQ(command->body.view(), "opaque g UNIQ_KEY");
  const auto header = remoting::ReadSendMessage(*command);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->topic, "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(header->queue_id, 11);
  EXPECT_EQ(header->born_timestamp, 1'700'000'000'123);
  EXPECT_FALSE(header->batch);
  EXPECT_EQ(IdIn(header->properties), "00000000000000070000000000000000");
}

TEST_P(ClassicFrames, EveryItemOfABatchHasAnIdOfItsOwn) {
  const auto message = ClassicSendTemplate::Make(Content(GetParam(), 3));
  ASSERT_TRUE(message.ok()) << message.status();
  UniqueIds ids(7);
  std::set<std::string> seen;

  for (int32_t use = 0; use < 2; ++use) {
    const auto command =
        remoting::DecodeFrame(message->Frame(0, Opaques::kFirst + use, 1'700'000'000'123, &ids));

    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_EQ(command->code, 320);
    const auto header = remoting::ReadSendMessage(*command);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_TRUE(header->batch);
    seen.insert(IdIn(header->properties));
    Reader reader(command->body.view());
    for (int i = 0; i < 3; ++i) {
      const size_t before = reader.rest().size();
      const uint32_t size = reader.U32();
      reader.Bytes(12);
      EXPECT_EQ(reader.Prefixed(), "opaque g UNIQ_KEY");
      seen.insert(IdIn(reader.Bytes(reader.U16())));
      EXPECT_EQ(before - reader.rest().size(), size);
    }
    EXPECT_TRUE(reader.done());
  }
  EXPECT_EQ(seen.size(), 8u);
}

INSTANTIATE_TEST_SUITE_P(BothSerializers, ClassicFrames,
                         ::testing::Values(Serializer::kJson, Serializer::kCompact));

TEST(ClassicSendTemplate, RefusesWhatDoesNotFitIntoAFrame) {
  ClassicSendContent content = Content(Serializer::kCompact, 32);
  content.body.assign(1 << 20, 'x');
  EXPECT_EQ(ClassicSendTemplate::Make(content).status().code(),
            absl::StatusCode::kResourceExhausted);
  content.batch = 0;
  EXPECT_EQ(ClassicSendTemplate::Make(content).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(CountStoredMessages, KnowsWhenTheLengthsDoNotAddUp) {
  message::Message message;
  message.topic = "t";
  message.body = "b";
  std::string bytes;
  ASSERT_TRUE(message::EncodeMessage(message, &bytes).ok());
  ASSERT_TRUE(message::EncodeMessage(message, &bytes).ok());

  EXPECT_EQ(CountStoredMessages(bytes).value_or(0), 2u);
  for (size_t cut = 1; cut < bytes.size() / 2; ++cut) {
    EXPECT_FALSE(CountStoredMessages(absl::string_view(bytes).substr(0, bytes.size() - cut)).ok());
  }
}

}  // namespace
}  // namespace totora::bench
