#include "store/commands.h"

#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/escaping.h"
#include "store/send_items.h"

namespace totora::store {
namespace {

// One encoded example of every type, and a check that it decodes to the same bytes.
struct Example {
  const char* name;
  std::string bytes;
  // Decodes and encodes again.
  std::function<absl::StatusOr<std::string>(absl::string_view)> again;
};

template <typename T>
Example Make(const char* name, const T& value) {
  return {name, value.Encode(), [](absl::string_view bytes) -> absl::StatusOr<std::string> {
            absl::StatusOr<T> decoded = T::Decode(bytes);
            if (!decoded.ok()) return decoded.status();
            return decoded->Encode();
          }};
}

std::vector<Example> Examples() {
  SendCommand send;
  send.topic = "orders";
  send.items.resize(5);
  send.items[0] = {std::string(16, 'h'), true, 7, 3, "first message"};
  send.items[1] = {"", false, 0, 0, "second"};
  send.items[2] = {"", false, 0, 0, "third", 1000, 0};
  send.items[3] = {"", false, 0, 0, "fourth", 0, 2000};
  send.items[4] = {std::string(16, 'w'), false, 0, 1, "fifth", 3000, 0, 15000};
  SendResult sent;
  sent.items = {{true, 1, QueueOffset(2), BytePosition(0)},
                {false, 3, QueueOffset(4), BytePosition(5)},
                {true, 3, QueueOffset(0), BytePosition(6), 7}};
  SendResult refused;
  refused.status = {absl::StatusCode::kNotFound, "no such topic"};
  ReceiveCommand receive;
  receive.consumer_group = "g";
  receive.topic = "orders";
  receive.first_queue = 9;
  receive.max_messages = 16;
  receive.auto_renew = true;
  receive.client_id = "client";
  receive.tag_hashes = {1, 5, 0x80000000u};
  ReceiveResult received;
  received.messages = {{1, QueueOffset(2), BytePosition(3), 4, 5, 6},
                       {7, QueueOffset(8), BytePosition(9), 10, 11, 12}};
  message::Override record;
  record.position = BytePosition(13);
  record.Change(message::PropertyChange::Kind::kSet, "n", "v");
  ReceiveResult retried = received;
  retried.messages[1].override_record = std::make_shared<const message::Override>(record);
  received.has_more = true;
  received.invisible_until_ms = 1234;
  const Receipt receipt{"orders", 3, QueueOffset(99), 1000};
  const SendBackCommand back{"g", BytePosition(100), 200, 7, 3, 16, -1, record};
  AckCommand ack{"g", {receipt, receipt}};
  AckResult acked;
  acked.codes = {absl::StatusCode::kOk, absl::StatusCode::kFailedPrecondition};
  ChangeInvisibleCommand change{"g", receipt, 30000};
  DeliveredCommand delivered;
  delivered.items = {{"g", receipt, true}, {"h", receipt, false}};
  TopicConfig topic{"orders", TopicType::kFifo, 4, 8, 6};
  TopicConfig ordered = topic;
  ordered.is_ordered = true;
  ConsumerGroupConfig group{"g", 17, true, false};
  ConsumerGroupConfig quiet_group{"g", 17, true, false, false, false, 8};
  UpdateOffsetsCommand offsets;
  offsets.items = {{"g", "orders", 1, QueueOffset(2), true}, {"h", "x", 3, QueueOffset(4), false}};
  UpdateOffsetsCommand holding;
  holding.items = {{"g", "orders", 1, QueueOffset(2), true, true, false},
                   {"g", "orders", 1, QueueOffset(2), false, false, true}};
  PlainResult plain;
  plain.status = {absl::StatusCode::kResourceExhausted, "full"};
  return {Make("send", send),
          Make("send result", sent),
          Make("refused send", refused),
          Make("receive", receive),
          Make("receive result", received),
          Make("receive result of a retry", retried),
          Make("ack", ack),
          Make("ack result", acked),
          Make("change", change),
          Make("change result", ChangeInvisibleResult{plain.status}),
          Make("delivered", delivered),
          Make("expire", ExpireCommand{77}),
          Make("send back", back),
          Make("send back result", SendBackResult{{}, true, 9}),
          Make("forward", ForwardToDeadLetterCommand{"g", receipt}),
          Make("cancel", CancelTimerCommand{"orders", 5, BytePosition(6)}),
          Make("alive", ClientsAliveCommand{{"a", "b"}}),
          Make("release", ReleaseClientCommand{"a", "g"}),
          Make("topic", topic),
          Make("ordered topic", ordered),
          Make("group", group),
          Make("name", NameCommand{"orders"}),
          Make("deleted group", DeleteConsumerGroupCommand{"g", false}),
          Make("copy", CopyOffsetsCommand{"g", "h", "orders"}),
          Make("lock", LockQueuesCommand{"g", "c", {{"orders", 1}, {"orders", 2}}}),
          Make("lock result", LockQueuesResult{{}, {0, 2, 9}}),
          Make("offsets", offsets),
          Make("offsets that hold", holding),
          Make("quiet consumer group", quiet_group),
          Make("plain", plain)};
}

TEST(Commands, EveryTypeRoundTrips) {
  for (const Example& example : Examples()) {
    const absl::StatusOr<std::string> again = example.again(example.bytes);
    ASSERT_TRUE(again.ok()) << example.name << ": " << again.status();
    EXPECT_EQ(*again, example.bytes) << example.name;
  }
}

TEST(Commands, NoTruncationDecodes) {
  for (const Example& example : Examples()) {
    for (size_t keep = 0; keep < example.bytes.size(); ++keep) {
      EXPECT_EQ(example.again(example.bytes.substr(0, keep)).status().code(),
                absl::StatusCode::kDataLoss)
          << example.name << " cut at " << keep;
    }
    EXPECT_FALSE(example.again(example.bytes + '\0').ok()) << example.name;
  }
}

// What a flip makes of it is either refused or another value with one encoding:
// two readers never understand the same bytes differently.
TEST(Commands, AFlipIsRefusedOrIsAnotherValue) {
  for (const Example& example : Examples()) {
    for (size_t bit = 0; bit < example.bytes.size() * 8; ++bit) {
      std::string flipped = example.bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      const absl::StatusOr<std::string> again = example.again(flipped);
      if (again.ok()) {
        EXPECT_EQ(*again, flipped) << example.name << " bit " << bit;
      }
    }
  }
}

TEST(Commands, GoldenBytes) {
  const std::vector<Example> examples = Examples();
  const auto hex = [&](const char* name) {
    for (const Example& example : examples) {
      if (std::string(example.name) == name) return absl::BytesToHexString(example.bytes);
    }
    return std::string();
  };
  EXPECT_EQ(hex("send"),
            "0006" "6f7264657273" "00000005"
            "03" "68686868686868686868686868686868" "00000007" "00000003"
            "0000000d" "6669727374206d657373616765"
            "00" "00000000" "00000000" "00000006" "7365636f6e64"
            "04" "00000000000003e8" "00000000" "00000000" "00000005" "7468697264"
            "08" "00000000000007d0" "00000000" "00000000" "00000006" "666f75727468"
            "16" "77777777777777777777777777777777" "00003a98" "0000000000000bb8"
            "00000000" "00000001" "00000005" "6669667468");
  EXPECT_EQ(hex("send result"),
            "00" "0000" "00000003"
            "01" "00000001" "0000000000000002" "0000000000000000"
            "00" "00000003" "0000000000000004" "0000000000000005"
            "03" "00000003" "0000000000000000" "0000000000000006" "0000000000000007");
  EXPECT_EQ(hex("refused send"), "05" "000d" "6e6f207375636820746f706963");
  EXPECT_EQ(hex("receive"),
            "0001" "67" "0006" "6f7264657273" "ffffffff" "00000009" "00000010"
            "000000000000ea60" "01" "0006" "636c69656e74"
            "00000003" "00000001" "00000005" "80000000");
  EXPECT_EQ(hex("receive result"),
            "00" "0000" "01" "00000000000004d2" "00000002"
            "00000001" "0000000000000002" "0000000000000003" "00000004" "00000005"
            "0000000000000006"
            "00000007" "0000000000000008" "0000000000000009" "0000000a" "0000000b"
            "000000000000000c");
  EXPECT_EQ(hex("ack result"), "00" "0000" "00000002" "00" "09");
  EXPECT_EQ(hex("change"),
            "0001" "67" "0006" "6f7264657273" "00000003" "0000000000000063" "00000000000003e8"
            "0000000000007530");
  EXPECT_EQ(hex("expire"), "0000004d");
  EXPECT_EQ(hex("alive"), "00000002" "0001" "61" "0001" "62");
  EXPECT_EQ(hex("release"), "0001" "61" "0001" "67");
  EXPECT_EQ(hex("topic"), "0006" "6f7264657273" "02" "00000004" "00000008" "00000006");
  EXPECT_EQ(hex("group"), "0001" "67" "00000011" "01");
  EXPECT_EQ(hex("plain"), "08" "0004" "66756c6c");
}

// The flag is there or not: the only format of which a cut is whole too.
TEST(Commands, TheDeletionOfAConsumerGroupMayTakeItsTopicsAlong) {
  const DeleteConsumerGroupCommand command{"g", true};
  EXPECT_EQ(absl::BytesToHexString(command.Encode()), "0001" "67" "01");
  EXPECT_TRUE(DeleteConsumerGroupCommand::Decode(command.Encode())->with_topics);
  EXPECT_FALSE(DeleteConsumerGroupCommand::Decode(NameCommand{"g"}.Encode())->with_topics);
  EXPECT_FALSE(DeleteConsumerGroupCommand::Decode(std::string("\0\1g\0", 4)).ok());
}

TEST(Commands, ADecodedSendPointsIntoItsPayload) {
  const std::string payload = Examples()[0].bytes;
  const absl::StatusOr<SendCommand> send = SendCommand::Decode(payload);
  ASSERT_TRUE(send.ok());
  EXPECT_EQ(send->items[0].message.data(), payload.data() + payload.find("first message"));
}

TEST(Commands, ASendOfNothingOrOfTooMuchIsDamaged) {
  SendCommand send;
  send.topic = "t";
  EXPECT_FALSE(SendCommand::Decode(send.Encode()).ok());
  send.items.resize(SendCommand::kSendItemsMax);
  EXPECT_TRUE(SendCommand::Decode(send.Encode()).ok());
  send.items.resize(SendCommand::kSendItemsMax + 1);
  EXPECT_FALSE(SendCommand::Decode(send.Encode()).ok());
}

TEST(Commands, TagsOfAReceiveTravelSortedAndOnce) {
  ReceiveCommand receive;
  receive.tag_hashes = {9, 1, 9, 4};
  const absl::StatusOr<ReceiveCommand> decoded = ReceiveCommand::Decode(receive.Encode());
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->tag_hashes, (std::vector<uint32_t>{1, 4, 9}));
}

TEST(Commands, ACountThatThePayloadCannotHoldReservesNothing) {
  std::string bytes;
  AckCommand ack{"g", {}};
  bytes = ack.Encode();
  bytes.replace(bytes.size() - 4, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(AckCommand::Decode(bytes).ok());
}

// Nobody can make a table of such names, so a cut one is as unknown as it.
TEST(Commands, AnEndlessNameIsCutAndNotMistakenForLengthOfWhatFollows) {
  NameCommand command{std::string(100'000, 'n')};
  const absl::StatusOr<NameCommand> decoded = NameCommand::Decode(command.Encode());
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->name.size(), 65535u);
}

}  // namespace
}  // namespace totora::store
